"""The questions of `perf/run language`: their texts for each server, and what a right answer is.

Texts are mgbench's shapes. Each server is asked in its own dialect only where it has another one. A check raises `Wrong` with what
differs, and answers "exact", or "walks" where FalkorDB's answer is that of walks, which may use an edge twice (it answers which vertices
can be reached; openCypher counts trails): such answers are timed, and marked.
"""

import dataclasses
import typing

import numpy as np


class Wrong(Exception):
    pass


@dataclasses.dataclass
class Question:
    name: str
    group: str
    text: str
    check: typing.Callable
    """(expected, parameters as places of vertices, rows) -> "exact" or "walks"."""
    asked: dict
    """Server -> how many times its rate."""
    parameters: tuple = ("id",)
    """Each an id of a vertex, drawn at random."""
    dialects: dict = dataclasses.field(default_factory=dict)
    """Server -> its own text; None: it cannot answer."""
    writes: bool = False
    connections: tuple = (1,)
    hops: int = 0
    """Level-set loop over arrays that does the same, if there is one."""
    once: bool = False
    """The answer is the same each time: checked once."""
    checks: int = 6
    """How many random vertices are checked."""

    def text_for(self, server):
        return self.dialects.get(server, self.text)


def same(found, wanted, what):
    """Both as bags of integers."""
    found, wanted = np.sort(np.asarray(found, dtype=np.int64)), np.sort(np.asarray(wanted, dtype=np.int64))
    if not np.array_equal(found, wanted):
        raise Wrong(f"{len(found)} {what} with checksum {checksum(found)} instead of {len(wanted)} with {checksum(wanted)}")


def checksum(values):
    return int((values * 0x9E3779B1 % 2**31).sum() % 2**31) if len(values) else 0


def ids(rows, column=0):
    return [row[column] for row in rows]


def node_ids(rows, expected, column=0):
    """Ids of whole vertices, after a look at all their properties."""
    graph = expected.graph
    for row in rows:
        node = row[column]
        if {k: node[k] for k in ("id", "completion_percentage", "gender", "age")} != graph.user(node["id"] - 1):
            raise Wrong(f"vertex {node} instead of {graph.user(node['id'] - 1)}")
    return [row[column]["id"] for row in rows]


def trails_or_walks(found, expected, start, hops, adults, what="ids"):
    """Distinct ends of trails, or of walks."""
    def wanted(walks):
        ends = expected.ends(start, hops, walks)
        return (expected.adults(ends) if adults else ends) + 1
    try:
        same(found, wanted(False), what)
        return "exact"
    except Wrong:
        if np.array_equal(np.sort(found), wanted(True)):
            return "walks"
        raise


def expansion(hops, adults=False):
    where = " WHERE n.age >= 18" if adults else ""
    middle = "-->()" * (hops - 1)
    distinct = "DISTINCT " if hops > 1 else ""
    return Question(
        f"expansion_{hops}" + ("_with_filter" if adults else ""), "expansion",
        f"MATCH (s:User {{id: $id}}){middle}-->(n:User){where} RETURN {distinct}n.id",
        lambda expected, at, rows: trails_or_walks(ids(rows), expected, at["id"], (hops,), adults),
        {} if adults else {"FalkorDB": {1: 8, 2: 15, 3: 10, 4: 6}[hops]}, hops=0 if adults else hops)


def neighbours(hops, data, adults, asked):
    where = " WHERE n.age >= 18" if adults else ""
    name = f"neighbours_{hops}" + {(True, True): "_with_data_and_filter", (True, False): "_with_data", (False, True): "_with_filter",
                                   (False, False): ""}[data, adults]

    def check(expected, at, rows):
        found = ids(rows)
        if data and found != node_ids(rows, expected, 1):
            raise Wrong("ids and vertices of rows differ")
        return trails_or_walks(found, expected, at["id"], range(1, hops + 1), adults)

    return Question(name, "neighbours", f"MATCH (s:User {{id: $id}})-[*1..{hops}]->(n:User){where} RETURN DISTINCT n.id" + (", n" if data else ""),
                    check, {"FalkorDB": asked} if asked else {}, checks=6 if hops < 4 else 2)


