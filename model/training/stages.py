"""From photographs to released weights: commands run one after the other, each until it has ended once."""

import csv
import dataclasses
import datetime
import pathlib
import shlex
import subprocess
import sys
import time
import typing as t

import yaml

#: One row per attempt at a stage, in the folder of the results.
RECORD = "stages.csv"
COLUMNS = ("stage", "ended", "seconds", "exit_status")


@dataclasses.dataclass(frozen=True)
class Stage:
    """One Python command.

    Parameters
    ----------
    name
        Names it in the record.
    command
        A script and its arguments.
    checkpoint
        File that the command resumes from, with ``--resume``, once the file exists.
    """

    name: str
    command: tuple[str, ...]
    checkpoint: pathlib.Path | None = None

    @property
    def arguments(self) -> list[str]:
        """The command, with ``--resume`` where it was stopped before."""
        resume = self.checkpoint is not None and self.checkpoint.exists()
        return [*self.command, *(["--resume"] if resume else [])]


def read(path: pathlib.Path, data: pathlib.Path, out: pathlib.Path) -> list[Stage]:
    """Stages of a YAML file, with ``{data}`` and ``{out}`` filled in.

    Raises
    ------
    ValueError
        The file is no list of stages.
    """
    places = {"data": str(data), "out": str(out)}
    try:
        return [
            Stage(
                entry["name"],
                tuple(part.format(**places) for part in shlex.split(entry["command"])),
                pathlib.Path(entry["checkpoint"].format(**places)) if "checkpoint" in entry else None,
            )
            for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
        ]
    except (KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: no list of stages, each with name and command ({error})") from error


def ended(out: pathlib.Path) -> dict[str, float]:
    """Seconds, of all attempts together, of each stage that has ended in a folder of results."""
    record = out / RECORD
    if not record.exists():
        return {}
    with record.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    done = {row["stage"] for row in rows if row["exit_status"] == "0"}
    return {name: sum(float(row["seconds"]) for row in rows if row["stage"] == name) for name in done}


def run_all(
    stages: t.Sequence[Stage],
    out: pathlib.Path,
    root: pathlib.Path,
    say: t.Callable[[str], None],
    dry_run: bool = False,
) -> tuple[Stage, int] | None:
    """Run the stages that have not ended, in their order, up to the first that fails.

    Parameters
    ----------
    say
        Hears of each stage before it begins.
    dry_run
        Say the commands and run none.

    Returns
    -------
    tuple or None
        The stage that failed or was stopped by Ctrl-C, with its exit status.
    """
    done = ended(out)
    for number, stage in enumerate(stages, start=1):
        heading = f"{number}/{len(stages)} {stage.name}"
        if stage.name in done:
            say(f"{heading}: ended before, after {done[stage.name] / 60:.1f} minutes")
            continue
        say(f"{heading}:\n    python {shlex.join(stage.arguments)}")
        if dry_run:
            continue
        try:
            status = run(stage, out, root)
        except KeyboardInterrupt:
            status = 130
        if status:
            return stage, status
    return None


def run(stage: Stage, out: pathlib.Path, root: pathlib.Path) -> int:
    """Run one stage below the repository ``root`` and record it; returns the command's exit status."""
    out.mkdir(parents=True, exist_ok=True)
    begun, status = time.monotonic(), 130  # what a shell says of a command stopped by Ctrl-C
    try:
        status = subprocess.run([sys.executable, *stage.arguments], cwd=root, check=False).returncode  # noqa: S603
    finally:
        record = out / RECORD
        new = not record.exists()
        with record.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(COLUMNS)
            moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            writer.writerow((stage.name, moment, round(time.monotonic() - begun, 1), status))
    return status
