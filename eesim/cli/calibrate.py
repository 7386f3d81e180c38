"""``eesim calibrate``: fit the board's physical terms to measured runs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.cli.common import add_json_option, print_json, say, stdout_console, whole_number
from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    from eesim.validate.calibrate import Calibration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("measurements", metavar="MEASUREMENTS", type=Path, help="folder of layer tables and runs")
    parser.add_argument("--board", default="rk3399pro", help="board that the fit starts from (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="board file to write")
    parser.add_argument("--profiles", type=Path, metavar="DIR", help="write fitted segment profiles and networks there")
    parser.add_argument("--seed", type=whole_number(0), default=1, help="of folds, samples and bootstrap (%(default)s)")
    parser.add_argument("--workers", type=whole_number(1), default=os.cpu_count() or 1, help="processes (%(default)s)")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from eesim.hardware.spec import Board
    from eesim.provenance import provenance
    from eesim.report.files import make_folder, replacing
    from eesim.scenario.library import find_board, shown
    from eesim.spec import validate_document
    from eesim.validate.board_file import board_data, dumped
    from eesim.validate.calibrate import calibrate
    from eesim.validate.measurements import fingerprint
    from eesim.yamldoc import load_document

    output: Path | None = arguments.output
    if output is not None and not output.parent.is_dir():
        raise InputError([Problem(str(output), 0, "", f"there is no folder {output.parent}")])
    file = find_board(arguments.board, Path(), Problem("--board", 0, "", ""))
    document = load_document(file)
    board = validate_document(Board, document)
    folder: Path = arguments.measurements
    files = fingerprint(folder)
    found = calibrate(folder, board, seed=arguments.seed, workers=arguments.workers, say=say)
    if output is not None:
        origin = {"kind": "fitted", "source": "CALIB", "note": f"eesim calibrate, seed {arguments.seed}"}
        written = dict(document.data)
        listed = ", ".join(f"{name} {digest[:12]}" for name, digest in files.items())
        written["sources"] = {**written.get("sources", {}), "CALIB": f"eesim calibrate on {listed}"}
        header = f"Fitted by eesim calibrate, from {shown(file)}; see docs/board-model.md."
        with replacing(output) as part:
            part.write_text(dumped(board_data(written, found, origin), header), encoding="utf-8")
    if arguments.profiles is not None:
        from eesim.validate.profile_files import profile_files

        for name, text in profile_files(folder, found.board).items():
            path = arguments.profiles / name
            make_folder(path.parent)
            with replacing(path) as part:
                part.write_text(text, encoding="utf-8")
    if arguments.json:
        inputs, names = {"board": document.data, "measurements": files}, {"board": shown(file)}
        stamp = provenance(inputs, names, {}, seed=arguments.seed, replications=1)
        print_json({**summary(found), "output": None if output is None else str(output), "provenance": stamp})
        return 0
    _print(found)
    return 0


def summary(found: Calibration) -> dict[str, Any]:
    """Return what was fitted as plain data."""
    return {
        "parameters": [
            {
                "name": estimate.parameter.name,
                "value": estimate.value,
                "ci_low": estimate.low,
                "ci_high": estimate.high,
                "unit": estimate.parameter.unit,
            }
            for estimate in found.estimates
        ],
        "train": dict(found.train),
        "test": dict(found.test),
        "left_out": dict(found.left_out),
        "inseparable": [{"a": a, "b": b, "correlation": r} for a, b, r in found.inseparable],
        "runs": dict(found.runs),
    }


def _print(found: Calibration) -> None:
    from rich.table import Table

    console = stdout_console()
    terms = Table("term", "value", "95 % interval", "unit", box=None, header_style="bold")
    for estimate in found.estimates:
        interval = f"[{estimate.low:.4g}, {estimate.high:.4g}]"
        terms.add_row(estimate.parameter.name, f"{estimate.value:.4g}", interval, estimate.parameter.unit)
    console.print(terms)
    errors = Table("mean error", "fitted", "held out", "network left out", box=None, header_style="bold")
    for name, value in found.train.items():
        left = found.left_out.get(name)
        errors.add_row(name, f"{value:.2f} %", f"{found.test[name]:.2f} %", "" if left is None else f"{left:.2f} %")
    console.print(errors)
    for a, b, r in found.inseparable:
        console.print(f"not separable: {a} and {b} (correlation {r:+.2f})")
