"""The command line. Only argparse is imported before the arguments are known to be good."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from ds3d_pipeline import __version__
from ds3d_pipeline.names import DEFAULT_MODE, MODES, STAGES

OK, FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """Usage errors in one sentence, exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(UNUSABLE, f"ds3d: {message}. See `{self.prog} --help`.\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    parser = _Parser(prog="ds3d", description="One phone video or photos into mesh, splat and point cloud.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    run = commands.add_parser("reconstruct", help="turn one video, or photos / a folder / a zip, into 3D")
    run.add_argument("inputs", nargs="+", metavar="INPUT")
    run.add_argument(
        "--name", metavar="ID", help="name of the capture (default: from the file and its content)"
    )
    run.add_argument(
        "--from",
        dest="start",
        choices=STAGES,
        metavar="STAGE",
        help="make this stage and all that depends on it again",
    )
    _add_run_options(run)
    demo = commands.add_parser(
        "demo", help="reconstruct a synthetic capture and compare with its exact truth"
    )
    demo.add_argument("--frames", type=int, default=32, help="photos to make (default 32)")
    _add_run_options(demo)
    view = commands.add_parser("view", help="show a finished capture in the browser")
    view.add_argument("capture", metavar="CAPTURE", help="a finished folder, or a capture's name")
    view.add_argument("--output", type=Path, default=Path("outputs"), metavar="DIR")
    view.add_argument("--port", type=int, default=8080, help="the next free one is taken (default 8080)")
    view.add_argument("--no-open", action="store_true", help="open no browser")
    listing = commands.add_parser("list", help="the captures of this home")
    listing.add_argument("--json", action="store_true", help="one JSON object a capture")
    status = commands.add_parser("status", help="the stages of one capture")
    status.add_argument("capture", metavar="CAPTURE")
    status.add_argument("--json", action="store_true", help="one JSON object")
    clean = commands.add_parser("clean", help="what superseded bundles and scratch files can go")
    clean.add_argument("--yes", action="store_true", help="remove them")
    commands.add_parser("doctor", help="what this machine has, and which backend each stage will use")
    models = commands.add_parser("models", help="the learned depth model, which only this command downloads")
    models.add_argument("action", choices=("fetch",), help="download and check it")
    models.add_argument("--config", type=Path, metavar="FILE", help="whose `depth_maps.model` names another")
    commands.add_parser("home", help="print the Dagster home, for DAGSTER_HOME=$(ds3d home) dagster dev")
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", choices=MODES, default=DEFAULT_MODE)
    parser.add_argument("--output", type=Path, default=Path("outputs"), metavar="DIR")
    parser.add_argument("--prefer", action="append", default=[], metavar="STAGE=BACKEND")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML, YAML or JSON: a table per stage")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STAGE.OPTION=VALUE",
        help="one option, as in poses.max_features=4000 (repeatable; over --config; see docs/options.md)",
    )
    parser.add_argument("--pull", action="store_true", help="let containers pull an image that is missing")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    args = build_parser().parse_args(argv)
    from ds3d_pipeline.errors import InputError, StageError

    try:
        return _COMMANDS[args.command](args)
    except InputError as error:
        print(f"ds3d: {error}", file=sys.stderr)
        return UNUSABLE
    except StageError as error:
        print(f"ds3d: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("ds3d: cancelled. The same command goes on where this one stopped.", file=sys.stderr)
        return CANCELLED


def _reconstruct(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from ds3d_pipeline.cli.display import make_display
    from ds3d_pipeline.definitions import defs
    from ds3d_pipeline.defs.local_run import reconstruct
    from ds3d_pipeline.intake.accept import accept
    from ds3d_pipeline.intake.request import RunRequest, read_prefer
    from ds3d_pipeline.intake.settings import read_config

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
    accepted = accept([Path(text) for text in request.inputs], request.options("capture"), args.name)
    request = replace(request, capture=accepted.capture, inputs=())
    display = make_display(request.capture, as_json=args.json)
    outcome = reconstruct(request, display, defs.resolve_job_def)
    if outcome.cancelled:
        raise KeyboardInterrupt
    return FAILED if outcome.metrics["status"] == "failed" else OK


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
    "doctor": _doctor,
    "models": _models,
    "home": _home,
}
