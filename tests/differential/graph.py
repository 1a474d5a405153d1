"""The graph that generated queries run on.

Owned here: its labels, types and properties, and the statement that makes it. Always holds: one seed gives one graph; every node and
relationship has an `id` that no other has, so that answers of two engines can be told apart by it.
"""

LABELS = ["A", "B", "C"]
TYPES = ["R", "S", "T"]

# Property key -> its type in the generator's words; `x` holds values of several types. Any of them may be absent.
PROPERTIES = {"i": "int", "j": "int", "f": "float", "s": "str", "b": "bool", "l": "ints", "d": "date", "x": "any"}


def literal(value):
    """A value of the generator as Cypher text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value + "'"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, tuple):
        return f"date('{value[0]}')"
    return repr(value)


def value_of(random, type_):
    """A literal value of a type; small domains, so that equal values meet."""
    match type_:
        case "int":
            return random.randint(-2, 5)
        case "float":
            # Quarters: sums do not depend on their order.
            return random.randint(-4, 12) / 4
        case "str":
            return random.choice(["", "a", "b", "ab", "abc", "B", "Ab", "ba"])
        case "bool":
            return random.random() < 0.5
        case "ints":
            return [random.randint(0, 3) for _ in range(random.randint(0, 3))]
        case "date":
            return (random.choice(["2020-01-01", "2020-02-29", "1999-12-31", "2020-12-31"]),)
        case "any":
            return value_of(random, random.choice(["int", "int", "float", "str", "bool", "ints", "date"]))
    raise ValueError(type_)


def properties(random, id_):
    held = [f"id: {id_}"]
    for key, type_ in PROPERTIES.items():
        if random.random() < 0.6:
            held.append(f"{key}: {literal(value_of(random, type_))}")
    return "{" + ", ".join(held) + "}"


def creation(random):
    """The statement that creates the graph on an empty one."""
    nodes, edges = random.randint(6, 12), random.randint(6, 22)
    parts = []
    for node in range(nodes):
        labels = "".join(f":{label}" for label in LABELS if random.random() < 0.45)
        parts.append(f"(n{node}{labels} {properties(random, node)})")
    for edge in range(edges):
        # A few favourites: hubs, parallel relationships and loops.
        start, end = (int(random.triangular(0, nodes - 1, 1)) for _ in range(2))
        parts.append(f"(n{start})-[:{random.choice(TYPES)} {properties(random, 100 + edge)}]->(n{end})")
    return "CREATE " + ", ".join(parts)
