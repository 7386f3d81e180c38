"""Train a small early-exit classifier and write the confidence and correctness of its exits, sample by sample.

``python benchmarks/digits_confidences.py`` writes ``scenarios/confidences/digits_mlp.csv`` again, the same every time
on one installation (another build of numpy's linear algebra may round differently). It needs scikit-learn (the extra
``data``), which brings the data: 1,797 handwritten digits of 8 x 8 pixels (UCI, optical recognition of handwritten
digits). No test needs it.

The network: three layers of 6, 32 and 128 units (ReLU), each fed with the picture and the layer before, a linear
classifier after each, all trained together on the sum of their cross-entropies. 797 digits to train; two splits of 500
that training never sees: ``calibration``, to choose thresholds on, and ``test``, to judge them on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PIXELS, WIDTHS, CLASSES = 64, (6, 32, 128), 10
SPLITS = {"train": 797, "calibration": 500, "test": 500}
EPOCHS, BATCH, RATE, DECAY = 40, 32, 2e-3, 1e-4
SEED = 1
TABLE = Path(__file__).parents[1] / "scenarios" / "confidences" / "digits_mlp.csv"


class Net:
    """Layers, each with a classifier on top of it, trained with Adam."""

    def __init__(self, rng: np.random.Generator) -> None:
        fed = (PIXELS, *(PIXELS + width for width in WIDTHS[:-1]))
        shapes = [shape for a, b in zip(fed, WIDTHS, strict=True) for shape in ((a, b), (b, CLASSES))]
        self.weights = [rng.normal(0, np.sqrt(2 / a), (a, b)) for a, b in shapes]
        self.biases = [np.zeros(b) for _, b in shapes]
        self._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in (*self.weights, *self.biases)]
        self._steps = 0

    def forward(self, x: Array) -> tuple[list[Array], list[Array]]:
        """Return the input of every layer and the class probabilities of every exit."""
        inputs, exits = [x], []
        for k in range(0, len(self.weights), 2):
            hidden = np.maximum(inputs[-1] @ self.weights[k] + self.biases[k], 0)
            inputs.append(np.concatenate([x, hidden], axis=1))
            scores = hidden @ self.weights[k + 1] + self.biases[k + 1]
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            exits.append(scores / scores.sum(axis=1, keepdims=True))
        return inputs, exits

    def learn(self, x: Array, wanted: Array) -> None:
        """Take one step down the sum of all exits' cross-entropies."""
        inputs, exits = self.forward(x)
        slopes: list[Array] = [np.zeros(0)] * len(self._moments)
        n = len(self.weights)
        below = np.zeros((len(x), WIDTHS[-1]))
        for k in range(n - 2, -1, -2):
            hidden = inputs[k // 2 + 1][:, PIXELS:]
            error = (exits[k // 2] - wanted) / len(x)
            slopes[k + 1], slopes[n + k + 1] = hidden.T @ error, error.sum(axis=0)
            back = (below + error @ self.weights[k + 1].T) * (hidden > 0)
            slopes[k], slopes[n + k] = inputs[k // 2].T @ back, back.sum(axis=0)
            below = (back @ self.weights[k].T)[:, PIXELS:]
        self._adam([s + DECAY * w for s, w in zip(slopes[:n], self.weights, strict=True)] + slopes[n:])

    def _adam(self, slopes: list[Array]) -> None:
        self._steps += 1
        rate = RATE * np.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps)
        for parameter, (first, second), slope in zip((*self.weights, *self.biases), self._moments, slopes, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            parameter -= rate * first / (np.sqrt(second) + 1e-8)


def train(x: Array, y: npt.NDArray[np.int64], rng: np.random.Generator) -> Net:
    """Train on digits of 0 to 1 per pixel, each epoch in a new order."""
    net, wanted = Net(rng), np.eye(CLASSES)[y]
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        for begin in range(0, len(order), BATCH):
            rows = order[begin : begin + BATCH]
            net.learn(x[rows], wanted[rows])
    return net


def table() -> str:
    """Return the table as CSV."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(digits.data))
    ends = np.cumsum(list(SPLITS.values()))
    parts = dict(zip(SPLITS, np.split(order, ends[:-1]), strict=True))
    x, y = digits.data / 16, digits.target.astype(np.int64)
    net = train(x[parts["train"]], y[parts["train"]], rng)
    n_exits = len(WIDTHS)
    names = [f"{what}_{k}" for what in ("confidence", "correct") for k in range(1, n_exits + 1)]
    lines = [",".join(["split", "sample", *names])]
    for split in ("calibration", "test"):
        rows = np.sort(parts[split])
        exits = net.forward(x[rows])[1]
        for i, row in enumerate(rows):
            sure = [f"{p[i].max():.6f}" for p in exits]
            right = [str(int(p[i].argmax() == y[row])) for p in exits]
            lines.append(",".join([split, str(row), *sure, *right]))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=TABLE, metavar="FILE")
    path = parser.parse_args().output
    path.write_text(table(), encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
