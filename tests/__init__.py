from pathlib import Path

#: What is built or installed once, for all test processes and later runs.
BUILT = Path(__file__).parent.parent / "build" / "tests"
