"""What each question must be answered with, from the graph's arrays alone.

Counts follow openCypher: a path uses no edge twice (a trail). The graph has no loops and no parallel edges, so up to four hops a
walk repeats an edge only as s-b-s-b, s-b-s-b-x, s-a-b-a-b or s-b-c-s-b: these are subtracted from the walks, and s-b-s-b-s, which is
two of them, is added back. Walks, which FalkorDB follows instead, are kept beside them.
"""

from functools import lru_cache

import numpy as np
import scipy.sparse as sparse


class Expected:
    """Answers for a `pokec.Graph`. Vertices are places here; ids are places + 1."""

    def __init__(self, graph):
        self.graph = graph
        ones = np.ones(graph.edges, dtype=np.int64)
        self.out = sparse.csr_array((ones, (graph.source, graph.target)), shape=(graph.vertices, graph.vertices))
        self.backward = self.out.T.tocsr()
        self.walks, self.trails = lru_cache(64)(self.walks), lru_cache(64)(self.trails)

    def targets(self, vertex):
        return self.out.indices[self.out.indptr[vertex]:self.out.indptr[vertex + 1]]

    def has_edge(self, source, target):
        targets = self.targets(source)
        at = np.searchsorted(targets, target)
        return at < len(targets) and targets[at] == target

    def sources(self, vertex):
        return self.backward.indices[self.backward.indptr[vertex]:self.backward.indptr[vertex + 1]]

    def walks(self, start, hops):
        """How many walks of so many hops end at each vertex."""
        if hops == 0:
            counts = np.zeros(self.graph.vertices, dtype=np.int64)
            counts[start] = 1
            return counts
        return self.backward @ self.walks(start, hops - 1)

    def trails(self, start, hops):
        """How many trails of so many hops (up to 4) end at each vertex."""
        counts = self.walks(start, hops).copy()
        both_ways = np.intersect1d(self.targets(start), self.sources(start))
        if hops == 3:
            counts[both_ways] -= 1
        if hops == 4:
            for b in both_ways:
                counts[self.targets(b)] -= 1
            counts[start] += len(both_ways)
            for a in self.targets(start):
                counts[np.intersect1d(self.targets(a), self.sources(a))] -= 1
            for b in self.targets(start):
                # s-b-c-s-b: as many as there are ways of two hops back from b.
                counts[b] -= len(np.intersect1d(self.targets(b), self.sources(start)))
        return counts

    def ends(self, start, hops, walks=False):
        """Distinct ends of trails (or walks) of each length in `hops`, ascending."""
        count = self.walks if walks else self.trails
        return np.flatnonzero(sum((count(start, k) > 0).astype(np.int8) for k in hops))

    def adults(self, vertices):
        return vertices[self.graph.age[vertices] >= 18]

    def distance(self, start, end):
        """Hops of the shortest way from one to the other, or None."""
        seen = np.zeros(self.graph.vertices, dtype=bool)
        level, hops = np.array([start]), 0
        seen[start] = True
        while len(level):
            if seen[end]:
                return hops
            ends = np.unique(np.concatenate([self.targets(v) for v in level]))
            level, hops = ends[~seen[ends]], hops + 1
            seen[level] = True
        return None

    def by_age(self, least=None):
        ages = self.graph.age if least is None else self.graph.age[self.graph.age >= least]
        values, counts = np.unique(ages, return_counts=True)
        return list(zip(values.tolist(), counts.tolist()))

    def reaches_long(self, start, end):
        """Whether there is start-->a-->b-->c<--end without an edge twice; `end` None: to any end."""
        if end is None:
            return any(self.reaches_long(start, d) for c in np.flatnonzero(self.walks(start, 3)).tolist() for d in self.sources(c).tolist())
        for c in self.targets(end).tolist():
            for b in self.sources(c).tolist():
                for a in np.intersect1d(self.targets(start), self.sources(b)).tolist():
                    if len({(start, a), (a, b), (b, c), (end, c)}) == 4:
                        return True
        return False
