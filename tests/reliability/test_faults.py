"""The faults that are quick to cause; ``make faults`` causes all, and more often."""

from pathlib import Path

import pytest

from . import faults, faults_kill, faults_serve, faults_space

#: They start Python with torch, or AWS's stand-in, several times.
SLOW = {
    "killed while unpacking",
    "killed while replacing a folder",
    "killed while writing a checkpoint",
    "killed while preparing data",
    "killed while publishing",
    "no space for the cache",
    "no space while preparing data",
}


@pytest.mark.parametrize("name", sorted(set(faults.FAULTS) - SLOW))
def test_nothing_is_lost_or_let_in(name: str, tmp_path: Path) -> None:
    faults.FAULTS[name](tmp_path)


def test_killed_while_unpacking(tmp_path: Path) -> None:
    faults_kill.unpacking(tmp_path, times=2)


def test_killed_while_replacing_a_folder(tmp_path: Path) -> None:
    faults_kill.replacing_a_folder(tmp_path, times=4)


def test_killed_while_publishing(tmp_path: Path) -> None:
    faults_kill.publishing(tmp_path, stops=(4,))


def test_space_is_taken_before_it_is_used(tmp_path: Path) -> None:
    # A page of a memory-mapped array that finds no room kills the process instead of raising.
    from model.data.preparation import room_for

    array = room_for(tmp_path / "array.npy", (100, 64, 64, 3))
    assert (tmp_path / "array.npy").stat().st_blocks * 512 >= array.nbytes


def test_every_fault_has_a_name_of_its_own() -> None:
    parts = (faults_kill.FAULTS, faults_space.FAULTS, faults.faults_bundle.FAULTS, faults_serve.FAULTS)
    assert len(faults.FAULTS) == sum(map(len, parts))
