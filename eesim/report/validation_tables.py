"""What ``eesim validate`` prints: scores, what was left out, the error budget, decisions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Console

from eesim.report.numbers import MISSING, number
from eesim.validate.scores import Score
from eesim.validate.suites import Row
from eesim.validate.validation import Validation

SCORES = ("n", "MAPE", "95 % interval", "median", "p95", "bias", "R2", "Spearman", "top-1 regret")
MAIN = {"switch": "time", "pipeline": "period"}
MOST_REASONS = 12


def two(value: float) -> str:
    """Return a per cent value with two decimals; ``n/a`` for NaN."""
    return f"{value:.2f}" if math.isfinite(value) else MISSING


def score_cells(row: Row) -> list[str]:
    """Return the cells of `SCORES`."""
    s = row.score
    interval = f"{two(s.mape_low)} to {two(s.mape_high)}" if math.isfinite(s.mape_low) else MISSING
    errors = [two(s.median_ape_pct), two(s.p95_ape_pct), f"{s.bias_pct:+.2f}"]
    return [f"{s.n:,}", two(s.mape_pct), interval, *errors, _three(s.r2), _three(s.spearman), _regret(s)]


def _regret(s: Score) -> str:
    """Mean over the choices; the worst one too where there are several."""
    mean, worst = two(s.top1_regret_pct), two(s.worst_top1_regret_pct)
    return mean if mean == worst else f"{mean} ({worst})"


def _three(value: float) -> str:
    return number(value, 3) if abs(value) < 0.9 else f"{value:.4f}" if math.isfinite(value) else MISSING


class _Table:
    """Rows of aligned text, as wide as they are: what a narrow pipe would cut off is what somebody greps for."""

    def __init__(self, text: Sequence[str], numbers: Iterable[str]) -> None:
        self.n_text = len(text)
        self.rows: list[Sequence[str]] = [(*text, *numbers)]

    def add_row(self, *cells: str) -> None:
        self.rows.append(cells)

    def print(self, console: Console) -> None:
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        for k, row in enumerate(self.rows):
            cells = [
                cell.ljust(width) if i < self.n_text else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            line = "  ".join(cells).rstrip()
            console.print(line, style="bold" if k == 0 else None, highlight=False, markup=False, soft_wrap=True)


def print_validation(found: Validation, console: Console) -> None:
    """Print a validation."""
    console.print("[bold]Errors[/], per cent of the measurement", soft_wrap=True)
    print_scores(found.rows, console)
    _print_parts(found, console)
    _print_left_out(found, console)
    _print_budget(found, console)
    _print_decisions(found, console)


def print_scores(rows: Iterable[Row], console: Console) -> None:
    """Print rows of scores."""
    table = _Table(("suite", "graph", "quantity"), SCORES)
    for row in rows:
        table.add_row(row.suite, row.graph, row.quantity, *score_cells(row))
    table.print(console)


def _print_parts(found: Validation, console: Console) -> None:
    parts = [("one PE", row) for row in found.single_pe]
    parts += [("with NPU", row) for row in found.npu]
    parts += [(f"slowest {pe}", row) for pe, row in found.bottlenecks]
    parts = [(what, row) for what, row in parts if row.quantity == MAIN[row.suite] and row.graph not in ("cnn",)]
    if not parts:
        return
    console.print("\n[bold]Parts of them[/]", soft_wrap=True)
    table = _Table(("runs", "suite", "graph", "quantity"), SCORES)
    for what, row in parts:
        table.add_row(what, row.suite, row.graph, row.quantity, *score_cells(row))
    table.print(console)


def _print_left_out(found: Validation, console: Console) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    counted = [(f"{suite}, {graph}: {reason}", n) for suite, graph, reason, n in found.not_predicted]
    if counted:
        say(f"\nNot predicted: {sum(n for _, n in counted):,} of {len(found.runs):,} runs")
        for text, n in counted[:MOST_REASONS]:
            say(f"  {n:6,}  {text}")
        if len(counted) > MOST_REASONS:
            say(f"          and {len(counted) - MOST_REASONS} more reasons (--json lists all)")
    if found.outside:
        outside = sum(bool(p.outside and p.values) for p in found.predictions)
        say(f"\nOutside of what was measured: {outside:,} predicted runs")
        for (suite, graph, reason, n), mape in found.outside:
            say(f"  {n:6,}  {suite}, {graph}: {reason} (mean error {mape:.2f} %)")


def _print_budget(found: Validation, console: Console) -> None:
    if not found.budget:
        return
    console.print(f"\n[bold]Error budget[/], a sample of {found.budget_runs:,} runs in whole orders", soft_wrap=True)
    columns = ("runs it changes", "MAPE", "without it", "share of it", "scale that fits", "95 % interval")
    table = _Table(("suite", "graph", "quantity", "term"), columns)
    for row in found.budget:
        interval = f"{two(row.scale_low)} to {two(row.scale_high)}" if math.isfinite(row.scale_low) else MISSING
        touched = f"{row.n_touched:,} of {row.n:,}"
        errors = (two(row.mape_pct), two(row.mape_off_pct), f"{row.share_pct:+.2f}")
        table.add_row(row.suite, row.graph, row.quantity, row.term, touched, *errors, two(row.scale), interval)
    table.print(console)


def _print_decisions(found: Validation, console: Console) -> None:
    if not found.decisions:
        return
    console.print(
        "\n[bold]Regret[/] of deploying what is predicted best, per cent of the best; repeats averaged", soft_wrap=True
    )
    columns = ("choices", "alternatives", "mean", "p95", "worst", "random choice")
    table = _Table(("suite", "graph", "quantity", "choice"), columns)
    for d in found.decisions:
        values = (d.mean_regret_pct, d.p95_regret_pct, d.worst_regret_pct, d.random_regret_pct)
        cells = (f"{d.choices:,}", f"{d.alternatives:,.1f}", *map(two, values))
        table.add_row(d.suite, d.graph, d.quantity, d.choice.replace("_", " "), *cells)
    table.print(console)
    for r in found.repeats:
        console.print(
            f"{r.suite} {r.quantity}: {r.configurations} configurations were measured {r.runs} times; "
            f"a reading is {r.spread_pct:.2f} % from the mean of its configuration",
            highlight=False,
            soft_wrap=True,
        )
