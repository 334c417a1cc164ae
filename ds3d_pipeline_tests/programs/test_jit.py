"""When compiling is said."""

import subprocess
import sys

KERNEL = """
from ds3d_pipeline.programs.jit import serial

@serial
def inner(x):
    return x + 1

@serial
def outer(x):
    return inner(x) * 2
"""
CALLER = """
import sys
from ds3d_pipeline.programs import compiling
compiling.tell(lambda begins: print("begins" if begins else "ends"))
import kernels
print(kernels.outer(1.0))
print(kernels.outer(2.0))
"""


def test_compiling_is_said_once_around_a_kernel_and_not_when_it_comes_from_the_disk(tmp_path):
    (tmp_path / "kernels.py").write_text(KERNEL)
    (tmp_path / "caller.py").write_text(CALLER)
    command = [sys.executable, str(tmp_path / "caller.py")]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)
    )
    assert first == ["begins", "ends", "4.0", "6.0"]
    assert second == ["4.0", "6.0"]
