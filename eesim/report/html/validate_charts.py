"""Charts of validations: predicted against measured, and the error without each physical term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eesim.report.html.parts import Chart, Key
from eesim.report.html.plot import Plot, row_plot
from eesim.report.html.scatter import FEW, cloud
from eesim.report.html.svg import tick_label
from eesim.report.numbers import number
from eesim.report.style import BLACK, BLUE, GREY, ORANGE, colour, lighter

if TYPE_CHECKING:
    import pandas as pd

BAND = 0.1
"""Errors within which points lie between the dashed lines of a parity plot."""


def parity_chart(rows: pd.DataFrame, suite: str, quantity: str) -> Chart:
    """Return predicted against measured values of one quantity, both logarithmic."""
    x, y = rows["measured"].to_numpy(dtype=np.float64), rows["predicted"].to_numpy(dtype=np.float64)
    low, high = float(min(x.min(), y.min())) / 1.1, float(max(x.max(), y.max())) * 1.1
    name, error = rows["unit"].iloc[0], float(np.mean(np.abs(y / x - 1))) * 100
    plot = Plot(
        f"Predicted against measured {quantity} of {len(rows):,} runs ({suite}): mean error {error:.2f} %",
        (low, high), (low, high), x_title=f"measured {quantity}, {name}", y_title=f"predicted {quantity}, {name}",
        x_log=True, y_log=True, left=66, height=400,
    )  # fmt: skip
    band = [(low, low * (1 - BAND)), (high, high * (1 - BAND))], [(low, low * (1 + BAND)), (high, high * (1 + BAND))]
    for side in band:
        plot.line(side, lighter(GREY, 0.3), style="dash", width=1)
    plot.line([(low, low), (high, high)], BLACK, width=1)
    graphs = sorted(set(rows["graph"]))
    legend = [Key("equal", BLACK, "solid"), Key(f"{100 * BAND:.0f} % off", lighter(GREY, 0.3), "dash")]
    if len(rows) > FEW:
        cloud(plot, x, y, BLUE, what="runs")
        legend.append(Key("runs (darker: more)", BLUE))
    else:
        for k, graph in enumerate(graphs):
            own = rows[rows["graph"] == graph]
            hints = [
                f"{graph} {order}: predicted {tick_label(guess)}, measured {tick_label(truth)} {name}"
                for order, guess, truth in zip(own["order"], own["predicted"], own["measured"], strict=True)
            ]
            cloud(plot, own["measured"].to_numpy(), own["predicted"].to_numpy(), colour(k), hints)
            legend.append(Key(f"{graph} ({len(own):,})", colour(k), "point"))
    return Chart(plot.svg(), f"{suite}, {quantity}: {len(rows):,} runs, mean error {error:.2f} %", legend)


def budget_chart(key: tuple[str, str, str], rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Return the error of one suite, network and quantity with all terms, and without each."""
    known = [row for row in rows if row["mape_off_pct"] is not None]
    names = [str(row["term"]).replace("_", " ") for row in known]
    longest, all_terms = max(row["mape_off_pct"] for row in known), known[0]["mape_pct"]
    who = f"{key[0]}, {key[1]}: {key[2]}"
    told = "; ".join(f"{name} {number(row['mape_off_pct'], 3)} %" for name, row in zip(names, known, strict=True))
    reach = max(longest, all_terms) * 1.08 or 1
    plot = row_plot(f"Mean error of {who} without each term: {told}", names, (0, reach), x_title="mean error (MAPE), %")
    for i, (name, row) in enumerate(zip(names, known, strict=True)):
        hint = f"without {name}: {number(row['mape_off_pct'], 3)} %, with all terms {number(all_terms, 3)} %"
        plot.bar(0, row["mape_off_pct"], i + 0.2, i + 0.8, lighter(ORANGE, 0.2), hint)
    plot.upright(all_terms, BLUE, width=2)
    return Chart(
        plot.svg(), who, [Key("without this term", lighter(ORANGE, 0.2)), Key("with all terms", BLUE, "solid")]
    )
