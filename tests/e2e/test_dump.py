"""DUMP DATABASE: statements that make the graph again, one snapshot, made as they are fetched."""

import collections
import math
import random

import neo4j
import pytest
from neo4j.exceptions import ClientError

from cluster import cluster

VALUES = [
    "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775807 - 1", "1.5", "-0.0", "1e300", "1e-300", "0.1 + 0.2",
    "1.0 / 0.0", "-1.0 / 0.0", "0.0 / 0.0", "''", "'plain'", r"'quo\'te \" ` \\ \n \t \r \u0000 \u007f é 😀'", "'; DROP ALL INDEXES; //'",
    "[]", "[1, 2, 3]", "['a', \"b'\"]", "[1.5, 2.5]", "[[1], [2, [3]]]", "[date('2020-02-29')]",
    "date('2020-02-29')", "date('-0044-03-15')", "date('+12345-01-01')", "localtime('00:00')", "localtime('23:59:59.999999999')",
    "time('10:00+01:00')", "time('00:00:00.5Z')", "time('12:00:30-11:30')", "localdatetime('2020-01-01T00:00')",
    "localdatetime('1969-12-31T23:59:59.000000001')", "datetime('2020-01-01T00:00:00Z')", "datetime('2020-06-01T12:00:00.123+02:00[Europe/Zagreb]')",
    "datetime('2020-01-01T00:00:00-05:30')", "duration('P0D')", "duration('P1Y2M3DT4H5M6.789S')", "duration({months: -1, days: 2, seconds: -3, nanoseconds: 4})",
    "point({x: 1, y: -2.5})", "point({x: 1, y: 2, z: 3})", "point({longitude: 15.98, latitude: 45.81})", "point({longitude: 1, latitude: 2, height: 3})",
]
NAMES = ["a", "Label", "with space", "back`tick", "ünïcode", "__mg_vertex__", "__mg_id__", "n", "MATCH", "\"", "a.b", "42"]


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def some(random_, things, most):
    return random_.sample(things, random_.randint(0, most))


def make(server, seed, vertices=120, edges=300):
    """A graph with every type of value under odd names; every vertex has a `uid`."""
    random_ = random.Random(seed)

    def properties(more=""):
        keys = some(random_, NAMES, 4)
        return "{" + ", ".join([f"{quoted(key)}: {random_.choice(VALUES)}" for key in keys] + ([more] if more else [])) + "}"

    for uid in range(vertices):
        labels = "".join(":" + quoted(name) for name in some(random_, NAMES, 3))
        more = f"uid: {uid}" + (f", value: {VALUES[uid]}" if uid < len(VALUES) else "")
        server.rows(f"CREATE ({labels} {properties(more)})")
    for _ in range(edges):
        a, b = (min(random_.randrange(vertices), random_.randrange(vertices)) for _ in range(2))
        server.rows(f"MATCH (a {{uid: {a}}}), (b {{uid: {b}}}) CREATE (a)-[:{quoted(random_.choice(NAMES))} {properties()}]->(b)")


