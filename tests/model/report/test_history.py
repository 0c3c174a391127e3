import pathlib

import numpy as np
import pytest

from model.report.history import History, smooth


def test_later_attempts_replace_the_steps_they_repeat(tmp_path: pathlib.Path) -> None:
    for attempt, lines in ((1, "0,0,5.0\n0,1,4.0\n1,2,9.0\n1,3,9.0\n"), (2, "1,2,3.0\n1,3,2.0\n")):
        folder = tmp_path / f"csv_{attempt}"
        folder.mkdir()
        (folder / "metrics.csv").write_text("epoch,step,loss_step\n" + lines)
    assert History(tmp_path).series("loss_step")[1].tolist() == [5, 4, 3, 2]


def test_of_a_small_data_set_whose_steps_are_rarely_logged_the_curve_is_that_of_its_epochs(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "csv_1").mkdir()
    lines = [f"{epoch},{2 * epoch + 1},,{9 - epoch}.0" for epoch in range(8)]
    lines.insert(5, "4,9,7.0,")
    (tmp_path / "csv_1" / "metrics.csv").write_text("epoch,step,loss_step,loss_epoch\n" + "\n".join(lines) + "\n")
    epochs, values = History(tmp_path).series("loss_step", "loss_epoch")
    assert epochs.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert values.tolist() == [9, 8, 7, 6, 5, 4, 3, 2]


def test_a_run_without_logs_has_an_empty_history(tmp_path: pathlib.Path) -> None:
    assert len(History(tmp_path).series("loss")[1]) == 0


@pytest.mark.parametrize("length", [1, 2, 7, 500])
def test_smoothing_keeps_a_constant_and_the_length(length: int) -> None:
    assert smooth(np.full(length, 3.0)) == pytest.approx(np.full(length, 3.0))


def test_smoothing_leaves_less_noise_than_it_finds() -> None:
    noise = np.random.default_rng(0).normal(size=1000)
    assert smooth(noise).std() < 0.3 * noise.std()
