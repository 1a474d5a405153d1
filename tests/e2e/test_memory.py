"""Memory as an operator sees it: who holds it, who keeps it from being freed, and what happens at the limit."""

import contextlib
import threading

import pytest
from cluster import cluster, eventually
from neo4j import GraphDatabase
from neo4j.exceptions import Neo4jError

MIB = 1 << 20
LIMIT_MIB = 96

OUT_OF_MEMORY = "Neo.TransientError.General.MemoryPoolOutOfMemoryError"


def memory_info(server):
    with server.driver.session() as session:
        return {record["memory info"]: record for record in session.run("SHOW MEMORY INFO")}


def tracked(server):
    return memory_info(server)["tracked"]["value"]


@pytest.fixture
def limited():
    with cluster(cores=2, arguments=["--memory-limit", str(LIMIT_MIB), "--durability", "none"]) as made:
        yield made.main


@contextlib.contextmanager
def connections(server, count):
    """Sessions on connections of their own: the listener deals them to the cores in turn."""
    with contextlib.ExitStack() as stack:
        sessions = []
        for _ in range(count):
            driver = stack.enter_context(
                GraphDatabase.driver(f"bolt://{server.address}", auth=None, max_connection_pool_size=1)
            )
            sessions.append(stack.enter_context(driver.session()))
        yield sessions


def refused(call):
    with pytest.raises(Neo4jError) as raised:
        call()
    assert raised.value.code == OUT_OF_MEMORY, raised.value
    assert "memory limit exceeded" in raised.value.message, raised.value.message
    return raised.value.message


def quiet_at(server, bytes):
    """Waits until what was undone has been freed."""
    eventually(lambda: tracked(server) <= bytes, f"tracked memory to fall to {bytes}", seconds=20)


def auto_commit(session, query):
    """One attempt: the driver's own retries are for functions."""
    return session.run(query).consume()


TOO_MUCH = "UNWIND range(1, 10000000) AS i CREATE (:Big {i: i, text: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'})"


