"""The physical terms of the runtimes, by the names under which they can be switched off."""

from __future__ import annotations

from eesim.validate.runs import Suite

TERMS: dict[str, str] = {
    "cold_start": "first layer of a subgraph: caches, first calls; start of an NPU model",
    "dvfs_delay": "clock changes within a frame",
    "transfers": "copies between PEs; loading and unloading the NPU",
    "profiling": "what measuring layer by layer had added to the tables",
    "npu_fusing": "layers inside an NPU subgraph run fused",
    "contention": "PEs slow each other down",
    "stage_overhead": "fixed time of each stage and frame",
    "first_stage": "part of a first stage's work is done on another cluster",
    "input": "reading and decoding the image",
    "warm_up": "the first frame takes longer",
}
"""Name of each term that `Chain.off` knows, and what it stands for."""

BY_SUITE: dict[Suite, tuple[str, ...]] = {
    "switch": ("cold_start", "dvfs_delay", "transfers", "profiling", "npu_fusing"),
    "pipeline": ("transfers", "profiling", "contention", "stage_overhead", "first_stage", "input", "warm_up"),
}
"""Terms that each runtime has."""
