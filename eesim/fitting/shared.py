"""One difficulty per image, shared by several networks: fitted to the exits that each takes on the same images.

Network j sees the latent value ``y_j = l_j z + sqrt(1 - l_j^2) e_j`` of an image with difficulty z; its exits are cut
from y_j where its own shares say. The loadings l_j are what the networks have in common.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.errors import InputError, Problem
from eesim.fitting.exit_fit import estimate_words
from eesim.fitting.normal import joint_shares, rank_correlation_of
from eesim.fitting.one_factor import (
    Match,
    cuts_of,
    fit_loadings,
    latent_correlation,
    log_likelihood_of,
    margins_of,
    one_factor,
    p_value_of,
    pair_ranks,
    pairs_of,
    resampled,
    tabulate,
)
from eesim.fitting.read import Trace, read_trace
from eesim.metrics.statistics import Estimate
from eesim.workload.correlated import ar1


@dataclass(frozen=True)
class SharedDifficulty:
    """Networks whose exits on the same images depend on one latent difficulty.

    Attributes
    ----------
    names
        Names of the networks.
    counts
        Frames per exit of each network, on the same images.
    loadings
        Correlation of what each network sees with the difficulty, with intervals (bootstrap over images).
    rank_correlations
        For each pair ``a, b``: Spearman's correlation of their exits as seen (value, with interval) and as the model
        has it.
    log_likelihood, bic, bic_independent
        Of the model; of networks that have nothing in common. None, like the p-value, without exits image by image.
    p_value
        Of the chi-square distance of all combinations of exits from the model's, by parametric bootstrap.
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    loadings: tuple[Estimate, ...]
    rank_correlations: dict[tuple[str, str], tuple[Estimate, float]]
    log_likelihood: float | None
    bic: float | None
    bic_independent: float | None
    p_value: float | None

    def draw(self, n: int, *, seed: int, lag_1: float = 0.0) -> IntArray:
        """Draw the exits of all networks on the same stream of images.

        In each pass of as many images as were counted, every network takes each of its exits exactly as often as
        counted.

        Parameters
        ----------
        n
            Images.
        seed
            Of the draw.
        lag_1
            Autocorrelation of the latent values from an image to the next.

        Returns
        -------
        array
            (n, networks) exits, 0-based.
        """
        rng, per_pass = np.random.default_rng(seed), sum(self.counts[0])
        width = len(self.names)
        last = rng.standard_normal(width + 1)
        passes = []
        for _ in range(-(-n // per_pass)):
            noise = rng.standard_normal((per_pass, width + 1))
            latent = np.stack([ar1(float(last[i]), lag_1, noise[:, i]) for i in range(width + 1)], axis=1)
            last = latent[-1]
            exits = np.empty((per_pass, width), np.int64)
            for j, loading in enumerate(self._loadings()):
                seen = loading * latent[:, 0] + np.sqrt(1 - loading**2) * latent[:, j + 1]
                exits[np.argsort(seen, kind="stable"), j] = np.repeat(np.arange(len(self.counts[j])), self.counts[j])
            passes.append(exits)
        return np.concatenate([np.zeros((0, width), np.int64), *passes])[:n]

    def save(self, folder: str | Path, n: int, *, seed: int, lag_1: float = 0.0) -> tuple[Path, ...]:
        """Draw traces and write them as ``NAME.csv``, each ready for ``stream.exits: {kind: trace}`` of its network."""
        exits, written = self.draw(n, seed=seed, lag_1=lag_1), []
        Path(folder).mkdir(parents=True, exist_ok=True)
        for j, name in enumerate(self.names):
            path = Path(folder) / f"{name}.csv"
            part = path.with_suffix(".csv.part")
            part.write_text("exit\n" + "".join(f"{exit + 1}\n" for exit in exits[:, j].tolist()), encoding="utf-8")
            os.replace(part, path)
            written.append(path)
        return tuple(written)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "networks": list(self.names),
            "counts": [list(counts) for counts in self.counts],
            "loadings": [loading.as_dict() for loading in self.loadings],
            "rank_correlations": [
                {"networks": list(pair), "seen": seen.as_dict(), "model": model}
                for pair, (seen, model) in self.rank_correlations.items()
            ],
            "log_likelihood": self.log_likelihood,
            "bic": self.bic,
            "bic_independent": self.bic_independent,
            "p_value": self.p_value,
        }

    def __str__(self) -> str:
        """Say how alike the networks are, in words."""
        lines = [f"one difficulty per image, shared by {len(self.names)} networks"]
        for name, loading in zip(self.names, self.loadings, strict=True):
            lines.append(f"  loading of {name}: {estimate_words(loading)}")
        for pair, (seen, model) in self.rank_correlations.items():
            lines.append(
                f"  rank correlation of {' and '.join(pair)}: {estimate_words(seen)} seen, {model:.4g} of the model"
            )
        if self.p_value is not None:
            explains = "explains" if self.p_value >= 0.05 else "does not explain"
            lines.append(f"  the model {explains} how often exits occur together (chi-square, p = {self.p_value:.3g})")
        return "\n".join(lines)

    def _loadings(self) -> list[float]:
        return [float(loading.value or 0) for loading in self.loadings]


def fit_shared_difficulty(
    traces: Sequence[Trace],
    *,
    names: Sequence[str] | None = None,
    by: Match = "rank",
    first: int = 1,
    column: str = "exit",
    bootstrap: int = 199,
    seed: int = 1,
    confidence: float = 0.95,
) -> SharedDifficulty:
    """Fit one latent difficulty per image to the exits of several networks on the same images.

    Each network's thresholds are where its own shares put them. Of two networks only the product of the loadings can be
    told: they are taken to be equal.

    Parameters
    ----------
    traces
        For each network, its exits image by image: arrays, or paths of CSV or Parquet files. All in the same order.
    names
        Names of the networks; by default the files' (without suffix), or ``network1`` and so on.
    by
        ``rank``: loadings give the rank correlations that were seen (exactly, for up to three networks);
        ``likelihood``: the most likely ones. They differ where the model does not fit well: see the p-value.
    first, column
        Number of the first exit; column of a file.
    bootstrap, seed, confidence
        Resamples for intervals and the p-value, their seed, and the level of the intervals.

    Raises
    ------
    InputError
        If there are fewer than two networks, a trace cannot be read, or they have different lengths.
    """
    chosen = tuple(names) if names is not None else tuple(_name(trace, j) for j, trace in enumerate(traces))
    if len(traces) < 2 or len(chosen) != len(traces) or len(set(chosen)) != len(chosen):
        raise InputError([Problem("traces", 0, "", "must be at least two, each with a name of its own")])
    read = [
        read_trace(trace, first=first, n_exits=None, column=column, name=name)
        for trace, name in zip(traces, chosen, strict=True)
    ]
    n = len(read[0][0])
    wrong = [name for name, (exits, _) in zip(chosen, read, strict=True) if len(exits) != n]
    if wrong:
        message = f"must have as many images as {chosen[0]} ({n:,}): traces are compared image by image"
        raise InputError([Problem(name, 0, "", message) for name in wrong])
    exits = np.stack([exits for exits, _ in read], axis=1)
    shape = tuple(count for _, count in read)
    table = tabulate(exits, shape)
    loadings = fit_loadings(table, by)
    likelihood = log_likelihood_of(table, cuts_of(table), loadings)
    rng = np.random.default_rng(seed)
    again = [resampled(table, rng) for _ in range(bootstrap)]
    refits = [fit_loadings(drawn, by, loadings) for drawn in again]
    spread = [np.array([pair_ranks(drawn, a, b) for drawn in again]) for a, b in pairs_of(table)]
    margins = margins_of(table)
    alone = sum(float(np.sum(m[m > 0] * np.log(m[m > 0] / n))) for m in margins)
    free = sum(int((m > 0).sum()) - 1 for m in margins)
    own = 1 if len(shape) == 2 else len(shape)
    pairs = {
        (chosen[a], chosen[b]): (
            _interval(pair_ranks(table, a, b), ranks, confidence),
            rank_correlation_of(joint_shares(margins[a] / n, margins[b] / n, float(loadings[a] * loadings[b]))),
        )
        for (a, b), ranks in zip(pairs_of(table), spread, strict=True)
    }
    return SharedDifficulty(
        names=chosen,
        counts=tuple(tuple(m.astype(np.int64).tolist()) for m in margins),
        loadings=tuple(_interval(loadings[j], np.array(refits)[:, j], confidence) for j in range(len(shape))),
        rank_correlations=pairs,
        log_likelihood=likelihood,
        bic=(free + own) * float(np.log(n)) - 2 * likelihood,
        bic_independent=free * float(np.log(n)) - 2 * alone,
        p_value=p_value_of(table, loadings, by, bootstrap, rng),
    )


def shared_difficulty_of(
    counts: Mapping[str, Sequence[int]], rank_correlations: Mapping[tuple[str, str], float]
) -> SharedDifficulty:
    """Return the shared difficulty that published statistics imply, where nobody has published exits image by image.

    Each rank correlation gives the correlation of two networks' latent values; the loadings are the ones whose products
    are nearest to these (least squares; exact for three networks). There are no intervals and no likelihood.

    Parameters
    ----------
    counts
        For each network, frames per exit on the same images.
    rank_correlations
        For each pair of networks, Spearman's correlation of their exits.

    Raises
    ------
    InputError
        If the counts are of different numbers of images, a pair is missing, or one cannot come from such a model.
    """
    names = tuple(counts)
    pairs = list(combinations(names, 2))
    problems = [
        Problem("counts", 0, name, f"must add up to {sum(counts[names[0]]):,}, as {names[0]}'s do")
        for name in names
        if sum(counts[name]) != sum(counts[names[0]])
    ]
    given = {pair: rank_correlations.get(pair, rank_correlations.get(pair[::-1])) for pair in pairs}
    for pair, value in given.items():
        if value is None or not 0 <= value < 1:
            problems.append(Problem("rank_correlations", 0, ", ".join(pair), "must be given, from 0 to below 1"))
    if len(names) < 2:
        problems.append(Problem("counts", 0, "", "must be of at least two networks"))
    if problems:
        raise InputError(problems)
    shares = {name: np.array(counts[name]) / sum(counts[name]) for name in names}
    latent = np.eye(len(names))
    for a, b in pairs:
        i, j = names.index(a), names.index(b)
        latent[i, j] = latent[j, i] = latent_correlation(shares[a], shares[b], float(given[a, b] or 0), f"{a}, {b}")
    loadings = dict(zip(names, one_factor(latent).tolist(), strict=True))
    return SharedDifficulty(
        names=names,
        counts=tuple(tuple(counts[name]) for name in names),
        loadings=tuple(Estimate(loadings[name]) for name in names),
        rank_correlations={
            (a, b): (
                Estimate(given[a, b]),
                rank_correlation_of(joint_shares(shares[a], shares[b], loadings[a] * loadings[b])),
            )
            for a, b in pairs
        },
        log_likelihood=None,
        bic=None,
        bic_independent=None,
        p_value=None,
    )


def _name(trace: Trace, j: int) -> str:
    return Path(trace).stem if isinstance(trace, str | Path) else f"network{j + 1}"


def _interval(value: float, samples: FloatArray, confidence: float) -> Estimate:
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(value), float(low), float(high))