def plain(value):
    """A value that compares by type, with NaN equal to itself."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if hasattr(value, "raw_data"):
        # A year that Python has not.
        return value.raw_data.tag, repr(value.raw_data.fields)
    return type(value).__name__, repr(value)


def graph(server):
    """Vertices and edges as bags."""
    def properties(entity):
        return repr(sorted((key, plain(value)) for key, value in entity.items()))

    vertices = collections.Counter((repr(sorted(n.labels)), properties(n)) for [n] in server.rows("MATCH (n) RETURN n"))
    edges = collections.Counter(
        (a, r.type, properties(r), b) for a, r, b in server.rows("MATCH (a)-[r]->(b) RETURN a.uid, r, b.uid"))
    return vertices, edges


def schema(server):
    return [sorted(map(repr, server.rows(query))) for query in (
        "SHOW INDEX INFO", "SHOW CONSTRAINT INFO",
        "SHOW INDEXES YIELD name, labelsOrTypes, properties, type", "SHOW CONSTRAINTS YIELD name, labelsOrTypes, properties, type")]


def load(source, target):
    for [statement] in source.rows("DUMP DATABASE"):
        target.rows(statement)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_graph_with_every_type_is_the_same_after_it_was_dumped_and_loaded(seed):
    with cluster(cores=2) as one, cluster(cores=1) as other:
        make(one.main, seed)
        for statement in [
            "CREATE INDEX ON :Label", "CREATE INDEX ON :Label(uid)", "CREATE INDEX ON :`back``tick`(`with space`, uid)",
            'CREATE INDEX ON :a(uid) WITH CONFIG {"order": "DESC"}', "CREATE INDEX `na``me` FOR (n:n) ON (n.uid)",
            "CREATE INDEX edges FOR ()-[r:MATCH]-() ON (r.a)", "CREATE EDGE INDEX ON :`with space`", "CREATE EDGE INDEX ON :a(`42`)",
            "CREATE CONSTRAINT ON (n:Label) ASSERT n.uid IS UNIQUE", "CREATE CONSTRAINT pair FOR (n:a) REQUIRE (n.uid, n.value) IS UNIQUE",
            "CREATE CONSTRAINT ON (n:n) ASSERT EXISTS (n.uid)", "CREATE CONSTRAINT there FOR (n:MATCH) REQUIRE n.uid IS NOT NULL",
            "CREATE CONSTRAINT ON (n:a) ASSERT n.uid IS TYPED INTEGER", "CREATE CONSTRAINT kind FOR (n:n) REQUIRE n.uid IS TYPED INTEGER",
        ]:
            one.main.rows(statement)
        load(one.main, other.main)
        assert graph(other.main) == graph(one.main)
        assert schema(other.main) == schema(one.main)
        # What was loaded can be dumped and loaded again.
        with cluster() as third:
            load(other.main, third.main)
            assert graph(third.main) == graph(one.main)
            assert schema(third.main) == schema(one.main)


def test_the_dump_of_nothing_is_empty(alone):
    assert alone.rows("DUMP DATABASE") == []
    alone.rows("CREATE INDEX ON :A(p)")
    assert alone.rows("DUMP DATABASE") == [["CREATE INDEX ON :`A`(`p`);"]]


def test_a_dump_is_of_one_snapshot_and_made_as_it_is_fetched(alone):
    alone.rows("UNWIND range(1, 60000) AS x CREATE (:N {x: x, s: 'some text that takes a few bytes'})")
    with alone.driver.session(fetch_size=10) as session:
        result = session.run("DUMP DATABASE")
        rows = iter(result)
        first = [next(rows)["QUERY"] for _ in range(5)]
        alone.rows("MATCH (n:N) WHERE n.x > 30000 DETACH DELETE n")
        alone.rows("CREATE (:Later)")
        rest = [record["QUERY"] for record in rows]
    statements = first + rest
    assert sum(statement.startswith("CREATE (:__mg_vertex__:`N`") for statement in statements) == 60_000
    assert not any("Later" in statement for statement in statements)


def test_a_dump_goes_on_while_others_are_served_and_stops_when_told(alone):
    alone.rows("UNWIND range(1, 20000) AS x CREATE (:N {x: x})")
    with alone.driver.session(fetch_size=10) as session:
        rows = iter(session.run("DUMP DATABASE"))
        next(rows)
        [row] = [row for row in alone.rows("SHOW TRANSACTIONS") if row[2] == ["DUMP DATABASE"]]
        assert alone.rows("TERMINATE TRANSACTIONS $id", id=row[1]) == [[row[1], True]]
        with pytest.raises(Exception, match="TERMINATE"):
            for _ in rows:
                pass


def test_a_value_without_a_literal_is_refused_by_its_name(alone):
    alone.rows("CREATE (:N {fine: 1, raw: $raw})", raw=b"\x00\x01")
    with pytest.raises(ClientError, match="`raw`.*bytes"):
        alone.rows("DUMP DATABASE")


def test_a_dump_is_a_read(alone):
    alone.rows("CREATE (:N)")
    with alone.driver.session(default_access_mode=neo4j.READ_ACCESS) as session, session.begin_transaction() as transaction:
        assert len(list(transaction.run("DUMP DATABASE"))) == 4
