"""Kernels of `eesim.explore.dp`: sweeps over a layered graph, and the label-setting step.

Shapes: ``start`` (2, S) holds time and energy of the first layer, ``arcs`` (2, E, S, S) those of going from layer i
in state p to layer i + 1 in state s, that layer included; the time of what is not possible is `NEVER`. A **sweep**
(4, L, S) holds for each layer and state the best weighted sum, its time, its energy and the neighbour that it comes
from: forward including the layer itself, backward excluding it. Ties go to the lower time, then the lower energy,
so a sweep on time alone is lexicographic.
"""

from __future__ import annotations

from eesim.base import IntArray
from eesim.engine.jit import kernel
from eesim.plan.plan import NEVER

VALUE, TIME, ENERGY, NEIGHBOUR = 0, 1, 2, 3


@kernel
def offer(sweep: IntArray, i: int, s: int, value: int, time: int, energy: int, neighbour: int) -> None:
    """Put a path into a sweep if it is better than what is there."""
    old = sweep[VALUE, i, s]
    if value > old or (value == old and time > sweep[TIME, i, s]):
        return
    if value == old and time == sweep[TIME, i, s] and energy >= sweep[ENERGY, i, s]:
        return
    sweep[VALUE, i, s] = value
    sweep[TIME, i, s] = time
    sweep[ENERGY, i, s] = energy
    sweep[NEIGHBOUR, i, s] = neighbour


@kernel
def sweep_forward(start: IntArray, arcs: IntArray, a: int, b: int, sweep: IntArray) -> None:
    """Find the paths from the first layer that minimise ``a x time + b x energy``."""
    sweep[:] = NEVER
    layers, size = sweep.shape[1], sweep.shape[2]
    for s in range(size):
        if start[0, s] != NEVER:
            offer(sweep, 0, s, a * start[0, s] + b * start[1, s], start[0, s], start[1, s], -1)
    for i in range(1, layers):
        for p in range(size):
            value = sweep[VALUE, i - 1, p]
            if value == NEVER:
                continue
            time = sweep[TIME, i - 1, p]
            energy = sweep[ENERGY, i - 1, p]
            for s in range(size):
                t = arcs[0, i - 1, p, s]
                if t != NEVER:
                    e = arcs[1, i - 1, p, s]
                    offer(sweep, i, s, value + a * t + b * e, time + t, energy + e, p)


@kernel
def sweep_backward(arcs: IntArray, a: int, b: int, sweep: IntArray) -> None:
    """Find the paths to the last layer that minimise ``a x time + b x energy``."""
    sweep[:] = NEVER
    layers, size = sweep.shape[1], sweep.shape[2]
    for s in range(size):
        offer(sweep, layers - 1, s, 0, 0, 0, -1)
    for i in range(layers - 2, -1, -1):
        for p in range(size):
            for s in range(size):
                t = arcs[0, i, p, s]
                if t != NEVER and sweep[VALUE, i + 1, s] != NEVER:
                    e = arcs[1, i, p, s]
                    value = sweep[VALUE, i + 1, s] + a * t + b * e
                    offer(sweep, i, p, value, sweep[TIME, i + 1, s] + t, sweep[ENERGY, i + 1, s] + e, s)


@kernel
def keep_arcs(
    arcs: IntArray, ahead: IntArray, behind: IntArray, weights: IntArray, limits: IntArray, keep: IntArray
) -> int:
    """Mark the arcs that a path below all weighted limits can use; return their number.

    ``ahead`` and ``behind`` are forward and backward sweeps (K, 4, L, S), ``weights`` (K, 2), ``limits`` (K,).
    """
    kept = 0
    keep[:] = 0
    for i in range(arcs.shape[1]):
        for p in range(arcs.shape[2]):
            for s in range(arcs.shape[3]):
                t = arcs[0, i, p, s]
                if t == NEVER or ahead[0, VALUE, i, p] == NEVER or behind[0, VALUE, i + 1, s] == NEVER:
                    continue
                e = arcs[1, i, p, s]
                possible = True
                for k in range(weights.shape[0]):
                    bound = ahead[k, VALUE, i, p] + behind[k, VALUE, i + 1, s]
                    if bound + weights[k, 0] * t + weights[k, 1] * e > limits[k]:
                        possible = False
                        break
                if possible:
                    keep[i, p, s] = 1
                    kept += 1
    return kept


@kernel
def best_joint(
    arcs: IntArray, keep: IntArray, ahead: IntArray, behind: IntArray, time_limit: int, incumbent: int, out: IntArray
) -> int:
    """Join forward and backward paths over each kept arc; return the least energy within the limit.

    ``out`` receives forward sweep, backward sweep, layer and both states of the joint, if it beats ``incumbent``.
    """
    for i in range(arcs.shape[1]):
        for p in range(arcs.shape[2]):
            for s in range(arcs.shape[3]):
                if keep[i, p, s] == 0:
                    continue
                for k in range(ahead.shape[0]):
                    t = ahead[k, TIME, i, p] + arcs[0, i, p, s]
                    e = ahead[k, ENERGY, i, p] + arcs[1, i, p, s]
                    for j in range(behind.shape[0]):
                        energy = e + behind[j, ENERGY, i + 1, s]
                        if energy < incumbent and t + behind[j, TIME, i + 1, s] <= time_limit:
                            incumbent = energy
                            out[0], out[1], out[2], out[3], out[4] = k, j, i, p, s
    return incumbent


