"""Lines of Pipe-All and of the n-pipe examples: pipelines of stages, one thread each.

Origin of the grammar: ARMCL-pipe-all, branch pipe-all (examples/graph_*_all_pipe_sync.cpp), ARM-CO-UP
(examples/n-pipe-NPU), and the sample output of Governor_Demo.
"""

from __future__ import annotations

import re

from eesim.validate.importers.coup_grammar import F, classify

DATA: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "stage_input": rf"stage([0-9]+)_input_time: {F} ms",
        "stage_task": rf"stage([0-9]+)_inference_time: {F} ms",
        "stage_total": rf"stage([0-9]+)_total_time: {F} ms",
        "rate": rf"Frame rate is: {F} FPS",
        "latency": rf"Frame latency is: {F} ms",
        "npipe_start": r"Running Graph with Frequency: (\S.*)",
        "npipe_latency": rf"Frame Latency: {F}",
        "npu_cost": rf"NPU subgraph: [0-9]+ --> Cost: {F}",
        "stages_order": r"Order is : ([BLGN](?:-[BLGN])+)",
        "first_part": r"(?:Partition point is : |First partition point:)([0-9]+)",
        "second_part": r"Second partition point(?: is : |:)([0-9]+)",
        "parts": r"Total parts:([0-9]+)",
        "program": r"(?:\S*/)?graph_([a-z0-9]+(?:_v?[0-9]+)*)_(?:all_pipe|n_pipe|pipe)\S*",
    }.items()
}
"""Lines that carry a value, by kind; those of ARM-CO-UP's header mean the same here."""

NPIPE = re.compile(rf"(Cost|input|task|output|total)([0-9]+)(?:_time)?: ?{F}")
"""One number of a stage of the n-pipe examples; several may stand on a line."""
_NPIPE_LINE = re.compile(rf"(?:{NPIPE.pattern}\s*)+")
_NOISE = re.compile(
    r"Total number of cores is : [0-9]+|First partition point:.*|(?:Target|Data type|Data layout) : .*"
    r"|(?:Image file|Labels file|Data path) :.*|\*+"
)
_HEADER = (
    "order",
    "gpu_host",
    "npu_host",
    "little",
    "big",
    "threads_big",
    "threads_little",
    "frames",
    "passed",
    "data_path",
)


def classify_pipeline(text: str) -> tuple[str, tuple[str | None, ...]]:
    """Return the kind of a line and its parts; see `coup_grammar.classify`."""
    stripped = text.strip()
    for kind, pattern in DATA.items():
        match = pattern.fullmatch(stripped)
        if match:
            return kind, match.groups()
    if _NPIPE_LINE.fullmatch(stripped):
        return "npipe", (stripped,)
    kind, groups = classify(stripped)
    if kind in _HEADER:
        return kind, groups
    return ("noise" if kind != "unknown" or _NOISE.fullmatch(stripped) else "unknown"), ()
