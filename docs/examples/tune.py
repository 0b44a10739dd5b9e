"""Finds good settings of a small model by successive halving, with the trials as tasks of the cluster.

Half of the candidates, the better one, trains on for twice as long, until one is left. That one is kept in the project.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import ray

KEPT = Path.home() / "tuned-model.json"  # the project's directory, which all nodes share


def two_spirals(seed: int, points: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Points on two spirals, and which of the two each is on."""
    random = np.random.default_rng(seed)
    turn = np.sqrt(random.random(points)) * 3 * np.pi
    label = random.integers(0, 2, points)
    angle = turn + label * np.pi
    spiral = np.stack([np.cos(angle), np.sin(angle)], axis=1) * turn[:, None] / 10
    return spiral + random.normal(scale=0.08, size=spiral.shape), label.astype(float)


def features(x: np.ndarray, settings: dict) -> np.ndarray:
    """Random waves, of the number and the width that ``settings`` ask for."""
    random = np.random.default_rng(0)
    directions = random.normal(scale=settings["width"], size=(x.shape[1], settings["waves"]))
    return np.cos(x @ directions + random.uniform(0, 2 * np.pi, settings["waves"]))


@ray.remote(num_cpus=1)
def trial(settings: dict, weights: np.ndarray, steps: int) -> tuple[float, np.ndarray, str]:
    """Train so many steps more. The share of unseen points that is told right, the weights, and the node."""
    x, y = two_spirals(seed=1)
    waves = features(x, settings)
    for _ in range(steps):
        told = 1 / (1 + np.exp(-(waves @ weights)))
        weights = weights - settings["rate"] * waves.T @ (told - y) / len(y)
    x, y = two_spirals(seed=2)
    right = float((((features(x, settings) @ weights) > 0) == y).mean())
    node = next(each["NodeName"] for each in ray.nodes() if each["NodeID"] == ray.get_runtime_context().get_node_id())
    return right, weights, node


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200, help="in the first round; each round takes twice as many")
    steps = parser.parse_args().steps
    grid = itertools.product((64, 256), (1.0, 3.0, 9.0, 27.0), (0.5, 4.0))
    left = [({"waves": waves, "width": width, "rate": rate}, np.zeros(waves)) for waves, width, rate in grid]
    while True:
        done = ray.get([trial.remote(settings, weights, steps) for settings, weights in left])
        ranked = sorted(zip(done, left, strict=True), key=lambda each: -each[0][0])
        (best, weights, _), (settings, _) = ranked[0]
        nodes = ", ".join(sorted({node for _, _, node in done}))
        print(f"{len(left)} candidates, {steps} steps, on {nodes}: the best is right in {best:.1%}")
        if len(left) == 1:
            break
        left = [(settings, weights) for (_, weights, _), (settings, _) in ranked[: len(ranked) // 2]]
        steps *= 2
    KEPT.write_text(json.dumps({"settings": settings, "weights": weights.tolist(), "right": best}))
    print(f"kept {KEPT.name}: {settings}")


if __name__ == "__main__":
    ray.init()
    main()
