from pathlib import Path

import pytest

from deploy import Failure, thin


def test_a_cuda_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="CUDA build"):
        thin.pack_libraries({"torch/lib/libtorch_cuda.so": tmp_path}, tmp_path, "x86_64")


def test_a_torch_built_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"no libgomp\.so\.1"):
        thin.pack_libraries({"torch/lib/libc10.so": tmp_path}, tmp_path, "x86_64")


def test_a_missing_strip_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Failure, match="binutils"):
        thin.find_strip("x86_64")
