"""What the ``sensitivity:`` section of a scenario says, and files of what is plausible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field

from eesim.hardware.origin import Origin
from eesim.hardware.spec import Name
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import Share
from eesim.wording import DataPath

Amount = Annotated[str | float, OneOf()]
"""A quantity with its unit, or a plain number."""

Scalar = Annotated[str | float | bool, OneOf()]


Candidate = Annotated[str | tuple[str, ...] | dict[str, str], OneOf()]
"""A mapping of segments, as under ``mapping.segments``."""


class RangeSpec(Spec):
    """Where an input may lie."""

    low: Amount
    high: Amount


Range = Annotated[str | RangeSpec, OneOf()]
"""``LOW..HIGH``, ``±10 %``, or a mapping."""


class Plausible(Spec):
    """What an input may truly be: evenly between ``low`` and ``high``, normal with ``sd``, or one of ``values``.

    ``sd`` is an amount, or a share (``1.3 %``) of ``value``; without ``value`` it is around what the scenario says.
    Inputs with the same name in ``together`` are low together and high together; ``opposite`` ones are low where the
    others are high.
    """

    low: Amount | None = None
    high: Amount | None = None
    value: Amount | None = None
    sd: Amount | None = None
    values: Annotated[tuple[Scalar, ...], Field(min_length=1)] | None = None
    together: Name | None = None
    opposite: bool = False
    origin: Origin | None = None

    @classmethod
    def across(cls, data: Mapping[str, Any]) -> Iterator[tuple[DataPath, str, str]]:
        """Exactly one of the three forms must be there."""
        given = {key for key in ("low", "high", "value", "sd", "values") if data.get(key) is not None}
        if given not in ({"low", "high"}, {"value", "sd"}, {"sd"}, {"values"}):
            yield (), "must have low and high, or sd (and value), or values", ""
        if data.get("opposite") and not data.get("together"):
            yield ("opposite",), "needs together: opposite to what?", ""


class PlausibleSpec(Spec):
    """A file of plausible inputs: path (as ``--set`` takes it) to what may be there."""

    eesim: Literal[1]
    title: str = ""
    sources: dict[str, str] = {}
    plausible: Annotated[dict[str, Plausible], Field(min_length=1)]


class SensitivitySpec(Spec):
    """What `eesim sensitivity` varies and looks at; read by that command alone.

    ``ranges``: inputs to vary; none: every number, by ``spread`` to each side. ``plausible``: file, or mapping of path
    to what may be there. ``candidates``: mappings to rank on plausible boards.
    """

    metrics: Annotated[tuple[str, ...], Field(min_length=1)] = ("latency_ms.mean",)
    spread: Share = Fraction(1, 10)
    ranges: dict[str, Range] = {}
    plausible: Annotated[str | dict[str, Plausible] | None, OneOf()] = None
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)] | None = None
    frames: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    replications: Annotated[int, Field(ge=2, le=100_000)] | None = None
    draws: Annotated[int, Field(ge=1, le=1_000_000)] = 200
