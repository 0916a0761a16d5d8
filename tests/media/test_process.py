"""In a process of its own: it changes the whole of one."""

import subprocess
import sys

PROBE = """
import resource, sys
import numpy as np
from tertulia.media.process import SWITCH_SECONDS, prepare

prepare()
assert sys.getswitchinterval() == SWITCH_SECONDS
ends = np.zeros(4 << 20, np.uint8)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(5):
    np.ones(1 << 20, np.float32).sum()
before = faults()
for _ in range(50):
    np.ones(1 << 20, np.float32).sum()
print(faults() - before)
"""


def test_memory_that_is_used_in_each_tick_is_kept() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True
    )
    if sys.platform == "linux":
        assert int(said.stdout) < 1000, "an array of 4 MB has 1024 pages, 51,200 in fifty rounds"
