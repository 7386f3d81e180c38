"""Answers of docs/gallery.md about boards: clocks, hosts, memory, the NPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eesim.report.numbers import number
from gallery_parts.words import (
    ENERGY,
    LIMIT_MS,
    MEAN,
    P99,
    Output,
    best,
    change,
    confirmed,
    delta,
    must,
    paragraph,
    percent,
    proven,
    size,
    table,
    value,
)

CAPS_MHZ = (1800, 1416, 1200, 1008, 816, 408)


def share(candidate: Output) -> str:
    """Return a share of boards with its interval: ``12 % [7, 20]``."""
    meets = candidate["meets_requirements"]
    return f"{100 * meets['value']:.0f} % [{100 * meets['ci_low']:.0f}, {100 * meets['ci_high']:.0f}]"


def camera_60fps(found: Sequence[Any]) -> str:
    search, thrifty, fast = found
    proven(search)
    clocks = search["best"]["changes"]["mapping.opp"]
    must((search["best"]["mapping"], clocks["B"]) == ("BGLGLGL", "1200 MHz"), "the commands ask about the best design")
    must((clocks["L"], clocks["G"]) == ("1416 MHz", "800 MHz"), "L and G run at their highest clocks")
    rankings = {"1200": thrifty, "1800": fast}
    at = {clock: {one["mapping"]: one for one in ranking["candidates"]} for clock, ranking in rankings.items()}
    low, high = (at[clock]["BGLGLGL"] for clock in at)
    must(low["meets_requirements"]["ci_high"] < 0.25, "fragile at 1200 MHz")
    must(high["meets_requirements"]["ci_low"] > 0.9, "robust at 1800 MHz")
    size, rejected = search["certificate"]["space_size"], search["rejected"]["p99_latency"]
    p99 = search["confirmation"]["latency_ms"]["p99"]
    rows = [
        [f"{clock} MHz", order, share(one), *(f"{one['value'][k]:.1f} ms" for k in ("min", "mean", "max"))]
        for clock, ranked in at.items()
        for order, one in sorted(ranked.items())
    ]
    return (
        paragraph(
            f"""**Yes, but not with the design that looks best.** Of {size:,} designs, {size - rejected} keep the
            limit. The thriftiest is BGLGLGL with B at 1200 MHz:
            {number(confirmed(search, "energy_mj_per_frame", "total"))} mJ per frame, p99 {number(p99["value"])}
            ms [{p99["ci_low"]:.2f}, {p99["ci_high"]:.2f}], proven on the frames searched, confirmed on others.
            That is a margin of {LIMIT_MS - p99["value"]:.1f} ms: of {thrifty["boards"]} boards drawn from what is
            plausible, {share(low)} keep the limit. With B at 1800 MHz, {share(high)} do."""
        )
        + table(("clock of B", "mapping", "boards within 40 ms", "p99: least", "mean", "most"), rows, 2)
        + "\n"
    )


def gpu_host(found: Sequence[Any]) -> str:
    *comparisons, on_b, on_l = found
    proven(on_b, on_l)
    names = ("low end, 1.045", "as measured, 1.083", "high end, 1.133", "GA.py's 1.6")
    variants = [one["variants"][0] for one in comparisons]
    must(all(change(MEAN, one).ci_low > 0 for one in variants), "B is better for the mean")
    must(all(change(m, one).ci_high < 0 for m in (P99, ENERGY) for one in variants), "L is better for p99 and energy")
    must(on_b["best"]["mapping"] == on_l["best"]["mapping"] == "BGBBLBL", "the best mapping is the same")
    worst, least = variants[0], variants[2]
    must(change(MEAN, worst).value / value(MEAN, worst, "a") < 0.03, "it hardly matters")
    rows = [[name, *(delta(m, one) for m in (MEAN, P99, ENERGY))] for name, one in zip(names, variants, strict=True)]
    return (
        paragraph(
            f"""**It hardly matters: B for the mean, LITTLE for the tail and the energy.** On L, the slower GPU
            adds {change(MEAN, least).value:.2f} to {change(MEAN, worst).value:.2f} ms to the mean
            ({percent(MEAN, least)} to {percent(MEAN, worst)} %), wherever in its interval the slowdown of B is.
            For that, p99 falls by {-change(P99, worst).value:.2f} to {-change(P99, least).value:.2f} ms, since
            only hard frames need B while the GPU works, and a frame takes {-percent(ENERGY, worst)} to
            {-percent(ENERGY, least)} % less energy. The fastest of 2,187 mappings is BGBBLBL either way
            ({number(best(on_b, "mean_latency"))} and {number(best(on_l, "mean_latency"))} ms, proven). Even if B
            suffered by GA.py's 60 %, the mean would be {size(MEAN, variants[3])} better with the thread on B."""
        )
        + table(("slowdown of B", "mean latency, L − B", "p99", "energy per frame"), rows)
        + "\n"
    )