def point_read(expected, at, rows):
    same(node_ids(rows, expected), [at["id"] + 1], "vertices")
    return "exact"


def groups(least):
    def check(expected, at, rows):
        wanted = expected.by_age(least)
        if sorted(map(tuple, rows)) != wanted:
            raise Wrong(f"{len(rows)} groups, {sorted(map(tuple, rows))[:3]}... instead of {len(wanted)}, {wanted[:3]}...")
        return "exact"
    return check


def one_row(wanted):
    def check(expected, at, rows):
        values = wanted(expected)
        if len(rows) != 1 or len(rows[0]) != len(values) or any(abs(a - b) > 1e-9 * max(1, abs(b)) for a, b in zip(rows[0], values)):
            raise Wrong(f"{rows[:2]} instead of {values}")
        return "exact"
    return check


def shortest_path(expected, at, rows):
    distance = expected.distance(at["from"], at["to"])
    if distance == 0:
        return "exact"  # From a vertex to itself: engines differ, and so do openCypher's readers.
    reached = distance is not None and distance <= 15
    paths = [row[0] for row in rows if row[0] is not None]
    if len(paths) != int(reached):
        raise Wrong(f"{len(paths)} paths instead of {int(reached)}")
    for path in paths:
        if path[0] != at["from"] + 1 or path[-1] != at["to"] + 1 or len(path) != distance + 1:
            raise Wrong(f"path {path} instead of {distance} hops")
        if not all(expected.has_edge(a - 1, b - 1) for a, b in zip(path, path[1:])):
            raise Wrong(f"path {path} uses an edge that is not there")
    return "exact"


def pattern_cycle(expected, at, rows):
    same(node_ids(rows, expected, 1), np.intersect1d(expected.targets(at["id"]), expected.sources(at["id"])) + 1, "vertices")
    return "exact"


def pattern_long(expected, at, rows):
    if not rows:
        if expected.reaches_long(at["id"], None):
            raise Wrong("no row, though there is such a path")
        return "exact"
    [end] = node_ids(rows, expected)
    if expected.reaches_long(at["id"], end - 1):
        return "exact"
    # Along an edge and back the same way: a walk.
    if any(expected.walks(at["id"], 3)[c] for c in expected.targets(end - 1)):
        return "walks"
    raise Wrong(f"vertex {end} is no end of such a path")


def pattern_short(expected, at, rows):
    targets = expected.targets(at["id"]) + 1
    found = node_ids(rows, expected)
    if len(found) != min(1, len(targets)) or not set(found) <= set(targets.tolist()):
        raise Wrong(f"{found} instead of one of {len(targets)} vertices")
    return "exact"


def trail_count(expected, at, rows):
    counts = [sum(int(count(at["id"], k).sum()) for k in (1, 2, 3)) for count in (expected.trails, expected.walks)]
    if rows == [[counts[0]]]:
        return "exact"
    if rows == [[counts[1]]]:
        return "walks"
    raise Wrong(f"{rows} instead of {counts[0]}")


def answers_one(name, value):
    """A write that answers the vertex or edge it made: its property, or nothing to look at."""
    def check(expected, at, rows):
        if len(rows) != 1:
            raise Wrong(f"{name}: {len(rows)} rows instead of 1")
        return "exact"
    return check if value else (lambda expected, at, rows: "exact" if not rows else None)


