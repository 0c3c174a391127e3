import pytest

from deploy import Failure, archive

MB = 1_000_000


def test_a_function_too_large_is_refused_by_the_names_of_what_is_large() -> None:
    with pytest.raises(Failure, match=r"300\.0 MB unzipped.*262\.1 MB.*torch \(250\.0 MB\)"):
        archive.check([("torch", 250 * MB), ("numpy", 50 * MB)], 0)


def test_libraries_too_large_for_tmp_are_refused() -> None:
    with pytest.raises(Failure, match=r"500\.0 MB of /tmp"):
        archive.check([("torch", 1)], 500 * MB)
