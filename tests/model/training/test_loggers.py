import importlib.util
import pathlib
import sys

import pytest
from lightning.pytorch.loggers import Logger

from model.training import loggers
from model.training.command_line import train


def logged(service: loggers.Service, out: pathlib.Path) -> None:
    """Log one number as a trainer does."""
    for logger in loggers.build(service, out, "tiny"):
        assert isinstance(logger, Logger)
        logger.log_hyperparams({"latents": 2})
        logger.log_metrics({"loss_epoch": 1.25}, step=3)
        logger.save()
        logger.finalize("success")


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No server is named, and nobody is told."""
    for name in ("MLFLOW_TRACKING_URI", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DO_NOT_TRACK", "true")
    return monkeypatch


@pytest.mark.parametrize("service", ["csv", "tensorboard"])
def test_numbers_are_in_the_csv_file_and_need_no_package_of_another_service(
    service: loggers.Service, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    for other in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, other, None)  # importing it is an error
    logged(service, tmp_path)
    assert (tmp_path / "csv_1" / "metrics.csv").read_text().split() == ["loss_epoch,step", "1.25,3"]
    assert (tmp_path / "tensorboard").exists() == (service == "tensorboard")


def test_wandb_offline_keeps_numbers_in_the_runs_folder(unset: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    unset.setenv("WANDB_MODE", "offline")
    unset.setenv("WANDB_CONSOLE", "off")
    import wandb

    try:
        logged("wandb", tmp_path)
    finally:
        wandb.teardown()  # ends the process that writes
    (kept,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    assert b"loss_epoch" in content
    assert b"1.25" in content
    assert b"latents" in content


def test_mlflow_without_a_server_keeps_numbers_in_the_runs_folder(
    unset: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    from mlflow.tracking import MlflowClient

    logged("mlflow", tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == {"loss_epoch": 1.25}
    assert run.data.params == {"latents": "2"}
    assert run.info.run_name == tmp_path.name


@pytest.mark.parametrize(
    ("service", "missing", "command"),
    [
        ("wandb", "wandb", "pip install wandb"),
        ("mlflow", "alembic", "pip install alembic"),
        ("mlflow", "mlflow", "pip install mlflow-skinny"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_trained(
    service: str,
    missing: str,
    command: str,
    recipe: pathlib.Path,
    unset: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    found = importlib.util.find_spec
    unset.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(ValueError, match=f"logger: {service} is not installed; {command}$"):
        train([f"--recipe={recipe}", f"--out={tmp_path / 'run'}", f"--logger={service}"])
    assert not (tmp_path / "run").exists()


def test_a_server_takes_the_client_alone(unset: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    unset.setattr(importlib.util, "find_spec", lambda name: None if name == "alembic" else found(name))
    unset.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    loggers.check("mlflow")
