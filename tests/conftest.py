"""Property tests draw the same examples every time; ``--hypothesis-profile=fresh`` draws new ones."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None)
settings.register_profile("fresh", derandomize=False)
settings.load_profile("repeatable")
