import json
import re
import typing as t
from pathlib import Path

import pytest

from handler.bundle import Bundle, BundleError

from .. import bundles


def open_bundle(folder: Path) -> Bundle:
    return Bundle.open(str(folder), folder / "unused")


def test_a_folder_is_read_and_verified(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert (opened.manifest.name, opened.manifest.version, opened.manifest.image_size) == ("tiny", "test-1", 32)
    assert opened.read("prior.ts") == (bundle / "prior.ts").read_bytes()


def test_three_channels_are_the_default(own_bundle: Path) -> None:
    bundles.edit_manifest(own_bundle, channels=None)
    assert open_bundle(own_bundle).manifest.channels == 3


@pytest.mark.parametrize("key", ["format", "name", "version", "image_size", "latent_dim", "noise_dim", "files"])
def test_a_missing_key_is_named(own_bundle: Path, key: str) -> None:
    bundles.edit_manifest(own_bundle, **{key: None})
    with pytest.raises(BundleError, match=f"manifest.json: .*{key}"):
        open_bundle(own_bundle)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("format", True),
        ("name", ""),
        ("name", 7),
        ("version", "../other"),
        ("version", "1\r\nSet-Cookie: x"),
        ("image_size", "128"),
        ("image_size", 128.0),
        ("image_size", 4096),
        ("channels", 2),
        ("channels", True),
        ("latent_dim", 0),
        ("noise_dim", -1),
        ("files", ["encoder.ts"]),
        ("files", {"../encoder.ts": bundles.checksum(b"x")}),
        ("files", {"/etc/passwd": bundles.checksum(b"x")}),
        ("files", {".hidden": bundles.checksum(b"x")}),
        ("files", {"encoder.ts": "0" * 64}),
        ("files", {"encoder.ts": {"sha256": "0" * 63, "bytes": 1}}),
        ("files", {"encoder.ts": {"sha256": "0" * 64, "bytes": "1"}}),
    ],
)
def test_a_wrong_value_is_named(own_bundle: Path, key: str, value: t.Any) -> None:
    bundles.edit_manifest(own_bundle, **{key: value})
    with pytest.raises(BundleError, match=f"manifest.json: .*{key}"):
        open_bundle(own_bundle)


def test_directions_are_kept_and_may_be_absent(own_bundle: Path) -> None:
    directions = open_bundle(own_bundle).manifest.directions
    assert [(each.name, each.sd) for each in directions] == [("lightness", 4), ("height", 2)]
    bundles.edit_manifest(own_bundle, directions=None)
    assert open_bundle(own_bundle).manifest.directions == ()


def test_a_direction_without_a_mean_is_measured_from_zero(own_bundle: Path) -> None:
    direction = bundles.lightness(192)
    del direction["mean"]
    bundles.edit_manifest(own_bundle, directions=[direction])
    assert open_bundle(own_bundle).manifest.directions[0].mean == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": ""}, "name is ''"),
        ({"name": 7}, "name is '7'"),
        ({"sd": 0}, "sd is '0'"),
        ({"sd": "4"}, "sd is '4'"),
        ({"sd": float("inf")}, "sd is 'inf'"),
        ({"mean": float("nan")}, "mean is 'nan'"),
        ({"mean": None}, "mean is 'None'"),
        ({"mean": 10**400}, "mean is '1000"),
        ({"vector": [1.0] * 191}, "expected 192 numbers"),
        ({"vector": [True] * 192}, "expected 192 numbers"),
        ({"vector": [1.0] * 192}, "vector has length 13.9; expected 1"),
        ({"vector": None}, "vector is 'None'"),
    ],
)
def test_a_wrong_direction_is_named(own_bundle: Path, change: dict[str, t.Any], named: str) -> None:
    bundles.edit_manifest(own_bundle, directions=[bundles.height(192), bundles.lightness(192) | change])
    with pytest.raises(BundleError, match=re.escape("manifest.json: directions[1]: ") + ".*" + re.escape(named)):
        open_bundle(own_bundle)


PLAUSIBLE: dict[str, t.Any] = {"groups": 1, "mean": [0, 0, 0], "precision": [[1, 0, 0]] * 3, "threshold": 4}


def test_what_is_plausible_is_kept_and_may_be_absent(own_bundle: Path) -> None:
    assert open_bundle(own_bundle).manifest.plausibility is None
    bundles.edit_manifest(own_bundle, plausibility=PLAUSIBLE)
    known = open_bundle(own_bundle).manifest.plausibility
    assert known
    assert (known.groups, known.threshold, len(known.precision)) == (1, 4, 3)


@pytest.mark.parametrize(
    "change",
    [{"groups": 5}, {"groups": "1"}, {"mean": [0, 0]}, {"precision": [[1, 0, 0]]}, {"precision": [[1], [1], [1]]},
     {"threshold": 0}, {"threshold": "4"}],
)  # fmt: skip
def test_a_measure_that_does_not_fit_is_named(own_bundle: Path, change: dict[str, t.Any]) -> None:
    bundles.edit_manifest(own_bundle, plausibility=PLAUSIBLE | change)
    with pytest.raises(BundleError, match=f"manifest.json: plausibility: {next(iter(change))} is "):
        open_bundle(own_bundle)


