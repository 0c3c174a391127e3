"""Output folders that are whole or absent."""

import contextlib
import pathlib
import shutil
import tempfile
import typing as t


@contextlib.contextmanager
def written_whole(out: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Give a temporary folder beside ``out`` that takes its place in the end, or leaves nothing after an error.

    What is at ``out`` already is replaced; whether it may be is the caller's to check.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield work
        work.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        work.rename(out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
