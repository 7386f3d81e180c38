"""The figures of one result, as files. To be imported where figures are drawn, not before: Matplotlib takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.style

from eesim.report.figure_bars import energy_figure, utilisation_figure
from eesim.report.figure_latency import latency_figure
from eesim.report.figure_timeline import timeline_figure
from eesim.report.files import make_folder, replacing
from eesim.report.style import SETTINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eesim.metrics.result import Result

_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
"""What would make two files of the same figure differ, left out."""

_FIGURES: dict[str, Callable[[Result], Figure | None]] = {
    "latency_cdf": latency_figure,
    "timeline": timeline_figure,
    "utilisation": utilisation_figure,
    "energy": energy_figure,
}
"""By the name of the file; a figure that the result has nothing to show for is None."""


def write_figures(result: Result, folder: Path, *, formats: Iterable[str] = ("png", "svg")) -> list[Path]:
    """Draw a result.

    Parameters
    ----------
    result
        What to draw.
    folder
        Where the files go; created if need be.
    formats
        ``png`` (150 dpi), ``svg`` or ``pdf``.

    Returns
    -------
    list of Path
        What was written: ``latency_cdf`` (needs the frames' records), ``timeline`` (needs the event log),
        ``utilisation`` and ``energy`` (needs an answer). The same result gives the same bytes.

    Raises
    ------
    ValueError
        If there is no such format.
    NotADirectoryError
        If the folder is a file.
    """
    return draw(folder, {name: partial(make, result) for name, make in _FIGURES.items()}, formats)


def draw(
    folder: Path, figures: Mapping[str, Callable[[], Figure | None]], formats: Iterable[str] = ("png", "svg")
) -> list[Path]:
    """Draw figures, named by their files, in the project's style; those that have nothing to show are left out."""
    formats = tuple(formats)
    unknown = [name for name in formats if name not in _METADATA]
    if unknown:
        raise ValueError(f"no such format: {', '.join(unknown)} (known: {', '.join(_METADATA)})")
    make_folder(folder)
    written = []
    with mpl.style.context(SETTINGS, after_reset=True):
        for name, make in figures.items():
            figure = make()
            if figure is not None:
                written += [_save(figure, folder / f"{name}.{suffix}", suffix) for suffix in formats]
    return written


def _save(figure: Figure, path: Path, suffix: str) -> Path:
    with replacing(path) as temporary:
        figure.savefig(temporary, format=suffix, metadata=_METADATA[suffix])
    return path
