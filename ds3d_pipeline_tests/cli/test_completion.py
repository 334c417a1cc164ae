"""What shells complete."""

import subprocess

import pytest

from ds3d_pipeline.cli.arguments import build_parser
from ds3d_pipeline_tests.captures import call_ds3d

COMPLETE = """
COMP_WORDS=(ds3d rec) COMP_CWORD=1
_shtab_ds3d
printf '%s ' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_the_commands_and_their_options(tmp_path, shell):
    pytest.importorskip("shtab")
    done = call_ds3d(tmp_path, "completion", shell)
    assert done.returncode == 0, done.stderr
    assert "reconstruct" in done.stdout


def test_bash_completes_the_name_of_a_command(tmp_path):
    pytest.importorskip("shtab")
    script = call_ds3d(tmp_path, "completion", "bash").stdout
    done = subprocess.run(["bash", "-c", script + COMPLETE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["reconstruct"]


@pytest.mark.parametrize("command", ["reconstruct", "completion"])
def test_help_has_examples_that_the_parser_takes(command, capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args([command, "--help"])
    examples = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ds3d ")]
    assert len(examples) >= 3
    for words in examples:
        assert build_parser().parse_args(words[1:3]).command == command
