import os
from pathlib import Path

# Test processes and the commands that they start share the cores. With more threads, which wait for each other in busy
# loops, a training of seconds took minutes. The variable is set before torch is imported, which reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

#: What is built or installed once, for all test processes and later runs.
BUILT = Path(__file__).parent.parent / "build" / "tests"
