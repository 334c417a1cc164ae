"""The command line. Only argparse is imported before the arguments are known to be good."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from ds3d_pipeline import __version__
from ds3d_pipeline.cli.boundary import FAILED, OK, run_command
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.names import DEFAULT_MODE, MODES, STAGES

MAKING = ("reconstruct", "demo")
"""The commands that make something beyond what they print."""
LAST_PORT = 65_535
_NOUNS = {"start": "stage"}
"""What users call an argument, where that is not the name it has here."""


class _Parser(argparse.ArgumentParser):
    """Usage errors in one sentence, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}.", f"See `{self.prog} --help`.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            noun = _NOUNS.get(action.dest, action.dest)
            raise InputError(f"Unknown {noun} {value!r}.", f"Choose {_listed(list(action.choices))}.")


def _listed(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LAST_PORT):
        raise InputError(f"{text!r} is not a port.", f"Give a whole number from 1 to {LAST_PORT}.")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InputError(f"{text!r} is not a number of photos.", "Give a whole number, such as 32.")
    return int(text)


def _filled(text: str) -> str:
    """A path or name; an empty one is mostly a variable of the shell that is not set."""
    if not text.strip():
        raise InputError("An input or a name is empty.", "Give a file, a folder or a name.")
    return text


def _path(text: str) -> Path:
    return Path(_filled(text))


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    parser = _Parser(
        prog="ds3d", description="Turns one phone video, or photos, into a mesh, a splat and a point cloud."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    run = commands.add_parser("reconstruct", help="turn one video, or photos (files, folders, zips), into 3D")
    run.add_argument("inputs", nargs="+", metavar="INPUT", type=_filled)
    run.add_argument(
        "--name",
        metavar="ID",
        type=_filled,
        help="name of the capture (default: made from the file's name and content)",
    )
    run.add_argument(
        "--from",
        dest="start",
        choices=STAGES,
        metavar="STAGE",
        help="re-run from STAGE (and everything that depends on it)",
    )
    _add_run_options(run)
    demo = commands.add_parser(
        "demo", help="reconstruct a synthetic capture and show how far the result is from the truth"
    )
    demo.add_argument("--frames", type=_count, default=32, help="photos to make (default 32)")
    _add_run_options(demo)
    view = commands.add_parser("view", help="show a finished capture in the browser")
    view.add_argument(
        "capture", metavar="CAPTURE", type=_filled, help="a finished folder, or the name of a capture"
    )
    view.add_argument("--output", type=_path, default=Path("outputs"), metavar="DIR", help=_OUTPUT_HELP)
    view.add_argument(
        "--port", type=_port, default=8080, help="if it is in use, the next free one is taken (default 8080)"
    )
    view.add_argument("--no-open", action="store_true", help="do not open a browser")
    listing = commands.add_parser("list", help="list all captures")
    listing.add_argument("--json", action="store_true", help="print one JSON object per capture")
    status = commands.add_parser("status", help="show the stages of one capture")
    status.add_argument("capture", metavar="CAPTURE", type=_filled)
    status.add_argument("--json", action="store_true", help="print one JSON object")
    clean = commands.add_parser("clean", help="show old intermediate files that can be deleted")
    clean.add_argument("--yes", action="store_true", help="delete them")
    delete = commands.add_parser("delete", help="show what is kept of one capture, and delete it")
    delete.add_argument("capture", metavar="CAPTURE", type=_filled)
    delete.add_argument("--keep-outputs", action="store_true", help="keep the finished folder")
    delete.add_argument("--yes", action="store_true", help="delete it")
    commands.add_parser("doctor", help="check this machine and show which backends will be used")
    models = commands.add_parser(
        "models", help="download the optional depth model (99 MB, for single photos)"
    )
    models.add_argument("action", choices=("fetch",), help="download it and check it")
    models.add_argument(
        "--config", type=_path, metavar="FILE", help="config file that names another depth model"
    )
    commands.add_parser("home", help="print the folder in which ds3d keeps its data")
    return parser


_OUTPUT_HELP = "folder of finished captures (default outputs)"


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", choices=MODES, default=DEFAULT_MODE, help="default: balanced")
    parser.add_argument("--output", type=_path, default=Path("outputs"), metavar="DIR", help=_OUTPUT_HELP)
    parser.add_argument(
        "--prefer", action="append", default=[], metavar="STAGE=BACKEND", help="try this backend first"
    )
    parser.add_argument(
        "--config", type=_path, metavar="FILE", help="TOML, YAML or JSON file with one table per stage"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STAGE.OPTION=VALUE",
        help="set one option, such as poses.max_features=4000 (repeatable; wins over --config)",
    )
    parser.add_argument("--pull", action="store_true", help="let containers download a missing image")
    parser.add_argument("--json", action="store_true", help="print progress and result as JSON Lines")


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _run(words), makes_something=words[:1] != [] and words[0] in MAKING)


def _run(words: list[str]) -> int:
    args = build_parser().parse_args(words)
    return _COMMANDS[args.command](args)


def _reconstruct(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.display import make_display
    from ds3d_pipeline.definitions import defs
    from ds3d_pipeline.defs.local_run import reconstruct
    from ds3d_pipeline.intake.accept import accept_request
    from ds3d_pipeline.intake.request import RunRequest, read_prefer
    from ds3d_pipeline.intake.settings import read_config
    from ds3d_pipeline.metrics.record import Status
    from ds3d_pipeline.programs.settings import check_settings

    check_settings()
    if args.pull:
        # The stages' own processes read it.
        os.environ["DS3D_CONTAINER_PULL"] = "1"
    request = RunRequest(
        inputs=tuple(args.inputs),
        mode=args.mode,
        output=args.output.absolute(),
        tables=read_config(args.config, args.set),
        prefer=read_prefer(args.prefer),
        start=args.start,
        source="command_line",
    )
    request = accept_request(request, args.name)
    display = make_display(request.capture, as_json=args.json)
    outcome = reconstruct(request, display, defs.resolve_job_def)
    return FAILED if outcome.metrics.status is Status.FAILED else OK


def _demo(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.demo import make_demo, tell_errors

    args.inputs, args.name, args.start = [str(make_demo(args.frames))], "demo", None
    code = _reconstruct(args)
    if code == OK:
        tell_errors(args.output / "demo", as_json=args.json)
    return code


def _doctor(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.doctor import tell_machine

    tell_machine()
    return OK


def _models(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.models import fetch

    print(fetch(args.config))
    return OK


def _view(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.view import view

    view(args.capture, args.output, port=args.port, open_browser=not args.no_open, say=_say)
    return OK


def _say(line: str) -> None:
    print(line, flush=True)


def _list(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.captures import tell_captures

    tell_captures(as_json=args.json)
    return OK


def _status(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.captures import tell_status

    tell_status(args.capture, as_json=args.json)
    return OK


def _clean(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.captures import clean

    clean(really=args.yes)
    return OK


def _delete(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.delete import delete

    delete(args.capture, keep_outputs=args.keep_outputs, really=args.yes)
    return OK


def _home(args: argparse.Namespace) -> int:
    from ds3d_pipeline.storage.home import prepare_home

    print(prepare_home().root)
    return OK


_COMMANDS = {
    "reconstruct": _reconstruct,
    "demo": _demo,
    "view": _view,
    "list": _list,
    "status": _status,
    "clean": _clean,
    "delete": _delete,
    "doctor": _doctor,
    "models": _models,
    "home": _home,
}
