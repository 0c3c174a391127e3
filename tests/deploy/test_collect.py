import re

import pytest

from deploy import collect
from handler.settings import ENGINES


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^(\S+)==(\S+)(?: ; .+)? \\\n    --hash=sha256:", lock, re.MULTILINE))


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_lock_has_what_the_requirements_pin_and_hashes_of_it(engine: str, architecture: str) -> None:
    lock = collect.lock(engine, architecture).read_text()
    locked = pins(lock)
    assert len(locked) == lock.count("==")
    files = collect.requirements(engine, architecture)
    wanted = [line for path in files for line in path.read_text().splitlines() if "==" in line]
    # The marker is cut off: Python 3.14 has a module of its own instead of one of them, as the lock file also says.
    pinned = (line.partition(";")[0].strip().split("==") for line in wanted)
    required = {name.replace(".", "-"): version for name, version in pinned}
    if architecture == "x86_64":
        required.pop("torch", None)  # its CPU builds are on an index of their own
    assert required.items() <= locked.items()


def test_but_for_torch_both_architectures_have_the_same_packages() -> None:
    x86, arm64 = (pins(collect.lock("torchscript", each).read_text()) for each in ("x86_64", "arm64"))
    assert arm64.keys() - x86.keys() == {"torch"}
    assert x86.items() <= arm64.items()
