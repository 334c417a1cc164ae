"""The arguments of the command line. Only argparse is imported, so that `ds3d --help` is there at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from ds3d_pipeline import __version__
from ds3d_pipeline.errors import InputError, did_you_mean
from ds3d_pipeline.names import DEFAULT_MODE, EXPORTS, MODES, STAGES

_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"
_OUTPUT_HELP = "folder of finished captures (default outputs)"
LAST_PORT = 65_535
_EXAMPLES = """examples:
  ds3d reconstruct statue.mp4
  ds3d reconstruct photos/ --mode quality --name statue
  ds3d reconstruct a.jpg b.jpg c.jpg --mode fastest --output ~/3d
  ds3d reconstruct statue.mp4 --set splat.max_seconds=1800"""
_COMPLETION_EXAMPLES = """examples:
  ds3d completion bash > ~/.local/share/bash-completion/completions/ds3d
  ds3d completion zsh > ~/.zfunc/_ds3d
  ds3d completion fish > ~/.config/fish/completions/ds3d.fish"""
_NOUNS = {"start": "stage", "to": "format"}
"""What users call an argument, where that is not the name it has here."""


class _Parser(argparse.ArgumentParser):
    """Usage errors in one sentence, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}.", f"See `{self.prog} --help`.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            noun, choices = _NOUNS.get(action.dest, action.dest), list(action.choices)
            remedy = f"{did_you_mean(str(value), choices)}Choose {_listed(choices)}."
            raise InputError(f"Unknown {noun} {value!r}.", remedy)


def _listed(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= LAST_PORT):
        raise InputError(f"{text!r} is not a port.", f"Give a whole number from 1 to {LAST_PORT}.")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a number.", "Give one such as 1000 or 0.5.") from error


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
    for add in (_add_runs, _add_serve, _add_ui, _add_view, _add_export, _add_captures, _add_machine):
        add(commands)
    return parser


def _add_runs(commands: _Commands) -> None:
    run = commands.add_parser(
        "reconstruct",
        help="turn one video, or photos (files, folders, zips), into 3D",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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


def _add_serve(commands: _Commands) -> None:
    serve = commands.add_parser("serve", help="open a page to upload from a browser or a phone")
    serve.add_argument("--port", type=_port, default=8000, help="default 8000")
    reach = serve.add_mutually_exclusive_group()
    reach.add_argument(
        "--lan", action="store_true", help="let other machines in: with a token, a link and a QR code"
    )
    reach.add_argument("--host", type=_filled, metavar="ADDRESS", help="listen on this address alone")
    serve.add_argument(
        "--token", type=_filled, help="what other machines have to know (default: made once, at random)"
    )
    serve.add_argument("--https", action="store_true", help="encrypt, with a certificate that ds3d makes")
    serve.add_argument("--no-open", action="store_true", help="do not open a browser")
    serve.add_argument("--no-daemon", action="store_true", help="start nothing of Dagster: another does")


def _add_ui(commands: _Commands) -> None:
    ui = commands.add_parser("ui", help="open Dagster's UI on the home of ds3d, from any folder")
    ui.add_argument("--port", type=_port, default=3000, help="default 3000")


def _add_view(commands: _Commands) -> None:
    view = commands.add_parser("view", help="show a capture in the browser, while it is made too")
    view.add_argument(
        "capture", metavar="CAPTURE", type=_filled, help="a finished folder, or the name of a capture"
    )
    view.add_argument("--output", type=_path, default=Path("outputs"), metavar="DIR", help=_OUTPUT_HELP)
    view.add_argument(
        "--port", type=_port, default=8080, help="if it is in use, the next free one is taken (default 8080)"
    )
    view.add_argument("--no-open", action="store_true", help="do not open a browser")
    report = commands.add_parser("open", help="open the report of a finished capture in the browser")
    report.add_argument(
        "capture", metavar="CAPTURE", type=_filled, help="a finished folder, or the name of a capture"
    )
    report.add_argument("--output", type=_path, default=Path("outputs"), metavar="DIR", help=_OUTPUT_HELP)


def _add_export(commands: _Commands) -> None:
    export = commands.add_parser("export", help="write a finished capture for another program")
    export.add_argument(
        "capture", metavar="CAPTURE", type=_filled, help="a finished folder, or the name of a capture"
    )
    export.add_argument(
        "--to",
        choices=EXPORTS,
        required=True,
        help="html: one file for any browser; las: coloured points; obj: mesh with texture; "
        "stl: closed mesh to print, in millimetres where the scale is known; usdz: mesh for Quick Look",
    )
    export.add_argument(
        "--file", type=_path, metavar="FILE", help="what to write (default: named after the capture, here)"
    )
    export.add_argument("--output", type=_path, default=Path("outputs"), metavar="DIR", help=_OUTPUT_HELP)
    export.add_argument(
        "--crop",
        type=_filled,
        metavar="NUMBERS",
        help="keep what is in a ball (X,Y,Z,RADIUS) or a box (X,Y,Z,X,Y,Z), in the frame of model.glb, "
        "such as --crop=-1,0,0,2",
    )
    export.add_argument("--up", choices=("y", "z"), help="axis that points up (z in stl and las, else y)")
    export.add_argument(
        "--scale", type=_number, metavar="FACTOR", help="units of the file per unit of the capture"
    )


def _add_captures(commands: _Commands) -> None:
    listing = commands.add_parser("list", help="list all captures")
    listing.add_argument("--json", action="store_true", help="print one JSON object per capture")
    status = commands.add_parser("status", help="show the stages of one capture")
    status.add_argument("capture", metavar="CAPTURE", type=_filled)
    status.add_argument("--json", action="store_true", help="print one JSON object")
    both = commands.add_parser("compare", help="show the numbers of two finished captures side by side")
    both.add_argument("first", metavar="A", type=_filled, help="a finished folder, or the name of a capture")
    both.add_argument("second", metavar="B", type=_filled, help="another one")
    both.add_argument("--output", type=_path, default=Path("outputs"), metavar="DIR", help=_OUTPUT_HELP)
    clean = commands.add_parser("clean", help="show old intermediate files that can be deleted")
    clean.add_argument("--yes", action="store_true", help="delete them")
    delete = commands.add_parser("delete", help="show what is kept of one capture, and delete it")
    delete.add_argument("capture", metavar="CAPTURE", type=_filled)
    delete.add_argument("--keep-outputs", action="store_true", help="keep the finished folder")
    delete.add_argument("--yes", action="store_true", help="delete it")


def _add_machine(commands: _Commands) -> None:
    commands.add_parser("doctor", help="check this machine and show which backends will be used")
    models = commands.add_parser(
        "models", help="download the optional depth model (99 MB, for single photos)"
    )
    models.add_argument("action", choices=("fetch",), help="download it and check it")
    models.add_argument(
        "--config", type=_path, metavar="FILE", help="config file that names another depth model"
    )
    commands.add_parser("modes", help="show every option with its value in each mode")
    shell = commands.add_parser(
        "completion",
        help="print what a shell needs to complete commands and options",
        epilog=_COMPLETION_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shell.add_argument("shell", choices=("bash", "zsh", "fish"))
    commands.add_parser("home", help="print the folder in which ds3d keeps its data")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", choices=MODES, default=DEFAULT_MODE, help="default: balanced")
    parser.add_argument("--output", type=_path, metavar="DIR", help=_OUTPUT_HELP)
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
