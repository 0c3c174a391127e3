import re

import pytest

from deploy import collect
from handler.settings import ENGINES


@pytest.mark.parametrize("engine", ENGINES)
def test_the_lock_has_what_the_requirements_pin_and_hashes_of_it(engine: str) -> None:
    lock = collect.lock(engine).read_text()
    locked = dict(re.findall(r"^(\S+)==(\S+) \\\n    --hash=sha256:", lock, re.MULTILINE))
    assert len(locked) == lock.count("==")
    wanted = [line for path in collect.requirements(engine) for line in path.read_text().splitlines() if "==" in line]
    pins = {name.replace(".", "-"): version for name, version in (line.split("==") for line in wanted)}
    pins.pop("torch", None)  # its CPU builds are on an index of their own
    assert pins.items() <= locked.items()
