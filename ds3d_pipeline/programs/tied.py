"""Becomes a program that ends when the process that started it disappears, `kill -9` included.

    python -I -S tied.py PARENT_PID COMMAND [ARG ...]              Linux: the kernel sees to it
    python -I -S tied.py --pipe DESCRIPTOR COMMAND [ARG ...]       elsewhere: at the end of a pipe

Only the parent holds the other end of the pipe, so the pipe ends with the parent. Imports nothing of this
package, so that nothing is lost of the time in which the parent may go.
"""

import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def become(parent: int, command: list[str]) -> None:
    """Ties this process to its parent by a signal of the kernel, and becomes the command."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have gone before.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    os.execvp(command[0], command)


def supervise(pipe: int, command: list[str]) -> None:
    """Runs the command in a child and ends as it does; kills the whole group at the end of the pipe."""
    child = os.fork()
    if child == 0:
        os.close(pipe)
        os.execvp(command[0], command)
    threading.Thread(target=_kill_at_end, args=(pipe,), daemon=True).start()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def _kill_at_end(pipe: int) -> None:
    while os.read(pipe, 1):
        continue
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "--pipe":
        supervise(int(sys.argv[2]), sys.argv[3:])
    else:
        become(int(sys.argv[1]), sys.argv[2:])
