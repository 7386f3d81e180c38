"""From what a study says about its design to the design itself; everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eesim.base import FloatArray
from eesim.document import Document
from eesim.errors import Problem, suggest
from eesim.scenario.spec import ScenarioSpec
from eesim.sweeps import spec as s
from eesim.sweeps.design import Axis, Node, Points, ProductNode, Setting, UnionNode, ZipNode
from eesim.sweeps.scale import Scale
from eesim.wording import DataPath, count

MAX_POINTS = 10**12
"""Larger designs are refused: that is a mistake."""


class Builder:
    """Builds the nodes of a design and notes what is wrong with them.

    Parameters
    ----------
    document
        The study, for the positions of problems.

    Attributes
    ----------
    problems
        What is wrong.
    sound
        Factors of products that are good by themselves, where others are not.
    """

    def __init__(self, document: Document) -> None:
        self.problems: list[Problem] = []
        self.sound: list[Node] = []
        self._document = document

    def complain(self, where: DataPath, message: str, hint: str = "") -> None:
        """Note a problem."""
        self.problems.append(self._document.problem(where, message, hint))

    def build(self, part: Any, where: DataPath) -> Node | None:
        """Return a design, or None if something is wrong with it."""
        before = len(self.problems)
        node = self._node(part, where)
        if node is None or len(self.problems) > before:
            return None
        self._check_paths(node, where)
        if node.size > MAX_POINTS:
            self.complain(where, f"has {node.size:,} points: more than {MAX_POINTS:,}")
        return node if len(self.problems) == before else None

    def _node(self, part: Any, where: DataPath) -> Node | None:
        match part:
            case s.ListAxis(path=path, values=values):
                self._check_path(path, (*where, "path"))
                return Axis(path, values, where, [(*where, "values", i) for i in range(len(values))])
            case s.RangeAxis():
                self._check_path(part.path, (*where, "path"))
                return self._range(part, where)
            case s.Grid(axes=axes):
                return self._grid(axes, where)
            case s.PointList(points=points):
                return self._points(points, where)
            case s.LatinHypercube() | s.Sobol() | s.RandomSample():
                return self._sampled(part, where)
        parts = [self.build(inner, (*where, "of", i)) for i, inner in enumerate(part.of)]
        nodes = [node for node in parts if node is not None]
        if len(nodes) < len(parts):
            self.sound += nodes if isinstance(part, s.Product) else []
            return None
        return self._combined(part, nodes, where)

    def _combined(self, part: Any, nodes: Sequence[Node], where: DataPath) -> Node | None:
        if isinstance(part, s.Union):
            return UnionNode(nodes, where)
        if isinstance(part, s.Zip):
            sizes = [node.size for node in nodes]
            for i, size in enumerate(sizes):
                if size != sizes[0]:
                    self.complain(
                        (*where, "of", i), f"has {count(size, 'point')}, but what it is zipped with has {sizes[0]:,}"
                    )
            return ZipNode(nodes, where)
        return ProductNode(nodes, where)

    def _grid(self, axes: Mapping[str, Sequence[Any]], where: DataPath) -> Node:
        parts = []
        for path, values in axes.items():
            here = (*where, "axes", path)
            self._check_path(path, here)
            parts.append(Axis(path, values, here, [(*here, i) for i in range(len(values))]))
        return ProductNode(parts, where)

    def _points(self, points: Sequence[Mapping[str, Any]], where: DataPath) -> Node:
        rows = []
        for i, point in enumerate(points):
            here = (*where, "points", i)
            for path in point:
                self._check_path(path, (*here, path))
            rows.append(tuple(Setting(path, value, (*here, path)) for path, value in point.items()))
        return Points(rows, where)

    def _range(self, axis: s.RangeAxis, where: DataPath) -> Node | None:
        scale = self._scale(axis, is_log=axis.scale == "log", where=where)
        if scale is None:
            return None
        values = list(dict.fromkeys(scale.step(i, axis.steps) for i in range(axis.steps)))
        return Axis(axis.path, values, where, [(*where, "path")] * len(values))

    def _scale(self, ends: s.RangeAxis | s.SampledRange, *, is_log: bool, where: DataPath) -> Scale | None:
        try:
            return Scale(ends.low, ends.high, is_log=is_log, integer=ends.integer)
        except ValueError as error:
            self.complain((*where, "high"), str(error))
            return None

    def _sampled(self, part: s.Sampled, where: DataPath) -> Node | None:
        shares = _shares(part)
        columns: list[list[Setting]] = []
        for column, (path, axis) in enumerate(part.axes.items()):
            here = (*where, "axes", path)
            self._check_path(path, here)
            if isinstance(axis, s.SampledRange):
                scale = self._scale(axis, is_log=axis.distribution == "log-uniform", where=here)
                if scale is None:
                    continue
                columns.append([Setting(path, scale.share(share), here) for share in shares[:, column].tolist()])
            else:
                chosen = np.minimum((shares[:, column] * len(axis)).astype(int), len(axis) - 1).tolist()
                columns.append([Setting(path, axis[i], (*here, i)) for i in chosen])
        if len(columns) < len(part.axes):
            return None
        return Points(list(zip(*columns, strict=True)), where, drawn=True)

    def _check_path(self, path: str, where: DataPath) -> None:
        """A path must begin with a key of a scenario; what follows is found out by trying its values."""
        steps = [step.strip() for step in path.split(".")]
        if not all(steps):
            self.complain(where, f"{path!r} has an empty step" if path else "a path is empty")
            return
        known = set(ScenarioSpec.model_fields) - {"eesim", "title", "explore"}
        if steps[0] not in known:
            self.complain(where, f"a scenario has no key {steps[0]!r} to sweep", suggest(steps[0], known))

    def _check_paths(self, node: Node, where: DataPath) -> None:
        """No path twice in a point, and none that is overwritten by a shorter one."""
        if isinstance(node, UnionNode):
            return
        for i, path in enumerate(node.paths):
            for later in node.paths[i + 1 :]:
                if later == path:
                    self.complain(where, f"sets {path} twice")
                elif path.startswith(later + "."):
                    self.complain(where, f"{later} would overwrite {path}: put it before")


def _shares(part: s.Sampled) -> FloatArray:
    """Where in its axis each point lies, (points, axes), each from 0 to below 1."""
    rng = np.random.Generator(np.random.PCG64(part.seed))
    n, d = part.points, len(part.axes)
    if isinstance(part, s.RandomSample):
        return rng.random((n, d))
    if isinstance(part, s.LatinHypercube):
        # McKay, Beckman and Conover 1979: a random permutation of the n parts for each axis, a random place in each.
        parts = np.stack([rng.permutation(n) for _ in range(d)], axis=1)
        return np.asarray((parts + rng.random((n, d))) / n, np.float64)
    # Imported here: scipy's module is slow to load, and most studies do without.
    from scipy.stats import qmc

    bits = max(n - 1, 1).bit_length()
    return np.asarray(qmc.Sobol(d, scramble=True, rng=rng).random_base2(bits)[:n], np.float64)