AGGREGATES = {"FalkorDB": 100, "Ladybug": 10}
SHORTEST = ("MATCH (a:User {id: $from}), (b:User {id: $to}) MATCH p = (a)-[*BFS..15]->(b) RETURN [v IN nodes(p) | v.id]",
            "MATCH (a:User {id: $from}), (b:User {id: $to}) WITH shortestPath((a)-[*1..15]->(b)) AS p RETURN [v IN nodes(p) | v.id]",
            "MATCH p = (a:User {id: $from})-[:FRIEND* SHORTEST 1..15]->(b:User {id: $to}) RETURN list_transform(nodes(p), v -> v.id)")

QUESTIONS = [
    Question("point_read", "point", "MATCH (n:User {id: $id}) RETURN n", point_read, {}, connections=(1, 64)),
    *(expansion(hops) for hops in (1, 2, 3, 4)),
    *(expansion(hops, adults=True) for hops in (2, 3, 4)),
    Question("aggregate", "aggregate", "MATCH (n:User) RETURN n.age, COUNT(*)", groups(None), AGGREGATES, (), once=True),
    Question("aggregate_with_distinct", "aggregate", "MATCH (n:User) RETURN COUNT(DISTINCT n.age)",
             one_row(lambda e: [len(e.by_age())]), {}, (), once=True),
    Question("aggregate_with_filter", "aggregate", "MATCH (n:User) WHERE n.age >= 18 RETURN n.age, COUNT(*)", groups(18), {}, (), once=True),
    Question("aggregate_count", "aggregate", "MATCH (n) RETURN count(n), count(n.age)",
             one_row(lambda e: [e.graph.vertices, e.graph.vertices]), AGGREGATES, (), once=True),
    Question("min_max_avg", "aggregate", "MATCH (n) RETURN min(n.age), max(n.age), avg(n.age)",
             one_row(lambda e: [e.graph.age.min(), e.graph.age.max(), e.graph.age.mean()]), AGGREGATES, (), once=True),
    Question("shortest_path", "path", SHORTEST[0], shortest_path, {"FalkorDB": 5}, ("from", "to"),
             dialects={"FalkorDB": SHORTEST[1], "Ladybug": SHORTEST[2]}),
    Question("pattern_cycle", "pattern", "MATCH (n:User {id: $id})-[e1]->(m)-[e2]->(n) RETURN e1, m, e2", pattern_cycle, {"FalkorDB": 5}),
    Question("pattern_long", "pattern", "MATCH (n1:User {id: $id})-[e1]->(n2)-[e2]->(n3)-[e3]->(n4)<-[e4]-(n5) RETURN n5 LIMIT 1", pattern_long,
             {"FalkorDB": 5}),
    Question("pattern_short", "pattern", "MATCH (n:User {id: $id})-[e]->(m) RETURN m LIMIT 1", pattern_short, {"FalkorDB": 5}),
    neighbours(2, False, False, None), neighbours(2, True, False, 5), neighbours(2, True, True, 5), neighbours(3, True, True, 5),
    neighbours(4, True, True, 5),
    Question("trails_1_to_3", "trails", "MATCH (s:User {id: $id})-[*1..3]->(n:User) RETURN count(*)", trail_count, {"Ladybug": 10},
             dialects={"Ladybug": "MATCH (s:User {id: $id})-[:FRIEND* TRAIL 1..3]->(n:User) RETURN count(*)", "FalkorDB": None}),
    Question("vertex_write", "write", "CREATE (n:UserTemp {id: $id}) RETURN n", answers_one("vertex", True), {"FalkorDB": 5}, writes=True,
             connections=(1, 64)),
    Question("edge_write", "write", "MATCH (n:User {id: $from}), (m:User {id: $to}) WITH n, m CREATE (n)-[e:Temp]->(m) RETURN e",
             answers_one("edge", True), {"FalkorDB": 5}, ("from", "to"), writes=True, connections=(1, 64)),
    Question("property_update", "write", "MATCH (n:User {id: $id}) SET n.property = -1", answers_one("update", False), {"FalkorDB": 5}, writes=True,
             connections=(1, 64)),
]
