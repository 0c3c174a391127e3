import tempfile
from pathlib import Path

import pytest

from deploy import Failure, thin
from handler import unpack


def test_a_cuda_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="CUDA build"):
        thin.pack_libraries({"torch/lib/libtorch_cuda.so": tmp_path}, tmp_path, "x86_64")


def test_a_torch_built_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"no torch/lib/libgomp\.so\.1"):
        thin.pack_libraries({"torch/lib/libc10.so": tmp_path}, tmp_path, "x86_64")


def test_a_missing_strip_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Failure, match="binutils"):
        thin.find_strip("x86_64")


def test_what_patchelf_has_changed_is_not_stripped_but_packed_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "libtorch_cpu.so"
    library.write_bytes(bytes(range(256)) * 20_000)
    packed, pieces = thin.pack(library, thin.find_strip("arm64"), tmp_path / "cache")
    folder = tmp_path / "libraries"
    folder.mkdir()
    packed.rename(folder / f"{library.name}.zst")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    unpacked = unpack.unpack_libraries(folder, {"key": "k1", "packed": {library.name: pieces}})
    assert (unpacked / library.name).read_bytes() == library.read_bytes()


def test_the_libraries_of_an_arm64_wheel_are_loaded_each_after_those_that_it_needs() -> None:
    own = [f"torch/lib/lib{name}.so" for name in ("c10", "torch_cpu", "torch", "shm", "torch_python")]
    needed = ["gomp-a49a47f9.so.1.0.0", "gfortran-e1b7dfc8.so.5.0.0", "openblasp-r0-121ca252.3.30.so"]
    needed += ["arm_compute-b36c9934.so", "arm_compute_graph-91f54ff9.so"]
    ordered = [*(f"torch.libs/lib{name}" for name in needed), *own]
    assert thin.in_order({path: Path(path) for path in sorted(ordered)}) == ordered
