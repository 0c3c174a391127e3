"""The page's files in a bucket."""

import gzip
import typing as t
from pathlib import Path

import pytest

from deploy import Failure, site

API = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
STATIC = Path(__file__).parent.parent.parent / "static"


def silent(_: str) -> None:
    pass


def test_every_file_of_the_page_has_its_type(s3: t.Any) -> None:
    found = site.files(STATIC, API)
    site.upload(found, "cars", silent)
    kinds = {name: s3.head_object(Bucket="cars", Key=name)["ContentType"] for name in found}
    assert kinds["index.html"] == "text/html; charset=utf-8"
    assert kinds["app.js"] == "text/javascript; charset=utf-8"
    assert kinds["icon.svg"] == "image/svg+xml"
    assert "binary/octet-stream" not in kinds.values()


def test_text_is_stored_compressed_and_says_so(s3: t.Any) -> None:
    found = site.files(STATIC, API) | {"photo.png": b"not text"}
    site.upload(found, "cars", silent)
    stored = s3.get_object(Bucket="cars", Key="style.css")
    assert stored["ContentEncoding"] == "gzip"
    assert gzip.decompress(stored["Body"].read()) == found["style.css"]
    picture = s3.get_object(Bucket="cars", Key="photo.png")
    assert "ContentEncoding" not in picture
    assert picture["Body"].read() == b"not text"
    # All views together, without the pictures that only links and home screens show, and without the API's reference,
    # which is a page of its own; a first load takes less.
    reference = {"reference.html", "openapi.json", *(name for name in found if "redoc" in name)}
    loaded = {
        name: data for name, data in found.items() if not name.endswith((".png", ".jpg")) and name not in reference
    }
    assert sum(len(site.body(name, data)) for name, data in loaded.items()) < 100_000


def test_libraries_are_kept_and_all_else_is_asked_for_anew(s3: t.Any) -> None:
    found = site.files(STATIC, API)
    site.upload(found, "cars", silent)
    kept = {name for name in found if "immutable" in s3.head_object(Bucket="cars", Key=name)["CacheControl"]}
    assert kept == {name for name in found if name.startswith("vendor/") and name.endswith((".js", ".woff2"))}
    assert kept


def test_the_security_headers_are_in_the_metadata(s3: t.Any) -> None:
    site.upload(site.files(STATIC, API), "cars", silent)
    assert s3.head_object(Bucket="cars", Key="index.html")["Metadata"]["x-content-type-options"] == "nosniff"


def test_config_js_names_the_api_without_a_slash() -> None:
    assert site.files(STATIC, f"{API}/")["config.js"].decode().endswith(f'window.CARVAE_API = "{API}";\n')


def test_config_js_may_name_a_path_of_the_pages_own_address() -> None:
    assert site.files(STATIC, "/api")["config.js"].decode().endswith('window.CARVAE_API = "/api";\n')


def test_only_changed_files_are_sent_and_the_page_itself_last(s3: t.Any) -> None:
    found = site.files(STATIC, API)
    told: list[str] = []
    assert site.upload(found, "cars", told.append) == len(found)
    assert told[-1] == "index.html: sent"
    assert site.upload(found, "cars", silent) == 0
    changed = found | {"app.js": b"1;"}
    told.clear()
    assert site.upload(changed, "cars", told.append) == 1
    assert told == ["app.js: sent"]


def test_a_file_that_the_page_no_longer_has_is_deleted(s3: t.Any) -> None:
    s3.put_object(Bucket="cars", Key="old.js", Body=b"")
    site.upload(site.files(STATIC, API), "cars", silent)
    assert "old.js" not in {entry["Key"] for entry in s3.list_objects_v2(Bucket="cars")["Contents"]}


@pytest.mark.parametrize(
    "api", ["", "a1b2.example", "http://cars.example", 'https://x";alert(1)', "https://x</script>"]
)
def test_an_address_that_is_none_is_named(api: str) -> None:
    with pytest.raises(Failure, match="expected the API's address"):
        site.files(STATIC, api)


def test_a_file_of_an_unknown_type_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    (tmp_path / "car.xyz").write_text("")
    with pytest.raises(Failure, match=r"car\.xyz"):
        site.files(tmp_path, API)


def test_a_bucket_that_is_not_there_is_named(s3: t.Any) -> None:
    with pytest.raises(Failure, match="nobody"):
        site.upload(site.files(STATIC, API), "nobody", silent)
