"""Documents that can be read, and compared, in a terminal."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 130

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]),
    ids=lambda path: path.name,
)
def test_lines_are_short_but_in_tables(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    long = [f"line {number}: {len(line)}" for number, line in lines if len(line) > LONGEST and line[:1] != "|"]
    assert not long
