"""Answers of docs/gallery.md about streams: exits, cameras, scenes, policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from eesim.report.numbers import number
from gallery_parts.words import (
    ENERGY,
    LIMIT_MS,
    MEAN,
    P99,
    block_ms,
    change,
    delta,
    highest,
    must,
    paragraph,
    percent,
    size,
    table,
    value,
)

FRONT, REAR = "stream.front.latency_ms.p99", "stream.rear.latency_ms.p99"
ORDER, RATE, PRIORITY = "streams.1.mapping.segments", "streams.1.arrivals.rate", "streams.1.priority"

SCENES = ((None, "none"), ("200 ms", "0.2 s"), ("1 s", "1 s"))
MAPPINGS = ("BGLGLGL", "BGBGLGL", "GGLBLBL")


def exits(found: Sequence[Any]) -> str:
    camera, digits = found
    names = ("exit 1", "exit 2", "exit 3", "exits 2 and 3", "all three")
    metrics = (MEAN, P99, "deadline_miss_rate", ENERGY)
    variants = camera["variants"]
    overloaded = [any("overload" in note for note in one["notes"]) for one in variants]
    must(overloaded == [False] * 4 + [True], "only without any exit the camera overloads the board")
    rows = [
        [name, *("overload" if over and metric != ENERGY else delta(metric, one) for metric in metrics)]
        for name, one, over in zip(names, variants, overloaded, strict=True)
    ]
    one, two, three = variants[:3]
    must(change(MEAN, one).value > 10 and change(MEAN, two).value > 0.5, "exits 1 and 2 save time")
    must(change(ENERGY, one).ci_low > 0 > change(ENERGY, two).ci_high, "exit 1 saves energy, exit 2 costs some")
    must(change(MEAN, three).value < 0.1 and change(ENERGY, three).ci_high < 0, "exit 3 saves no time and costs energy")
    must(
        change(P99, three).ci_high < 0 < change("deadline_miss_rate", three).ci_low, "exit 3: later tail, fewer misses"
    )
    judged = ("accuracy", "drop_rate", P99)
    tests = zip(("exit 1", "exit 2", "both"), digits["variants"], strict=True)
    small = [[name, *(delta(metric, found) for metric in judged)] for name, found in tests]
    must(not any(v["metrics"]["accuracy"]["significant"] for v in digits["variants"]), "the exits cost no accuracy")
    none = digits["variants"][2]
    return (
        paragraph(
            f"""**Exit 1 by far, exit 2 for the tail, exit 3 hardly.** Without exit 1 the mean at 60 fps is longer
            by {size(MEAN, one)}; without any exit the board cannot follow at all. Exit 2 is worth
            {size(MEAN, two)} of the mean and {size(P99, two)} of p99, for {size(ENERGY, two)} per frame. Exit 3
            is worth {size(MEAN, three)}, costs {size(ENERGY, three)} and makes p99 longer by {size(P99, three)}:
            when it decides, the last block has begun already, so it saves none of its work. What speaks for it is
            {size("deadline_miss_rate", three)} fewer deadline misses."""
        )
        + table(("switched off", "mean latency", "p99", "misses of 40 ms", "energy per frame"), rows)
        + paragraph(
            f"""Accuracy, on the digits under load: that the exits cost any is not visible, and without them
            {number(100 * value("drop_rate", none), 3)} % of the digits are dropped instead of
            {number(100 * value("drop_rate", none, "a"), 2)} %. An exit that is switched off costs answers, not
            their quality."""
        )
        + table(("switched off", "accuracy", "dropped", "p99"), small)
        + "\n"
    )


def second_camera(found: Sequence[Any]) -> str:
    (points,) = found
    must(bool((points.status == "ok").all()), "every point is simulated")
    heading = ["rear camera's mapping"]
    rows = {order: [order] for order in dict.fromkeys(points[ORDER])}
    for priority, words in ((0, "equal"), (1, "front first")):
        heading += [f"{words}: highest rate", "worst front p99", "worst rear p99"]
        for order, cells in rows.items():
            mine = points[(points[ORDER] == order) & (points[PRIORITY] == priority)]
            cells.append(highest(mine[RATE], mine[mine.requirements_met.astype(bool)][RATE]))
            cells += [f"{mine[FRONT].max():.1f} ms", f"{mine[REAR].max():.1f} ms"]
    shared = ("GGGGGGG", "BGLGLGL", "GGLGLGL", "GGLBLBL", "GGGGGGL")
    must(all(rows[order][4] == "30 fps" for order in shared), "with priority, five mappings allow 30 fps")
    must(all(rows[order][1] in ("15 fps", "20 fps") for order in shared), "without, 15 or 20")
    must((rows["BBBBBBB"][4], rows["LLLLLLL"][4]) == ("15 fps", "5 fps"), "one CPU cluster allows few frames")
    at = points[(points[ORDER] == "BGLGLGL") & (points[PRIORITY] == 1) & (points[RATE] == "30 Hz")].iloc[0]
    rear = f"{at[REAR]:.1f} ms [{at[REAR + '.ci_low']:.1f}, {at[REAR + '.ci_high']:.1f}]"
    return (
        paragraph(
            f"""**Yes, at the full 30 fps, if the front camera goes first and the rear one is not put on a CPU
            cluster alone.** With priority, five of seven mappings allow 30 fps; even the front camera's own,
            BGLGLGL, answers the rear camera within {rear} (p99). Without priority the same mappings allow 15 or
            {rows["BGLGLGL"][1]}. Everything on LITTLE, which looks idle, allows {rows["LLLLLLL"][4]}: nothing
            that runs is interrupted, and b1 and e1 hold L for {block_ms("b1", "L"):.1f} and
            {block_ms("e1", "L"):.1f} ms when a hard front frame needs it."""
        )
        + table(heading, rows.values())
        + "\n"
    )


def scene(points: pd.DataFrame, order: str, length: str | None) -> pd.DataFrame:
    """Rows of one mapping and one length of scenes."""
    kind = points["stream.exits"]
    mine = kind.str.contains(f'"{length}"') if length else ~kind.str.contains("correlated")
    return points[(points["mapping.segments"] == order) & mine]


def hard_work(order: str, pe: str) -> float:
    """Return how long a PE computes for a frame that takes no exit, branches left out, ms."""
    letters = zip(("b1", "e1", "b2", "e2", "b3", "e3", "b4"), order, strict=True)
    return sum(block_ms(name, pe) for name, letter in letters if letter == pe and name.startswith("b"))


def hard_scenes(found: Sequence[Any]) -> str:
    points, comparison, *all_hard = found
    rates = "stream.arrivals.rate"
    limits = {}
    for order in MAPPINGS:
        for length, _ in SCENES:
            rows = scene(points, order, length)
            limits[order, length] = highest(rows[rates], rows[rows[P99] <= LIMIT_MS][rates])
    must([limits["BGLGLGL", length] for length, _ in SCENES] == ["70 fps", "35 fps", "35 fps"], "BGLGLGL: half")
    must([limits["BGBGLGL", length] for length, _ in SCENES] == ["60 fps", "55 fps", "50 fps"], "BGBGLGL: a little")
    other, queue, running = comparison["variants"]
    must(value(P99, other) < LIMIT_MS < min(value(P99, queue), value(P99, running)), "only the mapping cures it")
    bounds = [one["bounds"]["throughput_fps"] for one in all_hard]
    must(35 < bounds[0] < 45 and 50 < bounds[1] < 60, "the rate of hard frames alone tells where trouble begins")
    metrics = (P99, "drop_rate", "deadline_miss_rate", ENERGY)
    names = ("mapping BGBGLGL", "at most 3 frames, oldest dropped", "running work stopped, too")
    remedies = [
        [name, f"{number(value(P99, one))} ms", *(delta(metric, one) for metric in metrics)]
        for name, one in zip(names, comparison["variants"], strict=True)
    ]
    as_is = number(value(P99, other, "a"))
    return (
        paragraph(
            f"""**Half the frame rate; and the mapping is the cure.** On shuffled frames BGLGLGL keeps p99 within
            40 ms up to {limits['BGLGLGL', None]}, with scenes of 0.2 s up to {limits['BGLGLGL', '200 ms']}: every
            hard frame needs L for {hard_work('BGLGLGL', 'L'):.2f} ms, and in a row they queue. BGBGLGL gives the
            second block to B; L works {hard_work('BGBGLGL', 'L'):.2f} ms for a hard frame, and
            {limits['BGBGLGL', '200 ms']} are kept, for {size(ENERGY, other)} more per frame. At 50 fps that
            brings p99 from {as_is} to {number(value(P99, other))} ms. Neither a short queue nor stopping running
            work gets there. The rule: look at the rate that a mapping keeps if *all* frames are hard (the last
            two commands; {bounds[0]:.1f} fps for BGLGLGL, {bounds[1]:.1f} for BGBGLGL)."""
        )
        + table(("mapping", *(f"highest rate, scenes: {words}" for _, words in SCENES)),
                [[order, *(limits[order, length] for length, _ in SCENES)] for order in MAPPINGS])
        + paragraph(f"Remedies for BGLGLGL at 50 fps with scenes of 0.2 s (p99 {as_is} ms):")
        + table(("remedy", "p99", "difference", "dropped", "misses of 40 ms", "energy per frame"), remedies)
        + "\n"
    )  # fmt: skip


def speculation(found: Sequence[Any]) -> str:
    (comparison,) = found
    stopped, waiting = comparison["variants"]
    must(value(P99, waiting) > LIMIT_MS > value(P99, stopped), "waiting loses the limit")
    must(change(MEAN, stopped).value == 0, "stopping costs no time")
    names = ("and stop running work at the answer", "wait for every decision")
    rows = [[n, *(delta(m, v) for m in (MEAN, P99, ENERGY))] for n, v in zip(names, (stopped, waiting), strict=True)]
    return (
        paragraph(
            f"""**Yes: without it the 40 ms are lost.** Waiting for each exit saves {-percent(ENERGY, waiting)} %
            of the energy and adds {size(P99, waiting)} to p99, which is then {number(value(P99, waiting))} ms.
            Stopping work that has become useless, at the end of the kernel under way, saves
            {-percent(ENERGY, stopped)} % and costs no time: the first thing to add to a runtime that runs ahead."""
        )
        + table(("instead", "mean latency", "p99", "energy per frame"), rows)
        + "\n"
    )
