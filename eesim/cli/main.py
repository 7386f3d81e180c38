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

from eesim.errors import EesimError, InputError

COMMANDS = {
    "run": "simulate one scenario",
    "explore": "search mappings, clocks, exits and limits for the best design, with the proof or the gap",
    "sweep": "run a study: grids and samples over any value, kept in a store, on processes or a cluster",
    "show": "look at a board, a network or a resolved scenario",
    "check": "lint scenario, board, network, profile and study files",
    "doctor": "self-test: versions, caches, and whether the two engines agree here",
}

GOOD, NOT_MET, WRONG_INPUT = 0, 1, 2


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
        import_module(f"eesim.cli.{name}").add_arguments(sub)
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
    try:
        status: int = import_module(f"eesim.cli.{arguments.command}").execute(arguments)
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
        return GOOD
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
