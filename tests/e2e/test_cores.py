"""The same files at any number of cores: every id, property, edge and index as it was."""

import random

import pytest
from cluster import Server

CORES = (1, 3, 8)


def picture(server):
    """All that can be told about the graph, ids included, in an order of its own."""
    vertices = server.rows("MATCH (n) RETURN id(n), labels(n), properties(n) ORDER BY id(n)")
    edges = server.rows("MATCH (a)-[r]->(b) RETURN id(r), id(a), id(b), type(r), properties(r) ORDER BY id(r)")
    backwards = server.rows("MATCH (b)<-[r]-(a) RETURN id(r), id(a), id(b), type(r), properties(r) ORDER BY id(r)")
    assert edges == backwards, "the two sides of the edges differ"
    return vertices, edges, server.rows("SHOW INDEX INFO")


def fill(server, seed):
    numbers = random.Random(seed)
    server.run("CREATE INDEX ON :P(n)")
    # Several connections, so that every core makes vertices on its own shard.
    for start in range(0, 3000, 100):
        with server.driver.session() as session:
            session.run("UNWIND range($from, $to) AS n CREATE (:P {n: n, name: 'p' + n, half: n / 2.0})",
                        {"from": start, "to": start + 99}).consume()
    pairs = [{"a": numbers.randrange(3000), "b": numbers.randrange(3000), "w": numbers.randrange(10)} for _ in range(6000)]
    server.run("UNWIND $pairs AS p MATCH (a:P {n: p.a}), (b:P {n: p.b}) CREATE (a)-[:R {w: p.w}]->(b)", pairs=pairs)
    server.run("MATCH (a:P) WHERE a.n % 7 = 0 SET a:Seventh, a.extra = [a.n, 'x'] REMOVE a.half")
    server.run("MATCH (a:P) WHERE a.n % 31 = 5 DETACH DELETE a")
    server.run("MATCH (:P)-[r:R {w: 3}]->() DELETE r")


@pytest.mark.timeout(240)
def test_a_database_of_two_cores_opens_with_one_three_and_eight_cores(tmp_path):
    server = Server("main", tmp_path / "data", cores=2).start()
    try:
        fill(server, seed=4)
        expected = picture(server)
        assert len(expected[0]) > 2800 and len(expected[1]) > 4000
        given = {row[0] for row in expected[0]}
        for cores in CORES:
            assert server.stop() == 0
            server.cores = cores
            server.restart()
            assert picture(server) == expected, f"with {cores} cores"
            # It is not only readable: each number of cores writes to it, and undoes that again by words.
            made = server.rows("CREATE (a:P {n: -1})-[r:R]->(b:P {n: -2}) RETURN id(a), id(b)")[0]
            assert not set(made) & given, "an id was given twice"
            given.update(made)
            server.run("MATCH (n:P) WHERE n.n < 0 DETACH DELETE n")
            assert picture(server) == expected
    finally:
        server.stop()
