"""Where a run's numbers go: always to metrics.csv, and to one service that its recipe names."""

import importlib.util
import os
import pathlib
import typing as t

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from . import runs

Service = t.Literal["csv", "tensorboard", "wandb", "mlflow"]

#: Modules that each service needs, and the pip packages that provide them. MLflow's local store, an SQLite file, needs
#: more than its client; for a server that MLFLOW_TRACKING_URI names, the client is enough.
MODULES: dict[Service, tuple[str, ...]] = {
    "csv": (),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
}
PACKAGES: dict[str, str] = {"mlflow": "mlflow-skinny", "sqlalchemy": "'sqlalchemy<2.1'"}


def check(service: Service) -> None:
    """Find out before anything is trained whether a service can be logged to.

    Raises
    ------
    ValueError
        One of its packages is not installed; the message has the command that installs them.
    """
    needed = MODULES[service][:1] if os.environ.get("MLFLOW_TRACKING_URI") else MODULES[service]
    missing = [PACKAGES.get(name, name) for name in needed if not _is_installed(name)]
    if missing:
        raise ValueError(f"logger: {service} is not installed; pip install {' '.join(missing)}")


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a placeholder stands for a module that is missing
        return False


def build(service: Service, out: pathlib.Path, name: str) -> list[Logger]:
    """The loggers of one attempt at a run; each attempt is a run of its own to W&B and MLflow.

    Parameters
    ----------
    service
        Beside the CSV file. Its package is imported here and nowhere else.
    out
        The run's folder, where TensorBoard, an offline W&B and a local MLflow write.
    name
        The recipe's. Attempts and runs of it are a group to W&B and an experiment to MLflow.
    """
    loggers: list[Logger] = [runs.csv_logger(out)]
    # W&B and MLflow write as soon as they are created, which only the first of several processes may do.
    first = t.cast(t.Any, rank_zero_only).rank == 0
    if service == "tensorboard":
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(out, name="", version="tensorboard"))
    elif service == "wandb" and first:
        from lightning.pytorch.loggers import WandbLogger

        out.mkdir(parents=True, exist_ok=True)  # or W&B writes to the system's temporary folder
        project = os.environ.get("WANDB_PROJECT", "carvae")
        loggers.append(WandbLogger(name=out.name, group=name, project=project, save_dir=out))
    elif service == "mlflow" and first:
        from lightning.pytorch.loggers import MLFlowLogger

        out.mkdir(parents=True, exist_ok=True)
        local = f"sqlite:///{out.resolve() / 'mlflow.db'}"
        address = os.environ.get("MLFLOW_TRACKING_URI", local)
        artifacts = (out.resolve() / "mlflow").as_uri() if address == local else None
        loggers.append(
            MLFlowLogger(experiment_name=name, run_name=out.name, tracking_uri=address, artifact_location=artifacts)
        )
    return loggers
