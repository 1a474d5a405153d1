"""`tests/differential/run`: the same queries for Quoit and for a reference engine, answers compared.

Owned here: the conversation, what equals what, the table of differences. Always holds: both have the same graph before each query;
what a writing query did is compared by looking at the whole graph, and undone.
"""

import argparse
import collections
import math
import pathlib
import random
import re
import socket
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "tck"), str(HERE.parent / "e2e")]

import graph  # noqa: E402
from bolt import Connection, Failure  # noqa: E402
from cluster import cluster  # noqa: E402
from queries import Queries  # noqa: E402
from value import Node, Path, Relationship  # noqa: E402

LOOK = ("MATCH (n) RETURN n", "MATCH (a)-[r]->(b) RETURN a.id, r, b.id")
# Queries on one graph before the next is made.
GRAPH_QUERIES = 150


def canonical(value):
    """A hashable form: entities by what they hold, numbers to eleven digits, types apart."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return f"float {value}"
        return f"float {value + 0.0:.10e}"
    if isinstance(value, list):
        return ("list", *map(canonical, value))
    if isinstance(value, dict):
        return ("map", *sorted((key, canonical(held)) for key, held in value.items()))
    if isinstance(value, Node):
        return ("node", tuple(sorted(value.labels)), canonical(value.properties))
    if isinstance(value, Relationship):
        return ("relationship", value.type, canonical(value.properties))
    if isinstance(value, Path):
        return ("path", canonical(value.start), *((canonical(edge), along, canonical(node)) for edge, along, node in value.steps))
    return (type(value).__name__, value)


class Side:
    """One engine: answers a query with (columns, rows) or a `Failure`."""

    def __init__(self, name, port):
        self.name, self.port = name, port
        self.connection, self.seconds = Connection(port), 0.0

    def answer(self, query):
        begun = time.monotonic()
        try:
            return self.connection.run(query)
        except Failure as failure:
            return failure
        except (socket.timeout, ConnectionError, OSError) as gone:
            self.connection = Connection(self.port)
            return Failure({"neo4j_code": "gone", "message": f"{type(gone).__name__}: {gone}"})
        finally:
            self.seconds += time.monotonic() - begun

    def write(self, query):
        """The answer, and the whole graph behind it; nothing stays."""
        self.connection.begin()
        answer = self.answer(query)
        seen = None
        if not isinstance(answer, Failure):
            seen = [sorted(map(repr, map(canonical, self.connection.run(look)[1]))) for look in LOOK]
            self.connection.rollback()
        return answer, seen

    def build(self, statement):
        self.connection.run("MATCH (n) DETACH DELETE n")
        self.connection.run(statement)


class Differences:
    """The table of those that are known."""

    def __init__(self):
        with open(HERE / "differences.toml", "rb") as file:
            self.known = tomllib.load(file).get("difference", [])
        self.met = collections.Counter()

    def explains(self, query, ours, theirs):
        for known in self.known:
            texts = {"query": query, "quoit": str(ours), "neo4j": str(theirs)}
            if all(re.search(known[key], text) for key, text in texts.items() if key in known):
                self.met[known["name"]] += 1
                return True
        return False


def order_matters(query):
    return re.search(r"ORDER BY [^{}]*$", query) is not None and not query.rstrip().endswith("}")


def compare(query, ours, theirs):
    """Why two answers differ; `None` if they do not."""
    if isinstance(ours, Failure) or isinstance(theirs, Failure):
        if isinstance(ours, Failure) and isinstance(theirs, Failure):
            if "gone" in str(ours):
                return f"Quoit: {ours}"
            return None
        return "one refuses"
    if ours[0] != theirs[0]:
        return "columns"
    rows = [[canonical(row) for row in answer[1]] for answer in (ours, theirs)]
    if collections.Counter(rows[0]) != collections.Counter(rows[1]):
        return "rows"
    last = query.rsplit("RETURN", 1)[-1]
    if order_matters(last) and rows[0] != rows[1]:
        return "order"
    return None


def shown(answer):
    if isinstance(answer, Failure):
        return f"refused: {answer}"
    rows = sorted(map(repr, answer[1]))
    return f"{len(rows)} rows: " + ", ".join(rows[:12])[:600]


def only_in(ours, theirs):
    if isinstance(ours, Failure) or isinstance(theirs, Failure):
        return ""
    a, b = (collections.Counter(repr(canonical(row)) for row in answer[1]) for answer in (ours, theirs))
    return f"\n  only Quoit: {list((a - b).elements())[:3]}\n  only Neo4j: {list((b - a).elements())[:3]}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", type=int, required=True, help="Bolt port of the reference engine, on loopback")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", choices=["read", "write"])
    parser.add_argument("--query", help="runs this one on the seed's first graph and prints both answers")
    options = parser.parse_args()
    differences, wrong, refused, counted = Differences(), 0, 0, 0
    arguments = ["--durability", "none", "--query-execution-timeout-sec", "20"]
    with cluster(arguments=arguments) as group:
        quoit, reference = Side("Quoit", group.main.bolt_port), Side("Neo4j", options.reference)
        while counted < options.count:
            seed = options.seed + counted // GRAPH_QUERIES
            draw = random.Random(seed)
            statement = graph.creation(draw)
            quoit.build(statement), reference.build(statement)
            for _ in range(GRAPH_QUERIES):
                if options.query:
                    for side in (quoit, reference):
                        print(side.name, shown(side.answer(options.query)))
                    return
                writes = draw.random() < 0.3 if options.only is None else options.only == "write"
                query = Queries(draw).query(writes)
                counted += 1
                if writes:
                    (ours, state), (theirs, their_state) = quoit.write(query), reference.write(query)
                else:
                    ours, theirs, state, their_state = quoit.answer(query), reference.answer(query), None, None
                reason = compare(query, ours, theirs)
                if reason is None and state != their_state:
                    reason = "graph"
                refused += isinstance(ours, Failure) and isinstance(theirs, Failure)
                if reason is None or differences.explains(query, ours, theirs):
                    continue
                wrong += 1
                print(f"DIFFERENCE ({reason}), graph of seed {seed}: {query}\n  Quoit: {shown(ours)}\n  Neo4j: {shown(theirs)}{only_in(ours, theirs)}", flush=True)
                if reason == "graph":
                    for a, b in zip(state, their_state):
                        print("  only Quoit:", list((collections.Counter(a) - collections.Counter(b)).elements())[:3])
                        print("  only Neo4j:", list((collections.Counter(b) - collections.Counter(a)).elements())[:3])
    for name, count in differences.met.most_common():
        print(f"{count:6}  known: {name}")
    print(f"{counted} queries, {refused} refused by both, {sum(differences.met.values())} known differences, {wrong} unknown; "
          f"{quoit.seconds:.0f} s in Quoit, {reference.seconds:.0f} s in the reference")
    sys.exit(1 if wrong else 0)


main()
