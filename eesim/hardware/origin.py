"""Where a number comes from: whoever states one says how it is known."""

from __future__ import annotations

from typing import Literal

from eesim.spec import Spec

OriginKind = Literal["measured", "published", "fitted", "derived", "assumed"]


class Origin(Spec):
    """Where a number comes from."""

    kind: OriginKind
    source: str = ""
    note: str = ""

    def __str__(self) -> str:
        """Kind, source and note on one line."""
        return ", ".join(part for part in (self.kind, self.source, self.note) if part)
