"""Lines of ARM-CO-UP's run logs: what each says, and which say nothing.

The program's stdout and stderr are merged, so that lines of one may stand between those of the other. Origin of the
grammar: ARM-CO-UP, branch earlyexit, commit 1636ae810 (GraphManagerPipeline.cpp:1090-1155, StreamPipeline.cpp:610,
UtilsPipeline.cpp:156-205), checked against logs of CO-UP-Profiling, commit 22005a9.
"""

from __future__ import annotations

import re
from typing import NamedTuple

F = r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?nan|[-+]?inf)"
"""A number as a C++ stream prints it: integers and exponents included."""
SHAPE = r"([0-9]+(?:x[0-9]+)*)?"

DATA: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "layer": rf"([0-9]+)\s+Layer Name: (.+?)\s+Layer time: {F}\s+number of inputs: ([0-9]+)\s+input shape:"
        rf"(?: {SHAPE})?(?:\s+output shape:(?: {SHAPE})?)?",
        "super_layer": rf"Layer Number: ([0-9]+)\s+time: {F}",
        "sum": rf"Sum of Layers time: {F}",
        "subgraph": rf"Graph([0-9]+)\s+Input: {F}\s+Task: {F}(?:\s+send: {F})?\s+Out: {F}\s+Proc(?:ess)?: {F}",
        "npu": rf"NPU (NPU_\S+_([0-9]+)_([0-9]+))\s+AVG_input_time:{F}\s+AVG_run_time:{F}\s+AVG_prof_run_time:{F}\s+"
        rf"AVG_output_time:{F}",
        "latency": rf"AVG Latency: {F}",
        "end": r"Profiling these DVFS settings finish?ed",
        "start": r"([0-9]+) Running Graph with (\S+)(?: LW DVFS)?",
        "governor": r"governor ([0-9]+) task:(.+?) freqs:([0-9]+),([0-9]+),([0-9]+)",
        "frame": r"Photo_index:[0-9]+\s+Frame Index:([0-9]+)",
        "add_graph": r"Adding Graph([0-9]+) target ([0-9]+) PE: ([BLGN]) Host PE: ([BLGN])(?: num threads: ([0-9]+))?"
        r" Layers: ([0-9]+)-([0-9]+)",
        "sender": r"Adding Sender_(.+) to graph ([0-9]+) with target ([0-9]+)",
        "receiver": r"Adding Receiver_(.+) to graph ([0-9]+) with target ([0-9]+)",
        "sizes": r"Graph ([0-9]+) input size: [0-9]+ receiver size: ([0-9]+) tasks size: ([0-9]+) senders size:"
        r" ([0-9]+) output size: [0-9]+",
        "order": r"Order is : ([BLGN]*)",
        "mode": r"power_profile_mode : (layers|transfers|whole)?",
        "set_gpios": r"set_GPIOs with mode: (layers|transfers|whole)?",
        "gpu_host": r"GPU host is: ([BL])",
        "npu_host": r"NPU host is: ([BL])",
        "little": r"Number of little cores is : ([0-9]+)",
        "big": r"Number of big cores is : ([0-9]+)",
        "frames": r"Run network for ([0-9]+) times\.",
        "threads_big": r"Threads : ([0-9]+)",
        "threads_little": r"Small Cores Threads : ([0-9]+)",
        "data_path": r"Data path : (\S*)",
        "passed": r"Test passed",
    }.items()
}
"""Lines that carry a value or mark a place, by kind; the whole line must match."""

HEADER = ("order", "mode", "gpu_host", "npu_host", "little", "big", "frames", "threads_big", "threads_little")
"""Kinds of lines that say one thing about the whole log, most of them twice."""

