"""Predict many runs, in one process or several; results do not depend on how many."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from eesim.engine.simulate import EngineName
from eesim.hardware.spec import Board
from eesim.validate.parameters import Path as TermPath
from eesim.validate.parameters import with_values
from eesim.validate.predict import Predictor
from eesim.validate.runs import Run
from eesim.validate.suites import Prediction

CHUNK = 200
"""Runs handed over at a time: about a third of a second."""

Progress = Callable[[int], None]

_predictors: dict[frozenset[str], Predictor] = {}
_setting: tuple[Path, Board, Sequence[Run], EngineName] | None = None


def _prepare(folder: Path, board: Board, runs: Sequence[Run], engine: EngineName) -> None:
    """Remember in a worker what every chunk needs."""
    global _setting
    _setting = (folder, board, runs, engine)
    _predictors.clear()


def _predict(chosen: Sequence[int], values: Mapping[TermPath, float], off: frozenset[str]) -> list[Prediction]:
    assert _setting is not None
    folder, board, runs, engine = _setting
    if off not in _predictors:
        _predictors[off] = Predictor(folder, board, off, engine)
    predictor = _predictors[off].on(with_values(board, values)) if values else _predictors[off]
    return [predictor.predict(runs[i]) for i in chosen]


class PredictionPool:
    """Predicts runs of one folder.

    Parameters
    ----------
    folder
        Where the layer tables are.
    board
        Which board.
    runs
        All runs that may be asked for.
    workers
        Processes; 1 stays in this one.
    engine
        Which engine simulates.
    """

    def __init__(
        self, folder: Path, board: Board, runs: Sequence[Run], workers: int = 1, engine: EngineName = "compiled"
    ) -> None:
        self._executor = None
        if workers > 1:
            # A fresh interpreter for each worker: a fork would copy the locks of this one's threads.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(workers, context, _prepare, (folder, board, runs, engine))
        else:
            _prepare(folder, board, runs, engine)
        self._all = range(len(runs))

    def predict(
        self,
        chosen: Iterable[int] | None = None,
        values: Mapping[TermPath, float] | None = None,
        off: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> list[Prediction]:
        """Predict some runs (all of them by default), with other values of some terms, or terms switched off."""
        wanted = list(self._all if chosen is None else chosen)
        chunks = [wanted[i : i + CHUNK] for i in range(0, len(wanted), CHUNK)]
        settings = dict(values or {}), frozenset(off)
        found: list[Prediction] = []
        if self._executor is None:
            parts: Iterable[list[Prediction]] = (_predict(chunk, *settings) for chunk in chunks)
        else:
            futures = [self._executor.submit(_predict, chunk, *settings) for chunk in chunks]
            parts = (future.result() for future in futures)
        for part in parts:
            found += part
            if progress is not None:
                progress(len(part))
        return found

    def __enter__(self) -> Self:
        """Use it in a ``with`` block, so that its processes end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
