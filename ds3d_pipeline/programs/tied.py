"""Becomes a program that Linux kills when the process that started it disappears, `kill -9` included.

    python -I -S tied.py PARENT_PID COMMAND [ARG ...]

Imports nothing of this package, so that nothing is lost of the time in which the parent may go.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Ties this process to its parent and becomes the command."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have gone before.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
