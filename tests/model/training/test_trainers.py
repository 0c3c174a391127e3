import pytest
import torch

from model.training import trainers


def test_the_average_forgets_the_untrained_weights() -> None:
    update = trainers.averaging(0.999)
    averages = [torch.tensor(100.0), torch.tensor(-100.0)]
    for step in range(200):
        update(averages, [torch.tensor(1.0), torch.tensor(2.0)], step)
    assert torch.stack(averages).tolist() == pytest.approx([1, 2], abs=0.05)


@pytest.mark.parametrize(("supported", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_half_precision_is_used_where_the_cpu_has_instructions_for_it(
    supported: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    assert trainers.Trainer(accelerator="cpu", logger=False, precision="auto").precision == precision


@pytest.mark.parametrize(("given", "kept"), [("32-true", "32-true"), (64, "64-true"), (None, "32-true")])
def test_a_given_precision_is_kept(given: trainers.Precision | None, kept: str) -> None:
    assert trainers.Trainer(accelerator="cpu", logger=False, precision=given).precision == kept