_NOISE = re.compile(
    "|".join(
        (
            r"",
            r"[-*]+",
            r"[0-9]+",
            r"[0-9.eE+-]+ - \[id = [0-9]+\].*",
            r"-+ Top 5 predictions -+",
            r"finish getting output[0-9]*",
            r"[0-9]+ task name: .*",
            r"[0-9]+ gov task: .*",
            r"\*\* i:[0-9]+ governor index:[0-9]+ .*",
            r"[0-9]+---- .+ processor:[BLGN]",
            r"setting freq of governor task .*",
            r"(?:change governor to false for task|setting ending for layer):.*",
            r"-?[0-9]+ (?:skipping )?layer:.*",
            r"(?:setup finished|start running graphs|Start finalizing Graphs|Finish finalizing graph [0-9]+)",
            r"(?:pandoon|Pandoon opened at [0-9]+)",
            r"Please Enter the desired Frequency.*",
            r"(?:Reading image|Photo_index):.*",
            r"(?:[0-9]+ Input images are read from|\[UtilsPipeline\.h\]|GraphUtils\.cpp-).*",
            r"/\S*\.(?:ppm|jpg|jpeg|png|npy)",
            r"output accessor reading label file .*",
            r"(?:Target|Data type|Data layout|Tuner mode|Tuner file|MLGO file|Image file|Labels file|Model) :.*",
            r"(?:Tuner enabled|Cache enabled|Fast math enabled)\? : .*",
            r"(?:Partition point is|Second partition point is|Print task names|freqs of layers) :.*",
            r"Number of (?:totla|total) cores is : [0-9]+",
            r"Layer timing: [0-9]+",
            r"Graph id: [0-9]+ Target is: .*",
            r"Graph \([0-9]+\) Task [0-9]+: .*",
            r"Input node for the layer [0-9]+ is in graph: [0-9]+.*",
            r"(?:NEDevicebackend num_threads|_num_threads is): -?[0-9]+",
            r"Worker Thread:: .*",
            r"set (?:affinity of main thread|thread with affinity).*",
            r"graph [0-9]+ target is NPU.*",
            r"(?:Adding NPU Node|adding edge between|Creating a RockPi NPU|NPU Model|NPU node|npu node) .*",
            r"(?:re-struct|removing edge|producer is|consumer is|npu node) ?.*",
            r"(?:Explore|Explre) (?:input|output) [0-9]+ n_elements: [0-9]+",
            r"Is match with sub graph (?:input|output): [0-9]+",
            r"Number of NPU (?:model )?(?:inputs|outputs).*",
            r"(?:[0-9]+ number of NPU|model input num:) ?.*",
            r"Model name: \S+\.rknn",
            r"NPU \S+ (?:Initialized|Reading model\.\.\.|Number of inputs: .*)",
            r"Now it is running early exit layer.*",
            r"(?:Tensor shape is|total size is|number of elements are) ?:.*",
            r"(?:Total|Starting|Ending) tasks [0-9]+",
            r"std::(?:string task_names\[\]|set<std::string> \w+) = \{.*",
            r"(?:\"[^\"]*\",? ?)+\}?;?|\};?",
        )
    )
)

_PROMPT = re.compile(r"Please Enter the desired Frequency (?:setttings: |settings\(\"end\" for finish\): )(.+)")
_INJECTED = re.compile(rf"(.+?)AVG Latency: {F}")


class Line(NamedTuple):
    """One line that says something."""

    number: int
    kind: str
    groups: tuple[str | None, ...]


def classify(text: str) -> tuple[str, tuple[str | None, ...]]:
    """Return the kind of a line and its parts: ``noise`` for what is known to say nothing, else ``unknown``."""
    stripped = text.strip()
    prompt = _PROMPT.fullmatch(stripped)
    if prompt:
        # Where the input is not echoed, the answer follows on the prompt's line.
        return classify(prompt[1])
    for kind, pattern in DATA.items():
        match = pattern.fullmatch(stripped)
        if match:
            return kind, match.groups()
    return ("noise" if _NOISE.fullmatch(stripped) else "unknown"), ()


def split_injected(text: str) -> tuple[str, str] | None:
    """Take a latency, which comes from stderr, out of the line of stdout that it was written into.

    Returns
    -------
    (str, str) or None
        What stood before it, and the latency's own line; None if there is none.
    """
    match = _INJECTED.fullmatch(text.rstrip())
    return (match[1], f"AVG Latency: {match[2]}") if match else None
