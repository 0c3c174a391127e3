"""Publishing versions of a model, going back, and being interrupted."""

import json
import shutil
import typing as t
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from deploy import Failure, aws
from deploy.versions import Shelf

from .. import bundles


class Wire:
    """A client of S3 whose uploads pass through `put` first."""

    def __init__(self, client: t.Any) -> None:
        self._client = client
        self.put: t.Callable[[str], None] = silent

    def put_object(self, **arguments: t.Any) -> t.Any:
        self.put(arguments["Key"])
        return self._client.put_object(**arguments)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._client, name)


@pytest.fixture
def wire(s3: t.Any, monkeypatch: pytest.MonkeyPatch) -> Wire:
    between = Wire(s3)
    monkeypatch.setattr(aws, "client", lambda *_: between)
    return between


@pytest.fixture
def shelf(wire: Wire) -> Shelf:
    return Shelf("s3://cars")


@pytest.fixture
def second(bundle: Path, tmp_path: Path) -> Path:
    """The same model as another version."""
    folder = Path(shutil.copytree(bundle, tmp_path / "second"))
    bundles.edit_manifest(folder, version="test-2")
    return folder


def silent(_: str) -> None:
    pass


def names(s3: t.Any) -> set[str]:
    return {entry["Key"] for entry in s3.list_objects_v2(Bucket="cars").get("Contents", [])}


def pointer(s3: t.Any) -> t.Any:
    return json.loads(s3.get_object(Bucket="cars", Key="models/current.json")["Body"].read())


def test_a_published_version_is_whole_and_pointed_at(shelf: Shelf, s3: t.Any, bundle: Path) -> None:
    assert shelf.publish(bundle, silent) == "test-1"
    assert names(s3) == {f"models/test-1/{path.name}" for path in bundle.iterdir()} | {"models/current.json"}
    assert pointer(s3)["version"] == "test-1"


def test_every_file_has_its_checksum_and_cache_header(shelf: Shelf, s3: t.Any, bundle: Path) -> None:
    shelf.publish(bundle, silent)
    head = s3.head_object(Bucket="cars", Key="models/test-1/decoder.ts", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"]
    assert "immutable" in head["CacheControl"]
    assert s3.head_object(Bucket="cars", Key="models/current.json")["CacheControl"] == "no-cache"


def test_publishing_it_again_changes_nothing(shelf: Shelf, s3: t.Any, bundle: Path) -> None:
    shelf.publish(bundle, silent)
    before = {key: s3.head_object(Bucket="cars", Key=key)["LastModified"] for key in names(s3)}
    told: list[str] = []
    shelf.publish(bundle, told.append)
    assert told == []
    assert {key: s3.head_object(Bucket="cars", Key=key)["LastModified"] for key in names(s3)} == before


def test_a_version_is_never_overwritten(shelf: Shelf, bundle: Path, own_bundle: Path) -> None:
    shelf.publish(bundle, silent)
    bundles.edit_manifest(own_bundle, name="another")
    with pytest.raises(Failure, match="test-1 is published already"):
        shelf.publish(own_bundle, silent)


def test_a_damaged_bundle_is_not_published(shelf: Shelf, s3: t.Any, own_bundle: Path) -> None:
    (own_bundle / "decoder.ts").write_bytes(b"x")
    with pytest.raises(Failure, match=r"decoder\.ts"):
        shelf.publish(own_bundle, silent)
    assert names(s3) == set()


@pytest.mark.parametrize("after", range(10))
def test_interrupted_anywhere_nothing_points_at_a_part_and_the_next_run_finishes(
    shelf: Shelf, wire: Wire, s3: t.Any, bundle: Path, second: Path, after: int
) -> None:
    shelf.publish(bundle, silent)
    done: list[str] = []

    def break_off(key: str) -> None:
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(key)

    wire.put = break_off
    with pytest.raises(KeyboardInterrupt):
        shelf.publish(second, silent)
    wire.put = silent
    assert pointer(s3)["version"] == "test-1"
    told: list[str] = []
    shelf.publish(second, told.append)
    assert len([line for line in told if "there already" in line]) == (after if after < 9 else 0)
    assert pointer(s3)["version"] == "test-2"


def test_rollback_goes_back_one_version_at_a_time(shelf: Shelf, s3: t.Any, bundle: Path, second: Path) -> None:
    shelf.publish(bundle, silent)
    shelf.publish(second, silent)
    assert shelf.roll_back() == "test-1"
    assert pointer(s3)["version"] == "test-1"
    with pytest.raises(Failure, match="no version before test-1"):
        shelf.roll_back()


def test_a_version_rolled_back_can_be_served_again(shelf: Shelf, s3: t.Any, bundle: Path, second: Path) -> None:
    shelf.publish(bundle, silent)
    shelf.publish(second, silent)
    shelf.roll_back()
    shelf.publish(second, silent)
    assert (pointer(s3)["version"], pointer(s3)["earlier"]) == ("test-2", ["test-1"])


def test_rollback_to_a_version_that_is_gone_is_refused(shelf: Shelf, s3: t.Any, bundle: Path, second: Path) -> None:
    shelf.publish(bundle, silent)
    shelf.publish(second, silent)
    s3.delete_object(Bucket="cars", Key="models/test-1/manifest.json")
    with pytest.raises(Failure, match="test-1 is gone"):
        shelf.roll_back()
    assert pointer(s3)["version"] == "test-2"


@pytest.mark.parametrize("address", ["cars", "s3://", "https://cars", ""])
def test_an_address_of_another_form_is_named(address: str) -> None:
    with pytest.raises(Failure, match="expected s3://BUCKET"):
        Shelf(address)


def test_a_bucket_that_is_not_there_is_named(s3: t.Any, bundle: Path) -> None:
    with pytest.raises(Failure, match=r"s3://nobody/.*NoSuchBucket"):
        Shelf("s3://nobody").publish(bundle, silent)


def test_a_refusal_names_what_was_tried(shelf: Shelf, wire: Wire, bundle: Path) -> None:
    def refuse(_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    wire.put = refuse
    with pytest.raises(Failure, match=r"writing s3://cars/models/test-1/decoder\S+: .*AccessDenied"):
        shelf.publish(bundle, silent)
