"""Values as the kit writes them, and its rules of comparison.

Owned here: the grammar of the kit's README, section 4, and what equals what (section 3). Values from the wire (`bolt`) and values from
tables are the same Python types. Always holds: an integer is never a float, a truth value never a number; temporal values are text.
"""

import dataclasses
import math
import re


@dataclasses.dataclass
class Node:
    labels: frozenset
    properties: dict
    id: int | None = None


@dataclasses.dataclass
class Relationship:
    type: str
    properties: dict
    id: int | None = None


@dataclasses.dataclass
class Path:
    """The first node, then (relationship, walked along its arrow, node it led to)."""

    start: Node
    steps: list


TOKEN = re.compile(r"""\s*(?:
    (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<number>-?(?:\d+\.\d+|\.\d+|\d+)(?:[eE]-?\d+)?)
  | (?P<name>[A-Za-z0-9_$]+)
  | (?P<sign><-|->|[()\[\]{}<>:,-])
)""", re.VERBOSE | re.DOTALL)


class Reader:
    def __init__(self, text):
        self.text, self.at = text, 0
        self.kind = self.token = None
        self.advance()

    def advance(self):
        found = TOKEN.match(self.text, self.at)
        if found is None:
            if self.text[self.at:].strip():
                raise ValueError(f"cannot read {self.text!r} at {self.at}")
            self.kind = self.token = None
            return
        self.kind, self.token, self.at = found.lastgroup, found[found.lastgroup], found.end()

    def take(self, token):
        if self.token != token or self.kind == "string":
            raise ValueError(f"{token!r} expected in {self.text!r}, {self.token!r} found")
        self.advance()

    def is_at(self, token):
        return self.token == token and self.kind == "sign"

    def name(self):
        if self.kind not in ("name", "number"):
            raise ValueError(f"a name expected in {self.text!r}, {self.token!r} found")
        token = self.token
        self.advance()
        return token

    def value(self):
        kind, token = self.kind, self.token
        if kind == "string":
            self.advance()
            return re.sub(r"\\(['\\])", r"\1", token[1:-1])
        if kind == "number":
            self.advance()
            return float(token) if any(c in token for c in ".eE") else int(token)
        if kind == "name":
            self.advance()
            return {"true": True, "false": False, "null": None, "NaN": math.nan}[token]
        if token == "(":
            return self.node()
        if token == "{":
            return self.map()
        if token == "<":
            return self.path()
        self.take("[")
        if self.is_at(":"):
            return self.relationship_rest()
        values = []
        while not self.is_at("]"):
            values.append(self.value())
            if not self.is_at("]"):
                self.take(",")
        self.take("]")
        return values

    def map(self):
        self.take("{")
        entries = {}
        while not self.is_at("}"):
            name = self.name()
            self.take(":")
            entries[name] = self.value()
            if not self.is_at("}"):
                self.take(",")
        self.take("}")
        return entries

    def node(self):
        self.take("(")
        labels = set()
        while self.is_at(":"):
            self.advance()
            labels.add(self.name())
        properties = self.map() if self.is_at("{") else {}
        self.take(")")
        return Node(frozenset(labels), properties)

    def relationship_rest(self):
        self.take(":")
        type_ = self.name()
        properties = self.map() if self.is_at("{") else {}
        self.take("]")
        return Relationship(type_, properties)

    def path(self):
        self.take("<")
        start, steps = self.node(), []
        while not self.is_at(">"):
            along = not self.is_at("<-")
            self.take("-" if along else "<-")
            self.take("[")
            relationship = self.relationship_rest()
            self.take("->" if along else "-")
            steps.append((relationship, along, self.node()))
        self.take(">")
        return Path(start, steps)


def parse(text):
    reader = Reader(text)
    value = reader.value()
    if reader.token is not None:
        raise ValueError(f"more than a value: {text!r}")
    return value


def same(a, b, as_bags=False):
    """Whether two values are the same; with `as_bags` lists compare without order, at any depth."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list):
        if as_bags:
            return same_bag(a, b, lambda x, y: same(x, y, True))
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key], as_bags) for key in a)
    if isinstance(a, Node):
        return a.labels == b.labels and same(a.properties, b.properties, as_bags)
    if isinstance(a, Relationship):
        return a.type == b.type and same(a.properties, b.properties, as_bags)
    if isinstance(a, Path):
        return (same(a.start, b.start, as_bags) and len(a.steps) == len(b.steps)
                and all(x[1] == y[1] and same(x[0], y[0], as_bags) and same(x[2], y[2], as_bags)
                        for x, y in zip(a.steps, b.steps)))
    return a == b


def same_bag(a, b, equal):
    """Whether there is a one to one match; sameness is an equivalence, so the first fitting one will do."""
    rest = list(b)
    for value in a:
        for at, other in enumerate(rest):
            if equal(value, other):
                del rest[at]
                break
        else:
            return False
    return not rest
