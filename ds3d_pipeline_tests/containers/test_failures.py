"""What a container's end means, in sentences."""

import signal

from ds3d_pipeline.containers.failures import explain_exit
from ds3d_pipeline.programs.runner import out_of_memory

KILLED = 128 + signal.SIGKILL


def test_memory_that_runs_out_is_told_as_for_a_process_and_the_limit_is_named():
    state = {"OOMKilled": True, "ExitCode": KILLED}
    said = explain_exit(state, limit_bytes=100_000_000, peak_memory_mb=60)
    assert said is not None
    assert said.startswith(out_of_memory(100))
    assert "DS3D_CONTAINER_MEMORY_GB raises it" in said


def test_a_kill_from_outside_is_not_taken_for_a_lack_of_memory():
    said = explain_exit({"OOMKilled": False, "ExitCode": KILLED}, limit_bytes=100_000_000, peak_memory_mb=60)
    assert said == "The container was killed (signal 9) at 60 MB."


def test_a_program_that_ended_by_itself_has_the_word():
    assert explain_exit({"ExitCode": 3}, limit_bytes=100_000_000, peak_memory_mb=60) is None
