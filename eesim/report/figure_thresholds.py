"""Figure of a threshold search: the front, the setting that was chosen, and what the baseline believes."""

from __future__ import annotations

from matplotlib.figure import Figure

from eesim.report.style import BLUE, GREEN, GREY, ORANGE, VERMILLION, light_grid
from eesim.thresholds.outcome import Measured, ThresholdSearch


def thresholds_figure(found: ThresholdSearch) -> Figure:
    """Draw accuracy against cost: the front on the searched samples, the choice there and on the test samples."""
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.subplots()
    cost, accuracy = [row[0] for row in found.front], [100 * row[1] for row in found.front]
    axes.step(
        cost,
        accuracy,
        where="post",
        color=GREY,
        linewidth=1.2,
        label=f"front of {found.certificate.space_size:,} settings",
    )
    axes.plot(cost, accuracy, ".", color=GREY, markersize=4)

    def mark(measured: Measured | None, shape: str, colour: str, label: str) -> None:
        if measured is not None and measured.cost is not None:
            axes.plot(measured.cost, 100 * measured.accuracy, shape, color=colour, markersize=8, label=label)

    mark(found.calibration, "o", BLUE, "chosen, on the samples searched")
    mark(found.test, "D", GREEN, "chosen, on the test samples")
    if found.baseline is not None:
        believed, true = found.baseline.predicted, found.baseline.actual
        mark(believed, "^", ORANGE, "shortest path: predicted")
        mark(true, "v", VERMILLION, "shortest path: true")
        if believed.cost is not None and true.cost is not None:
            ends = (believed.cost, true.cost), (100 * believed.accuracy, 100 * true.accuracy)
            axes.plot(*ends, ":", color=VERMILLION, linewidth=1)
    light_grid(axes, "both")
    axes.set_xlabel(f"{found.cost_kind.replace('_', ' ')} per sample, {found.unit}")
    axes.set_ylabel("accuracy, %")
    axes.set_title(f"{found.goal}: {found.certificate}", fontsize=9)
    axes.legend(loc="lower right")
    return figure
