"""Runs the cases of openCypher's kit over Bolt against a real server and judges them as the kit's README asks.

Owned here: what each step means, the eight side effects, the report. Always holds: a case begins on an empty graph with the built-in
procedures only; cases on `any graph` run a second time on `binary-tree-1`.
"""

import json
import pathlib
import re
import traceback

import bolt
import gherkin
from value import parse, same, same_bag

ERROR = re.compile(r"an? (\w+) should be raised at ([^:]+): (\S+)")
RESULT = {
    "the result should be, in any order:": (False, False),
    "the result should be, in order:": (True, False),
    "the result should be (ignoring element order for lists):": (False, True),
    "the result should be, in order (ignoring element order for lists):": (True, True),
}
EFFECTS = ("nodes", "relationships", "labels", "properties")


class Wrong(Exception):
    """The server did not answer what the case asks for."""


def exact(value):
    """A key by which property values are counted: 1, 1.0 and true are three values."""
    return json.dumps(tagged(value), sort_keys=True)


def tagged(value):
    if isinstance(value, list):
        return [tagged(entry) for entry in value]
    return [type(value).__name__, repr(value)]


class Runner:
    """One server's connection, and the case that runs on it."""

    def __init__(self, kit, connection):
        self.kit, self.connection = pathlib.Path(kit), connection

    def run(self, case, start="an empty graph"):
        """Raises `Wrong` with the reason."""
        self.connection.run("MATCH (n) DETACH DELETE n")
        self.connection.run("DROP TEST PROCEDURES")
        self.parameters, self.outcome, self.before = {}, None, None
        for step in case.steps:
            self.step(step, start)

    def execute(self, query, parameters=None):
        try:
            return self.connection.run(query, self.parameters if parameters is None else parameters)
        except bolt.Failure as failure:
            return failure

    def must(self, query, parameters=None):
        outcome = self.execute(query, parameters)
        if isinstance(outcome, bolt.Failure):
            raise Wrong(f"set-up failed: {outcome}")
        return outcome

    def step(self, step, start):
        text = step.text
        if text == "any graph":
            text = start
        if text == "an empty graph":
            return
        if found := re.fullmatch(r"the (\S+) graph", text):
            self.build(found[1])
        elif text == "having executed:":
            self.must(step.doc)
        elif text == "parameters are:":
            self.parameters.update((name, parse(value)) for name, value in step.table)
        elif found := re.fullmatch(r"there exists a procedure (.*?)\s*:", text):
            facts = [[parse(cell) for cell in row] for row in step.table[1:]]
            self.must(f"CREATE TEST PROCEDURE {found[1]}", {"facts": facts})
        elif text == "executing query:":
            self.before = self.state()
            self.outcome = self.execute(step.doc)
        elif text == "executing control query:":
            self.outcome = self.execute(step.doc)
        elif text == "the result should be empty":
            self.judge([], [], True, False)
        elif text in RESULT:
            header, *rows = step.table
            self.judge(header, [[parse(cell) for cell in row] for row in rows], *RESULT[text])
        elif text == "no side effects":
            self.effects({})
        elif text == "the side effects should be:":
            self.effects({name: int(count) for name, count in step.table})
        elif found := ERROR.fullmatch(text):
            self.error(*found.groups())
        else:
            raise Wrong(f"unknown step: {text}")

    def build(self, name):
        folder = self.kit / "graphs" / name
        for script in json.loads((folder / f"{name}.json").read_text())["scripts"]:
            for statement in (folder / f"{script}.cypher").read_text().split(";"):
                if statement.strip():
                    self.must(statement, {})

    def judge(self, columns, rows, ordered, as_bags):
        if isinstance(self.outcome, bolt.Failure):
            raise Wrong(f"failed: {self.outcome}")
        found_columns, found = self.outcome
        if columns != found_columns:
            raise Wrong(f"columns {columns} expected, {found_columns} found")

        def equal(a, b):
            return len(a) == len(b) and all(same(x, y, as_bags) for x, y in zip(a, b))

        if ordered:
            fits = len(rows) == len(found) and all(map(equal, rows, found))
        else:
            fits = same_bag(rows, found, equal)
        if not fits:
            raise Wrong(f"rows {rows} expected, {found} found")

    def error(self, type_, phase, detail):
        if not isinstance(self.outcome, bolt.Failure):
            raise Wrong(f"{type_} at {phase}: {detail} expected, no error came")
        found = re.fullmatch(r"(\w+) at ([^:]+): (\w+)", self.outcome.words)
        fits = (found is not None and found[1] == type_ and phase in (found[2], "any time")
                and detail in (found[3], "*"))
        if not fits:
            raise Wrong(f"{type_} at {phase}: {detail} expected, {self.outcome.words!r} came: {self.outcome}")
        self.effects({})

    def state(self):
        """What a reader can see: ids of nodes and of relationships, label names in use, (entity, key, value) of properties."""
        _, nodes = self.must("MATCH (n) RETURN id(n), labels(n), properties(n)", {})
        _, edges = self.must("MATCH ()-[r]->() RETURN id(r), properties(r)", {})
        properties = {("node", id_, key, exact(value)) for id_, _, held in nodes for key, value in held.items()}
        properties |= {("relationship", id_, key, exact(value)) for id_, held in edges for key, value in held.items()}
        return {
            "nodes": {row[0] for row in nodes},
            "relationships": {row[0] for row in edges},
            "labels": {label for _, labels, _ in nodes for label in labels},
            "properties": properties,
        }

    def effects(self, wanted):
        after = self.state()
        for name in EFFECTS:
            for sign, count in (("+", len(after[name] - self.before[name])), ("-", len(self.before[name] - after[name]))):
                if wanted.get(sign + name, 0) != count:
                    raise Wrong(f"{sign}{name} {wanted.get(sign + name, 0)} expected, {count} found")


def run_kit(kit, connect, report, only=""):
    """Runs a kit's cases; (passed, all). Writes one line a feature to the screen, and every failure to `report` too."""
    runner = Runner(kit, connect())
    by_feature, all_passed, total, runs = {}, 0, 0, 0
    for case in gherkin.cases(pathlib.Path(kit) / "features"):
        if only not in case.name:
            continue
        starts = ["an empty graph"]
        if any(step.text == "any graph" for step in case.steps):
            starts.append("the binary-tree-1 graph")
        reason = None
        for start in starts:
            runs += 1
            try:
                runner.run(case, start)
            except Wrong as wrong:
                reason = f"on {start}: {wrong}"
            except Exception:
                # The connection may be anywhere in a conversation.
                reason = f"on {start}: {traceback.format_exc()}"
                runner = Runner(kit, connect())
            if reason is not None:
                break
        counts = by_feature.setdefault(case.feature, [0, 0])
        counts[1] += 1
        total += 1
        if reason is None:
            counts[0] += 1
            all_passed += 1
        else:
            print(f"FAILED {case.name}\n       {reason}", file=report)
    for feature, (passed, count) in by_feature.items():
        line = f"{passed:5} of {count:5}  {feature}"
        print(line, file=report)
        print(line)
    line = f"{all_passed:5} of {total:5}  cases of {kit}, in {runs} runs"
    print(line, file=report)
    print(line)
    return all_passed, total
