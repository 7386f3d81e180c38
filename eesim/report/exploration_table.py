"""What ``eesim explore`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from eesim.explore.coup import coup_command
from eesim.explore.exploration import Exploration
from eesim.explore.objectives import OBJECTIVES
from eesim.explore.space import Placement, pe_of
from eesim.report.figure_units import UNITS
from eesim.units import format_frequency

MOST_ROWS = 12


def _unit(objective: str) -> str:
    metric = OBJECTIVES[objective][0]
    return UNITS.get(metric.partition(".")[0], "ms" if metric == "period_ms" else "")


def _clocks(exploration: Exploration, row: int) -> str:
    choice = exploration.space.choice(exploration.found.genomes[row])
    names = exploration.space.scenario.network.segment_names
    used = {pe_of(choice[name]) for name in names}
    placed = [(name, choice[name]) for name in names if isinstance(choice[name], Placement)]
    own = [f"{name} {format_frequency(place.clock_hz)}" for name, place in placed]
    varied = [
        f"{gene.name.removeprefix('opp.')} {format_frequency(choice[gene.name])}"
        for gene in exploration.space.genes
        if gene.name.startswith("opp.") and len(gene.alleles) > 1 and gene.name.removeprefix("opp.") in used
    ]
    return ", ".join([*varied, *own])


def _others(exploration: Exploration, row: int) -> str:
    choice = exploration.space.choice(exploration.found.genomes[row])
    off = [
        gene.name.removeprefix("exit.")
        for gene in exploration.space.genes
        if gene.name.startswith("exit.") and not choice[gene.name]
    ]
    said = [f"without {', '.join(off)}"] if off else []
    thresholds = [gene for gene in exploration.space.genes[exploration.space.threshold_genes] if len(gene.alleles) > 1]
    names = [(gene, gene.name.removeprefix("threshold.")) for gene in thresholds]
    said += [f"{name} at {choice[gene.name]:g}" for gene, name in names if name not in off]
    for gene in exploration.space.genes[-3:]:
        if len(gene.alleles) > 1:
            said.append(f"{gene.name.replace('_', ' ')} {choice[gene.name]}")
    return "; ".join(said)


def print_exploration(exploration: Exploration, console: Console) -> None:
    """Print the best design or the front, the certificate, and what was rejected."""
    names = exploration.evaluator.objective_names
    say = console.print
    title = "Best design" if len(names) == 1 else "Front"
    if not exploration.found.is_feasible:
        title = "No design meets the constraints; the nearest one"
    table = Table(box=None, pad_edge=False)
    rows = len(exploration.found.genomes)
    shown = range(min(rows, MOST_ROWS))
    said = [(_clocks(exploration, row), _others(exploration, row)) for row in shown]
    kept = [i for i in (0, 1) if any(words[i] for words in said)]
    for column in ("mapping", *(("clocks", "otherwise")[i] for i in kept)):
        table.add_column(column)
    for name in names:
        table.add_column(f"{name.replace('_', ' ')}, {_unit(name)}".rstrip(", "), justify="right")
    for row in shown:
        told = exploration.describe(row)
        mapping = told["mapping"] if isinstance(told["mapping"], str) else ",".join(told["mapping"].values())
        values = [f"{told[name]:.6g}" if told[name] is not None else "n/a" for name in names]
        table.add_row(mapping, *(said[row][i] for i in kept), *values)
    say(f"[bold]{title}[/]")
    say(table)
    if rows > MOST_ROWS:
        say(f"... and {rows - MOST_ROWS} more (front.csv)")
    for name, excess in exploration.describe()["violations"].items():
        say(f"  misses {name} by {100 * excess:.3g} % of its limit", highlight=False)
    _print_proof(exploration, console)


def _print_proof(exploration: Exploration, console: Console) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    e = exploration.evaluator
    say(f"\n{exploration.certificate}")
    say(f"by {exploration.algorithm}: {exploration.why}; {exploration.wall_s:.2f} s")
    how = [f"{e.by_single_frames:,} by single frames (exact: frames never meet)"] if e.by_single_frames else []
    how += [f"{e.simulated:,} by simulating {len(e.arrival):,} frames"] if e.simulated else []
    if e.by_general_road:
        why = e.general_reasons[0] if e.general_reasons else "clocks change between segments"
        how.append(f"{e.by_general_road:,} one by one ({why})")
    say(f"evaluated {', '.join(how)}")
    rejected = {name: count for name, count in exploration.rejected.items() if count}
    if rejected:
        say("rejected " + ", ".join(f"{count:,} by {name}" for name, count in rejected.items()))
    result = exploration.confirmation
    if result is not None:
        p99, mean = result.value("latency_ms.p99"), result.value("latency_ms.mean")
        met = "met" if result.requirements_met else "NOT met"
        engines = "give the same" if exploration.engines_agree else "DISAGREE"
        which = "the first one " if len(exploration.found.genomes) > 1 else ""
        say(
            f"{which}confirmed with fresh seeds, {result.scenario.n_frames:,} frames x {len(result.replications)}: "
            f"mean {mean:.4g} ms, p99 {p99:.4g} ms, constraints {met}; both engines {engines}"
        )
        line = coup_command(result.scenario)
        if line:
            say(f"on the board: {line}")
    parting = exploration.disagreement()
    if parting is not None:
        say(f"\n{parting.to_text().rstrip()}")