def faster_memory(found: Sequence[Any]) -> str:
    comparison, *searches = found
    proven(*searches)
    names = ("bytes twice as fast", "fixed part of a copy halved", "both", "no transfers at all")
    variants = comparison["variants"]
    winners = [f"{one['best']['mapping']}, {number(best(one, 'mean_latency'))} ms" for one in searches]
    rows = [["as measured", "", "", "", winners[0]]] + [
        [name, *(delta(metric, one) for metric in (MEAN, P99, ENERGY)), winner]
        for name, one, winner in zip(names, variants, winners[1:], strict=True)
    ]
    saved, by_calls, _, by_all = (-change(MEAN, one).value for one in variants)
    must(saved < 0.2 * by_calls, "the fixed part matters more than five times as much")
    must([text[:7] for text in winners] == ["BGBBLBL"] * 2 + ["BGBGLGL"] * 3, "only the fixed part changes the mapping")
    base = value(MEAN, variants[0], "a")
    return (
        paragraph(
            f"""**Next to nothing: the calls cost, not the bytes.** Twice the bandwidth takes {saved:.3f} ms off a
            mean of {number(base)} ms ({100 * saved / base:.1f} %), and the best mapping stays. Halving what a
            copy takes whatever its size (map, unmap, wake-up) takes off {by_calls:.2f} ms and makes another
            mapping the best. All transfers together cost {by_all:.2f} ms ({100 * by_all / base:.1f} %): that is
            all that can be had here."""
        )
        + table(("transfers", "mean latency", "p99", "energy per frame", "best mapping, its mean"), rows)
        + "\n"
    )


def thermal_cap(found: Sequence[Any]) -> str:
    comparison, *searches = found
    proven(*searches)
    variants = comparison["variants"]
    fixed = [value(P99, variants[0], "a"), *(value(P99, one) for one in variants)]
    rows = [
        [
            f"{cap} MHz",
            f"{p99:.1f} ms",
            search["best"]["mapping"],
            f"{best(search, 'mean_latency'):.2f} ms",
            f"{confirmed(search, 'latency_ms', 'p99'):.1f} ms",
            f"{confirmed(search, 'energy_mj_per_frame', 'total'):.1f} mJ",
        ]
        for cap, p99, search in zip(CAPS_MHZ, fixed, searches[:-1], strict=True)
    ]
    must([p99 <= LIMIT_MS for p99 in fixed] == [True] * 3 + [False] * 3, "BGLGLGL holds down to 1200 MHz")
    must(all(search["best"]["mapping"] == "GGLGLGL" for search in searches[1:]), "from 1416 MHz on, GGLGLGL")
    lowest, slowed = searches[-2:]
    must(bool(slowed["feasible"]), "it holds with a slower GPU, too")
    return (
        paragraph(
            f"""**It can be done down to the lowest clock, by leaving the big cluster.** The mapping tuned for
            full speed, BGLGLGL, loses the 40 ms between 1200 and 1008 MHz ({fixed[2]:.1f} and {fixed[3]:.1f} ms).
            At 1416 MHz GGLGLGL is the fastest mapping already, and at 408 MHz it still answers in
            {best(lowest, "mean_latency"):.1f} ms on average, p99 {confirmed(lowest, "latency_ms", "p99"):.1f} ms:
            B does no more than feed the GPU. With a GPU that is 9 % slower behind the slow host, p99 is
            {confirmed(slowed, "latency_ms", "p99"):.1f} ms, so there is no reserve left. A frame takes less
            energy than at full speed. All mappings are proven the fastest within the limit."""
        )
        + table(("cap on B", "BGLGLGL's p99", "fastest mapping", "its mean", "its p99", "its energy per frame"), rows)
        + "\n"
    )


def npu_share(found: Sequence[Any]) -> str:
    points, thrifty = found
    order, rate = "mapping.segments", "throughput_fps"
    fast = points[points[rate] >= 20]
    groups = {
        "all on one PE, fastest": points[points[order].map(lambda text: len(set(text)) == 1)].nlargest(1, rate),
        "without the NPU, fastest": points[~points[order].str.contains("N")].nlargest(1, rate),
        "NPU first, thriftiest at 20 fps": fast[fast[order].str.startswith("N")].nsmallest(1, ENERGY),
        "NPU last, thriftiest at 20 fps": fast[fast[order].str.endswith("N")].nsmallest(1, ENERGY),
        "fastest of all": points.nlargest(1, rate),
    }
    picked = {name: rows.iloc[0] for name, rows in groups.items()}
    rows = [
        [name, row[order], f"{row[rate]:.1f} fps", f"{row[ENERGY]:.0f} mJ", f"{100 * row['utilisation.N']:.0f} %"]
        for name, row in picked.items()
    ]
    alone, without, first, last, top = picked.values()
    must(alone[order] == "N" * 14 and alone[rate] < 20, "the NPU alone is the fastest single PE, and too slow")
    must(20 <= without[rate] < 20.5, "three stages without the NPU hardly hold 20 fps")
    must(max(first[ENERGY], last[ENERGY]) < 0.55 * without[ENERGY], "the NPU halves the energy")
    must(thrifty["throughput_fps"] == last[rate] and top[order].endswith("N"), "the second command runs it")
    slack = 1 / last["utilisation.N"] - 1
    return (
        paragraph(
            f"""**For the energy, yes: it halves it. But not alone.** Three stages without the NPU
            ({without[order]}) reach {without[rate]:.1f} fps at {without[ENERGY]:.0f} mJ per frame, with less
            reserve than the model's error. All layers on the NPU reach {alone[rate]:.1f} fps: reading the image,
            loading and unloading are in its way. It should take the late layers, behind two other stages:
            {last[order]} reaches {last[rate]:.1f} fps at {last[ENERGY]:.0f} mJ,
            {100 * (1 - last[ENERGY] / without[ENERGY]):.0f} % less, and the NPU may be {100 * slack:.0f} % slower
            than modelled before it is the bottleneck."""
        )
        + table((f"of {len(points)} pipelines", "mapping", "throughput", "energy per frame", "NPU busy"), rows, 2)
        + "\n"
    )