def test_a_create_that_passes_the_limit_is_refused_and_undone_on_each_core(limited):
    limited.rows("CREATE (:Kept {n: 1})")
    before = tracked(limited)
    with connections(limited, 4) as sessions:
        for session in sessions:
            message = refused(lambda: auto_commit(session, TOO_MUCH))
            assert f"{LIMIT_MIB}.00 MiB" in message, "it says what the limit is"
            assert limited.rows("MATCH (n) RETURN count(n), sum(n.n)") == [[1, 1]]
            quiet_at(limited, before + 2 * MIB)
        # All at once: the budget is one for all cores.
        outcomes = []

        def big(session):
            try:
                auto_commit(session, TOO_MUCH)
                outcomes.append("done")
            except Neo4jError as error:
                outcomes.append(error.code)

        threads = [threading.Thread(target=big, args=[session]) for session in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [OUT_OF_MEMORY] * len(sessions)
        quiet_at(limited, before + 2 * MIB)
        # What is small goes on, on every one of them.
        for n, session in enumerate(sessions):
            auto_commit(session, f"CREATE (:After {{n: {n}}})")
    assert limited.rows("MATCH (n:After) RETURN count(n)") == [[4]]
    assert limited.rows("MATCH (n:Big) RETURN count(n)") == [[0]]


@pytest.mark.parametrize(
    "query",
    [
        "UNWIND range(1, 100000000) AS i RETURN size(collect([i, i]))",
        "UNWIND range(1, 100000000) AS i WITH i ORDER BY -i RETURN i LIMIT 1000000000",
        "UNWIND range(1, 100000000) AS i RETURN count(DISTINCT toString(i))",
        "RETURN size(reduce(s = 'x', i IN range(1, 40) | s + s))",
        "RETURN size(reduce(l = [1], i IN range(1, 40) | l + l))",
        "RETURN size([i IN range(1, 2000000) | toString(i) + 'a long text behind it, as long as this'])",
        "RETURN size(COLLECT { UNWIND range(1, 100000000) AS i RETURN toString(i) + 'a long text behind it' })",
    ],
)
def test_a_query_that_holds_too_much_is_refused_on_each_core(limited, query):
    limited.rows("CREATE (:Kept)")
    before = tracked(limited)
    with connections(limited, 2) as sessions:
        for session in sessions:
            refused(lambda: auto_commit(session, query))
            quiet_at(limited, before + MIB)
            assert session.run("MATCH (n:Kept) RETURN count(n)").single().value() == 1


def test_an_explicit_transaction_that_meets_the_limit_is_undone_as_a_whole(limited):
    with connections(limited, 1) as [session]:
        tx = session.begin_transaction()
        tx.run("CREATE (:First)").consume()
        refused(lambda: tx.run(TOO_MUCH).consume())
        tx.close()
        assert session.run("MATCH (n) RETURN count(n)").single().value() == 0
        session.run("CREATE (:Next)").consume()
    assert limited.rows("MATCH (n) RETURN count(n)") == [[1]]


def test_a_property_larger_than_what_is_left_is_refused(limited):
    text = "x" * (30 * MIB)
    limited.rows("CREATE (:Kept)")
    for _ in range(3):
        refused(lambda: limited.rows("MATCH (n:Kept) SET n.a = $t, n.b = $t, n.c = $t, n.d = $t", t=text))
    assert limited.rows("MATCH (n:Kept) RETURN keys(n)") == [[[]]]


def test_without_a_limit_nothing_is_refused_and_no_flag_is_warned_of():
    with cluster(arguments=["--memory-limit=0", "--durability", "none"]) as made:
        made.main.rows("UNWIND range(1, 200000) AS i CREATE (:N {i: i})")
        assert memory_info(made.main)["limit"]["value"] is None
        assert "memory-limit" not in made.main.log()


def test_memory_is_told_by_owner_and_goes_back_to_the_system(alone):
    alone.rows("CREATE INDEX ON :N(i)")
    alone.rows("CREATE (:Kept)")
    start = memory_info(alone)
    assert {"pages", "adjacency", "versions", "columns", "indexes", "transactions", "queries"} <= set(start)
    resident = alone.resident_bytes()
    alone.rows("UNWIND range(1, 300000) AS i CREATE (:N {i: i, text: toString(i)})-[:T]->(:M)")
    full = eventually(
        lambda: (info := memory_info(alone)) and info["columns"]["value"] > 2 * MIB and info, "columns to be folded"
    )
    for owner, at_least in [("pages", 10 * MIB), ("adjacency", 4 * MIB), ("indexes", 4 * MIB)]:
        assert full[owner]["value"] > start[owner]["value"] + at_least, owner
    grown = alone.resident_bytes() - resident
    assert grown > 40 * MIB
    alone.rows("MATCH (n) WHERE NOT n:Kept DETACH DELETE n")
    quiet_at(alone, start["tracked"]["value"] + MIB)

    def given_back():
        alone.rows("FREE MEMORY")
        left = alone.resident_bytes() - resident
        return left < grown / 4 and left

    left = eventually(given_back, "memory to go back to the system")
    print(f"resident: {grown >> 20} MiB more, of which {left >> 20} stay")


def test_a_reader_that_holds_memory_back_is_named_until_it_ends(alone):
    alone.rows("UNWIND range(1, 100) AS i CREATE (:N {i: i})")
    with GraphDatabase.driver(f"bolt://{alone.address}", auth=None) as driver, driver.session() as session:
        with session.begin_transaction() as tx:
            assert tx.run("MATCH (n:N) RETURN sum(n.i)").single().value() == 5050
            for _ in range(50):
                alone.rows("MATCH (n:N) SET n.i = n.i + 1")

            def told():
                rows = [row for name, row in memory_info(alone).items() if name.startswith("transaction of bolt-")]
                return rows

            [row] = eventually(told, "the reader to be old enough")
            assert row["value"] == 50, "commits since its snapshot"
            assert "open for" in row["detail"] and "core 0" in row["detail"]
            versions = memory_info(alone)["versions"]["value"]
            assert versions < 100 * 2 * 200, "two states of each vertex: the reader's and the newest"
            assert tx.run("MATCH (n:N) RETURN sum(n.i)").single().value() == 5050
        assert told() == []
    eventually(lambda: memory_info(alone)["versions"]["value"] == 0, "all to be folded")


def test_pages_with_few_survivors_are_reported(alone):
    alone.rows("UNWIND range(1, 20000) AS i CREATE (:N {i: i})")
    alone.rows("MATCH (n:N) WHERE n.i % 1000 <> 0 DELETE n")
    row = eventually(
        lambda: (row := memory_info(alone)["sparse pages"]) and row["value"] > 0 and row, "vertices to be forgotten"
    )
    eventually(lambda: ", 20 together" in memory_info(alone)["sparse pages"]["detail"], "all of them")
    assert row["value"] < 21 * 64 * 1024
    assert alone.rows("MATCH (n:N) RETURN count(n)") == [[20]]


def test_storage_info_has_memgraphs_rows(alone):
    alone.rows("CREATE (:A)-[:T]->(:B)")
    info = dict(alone.rows("SHOW STORAGE INFO"))
    assert info["vertex_count"] == 2 and info["edge_count"] == 1 and info["average_degree"] == 1.0
    for name in ["memory_res", "peak_memory_res", "disk_usage", "memory_tracked"]:
        assert info[name].endswith(("iB", "B")), name
    assert info["memory_limit"] == info["allocation_limit"] == "unlimited"
    assert info["storage_mode"] == info["global_storage_mode"] == "IN_MEMORY_TRANSACTIONAL"
    assert info["vm_max_map_count"] > 0 and info["unreleased_delta_objects"] >= 0
    for query in ["SHOW STORAGE INFO ON CURRENT DATABASE", "SHOW STORAGE INFO ON DATABASE memgraph"]:
        info = dict(alone.rows(query))
        assert list(info)[:7] == [
            "name",
            "database_uuid",
            "state",
            "storage_mode",
            "vertex_count",
            "edge_count",
            "average_degree",
        ]
        assert info["vertex_count"] == 2 and info["health"] == "ready"
    with pytest.raises(Neo4jError, match="no database `other`"):
        alone.rows("SHOW STORAGE INFO ON DATABASE other")
