"""The networks of the layer tables, and their fitted profiles, as the text of files."""

from __future__ import annotations

from pathlib import Path

from eesim.hardware.spec import Board
from eesim.validate.board_file import dumped
from eesim.validate.layers import fit_laws, network_data, profile_data, read_layer_times

CAMPAIGN = "coup"
SOURCE = "Ehsan-aghapour/CO-UP-Profiling, commit 22005a9, Profiling/Data/Layers.csv"


def profile_files(folder: Path, board: Board, campaign: str = CAMPAIGN) -> dict[str, str]:
    """Fit every network of the layer tables.

    Returns
    -------
    dict
        Text of ``networks/NAME.yaml`` and ``profiles/NAME.yaml``, by that name.
    """
    table = read_layer_times(folder)
    written = {}
    for graph in sorted(table.loc[table["campaign"] == campaign, "graph"].unique()):
        laws = fit_laws(table, graph, campaign, board)
        layers = {"kind": "derived", "source": SOURCE, "note": "layers and tensor sizes of the profiled network, fp32"}
        note = f"eesim calibrate: campaign {campaign}"
        fitted = {"kind": "fitted", "source": SOURCE, "note": note}
        written[f"networks/{graph}.yaml"] = dumped(
            network_data(folder, graph, layers),
            f"{graph}, a segment for each layer that the runtime can map. Written by eesim calibrate.",
        )
        written[f"profiles/{graph}.yaml"] = dumped(
            profile_data(graph, campaign, laws, fitted),
            f"Segments of {graph} on the {board.name}: laws fitted to measured layers. Written by eesim calibrate.",
        )
    return written
