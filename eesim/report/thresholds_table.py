"""What ``eesim thresholds`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from eesim.thresholds.outcome import Baseline, Measured, ThresholdSearch

MOST_ROWS = 12


def print_thresholds(found: ThresholdSearch, console: Console) -> None:
    """Print the thresholds, what they come to, the certificate, the front, and the baseline beside them."""

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    title = "Thresholds" if found.feasible else "No threshold setting meets what is wanted; the nearest one"
    console.print(f"[bold]{title}[/]")
    _print_exits(found, console)
    say(f"\n{'':13}{'samples':>8}{'accuracy':>11}{'cost, ' + found.unit:>14}")
    _print_row(say, "searched", found.calibration)
    if found.test is not None:
        _print_row(say, "test", found.test)
    if found.original is not None:
        say(f"without early exits, the cost is {found.original:.6g} {found.unit}")
    for name, excess in found.violations.items():
        say(f"  misses {name} by {100 * excess:.3g} % of its limit")
    say(f"\n{found.goal} ({found.cost_kind}), {found.method}: {found.certificate}; {found.wall_s:.2f} s")
    _print_simulation(found, say)
    if found.front:
        console.print("\n[bold]Front: no setting beats these in both[/]")
        _print_front(found, console)
    if found.baseline is not None:
        _print_baseline(found, found.baseline, console)
    for note in found.notes:
        say(f"note: {note}")


def _print_exits(found: ThresholdSearch, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("exit", "threshold", "share", "right there"):
        table.add_column(column, justify="left" if column == "exit" else "right")
    thresholds = [f"{value:.6g}" for value in found.thresholds]
    rows = zip(
        found.exits,
        [*thresholds, "answers"],
        found.calibration.exit_shares,
        found.calibration.exit_accuracy,
        strict=True,
    )
    for name, threshold, share, right in rows:
        table.add_row(name, threshold, f"{100 * share:.2f} %", "n/a" if right is None else f"{100 * right:.2f} %")
    console.print(table)


def _cost(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.5g}"


def _print_row(say: object, name: str, measured: Measured) -> None:
    assert callable(say), "it prints"
    say(f"{name:<13}{measured.samples:>8,}{100 * measured.accuracy:>9.2f} %{_cost(measured.cost):>14}")


def _print_simulation(found: ThresholdSearch, say: object) -> None:
    assert callable(say), "it prints"
    result = found.simulation
    if result is None:
        return
    mean, p99 = result.value("latency_ms.mean"), result.value("latency_ms.p99")
    energy, right = result.value("energy_mj_per_frame.total"), result.value("accuracy")
    say(
        f"simulated under the scenario's stream, {result.scenario.n_frames:,} frames x {len(result.replications)}: "
        f"mean {_cost(mean)} ms, p99 {_cost(p99)} ms, {_cost(energy)} mJ per frame, "
        f"accuracy {'n/a' if right is None else f'{100 * right:.2f} %'}"
    )
    for verdict in result.verdicts:
        if not verdict.met:
            limit = f"limit {verdict.limit:.6g} {verdict.unit}".rstrip()
            say(f"  requirement NOT met: {verdict.name} is {_cost(verdict.value)}, {limit}")


def _print_front(found: ThresholdSearch, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in (f"cost, {found.unit}", "accuracy", *found.exits[:-1]):
        table.add_column(column, justify="right")
    n = len(found.front)
    picked = range(n) if n <= MOST_ROWS else sorted({round(i * (n - 1) / (MOST_ROWS - 1)) for i in range(MOST_ROWS)})
    for i in picked:
        cost, accuracy, thresholds = found.front[i]
        table.add_row(f"{cost:.6g}", f"{100 * accuracy:.2f} %", *(f"{value:.6g}" for value in thresholds))
    console.print(table)
    if len(picked) < n:
        console.print(f"{len(picked)} of {n} (-o DIR writes all of them)", highlight=False)


def _print_baseline(found: ThresholdSearch, baseline: Baseline, console: Console) -> None:
    """Print what independence predicts about the published search's setting, and what is true."""
    names = found.exits[:-1]
    setting = ", ".join(f"{name} {value:.6g}" for name, value in zip(names, baseline.thresholds, strict=True))
    graph = f"{baseline.nodes} nodes, {baseline.edges} edges"
    console.print("\n[bold]Published baseline: shortest path, exits taken to be independent[/]")
    console.print(f"{setting} ({graph})", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    for column in ("", "accuracy", f"cost, {found.unit}", *(f"{name} %" for name in found.exits), "weighted"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    weights = baseline.weighted
    rows = [("predicted", baseline.predicted, weights["predicted"]), ("true", baseline.actual, weights["actual"])]
    if baseline.test is not None:
        rows.append(("true of test", baseline.test, float("nan")))
    rows.append(("exact, same levels", baseline.exact, weights["exact"]))
    for name, measured, weighted in rows:
        shares = [f"{100 * share:.2f}" for share in measured.exit_shares]
        told = "" if weighted != weighted else f"{weighted:.5f}"
        table.add_row(name, f"{100 * measured.accuracy:.2f} %", _cost(measured.cost), *shares, told)
    console.print(table)
    if baseline.independence is not None:
        wrong = baseline.independence
        text = (
            f"over all {wrong.settings:,} settings, independence is off by {100 * wrong.accuracy_bias:+.2f} points of "
            f"accuracy on average (at most {100 * wrong.accuracy_worst:.2f}) and by {100 * wrong.cost_bias:+.2f} % of "
            f"the cost (at most {100 * wrong.cost_worst:.2f} %)"
        )
        console.print(text, highlight=False, markup=False, soft_wrap=True)
