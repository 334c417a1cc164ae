"""The command line. Only argparse is imported before the arguments are known to be good."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ds3d_pipeline.cli.arguments import build_parser
from ds3d_pipeline.cli.boundary import FAILED, OK, explain_all, run_command

if TYPE_CHECKING:
    from ds3d_pipeline.defs.local_run import RunOutcome
    from ds3d_pipeline.storage.home import Home

MAKING = ("reconstruct", "demo", "serve", "export", "clean", "delete")
"""The commands that do something beyond what they print."""


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _run(words), makes_something=words[:1] != [] and words[0] in MAKING)


def _run(words: list[str]) -> int:
    parser = build_parser()
    if not words:
        parser.print_help()
        return OK
    args = parser.parse_args(words)
    return _COMMANDS[args.command](args)


def _reconstruct(args: argparse.Namespace) -> int:
    return _exit_code(_run_to_end(args))


def _run_to_end(args: argparse.Namespace) -> RunOutcome:
    from ds3d_pipeline.cli.display import make_display
    from ds3d_pipeline.definitions import defs
    from ds3d_pipeline.defs.local_run import reconstruct
    from ds3d_pipeline.intake.accept import accept_request
    from ds3d_pipeline.intake.request import RunRequest, chosen_output, read_prefer
    from ds3d_pipeline.intake.settings import read_config
    from ds3d_pipeline.programs.settings import check_settings

    check_settings()
    if args.pull:
        # The stages' own processes read it.
        os.environ["DS3D_CONTAINER_PULL"] = "1"
    tables = read_config(args.config, args.set)
    request = RunRequest(
        inputs=tuple(args.inputs),
        mode=args.mode,
        output=chosen_output(args.output, tables),
        tables=tables,
        prefer=read_prefer(args.prefer),
        start=args.start,
        source="command_line",
    )
    request = accept_request(request, plain_name(args.name))
    display = make_display(request.capture, as_json=args.json)
    return reconstruct(request, display, defs.resolve_job_def)


def plain_name(name: str | None) -> str | None:
    """The name that was surely meant, with a word about it: small letters, and hyphens for spaces."""
    from ds3d_pipeline.capture.names import is_name
    from ds3d_pipeline.cli.output import complain
    from ds3d_pipeline.storage.home import find_home
    from ds3d_pipeline.storage.registrations import is_registered

    if name is None or is_name(name) or is_registered(find_home(), name):
        return name
    meant = "-".join(name.casefold().split())
    if not is_name(meant):
        return name
    complain(f"the name {name!r} is taken as {meant!r}: names of captures have small letters and no spaces.")
    return meant


def _exit_code(outcome: RunOutcome) -> int:
    from ds3d_pipeline.metrics.record import Status

    return FAILED if outcome.metrics.status is Status.FAILED else OK


def _demo(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.demo import make_demo, print_errors

    args.inputs, args.name, args.start = [str(make_demo(args.frames))], "demo", None
    outcome = _run_to_end(args)
    code = _exit_code(outcome)
    if code == OK:
        print_errors(outcome.folder, as_json=args.json)
    return code


def _doctor(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.doctor import print_machine

    print_machine()
    return OK


def _models(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.models import fetch

    print(fetch(args.config))
    return OK


def _view(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.view import view

    view(args.capture, args.output, port=args.port, open_browser=not args.no_open, say=_say)
    return OK


def _ui(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.ui import become_ui

    become_ui(args.port, _say)


def _open(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.view import open_report

    open_report(args.capture, args.output, _say)
    return OK


def _export(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.export import export

    export(args, _say)
    return OK


def _modes(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.modes import print_modes

    print_modes()
    return OK


def _serve(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.serve import serve

    serve(args, _say)
    return OK


def _say(line: str) -> None:
    print(line, flush=True)


def _list(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.captures import print_captures

    print_captures(as_json=args.json)
    return OK


def _status(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.captures import print_status

    print_status(args.capture, as_json=args.json)
    return OK


def _compare(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.compare import compare

    compare(args.first, args.second, args.output)
    return OK


def _completion(args: argparse.Namespace) -> int:
    from ds3d_pipeline.cli.completion import completion

    print(completion(build_parser(), args.shell))
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

    home = prepare_home()
    if not home.tables_mark.exists():
        _make_tables(home)
    print(home.root)
    return OK


def _make_tables(home: Home) -> None:
    """What `ds3d home` prints is given to `dagster dev`, which would not wait for another first start."""
    from ds3d_pipeline.cli.output import complain
    from ds3d_pipeline.defs.instance import make_tables

    try:
        make_tables(home)
    except Exception as error:
        known = explain_all(error)
        if known is None:
            raise
        complain(str(known))


_COMMANDS = {
    "reconstruct": _reconstruct,
    "demo": _demo,
    "serve": _serve,
    "ui": _ui,
    "view": _view,
    "open": _open,
    "export": _export,
    "list": _list,
    "status": _status,
    "compare": _compare,
    "clean": _clean,
    "delete": _delete,
    "doctor": _doctor,
    "models": _models,
    "modes": _modes,
    "completion": _completion,
    "home": _home,
}
