"""``eesim sweep``: run a study, or ask the table of one."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.cli.common import add_json_option, add_set_option, print_json, say, stdout_console, whole_number
from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    from eesim.sweeps.pipeline import Progress
    from eesim.sweeps.sweep import Sweep

QUIET_S = 10.0
"""Seconds between lines of progress where stderr is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument(
        "study", metavar="STUDY", help="study file (YAML); with --best or --compact, the folder of a sweep"
    )
    add_set_option(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where the table and the store go")
    parser.add_argument("--resume", action="store_true", help="go on with the sweep in DIR, whatever stopped it")
    parser.add_argument(
        "--accept-changes", action="store_true", help="with --resume: go on although scenario, files or engine changed"
    )
    parser.add_argument("--store", type=Path, metavar="DIR", help="results store to share with other studies")
    parser.add_argument(
        "--workers", type=whole_number(1), metavar="N", help="processes (default: one for each core); results are equal"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler (tcp://host:port), or `local` for one on this machine"
    )
    parser.add_argument("--compact", action="store_true", help="make few large parts of a store's small ones")
    parser.add_argument("--best", metavar="METRIC", help="print the best points of a finished sweep, e.g. p99")
    parser.add_argument("-n", type=whole_number(1), default=10, metavar="N", help="with --best: how many (%(default)s)")
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        action="append",
        default=[],
        help='with --best: only points with e.g. "drop_rate<=0.01" (repeatable)',
    )
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status: 1 if points failed."""
    _check(arguments)
    if arguments.best is not None:
        return _best(arguments)
    if arguments.compact:
        return _compact(arguments)
    from eesim.sweeps.study import load_study
    from eesim.sweeps.sweep import sweep

    study = load_study(arguments.study, arguments.overrides)
    with _progress(study.design.size) as progress:
        try:
            found = sweep(
                study,
                arguments.output,
                resume=arguments.resume,
                accept_changes=arguments.accept_changes,
                workers=arguments.workers,
                scheduler=arguments.scheduler,
                store=arguments.store,
                progress=progress,
                told=say,
            )
        except KeyboardInterrupt:
            say(f"stopped: what was finished is kept. Go on with --resume -o {arguments.output}")
            return 130
    if arguments.json:
        print_json(found.to_dict())
    else:
        _print(found)
    return 1 if found.failed else 0


def _check(arguments: argparse.Namespace) -> None:
    """Find options that make no sense together before anything is done."""
    asks = arguments.best is not None
    problems = []
    if not asks and not arguments.compact and arguments.output is None:
        problems.append(Problem("-o", 0, "", "is missing: where do the table and the store go?"))
    if asks and (arguments.output is not None or arguments.compact):
        problems.append(Problem("--best", 0, "", "asks a finished sweep: give its folder, and nothing to write"))
    if arguments.where and not asks:
        problems.append(Problem("--where", 0, "", "needs --best"))
    if arguments.accept_changes and not arguments.resume:
        problems.append(Problem("--accept-changes", 0, "", "needs --resume"))
    if arguments.workers is not None and arguments.scheduler not in (None, "local"):
        problems.append(Problem("--workers", 0, "", "a scheduler has workers of its own"))
    if problems:
        raise InputError(problems)


def _print(found: Sweep) -> None:
    seconds = f"{found.seconds:.1f} s on {found.workers} workers" if found.workers else f"{found.seconds:.1f} s"
    print(f"{found.points:,} points: {found.done:,} done, {found.failed:,} failed, {found.cached:,} from the store")
    print(f"simulated {found.simulated:,} in {seconds}")
    print(f"table  {found.table_path}")
    print(f"store  {found.store}")
    if found.crashed:
        print(f"{found.crashed:,} points killed their worker: --resume tries them again")


def _best(arguments: argparse.Namespace) -> int:
    from eesim.sweeps.query import Answers

    answers = Answers(Path(arguments.study))
    rows = answers.best(arguments.best, arguments.n, arguments.where)
    column = answers.column(arguments.best, "--best")
    if arguments.json:
        print_json({"metric": column, "best": rows})
        return 0
    if not rows:
        print("no point has a value, or meets the conditions")
        return 0
    from rich.text import Text

    from eesim.report.layout import columns

    names = [name for name in rows[0] if name != "status" and not name.endswith((".ci_low", ".ci_high"))]
    cells = [[*names, "95 % interval"]] + [
        [*(_cell(row[name]) for name in names), _interval(row, column)] for row in rows
    ]
    lines = columns(cells, "<" * len(cells[0]))
    console = stdout_console()
    for line, style in lines:
        console.print(Text(line, style=style), soft_wrap=True)
    return 0


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _interval(row: dict[str, Any], column: str) -> str:
    low, high = row.get(f"{column}.ci_low"), row.get(f"{column}.ci_high")
    return "" if low is None or high is None else f"{low:.6g} to {high:.6g}"


def _compact(arguments: argparse.Namespace) -> int:
    from eesim.sweeps.store import Store, locked
    from eesim.sweeps.sweep import STORE

    folder = Path(arguments.study)
    where = arguments.store or (folder / STORE if (folder / STORE).is_dir() else folder)
    if not any(where.glob("part-*.parquet")):
        raise InputError([Problem(str(where), 0, "", "holds no results")])
    with locked(where):
        store = Store(where)
        store.tidy()
        before = store.parts()
        store.compact()
        after = store.parts()
    rows = sum(part.rows for part in after)
    size = sum(part.path.stat().st_size for part in after)
    if arguments.json:
        print_json({"store": str(where), "parts_before": len(before), "parts": len(after), "rows": rows, "bytes": size})
    else:
        print(f"{where}: {len(before):,} parts became {len(after):,} ({rows:,} rows, {size / 1e6:.1f} MB)")
    return 0


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Progress], None]]:
    """Say on stderr how it goes: a bar on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda state: bar.update(task, completed=state.done, description=_words(state))


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(state: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET_S:
            last = time.monotonic()
            say(f"{state.done:,} of {state.points:,}, {_words(state)}")

    return tell


def _words(state: Progress) -> str:
    left = state.seconds_left
    eta = "" if math.isnan(left) else f", {left:,.0f} s left"
    return f"{state.failed:,} failed, {state.cached:,} from the store, {state.per_second:,.1f}/s{eta}"
