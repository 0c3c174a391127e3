"""Files that are complete or absent, whatever happens while they are written."""

import contextlib
import secrets
import typing as t
from collections.abc import Iterator
from pathlib import Path

#: How the names end of files that are being written.
PARTIAL = ".part"


@contextlib.contextmanager
def whole(path: Path) -> Iterator[t.BinaryIO]:
    """Open a file for writing; it gets its name only if the block ends without an error.

    Each call uses a new temporary name, so that several processes may write the same file.

    Parameters
    ----------
    path : Path
        Its folder must exist; a file of this name is replaced.

    Raises
    ------
    OSError
        If it can't be written; what was there before stays.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