@pytest.mark.parametrize("directions", [{}, "lightness", ["lightness"], [bundles.lightness(192)] * 65])
def test_directions_that_are_no_list_of_objects_are_refused(own_bundle: Path, directions: t.Any) -> None:
    bundles.edit_manifest(own_bundle, directions=directions)
    with pytest.raises(BundleError, match=r"manifest\.json: directions.* expected (at most 64|an object)"):
        open_bundle(own_bundle)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(own_bundle: Path, text: str) -> None:
    (own_bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest.json: (not JSON|expected a JSON object)"):
        open_bundle(own_bundle)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest.json: No such file"):
        open_bundle(tmp_path / "nowhere")


def test_a_missing_file_is_named(own_bundle: Path) -> None:
    (own_bundle / "prior.ts").unlink()
    with pytest.raises(BundleError, match=r"prior.ts: No such file"):
        open_bundle(own_bundle).read("prior.ts")


def test_a_file_that_the_manifest_does_not_list_is_never_read(own_bundle: Path) -> None:
    (own_bundle / "extra.ts").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"files has no 'extra.ts'"):
        open_bundle(own_bundle).read("extra.ts")


def spoil(data: bytes, how: str) -> bytes:
    return {
        "swapped": data[:-1] + bytes([data[-1] ^ 1]),
        "truncated": data[:-100],
        "longer": data + b"x",
        "empty": b"",
    }[how]


SPOILT = {
    "swapped": "its SHA-256 is not",
    "truncated": "bytes, the manifest",
    "longer": "more than",
    "empty": "0 bytes",
}


@pytest.mark.parametrize("how", SPOILT)
def test_spoilt_bytes_are_refused(own_bundle: Path, how: str) -> None:
    path = own_bundle / "decoder.ts"
    path.write_bytes(spoil(path.read_bytes(), how))
    with pytest.raises(BundleError, match=f"decoder.ts: .*{SPOILT[how]}"):
        open_bundle(own_bundle).read("decoder.ts")


# The same over S3: real requests to a server of moto's, see conftest.


def test_a_version_on_s3_is_read_and_kept(s3: t.Any, bundle: Path, tmp_path: Path) -> None:
    s3.upload(bundle, "models/test-1")
    opened = Bundle.open("s3://cars/models/test-1", tmp_path / "cache")
    data = opened.read("encoder.ts")
    assert data == (bundle / "encoder.ts").read_bytes()
    sha256 = bundles.checksum(data)["sha256"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [sha256]
    s3.delete("models/test-1/encoder.ts")
    assert opened.read("encoder.ts") == data


def test_current_json_points_to_a_version(s3: t.Any, tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        s3.upload(bundles.make(tmp_path / version, version=version), f"models/{version}")
    for version in ("v2", "v1"):
        s3.put("models/current.json", json.dumps({"version": version}).encode())
        assert Bundle.open("s3://cars/models/current.json", tmp_path / "cache").manifest.version == version


@pytest.mark.parametrize("pointer", [b"", b"{}", b"[]", b'{"version": 1}', b'{"version": "../secrets"}'])
def test_a_wrong_pointer_is_refused(s3: t.Any, tmp_path: Path, pointer: bytes) -> None:
    s3.put("models/current.json", pointer)
    with pytest.raises(BundleError, match=r"current\.json"):
        Bundle.open("s3://cars/models/current.json", tmp_path)


def test_a_version_under_another_name_is_refused(s3: t.Any, bundle: Path, tmp_path: Path) -> None:
    s3.upload(bundle, "models/other")
    s3.put("models/current.json", b'{"version": "other"}')
    with pytest.raises(BundleError, match=r"version is 'test-1', current\.json says 'other'"):
        Bundle.open("s3://cars/models/current.json", tmp_path)


@pytest.mark.parametrize("how", SPOILT)
def test_spoilt_objects_are_refused_and_not_kept(s3: t.Any, bundle: Path, tmp_path: Path, how: str) -> None:
    s3.upload(bundle, "models/test-1")
    s3.put("models/test-1/decoder.ts", spoil((bundle / "decoder.ts").read_bytes(), how))
    with pytest.raises(BundleError, match=f"decoder.ts: .*{SPOILT[how]}"):
        Bundle.open("s3://cars/models/test-1", tmp_path / "cache").read("decoder.ts")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("address", ["s3://cars/models/none", "s3://cars/models/current.json", "s3://none/models/x"])
def test_a_missing_object_is_said_without_its_bucket(s3: t.Any, tmp_path: Path, address: str) -> None:
    with pytest.raises(BundleError, match=r"(manifest|current)\.json: S3 answered NoSuch(Key|Bucket)$"):
        Bundle.open(address, tmp_path)


def test_a_refused_connection_is_said(s3: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BundleError, match=r"manifest.json: S3 answered EndpointConnectionError"):
        Bundle.open("s3://cars/models/test-1", tmp_path)


def test_a_damaged_cache_is_fetched_anew(s3: t.Any, bundle: Path, tmp_path: Path) -> None:
    s3.upload(bundle, "models/test-1")
    opened = Bundle.open("s3://cars/models/test-1", tmp_path)
    data = opened.read("prior.ts")
    kept = tmp_path / bundles.checksum(data)["sha256"]
    kept.write_bytes(data[:-1])
    assert opened.read("prior.ts") == data
    assert kept.read_bytes() == data


def test_a_cache_that_cannot_be_written_costs_nothing_else(s3: t.Any, bundle: Path, tmp_path: Path) -> None:
    s3.upload(bundle, "models/test-1")
    (tmp_path / "file").touch()
    opened = Bundle.open("s3://cars/models/test-1", tmp_path / "file" / "cache")
    assert opened.read("prior.ts") == (bundle / "prior.ts").read_bytes()