@kernel
def best_completion(labels: IntArray, offsets: IntArray, behind: IntArray, i: int, limit: int, out: IntArray) -> int:
    """Complete each label of layer ``i`` by each backward path; ``out`` holds energy, label, sweep, state of the best.

    ``out[0]`` comes in as the energy to beat. Returns whether it was beaten.
    """
    beaten = 0
    for s in range(behind.shape[3]):
        for n in range(offsets[s], offsets[s + 1]):
            for k in range(behind.shape[0]):
                energy = labels[1, n] + behind[k, ENERGY, i, s]
                if energy < out[0] and labels[0, n] + behind[k, TIME, i, s] <= limit:
                    out[0], out[1], out[2], out[3] = energy, n, k, s
                    beaten = 1
    return beaten


@kernel
def before(heap: IntArray, x: int, y: int) -> bool:
    """Whether entry ``x`` of a heap comes before ``y``: by time, energy, state."""
    for row in range(3):
        if heap[row, x] != heap[row, y]:
            return bool(heap[row, x] < heap[row, y])
    return False


@kernel
def swap(heap: IntArray, x: int, y: int) -> None:
    """Exchange two entries of a heap."""
    for row in range(heap.shape[0]):
        heap[row, x], heap[row, y] = heap[row, y], heap[row, x]


@kernel
def sink(heap: IntArray, size: int, place: int) -> None:
    """Move an entry down to where no child comes before it."""
    while True:
        child = 2 * place + 1
        if child >= size:
            return
        if child + 1 < size and before(heap, child + 1, child):
            child += 1
        if not before(heap, child, place):
            return
        swap(heap, child, place)
        place = child


@kernel
def fill(heap: IntArray, labels: IntArray, offsets: IntArray, arcs: IntArray, keep: IntArray, i: int, s: int) -> int:
    """Begin the merge for state ``s`` of layer ``i + 1``: one entry for each predecessor with labels."""
    size = 0
    for p in range(keep.shape[1]):
        n = offsets[p]
        if keep[i, p, s] and n < offsets[p + 1]:
            heap[0, size] = labels[0, n] + arcs[0, i, p, s]
            heap[1, size] = labels[1, n] + arcs[1, i, p, s]
            heap[2, size] = p
            heap[3, size] = n
            size += 1
    for place in range(size // 2 - 1, -1, -1):
        sink(heap, size, place)
    return size


@kernel
def step(heap: IntArray, size: int, labels: IntArray, offsets: IntArray, arcs: IntArray, i: int, s: int) -> int:
    """Replace the first entry of the heap by its predecessor's next label; return the heap's size."""
    p = heap[2, 0]
    n = heap[3, 0] + 1
    if n < offsets[p + 1]:
        heap[0, 0] = labels[0, n] + arcs[0, i, p, s]
        heap[1, 0] = labels[1, n] + arcs[1, i, p, s]
        heap[3, 0] = n
    else:
        size -= 1
        swap(heap, 0, size)
    sink(heap, size, 0)
    return size


@kernel
def extend(
    labels: IntArray,
    offsets: IntArray,
    arcs: IntArray,
    keep: IntArray,
    i: int,
    weights: IntArray,
    room: IntArray,
    heap: IntArray,
    out: IntArray,
    out_offsets: IntArray,
) -> int:
    """Extend the labels of layer ``i`` to layer ``i + 1``; return how many were looked at, or -1 if ``out`` is full.

    The labels (time, energy, predecessor) of a state are in order of time, so a merge of its predecessors' lists
    meets its labels in order, and one is dominated unless its energy is the least so far. Of the rest those stay
    whose bounds leave ``room`` (K, S).
    """
    kept = 0
    looked = 0
    for s in range(keep.shape[2]):
        out_offsets[s] = kept
        least = NEVER
        size = fill(heap, labels, offsets, arcs, keep, i, s)
        while size > 0:
            looked += 1
            t, e, n = heap[0, 0], heap[1, 0], heap[3, 0]
            size = step(heap, size, labels, offsets, arcs, i, s)
            if e >= least:
                continue
            least = e
            possible = True
            for k in range(weights.shape[0]):
                if weights[k, 0] * t + weights[k, 1] * e > room[k, s]:
                    possible = False
                    break
            if possible:
                if kept == out.shape[1]:
                    return -1
                out[0, kept], out[1, kept], out[2, kept] = t, e, n
                kept += 1
    out_offsets[keep.shape[2]] = kept
    return looked
