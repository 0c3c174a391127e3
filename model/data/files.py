"""Output files and folders that are whole or absent."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import sys
import tempfile
import typing as t

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


@contextlib.contextmanager
def whole(path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Give a temporary name beside ``path``, of the same suffix, that becomes ``path`` unless an error comes first.

    A process that is killed leaves the temporary file; the next to write ``path`` writes over it.
    """
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def whole_folder(out: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Give a temporary folder beside ``out`` that takes its place in the end, or leaves nothing after an error.

    What is at ``out`` already is replaced; whether it may be is the caller's to check.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield work
        work.chmod(0o755)
        if out.exists():
            _exchange(work, out)
            shutil.rmtree(work)
        else:
            work.rename(out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _exchange(one: pathlib.Path, other: pathlib.Path) -> None:
    """Swap two folders. On Linux the swap is atomic, so a kill at any time leaves a folder at each place."""
    if sys.platform == "linux":
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
            return
    # On other systems, and on file systems that can't exchange folders, nothing is at `other` for an instant.
    aside = one.with_name(one.name + "-before")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)
