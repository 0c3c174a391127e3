"""Shared libraries that travel compressed: unpacked to the temporary folder and loaded before ``import torch``.

PyTorch's libraries alone are larger than the code of a Lambda function may be. ``scripts/package.py`` puts them into
the function as zstd pieces beside an ``index.json``; where there is no such folder, torch is installed whole and
nothing is done here.
"""

import concurrent.futures
import ctypes
import errno
import fcntl
import json
import os
import tempfile
import typing as t
from pathlib import Path

from . import files

#: Bytes per block. A larger block would be new memory from the system each time, which doubles the CPU time.
BLOCK = 64 << 10

PACKED = Path(__file__).parent.parent / "libraries"


def load_libraries(packed: Path = PACKED) -> None:
    """Unpack what an earlier start has not, then load the libraries in the order of their dependencies.

    When a later library needs one by its name, the dynamic linker uses the one that is already loaded. So torch finds
    these although they are not in its folder.

    Raises
    ------
    OSError
        If the temporary folder is full or not ours, or a library doesn't load.
    """
    if not packed.is_dir():
        return
    index = json.loads((packed / "index.json").read_text())
    folder = unpack_libraries(packed, index)
    for path in index["load"]:
        name = path.rpartition("/")[2]
        ctypes.CDLL(str(folder / name if name in index["packed"] else packed.parent / path))


def unpack_libraries(packed: Path, index: dict[str, t.Any]) -> Path:
    """Unpack what `index` lists, unless an earlier start has done so; returns the folder with the libraries."""
    folder = _own_folder(index["key"])
    # Held until everything is unpacked; the system releases it if we are killed. A second start waits instead of
    # unpacking as well, for which the disk has no room.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(f"*{files.PARTIAL}"):  # by a start that was killed; /tmp has no room for them
            left.unlink()
        for name, pieces in index["packed"].items():
            _unpack(packed / f"{name}.zst", folder / name, pieces)
    return folder


def _own_folder(key: str) -> Path:
    """The folder for these very libraries; another build's have another key."""
    folder = Path(tempfile.gettempdir(), f"carvae-{key}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user, who could change what is loaded from it")
    return folder


def _unpack(source: Path, target: Path, pieces: t.Sequence[tuple[int, int]]) -> None:
    """Write `target`, complete or not at all, from `pieces`: (packed, unpacked) sizes in bytes, in order."""
    if target.exists():
        return
    from . import zstd  # an installed torch needs none

    with source.open("rb") as reader, files.whole(target) as writer:

        def copy(read_at: int, size: int, write_at: int) -> None:
            piece = zstd.ZstdDecompressor()  # verifies the piece's checksum, too
            data = piece.decompress(os.pread(reader.fileno(), size, read_at), BLOCK)
            while True:
                if os.pwrite(writer.fileno(), data, write_at) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
                if piece.eof:
                    return
                if piece.needs_input:
                    raise OSError(f"{source} is cut short")
                write_at += len(data)
                data = piece.decompress(b"", BLOCK)

        # zstd and the system calls let other threads run, so each core that there is takes a share.
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            jobs = []
            read_at = write_at = 0
            for size, unpacked in pieces:
                jobs.append(pool.submit(copy, read_at, size, write_at))
                read_at, write_at = read_at + size, write_at + unpacked
            for job in jobs:
                job.result()
