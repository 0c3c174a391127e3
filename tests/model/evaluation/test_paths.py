import torch

from model.evaluation import paths


def straight(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    return (1 - share) * one + share * other


def grey(codes: torch.Tensor) -> torch.Tensor:
    """A decoder that only fades: each code is the grey of its picture."""
    return codes[:, :, None, None].expand(-1, 3, 8, 8)


def stepwise(codes: torch.Tensor) -> torch.Tensor:
    """A decoder that jumps once on its way."""
    return grey(codes + (codes > 0.47).float())


START, END = torch.zeros(4, 1), torch.ones(4, 1)


def test_a_decoder_that_fades_has_even_steps_and_cross_fades_for_midpoints() -> None:
    found = paths.paths(START, END, straight, grey)
    assert found.paths == 4
    assert abs(found.largest_jump - 1) < 1e-3
    assert found.jumps == 0
    assert found.from_cross_fade < 1e-6


def test_a_jump_shows() -> None:
    found = paths.paths(START, END, straight, stepwise)
    assert found.largest_jump > 3
    assert found.jumps == 1
    assert found.from_cross_fade > 0.1


def test_midpoints_lie_halfway() -> None:
    assert torch.equal(paths.midpoints(START, END, straight), torch.full((4, 1), 0.5))
