"""Which measured runtime of the board a scenario runs under, if any."""

from __future__ import annotations

from eesim.hardware.spec import Board
from eesim.mapping.policy import Policy
from eesim.workload.network import Network
from eesim.workload.profile import Profile


def measured_runtime(board: Board, network: Network, profile: Profile, policy: Policy) -> str:
    """Return ``switch``, ``pipeline``, or empty for none.

    A measured runtime takes networks without early exits whose segments were timed one by one: its terms are what such
    times lack. A profile of unknown basis (EE-ResNet18's) may hold them already.
    """
    is_chain = all(segment.after is None for segment in network.segments)
    if profile.basis != "layers" or not is_chain:
        return ""
    if policy.preset == "coup-switch" and policy.frame_gate == "last_subgraph" and board.runtimes.switch:
        return "switch"
    if policy.preset == "coup-pipeline" and policy.frame_gate == "first_subgraph" and board.runtimes.pipeline:
        return "pipeline"
    return ""
