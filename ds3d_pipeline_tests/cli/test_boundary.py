"""Every command ends with an exit code and a sentence, never with a traceback."""

import errno
import gc
import os
import re
import resource
import signal
import subprocess
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds3d_pipeline.cli import boundary
from ds3d_pipeline.cli.boundary import CANCELLED, FAILED, OK, UNUSABLE, run_command
from ds3d_pipeline.cli.doctor import settings_in_use
from ds3d_pipeline.cli.main import main
from ds3d_pipeline.cli.output import READER_GONE, console
from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline_tests.captures import DS3D, environment
from ds3d_pipeline_tests.disks import fill, small_disk
from ds3d_pipeline_tests.finished import publish_finished


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Where the home of this process is, for `main` called here; not made yet."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def one_sentence(text: str) -> str:
    """The one line of standard error, which is no traceback."""
    assert "Traceback" not in text
    (line,) = text.splitlines()
    assert line.startswith("ds3d: ")
    return line


def shell(home: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in which `ds3d` is this program, in a home that needs no tables."""
    (home / "locks").mkdir(parents=True)
    (home / "locks" / "instance_made").touch()
    program = " ".join(f'"{word}"' for word in DS3D)
    return subprocess.run(
        ["bash", "-c", f'ds3d() {{ {program} "$@"; }}; {script}'],
        capture_output=True,
        text=True,
        env=environment(home) | variables,
        cwd=home.parent,
        timeout=100,
        check=False,
    )


def raising(error: BaseException):
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InputError("No.", "Do that."), UNUSABLE, "ds3d: No. Do that."),
        (StageError("No.", "Do that."), FAILED, "ds3d: No. Do that."),
        (PermissionError(13, "Permission denied", "/x/[red]"), FAILED, "Permission denied: /x/[red]. Change"),
        (MemoryError(), FAILED, "There is not enough memory. Close"),
        (KeyboardInterrupt(), CANCELLED, "cancelled"),
    ],
)
def test_an_error_becomes_a_code_and_a_sentence(error, code, text, capsys):
    assert run_command(raising(error)) == code
    assert text in one_sentence(capsys.readouterr().err)


def test_a_bug_is_called_one_and_its_traceback_is_in_the_logs_of_the_home(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert run_command(raising(KeyError("x"))) == FAILED
    line = one_sentence(capsys.readouterr().err)
    (log,) = (tmp_path / "logs" / "errors").iterdir()
    assert f"bug in ds3d, please report it with the log {log}." in line
    assert "in command" in log.read_text()


def test_where_the_home_cannot_be_written_to_the_traceback_is_a_temporary_file(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(boundary.tempfile, "tempdir", str(tmp_path))
    log = boundary.write_traceback(KeyError("x"))
    assert log is not None
    assert log.parent == tmp_path
    assert "KeyError" in log.read_text()


def test_an_error_of_a_thread_is_a_sentence_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    def command() -> int:
        thread = threading.Thread(target=raising(ValueError("odd")))
        thread.start()
        thread.join()
        return OK

    assert run_command(command) == OK
    assert "ValueError: odd" in one_sentence(capsys.readouterr().err)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("odd")])
def test_an_error_while_a_generator_is_closed_goes_into_the_log(error, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    def cut_short() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise error

    def command() -> int:
        next(cut_short())
        gc.collect()
        return OK

    assert run_command(command) == OK
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert ("odd" in shown) == isinstance(error, ValueError)
    (log,) = (tmp_path / "logs" / "errors").iterdir()
    assert "in cut_short" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_as_ctrl_c_does(number, capsys):
    def command() -> int:
        os.kill(os.getpid(), number)
        threading.Event().wait(5)
        return OK

    earlier = signal.getsignal(number)
    assert run_command(command) == CANCELLED
    assert signal.getsignal(number) is earlier


def test_nohup_keeps_its_meaning():
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_command(lambda: os.kill(os.getpid(), signal.SIGHUP) or OK) == OK
    finally:
        signal.signal(signal.SIGHUP, earlier)


def a_file(home: Path) -> None:
    home.touch()


def below_a_file(home: Path) -> None:
    a_file(home.parent / "file")
    home.symlink_to(home.parent / "file" / "home")


def broken_yaml(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: [")


def unknown_key(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetri: {}")


@pytest.mark.parametrize("make", [a_file, below_a_file, broken_yaml, unknown_key])
@pytest.mark.fault("unusable home")
def test_a_home_that_cannot_be_used_is_named(home, make, capsys):
    make(home)
    assert main(["clean"]) == FAILED
    line = one_sentence(capsys.readouterr().err)
    assert str(home) in line
    assert len(line) < 400


@pytest.mark.fault("unusable home")
def test_a_home_on_a_read_only_disk_is_named(tmp_path, monkeypatch, capsys):
    with small_disk(tmp_path / "disk", 100) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        monkeypatch.setenv("DAGSTER_HOME", str(disk / "home"))
        assert main(["clean"]) == FAILED
    assert f"{disk / 'home'} is on a read-only file system. Choose" in one_sentence(capsys.readouterr().err)


@pytest.mark.fault("unusable home")
def test_doctor_shows_a_home_of_any_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "[x]" / "[" / "x] [red]"))
    assert main(["doctor"]) == OK
    printed = "".join(capsys.readouterr().out.split())
    assert "[x]/[/x][red]" in printed


@pytest.mark.parametrize("make", [broken_yaml, unknown_key])
@pytest.mark.fault("broken instance")
def test_captures_are_listed_where_the_instance_is_broken(home, make, capsys):
    make(home)
    assert main(["list"]) == OK
    printed = capsys.readouterr()
    assert printed.out == "No captures yet.\n"
    assert "dagster.yaml" in one_sentence(printed.err)


@pytest.mark.fault("broken instance")
def test_a_damaged_record_of_runs_is_named_and_captures_are_listed(home, capsys):
    assert main(["list"]) == OK
    capsys.readouterr()
    (home / "history" / "runs.db").write_bytes(b"no database at all" * 100)
    assert main(["list"]) == OK
    printed = capsys.readouterr()
    assert printed.out == "No captures yet.\n"
    assert f"{home / 'history'} is damaged. Move that folder away" in one_sentence(printed.err)
    assert main(["clean"]) == FAILED


def test_an_empty_instance_file_is_written_anew(home):
    home.mkdir()
    (home / "dagster.yaml").touch()
    assert main(["home"]) == OK
    assert "default_limit: 1" in (home / "dagster.yaml").read_text()


@pytest.mark.fault("unusable home")
def test_a_relative_home_is_one_in_the_current_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "own")
    assert main(["list"]) == OK
    assert capsys.readouterr().out == "No captures yet.\n"
    assert (tmp_path / "own" / "history").is_dir()


@pytest.mark.parametrize("url", ["foo://bucket", "s3://bucket"])
@pytest.mark.fault("unusable storage")
def test_a_storage_of_an_unknown_kind_is_named(home, monkeypatch, url, capsys):
    monkeypatch.setenv("DS3D_STORAGE", url)
    assert main(["list"]) == UNUSABLE
    assert f"DS3D_STORAGE is '{url}'" in one_sentence(capsys.readouterr().err)


@pytest.mark.fault("memory setting")
def test_a_setting_that_cannot_be_used_is_named_before_any_work(home, monkeypatch, capsys):
    monkeypatch.setenv("DS3D_MEMORY_MB", "abc")
    assert main(["reconstruct", "x.mp4"]) == UNUSABLE
    line = one_sentence(capsys.readouterr().err)
    assert line == "ds3d: DS3D_MEMORY_MB is 'abc'. Give a number above 0, or leave it out."
    assert main(["list"]) == OK
    assert "DS3D_MEMORY_MB" in str(settings_in_use())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["reconstruct", ""], "is empty"),
        (["reconstruct", "x", "--name", ""], "is empty"),
        (["view", "x", "--port", "99999"], "'99999' is not a port. Give a whole number from 1 to 65535."),
        (["reconstruct", "x", "--mode", "best"], "Unknown mode 'best'. Choose fastest, balanced or quality."),
        (["reconstruct", "x", "--from", "soup"], "Unknown stage 'soup'. Choose capture, keyframes,"),
        (["export", "x", "--to", "glb"], "Unknown format 'glb'. Choose html, las, obj, stl or usdz."),
        (["export", "x", "--to", "stl", "--scale", "big"], "'big' is not a number."),
        (["soup"], "Unknown command 'soup'. Choose reconstruct, "),
        (["demo", "--frames", "-5"], "'-5' is not a number of photos."),
        (["reconstrut"], "Unknown command 'reconstrut'. Did you mean reconstruct? Choose reconstruct, "),
        (["demo", "--mode", "balance"], "Unknown mode 'balance'. Did you mean balanced? Choose fastest,"),
        (["reconstruct", "https://a.example/b.mp4"], "https://a.example/b.mp4 is an address, not a file."),
        (
            ["reconstruct", "x", "--set", "poses.max_featurs=9"],
            "'max_featurs'. Did you mean max_features? It",
        ),
        (["reconstruct"], "arguments are required: INPUT. See `ds3d reconstruct --help`."),
    ],
)
@pytest.mark.fault("empty name", "empty input")
def test_arguments_that_cannot_be_used_are_named_with_the_choices(words, text, capsys):
    assert main(words) == UNUSABLE
    assert text in one_sentence(capsys.readouterr().err)


def test_no_arguments_show_the_help(capsys):
    assert main([]) == OK
    assert "usage: ds3d" in capsys.readouterr().out


def test_modes_shows_every_option_of_every_stage(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["modes"]) == OK
    lines = {words[0]: words[1:4] for line in capsys.readouterr().out.splitlines() if (words := line.split())}
    assert lines["keyframes.max_photos"] == [str(MODES[mode].keyframes.max_photos) for mode in MODES]
    assert {name.split(".")[0] for name in lines} >= set(STAGES) - {"metrics"}


def test_open_shows_the_report_of_a_finished_capture(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    folder = publish_finished(tmp_path)
    assert main(["open", folder.name, "--output", str(folder.parent)]) == OK
    assert opened == [(folder / "report.html").as_uri()]
    assert main(["open", "nothing"]) == UNUSABLE


@pytest.mark.fault("reader that goes away")
def test_a_reader_that_goes_away_ends_a_command_as_it_ends_other_tools(tmp_path):
    done = shell(tmp_path / "home", "(sleep 0.5; ds3d home) | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout.strip(), done.stderr) == (str(READER_GONE), "")


@pytest.mark.fault("full standard output")
def test_a_full_disk_of_the_output_is_named(tmp_path):
    done = shell(tmp_path / "home", "ds3d home > /dev/full")
    assert done.returncode == FAILED
    assert "No space left on device" in one_sentence(done.stderr)


def test_closed_streams_are_no_fault(tmp_path):
    done = shell(tmp_path / "home", "ds3d home >&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (OK, "", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.fault("narrow encoding")
def test_any_encoding_shows_any_name(tmp_path, encoding):
    done = shell(tmp_path / "空 [red][x] :smile:", "ds3d home", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (OK, "")
    assert "\\u7a7a [red][x] :smile:" in done.stdout


@pytest.mark.fault("markup in the output")
def test_rich_text_shows_names_as_they_are(capsys):
    console().print("/a [red] b [/x] :smile: 12")
    assert capsys.readouterr().out == "/a [red] b [/x] :smile: 12\n"


def test_text_is_printed_with_rich_in_one_way_only():
    folder = Path(boundary.__file__).parent
    makers = [path.name for path in folder.glob("*.py") if re.search(r"\bConsole\(", path.read_text())]
    assert makers == ["output.py"]


@pytest.mark.parametrize(("name", "head"), [("deep.json", ""), ("deep.yaml", ""), ("deep.toml", "a = ")])
@pytest.mark.fault("deep config")
def test_a_config_of_many_brackets_is_refused(tmp_path, home, name, head, capsys):
    (tmp_path / name).write_text(head + "[" * 100_000)
    assert main(["reconstruct", "x.mp4", "--config", str(tmp_path / name)]) == UNUSABLE
    assert "deep" in one_sentence(capsys.readouterr().err)


def test_a_very_deep_option_is_refused(home, capsys):
    assert main(["reconstruct", "x.mp4", "--set", f"poses{'.a' * 20_000}=1"]) == UNUSABLE
    one_sentence(capsys.readouterr().err)


@pytest.mark.fault("limit of file sizes")
def test_a_limit_of_file_sizes_is_named(tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [*DS3D, "clean"],
        capture_output=True,
        text=True,
        env=environment(tmp_path / "home"),
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == FAILED
    assert "ulimit -f" in one_sentence(done.stderr)


@pytest.mark.fault("full home")
def test_a_full_disk_is_named_and_listing_goes_on(tmp_path, monkeypatch, capsys):
    with small_disk(tmp_path / "disk", 4000) as disk:
        monkeypatch.setenv("DAGSTER_HOME", str(disk / "home"))
        assert main(["list"]) == OK
        filler = fill(disk)
        assert main(["list"]) == OK
        assert capsys.readouterr().out == "No captures yet.\n" * 2
        filler.unlink()
        assert main(["list"]) == OK
        assert capsys.readouterr().err == ""


@pytest.mark.fault("full home")
def test_a_new_home_on_a_full_disk_is_named_and_nothing_half_is_left(tmp_path, monkeypatch, capsys):
    with small_disk(tmp_path / "disk", 100) as disk:
        monkeypatch.setenv("DAGSTER_HOME", str(disk / "home"))
        filler = fill(disk)
        assert main(["clean"]) == FAILED
        line = one_sentence(capsys.readouterr().err)
        assert f"The disk is full: there is no space left in {disk}" in line
        filler.unlink()
        assert main(["home"]) == OK
        assert "The disk is full" in one_sentence(capsys.readouterr().err)
        assert "default_limit: 1" in (disk / "home" / "dagster.yaml").read_text()
