"""A graph shaped like Pokec, from a seed (the recipe is in ARCHITECTURE.md, "Data for measuring").

Vertices `:User {id, completion_percentage, gender, age}`, edges `:FRIEND` without properties. What is kept of the real
graph: heavy-tailed degrees with in- and out-degree correlated, a twelfth of the vertices without out-edges, reciprocity
near 0.54, locality. `python3 perf/pokec.py small` prints the figures that were checked.
"""

import dataclasses
import sys

import numpy as np

SIZES = {"tiny": (1_000, 12_000, 1.15), "small": (10_000, 121_716, 1.15), "medium": (100_000, 1_768_515, 1.30)}
OUT_DEGREE_MAX = 9_000
NEAR_SHARE, NEAR_DISTANCE_MAX, RECIPROCAL_SHARE, SINK_SHARE = 0.45, 4_096, 0.40, 0.12


@dataclasses.dataclass
class Graph:
    """Vertex i has id i + 1; `source` and `target` are indexes of vertices, sorted by (source, target), no duplicates."""

    age: np.ndarray
    completion: np.ndarray
    woman: np.ndarray
    source: np.ndarray
    target: np.ndarray

    @property
    def vertices(self):
        return len(self.age)

    @property
    def edges(self):
        return len(self.source)

    def user(self, i):
        return {"id": int(i) + 1, "completion_percentage": int(self.completion[i]),
                "gender": "woman" if self.woman[i] else "man", "age": int(self.age[i])}


def generate(size, seed=7):
    vertices, edges, sigma = SIZES[size]
    rng = np.random.default_rng(seed)
    fitness = np.exp(sigma * rng.standard_normal(vertices))
    fitness[rng.random(vertices) < SINK_SHARE] = 0.0
    attraction = fitness + 0.05 * fitness.mean()
    attraction /= attraction.sum()
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < edges:
        # Reciprocal edges add to what is drawn, duplicates and loops take away: draw what is missing, and trim.
        wanted = max(1_000, int((edges - len(keys)) / 1.3))
        degrees = np.minimum(rng.multinomial(wanted, fitness / fitness.sum()), OUT_DEGREE_MAX)
        source = np.repeat(np.arange(vertices), degrees)
        count = len(source)
        distance = np.exp(rng.random(count) * np.log(NEAR_DISTANCE_MAX)).astype(np.int64) * rng.choice((-1, 1), count)
        near = rng.random(count) < NEAR_SHARE
        target = np.where(near, (source + distance) % vertices, rng.choice(vertices, count, p=attraction))
        back = (rng.random(count) < RECIPROCAL_SHARE) & (fitness[target] > 0)
        source, target = np.concatenate((source, target[back])), np.concatenate((target, source[back]))
        proper = source != target
        keys = np.unique(np.concatenate((keys, source[proper] * vertices + target[proper])))
    keys = np.sort(rng.choice(keys, edges, replace=False))
    age = np.where(rng.random(vertices) < 0.35, 0, rng.integers(10, 60, vertices))
    return Graph(age, rng.integers(0, 100, vertices), rng.random(vertices) < 0.5, keys // vertices, keys % vertices)


def describe(graph):
    degrees = np.bincount(graph.source, minlength=graph.vertices)
    ins = np.bincount(graph.target, minlength=graph.vertices)
    forward = set((graph.source * graph.vertices + graph.target).tolist())
    backward = graph.target * graph.vertices + graph.source
    reciprocal = sum(1 for key in backward.tolist() if key in forward) / graph.edges
    growth = (degrees * ins).mean() / degrees.mean()
    return (f"{graph.vertices:,} vertices, {graph.edges:,} edges; out-degree p50/p90/p99 "
            f"{'/'.join(str(int(p)) for p in np.percentile(degrees, (50, 90, 99)))}; sinks {np.mean(degrees == 0):.2f}; "
            f"reciprocity {reciprocal:.2f}; growth {growth:.0f}")


if __name__ == "__main__":
    print(describe(generate(sys.argv[1] if len(sys.argv) > 1 else "small")))
