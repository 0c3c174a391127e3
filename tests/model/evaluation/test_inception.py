import pytest

from model.evaluation.inception import Inception


def test_without_its_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchmetrics.image.fid._TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(ValueError, match="--features inception needs `pip install torch-fidelity`"):
        Inception()
