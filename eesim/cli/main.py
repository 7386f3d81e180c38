"""``eesim``: the entry point. Parses, finds the command's module, turns errors into messages and exit statuses.

Exit status: 0 good; 1 a declared requirement is not met, points of a sweep failed, or a self-test did; 2 the input is
wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from types import ModuleType

from eesim.cli.rerun import record_command
from eesim.errors import EesimError, InputError

COMMANDS = {
    "run": "simulate one scenario",
    "compare": "compare scenarios on the same random numbers: what differs, and by how much",
    "sensitivity": "find the inputs that matter, those that do not, and which mapping is best on plausible boards",
    "explore": "search mappings, clocks, exits and limits for the best design, with the proof or the gap",
    "sweep": "run a study: grids and samples over any value, kept in a store, on processes or a cluster",
    "thresholds": "search exit thresholds on per-sample confidences, exactly, beside the published baseline",
    "report": "make one HTML page of a folder of results",
    "init": "write a commented scenario to start from",
    "import": "turn foreign measurements (logs, tables) into eesim's own tables",
    "calibrate": "fit the board's physical terms to measured runs",
    "validate": "predict measured runs, and say how wrong that is, and where",
    "show": "look at a board, a network, a resolved scenario, or the trace of a run, beside a measured one",
    "check": "lint scenario, board, network, profile, study and plausible files",
    "doctor": "self-test: versions, caches, and whether the two engines agree here",
    "completion": "print the script that completes commands and options in a shell",
}

GOOD, NOT_MET, WRONG_INPUT = 0, 1, 2


def command_module(name: str) -> ModuleType:
    """Return the module of a command; one that is called like a Python keyword has an underscore after its name."""
    return import_module(f"eesim.cli.{name}{'_' if iskeyword(name) else ''}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; importing their modules must stay cheap."""
    parser = argparse.ArgumentParser(
        prog="eesim",
        description="Simulator and design-space explorer for early-exit DNN inference on heterogeneous SoCs.",
        epilog="Exit status: 0 good; 1 a requirement is not met; 2 the input is wrong.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        command_module(name).add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        from eesim.provenance import package_version

        print(f"eesim {package_version('eesim')}")
        return GOOD
    if arguments.command is None:
        parser.print_help()
        return GOOD
    words = sys.argv[1:] if argv is None else argv
    try:
        status: int = command_module(arguments.command).execute(arguments)
        if status in (GOOD, NOT_MET):
            record_command(arguments, words)
        sys.stdout.flush()
        return status
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return WRONG_INPUT
    except EesimError as error:
        print(f"eesim: {error}", file=sys.stderr)
        return NOT_MET
    except BrokenPipeError:
        # The reader (`| head`) has gone: keep the interpreter's shutdown from complaining about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        record_command(arguments, words)
        return GOOD
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
