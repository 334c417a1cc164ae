"""The programs of a rung one after the other, by stand-ins of the two runners."""

import logging

import pytest

from ds3d_pipeline.containers.runner import Job
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.execution.rung import Places, Runners, run_rung
from ds3d_pipeline.execution.state import LadderState
from ds3d_pipeline.programs.rungs import Box, Program, Rung
from ds3d_pipeline.programs.runner import ProgramFailed, ProgramRun
from ds3d_pipeline_tests.homes import make_home

PREPARE = Program(backend="prepare")
BOXED = Program(script="scratch/run.sh", box=Box(image="colmap", forgives=("no model",)))
JUDGE = Program(backend="judge")


class Machine:
    """Both runners: notes what it is given, and lets the container fail with this end of its log."""

    def __init__(self, log_tail: str = "") -> None:
        self.log_tail = log_tail
        self.logs: list[str] = []
        self.backends: list[str] = []
        self.jobs: list[Job] = []

    def child(self, argv, output, *, log_path, on_line, on_tick) -> ProgramRun:
        self.logs.append(log_path.name)
        self.backends.append(argv[argv.index("--backend") + 1])
        return ProgramRun(result={"by": self.backends[-1]}, seconds=1.0, peak_memory_mb=10.0)

    def container(self, job: Job, *, on_line, on_tick) -> ProgramRun:
        self.logs.append(job.log_path.name)
        self.jobs.append(job)
        run = ProgramRun(result={"by": "container"}, seconds=5.0, peak_memory_mb=70.0)
        if self.log_tail:
            raise ProgramFailed("crashed", "It ended.", log_tail=self.log_tail, exit_code=1, run=run)
        return run


@pytest.fixture
def run(tmp_path):
    """A function that runs these programs as the second attempt of a stage without containers."""
    home = make_home(tmp_path / "home")
    places = Places(input=tmp_path / "in", output=tmp_path / "out", options_file=tmp_path / "o.json")
    state = LadderState(
        home=home,
        journal=run_journal(home, "one"),
        run_id="one",
        stage="mesh",
        attempt=1,
        options=None,
        prefer=None,
        log=logging.getLogger("rung"),
    )

    def make(machine: Machine, *programs: Program) -> ProgramRun:
        runners = Runners(container=machine.container, has_ended=lambda run_id: False, child=machine.child)
        rung = Rung(name="colmap-container", module="ds3d_pipeline.mesh", programs=programs)
        return run_rung(state, rung, places, runners, on_tick=lambda: None)

    return make


def test_the_last_result_counts_with_the_time_of_all_and_the_memory_of_the_largest(run):
    done = run(Machine(), PREPARE, BOXED, JUDGE)
    assert done == ProgramRun(result={"by": "judge"}, seconds=7.0, peak_memory_mb=70.0)


def test_every_program_gets_its_runner_and_a_log_of_its_own(run, tmp_path):
    machine = Machine()
    run(machine, PREPARE, BOXED, JUDGE)
    assert machine.backends == ["prepare", "judge"]
    (job,) = machine.jobs
    script = str(tmp_path / "out" / "scratch" / "run.sh")
    assert job.argv == ("sh", script, str(tmp_path / "in"), str(tmp_path / "out"))
    assert (job.run_id, job.step, job.attempt) == ("one", "mesh", 1)
    assert machine.logs == [f"mesh.1.colmap-container.{number}.log" for number in range(3)]


def test_a_single_program_logs_under_the_name_of_its_rung(run):
    machine = Machine()
    run(machine, JUDGE)
    assert machine.logs == ["mesh.1.colmap-container.log"]


def test_a_failure_that_is_forgiven_is_left_to_the_next_program(run, caplog):
    done = run(Machine("it found no model"), BOXED, JUDGE)
    assert done == ProgramRun(result={"by": "judge"}, seconds=6.0, peak_memory_mb=70.0)
    assert "It ended. Going on with what there is." in caplog.text


def test_any_other_failure_ends_the_rung(run):
    machine = Machine("out of luck")
    with pytest.raises(ProgramFailed, match="It ended"):
        run(machine, BOXED, JUDGE)
    assert machine.backends == []
