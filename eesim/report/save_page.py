"""What a page needs beside the summary: the scenario in words, the warm-up, the first frames on a timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eesim.metrics.replication import NS_PER_MS
from eesim.report.episodes import Story, tell
from eesim.report.words import mapping_words, physics_words, policy_words, stream_words

if TYPE_CHECKING:
    from eesim.metrics.result import Result

TIMELINE_FRAMES = 60
"""First frames that are shown on the timeline."""

EPISODES = 6000
"""Service episodes on the timeline; of networks with many tasks, fewer frames are shown."""


def page_data(result: Result) -> dict[str, Any]:
    """Return the object of ``report.json`` (docs/file-formats.md).

    Parameters
    ----------
    result
        A run; its timeline is there if it kept its event log.
    """
    scenario, lowered = result.scenario, result.lowered
    servers = np.bincount(lowered.plan.server_resource, minlength=lowered.plan.n_resources)
    return {
        "schema_version": 1,
        "title": scenario.spec.title,
        "board": scenario.board.name,
        "streams": [
            {
                "name": name,
                "network": member.network.name,
                "mapping": mapping_words(member),
                "policy": policy_words(member.policy),
                "stream": stream_words(member),
                "deadline_ms": None if (due := member.spec.requirements.deadline) is None else due / NS_PER_MS,
            }
            for name, member in zip(scenario.names or ("",), scenario.streams, strict=True)
        ],
        "without": physics_words(scenario),
        "confidence": scenario.spec.run.confidence,
        "warmup_frames": [replication.warmup_frames for replication in result.replications],
        "servers": {name: int(n) for name, n in zip(lowered.labels.resources, servers, strict=True)},
        "timeline": _timeline(result),
    }


def _timeline(result: Result) -> dict[str, Any] | None:
    """Return the first logged frames; None if the run kept no event log."""
    if result.log is None:
        return None
    labels = result.lowered.labels
    story = tell(result, frames=max(1, min(TIMELINE_FRAMES, EPISODES // len(labels.nodes))))
    return {
        "servers": list(labels.servers),
        "streams": list(labels.streams),
        "end_ns": story.end_ns,
        "frames": _columns(_frames(story, labels.exits)),
        "episodes": _columns(_episodes(story)),
        "blocked": _columns([block._asdict() for block in story.blocked]),
    }


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Turn rows into columns, which take a third of the room in a file."""
    return {key: [row[key] for row in rows] for key in rows[0]} if rows else {}


def _episodes(story: Story) -> list[dict[str, Any]]:
    return [
        {
            "frame": e.frame,
            "task": e.task,
            "kind": "transfer" if e.is_transfer else "segment",
            "server": e.server,
            "ready_ns": e.ready_ns,
            "start_ns": e.start_ns,
            "end_ns": e.end_ns,
            "status": e.status,
            "needed": not e.useless,
        }
        for e in story.episodes
    ]


def _frames(story: Story, exits: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "frame": frame,
            "stream": fate.stream,
            "arrival_ns": fate.arrival_ns,
            "end_ns": fate.end_ns,
            "exit": None if fate.exit is None else exits[fate.exit],
            "dropped": fate.dropped,
        }
        for frame, fate in story.fates.items()
    ]
