"""What each isolation level allows and forbids: the Hermitage cases in Cypher over Bolt, and what only a graph can get wrong.

Each case is a script of steps by two or three transactions on connections of their own, dealt to both cores of a server.
"""

import random
import threading
import time

import pytest
from neo4j import GraphDatabase
from neo4j.exceptions import ClientError, ConstraintError, DriverError, Neo4jError, TransientError

from cluster import cluster, eventually, join
from isolation import LEVELS, refused, rooms


@pytest.fixture(scope="module")
def make_room():
    with rooms() as make:
        make("snapshot").run("CREATE CONSTRAINT ON (k:Kv) ASSERT k.key IS UNIQUE")
        yield make


@pytest.fixture(params=LEVELS)
def room(request, make_room):
    """A room at each level, with keys 1 and 2 of values 10 and 20."""
    made = make_room(request.param)
    made.empty()
    made.run("CREATE (:Kv {key: 1, value: 10}), (:Kv {key: 2, value: 20})")
    return made


def values(room):
    return [value for (value,) in room.run("MATCH (n:Kv) RETURN n.value ORDER BY n.key")]


# -- Hermitage --------------------------------------------------------------------------------------------------------


def test_g0_nobody_writes_over_an_uncommitted_write(room):
    with room.transactions(2) as (first, second):
        first.write(1, 11)
        message = refused(second.write, 1, 12)
        assert "node" in message, message
        first.write(2, 21)
        first.commit()
    assert values(room) == [11, 21]


def test_g1a_what_is_rolled_back_is_read_by_readers_of_the_uncommitted_only(room):
    with room.transactions(2) as (writer, reader):
        writer.write(1, 101)
        assert reader.read(1) == [room.expect(10, 10, 101)]
        writer.rollback()
        assert reader.read(1) == [10]


def test_g1b_a_value_that_is_overwritten_before_its_commit_is_read_by_readers_of_the_uncommitted_only(room):
    with room.transactions(2) as (writer, reader):
        writer.write(1, 101)
        assert reader.read(1) == [room.expect(10, 10, 101)]
        writer.write(1, 11)
        writer.commit()
        assert reader.read(1) == [room.expect(10, 11, 11)]


def test_g1c_two_transactions_do_not_read_each_other(room):
    with room.transactions(2) as (first, second):
        first.write(1, 11)
        second.write(2, 22)
        assert first.read(2) == [room.expect(20, 20, 22)]
        assert second.read(1) == [room.expect(10, 10, 11)]
        first.commit()
        second.commit()
    assert values(room) == [11, 22]


def test_otv_an_observed_transaction_does_not_vanish(room):
    with room.transactions(3) as (first, second, reader):
        first.write(1, 11)
        first.write(2, 19)
        refused(second.write, 1, 12)
        assert reader.both() == room.expect([10, 20], [10, 20], [11, 19])
        first.commit()
        expected = room.expect([10, 20], [11, 19], [11, 19])
        assert reader.both() == expected
        assert reader.both() == expected


def test_pmp_a_predicate_that_others_come_to_match(room):
    with room.transactions(2) as (reader, writer):
        assert reader.keys("n.value = 30") == []
        writer.run("CREATE (:Kv {key: 3, value: 30})")
        assert reader.keys("n.value % 3 = 0") == room.expect([], [], [3])
        writer.commit()
        assert reader.keys("n.value % 3 = 0") == room.expect([], [3], [3])


def test_pmp_a_write_by_a_predicate_that_another_is_changing_is_refused(room):
    with room.transactions(2) as (first, second):
        first.run("MATCH (n:Kv) SET n.value = n.value + 10")
        refused(second.run, "MATCH (n:Kv {value: 20}) DETACH DELETE n")
        first.commit()
    assert values(room) == [20, 30]


def test_p4_no_update_is_lost(room):
    with room.transactions(2) as (first, second):
        assert first.read(1) == second.read(1) == [10]
        first.write(1, 11)
        refused(second.write, 1, 11)
        first.commit()
    assert values(room) == [11, 20]


def test_p4_an_update_that_reads_and_writes_in_one_statement_is_never_lost(room):
    with room.transactions(2) as (first, second):
        assert first.read(1) == [10]
        second.run("MATCH (n:Kv {key: 1}) SET n.value = n.value + 5")
        second.commit()
        add = "MATCH (n:Kv {key: 1}) SET n.value = n.value + 1"
        if room.level == "snapshot":
            refused(first.run, add)
        else:
            first.run(add)
            first.commit()
    assert values(room)[0] == room.expect(15, 16, 16)


def test_g_single_a_reader_sees_two_states_only_where_each_statement_has_its_own(room):
    with room.transactions(2) as (reader, writer):
        assert reader.read(1) == [10]
        writer.write(1, 12)
        writer.write(2, 18)
        writer.commit()
        assert reader.read(2) == [room.expect(20, 18, 18)]


def test_g_single_a_write_that_rests_on_an_old_state_is_refused(room):
    with room.transactions(2) as (first, second):
        assert first.read(1) == [10]
        second.write(1, 12)
        second.write(2, 18)
        second.commit()
        delete = "MATCH (n:Kv {value: 20}) DELETE n"
        if room.level == "snapshot":
            refused(first.run, delete)
        else:
            first.run(delete)
            first.commit()
    assert values(room) == [12, 18]


def test_g2_write_skew_on_items_is_allowed(room):
    with room.transactions(2) as (first, second):
        assert first.both() == second.both() == [10, 20]
        first.write(1, 11)
        second.write(2, 21)
        first.commit()
        second.commit()
    assert values(room) == [11, 21]


def test_g2_write_skew_by_predicates_is_allowed(room):
    with room.transactions(2) as (first, second):
        for transaction in (first, second):
            assert transaction.keys("n.value % 3 = 0") == []
        first.run("CREATE (:Kv {key: 3, value: 30})")
        second.run("CREATE (:Kv {key: 4, value: 42})")
        first.commit()
        second.commit()
    assert values(room) == [10, 20, 30, 42]


# -- what only a graph can get wrong ----------------------------------------------------------------------------------


def nothing_dangles(room):
    out = room.run("MATCH (a)-[r]->(b) RETURN id(a), id(r), id(b) ORDER BY id(r)")
    back = room.run("MATCH (b)<-[r]-(a) RETURN id(a), id(r), id(b) ORDER BY id(r)")
    assert out == back
    ids = {i for (i,) in room.run("MATCH (n) RETURN id(n)")}
    assert all(a in ids and b in ids for a, _, b in out)
    return len(out)


LINK = "MATCH (a:Kv {key: 1}), (b:Kv {key: 2}) CREATE (a)-[:T]->(b)"


@pytest.mark.parametrize("victim", [1, 2], ids=["source", "target"])
def test_a_vertex_is_not_deleted_while_an_edge_is_made_at_it(room, victim):
    with room.transactions(2) as (maker, deleter):
        maker.run(LINK)
        refused(deleter.run, "MATCH (n:Kv {key: $key}) DETACH DELETE n", key=victim)
        maker.commit()
    assert nothing_dangles(room) == 1


@pytest.mark.parametrize("victim", [1, 2], ids=["source", "target"])
def test_an_edge_is_not_made_at_a_vertex_that_is_being_deleted(room, victim):
    with room.transactions(2) as (maker, deleter):
        deleter.run("MATCH (n:Kv {key: $key}) DETACH DELETE n", key=victim)
        if room.level == "read uncommitted":
            # The deletion is seen already: there is nothing to make the edge at.
            maker.run(LINK)
        else:
            refused(maker.run, LINK)
        deleter.commit()
    assert nothing_dangles(room) == 0
    assert len(values(room)) == 1


def test_a_vertex_deleted_since_the_snapshot_gets_no_edge(room):
    with room.transactions(2) as (maker, deleter):
        assert maker.both() == [10, 20]
        deleter.run("MATCH (n:Kv {key: 2}) DETACH DELETE n")
        deleter.commit()
        if room.level == "snapshot":
            refused(maker.run, LINK)
        else:
            maker.run(LINK)
            maker.commit()
    assert nothing_dangles(room) == 0


def test_edges_at_one_hub_do_not_conflict(room):
    with room.transactions(3) as transactions:
        for number, transaction in enumerate(transactions):
            transaction.run("MATCH (hub:Kv {key: 1}) CREATE (hub)-[:T]->(:Leaf {number: $n})", n=number)
        for transaction in transactions:
            transaction.commit()
    assert nothing_dangles(room) == 3


def test_both_ends_show_an_edge_with_the_same_properties(room):
    room.run("MATCH (a:Kv {key: 1}), (b:Kv {key: 2}) CREATE (a)-[:T {version: 0}]->(b)")
    ways = ["MATCH (:Kv {key: 1})-[r:T]->() RETURN r.version", "MATCH (:Kv {key: 2})<-[r:T]-() RETURN r.version",
            "MATCH ()-[r:T]-() RETURN DISTINCT r.version"]
    with room.transactions(2) as (writer, reader):
        def look():
            return [reader.run(way) for way in ways]

        assert look() == [[[0]]] * 3
        writer.run("MATCH ()-[r:T]->() SET r.version = 1")
        assert look() == [[[room.expect(0, 0, 1)]]] * 3
        writer.commit()
        assert look() == [[[room.expect(0, 1, 1)]]] * 3


def test_a_deleted_edge_vanishes_from_both_ends_at_once(room):
    room.run(LINK)
    ways = ["MATCH (:Kv {key: 1})-[r]->() RETURN count(r)", "MATCH (:Kv {key: 2})<-[r]-() RETURN count(r)"]
    with room.transactions(2) as (writer, reader):
        def look():
            (out,), (back,) = (reader.run(way) for way in ways)
            assert out == back
            return out[0]

        assert look() == 1
        writer.run("MATCH ()-[r:T]->() DELETE r")
        assert look() == room.expect(1, 1, 0)
        writer.commit()
        assert look() == room.expect(1, 0, 0)


def test_an_index_shows_what_a_scan_shows(room):
    room.run("CREATE INDEX ON :Indexed(key)")
    room.run("UNWIND range(1, 20) AS i CREATE (:Indexed {key: i % 4, plain: i % 4})")
    with room.transactions(2) as (writer, reader):
        def look():
            counts = []
            for name in ("key", "plain"):
                query = f"MATCH (n:Indexed) WHERE n.{name} = 1 RETURN count(n)"
                counts += reader.run(query)[0]
            assert counts[0] == counts[1]
            return counts[0]

        assert look() == 5
        writer.run("MATCH (n:Indexed {key: 1}) WITH n LIMIT 3 SET n.key = 2, n.plain = 2")
        writer.run("CREATE (:Indexed {key: 1, plain: 1})")
        assert look() == room.expect(5, 5, 3)
        writer.commit()
        assert look() == room.expect(5, 3, 3)
    room.run("DROP INDEX ON :Indexed(key)")


def test_a_long_reader_keeps_its_snapshot_while_others_change_everything(make_room):
    room = make_room("snapshot")
    room.empty()
    room.run("UNWIND range(1, 200) AS i CREATE (:Kv {key: i, value: 1})-[:T]->(:Leaf {key: i})")
    with room.transactions(1) as (reader,):
        look = "MATCH (n:Kv) OPTIONAL MATCH (n)-[r:T]->(:Leaf) RETURN count(DISTINCT n), sum(n.value), count(r)"
        before = reader.run(look)
        assert before == [[200, 200, 200]]
        for turn in range(20):
            room.run("MATCH (n:Kv) SET n.value = n.value + 1")
            room.run("MATCH (n:Kv {key: $key})-[:T]->(l) DETACH DELETE n, l", key=turn + 1)
            room.run("CREATE (:Kv {key: $key, value: 5})", key=1000 + turn)
            assert reader.run(look) == before
    assert room.run("MATCH (n:Leaf) RETURN count(n)") == [[180]]


def race(count, body):
    """Runs `body(number)` on so many threads at once; what they returned. Raises what the first of them raised."""
    start, results, raised = threading.Barrier(count), [None] * count, []

    def run(number):
        start.wait()
        try:
            results[number] = body(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    join(threads, 120)
    if raised:
        raise raised[0]
    return results


def insist(session, query, **parameters):
    """Runs a query in a transaction of its own until it does not conflict, as `execute_write` does but without its pauses of seconds."""
    while True:
        tx = session.begin_transaction()
        try:
            tx.run(query, parameters).consume()
            return tx.commit()
        except TransientError:
            # Nothing more through `tx`: its failure gave the connection back to the pool, where another client may have it.
            time.sleep(random.random() * 0.005)


def test_merges_of_one_key_make_one_vertex(room):
    def merge(number):
        with room.server.driver.session() as session:
            for key in range(40):
                insist(session, "MERGE (n:Once {key: $key}) ON CREATE SET n.by = $by", key=key, by=number)

    race(4, merge)
    assert room.run("MATCH (n:Once) RETURN count(n), count(DISTINCT n.key)") == [[40, 40]]


def test_merges_of_one_edge_make_one_edge(room):
    def merge(_):
        with room.server.driver.session() as session:
            for kind in range(30):
                insist(session, "MATCH (a:Kv {key: 1}), (b:Kv {key: 2}) MERGE (a)-[:T {kind: $kind}]->(b)", kind=kind)

    race(4, merge)
    assert room.run("MATCH (:Kv)-[r:T]->(:Kv) RETURN count(r), count(DISTINCT r.kind)") == [[30, 30]]


def test_merges_sent_as_single_statements_are_the_servers_to_solve(room):
    def merge(_):
        with room.server.driver.session() as session:
            for key in range(40):
                session.run("MERGE (n:Once {key: $key}) RETURN n.key", key=key).consume()

    race(2, merge)
    assert room.run("MATCH (n:Once) RETURN count(n), count(DISTINCT n.key)") == [[40, 40]]


def test_a_merge_meets_one_that_is_not_committed(room):
    with room.transactions(2) as (first, second):
        first.run("MERGE (n:Once {key: 1})")
        if room.level == "read uncommitted":
            assert second.run("MERGE (n:Once {key: 1}) RETURN n.key") == [[1]]
        else:
            refused(second.run, "MERGE (n:Once {key: 1})")
        first.commit()
    assert room.run("MATCH (n:Once) RETURN count(n)") == [[1]]


def test_a_merge_meets_one_that_committed_behind_its_snapshot(make_room):
    room = make_room("snapshot")
    room.empty()
    with room.transactions(2) as (first, second):
        second.run("MATCH (n) RETURN n")
        first.run("MERGE (n:Once {key: 1})")
        first.commit()
        refused(second.run, "MERGE (n:Once {key: 1})")
    assert room.run("MATCH (n:Once) RETURN count(n)") == [[1]]


def test_a_unique_key_that_is_not_committed_is_a_conflict_and_a_committed_one_is_taken(room):
    create = "CREATE (:Kv {key: 7})"
    with room.transactions(3) as (first, second, third):
        assert third.both() == [10, 20]
        first.run(create)
        refused(second.run, create)
        first.commit()
        # Also for one whose snapshot is older.
        with pytest.raises(ConstraintError, match="key"):
            third.run(create)
    with pytest.raises(ConstraintError, match="key"):
        room.run(create)
    assert room.run("MATCH (n:Kv {key: 7}) RETURN count(n)") == [[1]]


def test_a_unique_key_given_back_by_a_rollback_can_be_taken(room):
    create = "CREATE (:Kv {key: 7})"
    with room.transactions(2) as (first, second):
        first.run(create)
        first.run("MATCH (n:Kv {key: 1}) SET n.key = 8")
        first.rollback()
        second.run(create)
        second.run("CREATE (:Kv {key: 8})")
        second.commit()
    assert room.run("MATCH (n:Kv) RETURN n.key ORDER BY n.key") == [[1], [2], [7], [8]]


def test_of_eight_clients_who_insert_the_same_keys_exactly_one_wins_each(room):
    keys, clients = 25, 8

    def insert(number):
        won = 0
        with room.server.driver.session() as session:
            for key in range(100, 100 + keys):
                try:
                    insist(session, "CREATE (:Kv {key: $key, value: $by})", key=key, by=number)
                    won += 1
                except ConstraintError:
                    pass
        return won

    assert sum(race(clients, insert)) == keys
    found = room.run("MATCH (n:Kv) WHERE n.key >= 100 RETURN count(n), count(DISTINCT n.key)")
    assert found == [[keys, keys]]


# -- conflicts and failures -------------------------------------------------------------------------------------------


def test_increments_by_single_statements_need_no_retry_by_the_client(room):
    def add(_):
        with room.server.driver.session() as session:
            for _ in range(100):
                session.run("MATCH (n:Kv {key: 1}) SET n.value = n.value + 1").consume()

    race(4, add)
    assert values(room) == [410, 20]


def test_a_conflict_that_does_not_go_away_is_told_after_a_bounded_time(room):
    with room.transactions(1) as (holder,):
        holder.write(1, 11)
        began = time.monotonic()
        message = refused(room.run, "MATCH (n:Kv {key: 1}) SET n.value = 12")
        assert time.monotonic() - began < 30
        assert "node" in message
        holder.commit()
    room.run("MATCH (n:Kv {key: 1}) SET n.value = 13")
    assert values(room) == [13, 20]


def test_a_statement_that_conflicts_before_its_first_record_is_begun_again_and_its_effects_stand_once(room):
    with room.transactions(1) as (holder,):
        holder.write(2, 21)
        result = []

        def merge():
            result.append(room.run("MATCH (n:Kv {key: 2}) CREATE (m:Mark) SET n.value = n.value + 1 RETURN n.value"))

        thread = threading.Thread(target=merge)
        thread.start()
        holder.commit()
        join([thread])
    assert result in ([[[22]]], [[[21]]])
    assert room.run("MATCH (m:Mark) RETURN count(m)") == [[1]]


def test_a_failed_statement_leaves_the_transaction_failed_and_nothing_of_it_stays(room):
    with room.transactions(2) as (failing, other):
        failing.write(1, 11)
        failing.run("CREATE (:Left)")
        with pytest.raises(ClientError):
            failing.run("UNWIND [1, 0] AS d CREATE (:Half) RETURN 1 / d")
        with pytest.raises((Neo4jError, DriverError)):
            failing.run("RETURN 1")
        with pytest.raises((Neo4jError, DriverError)):
            failing.commit()
        # And its writes are in nobody's way, without a word more from its client.
        other.write(1, 12)
        other.commit()
    assert values(room) == [12, 20]
    assert room.run("MATCH (n) WHERE n:Left OR n:Half RETURN count(n)") == [[0]]


class Raw:
    """A connection of its own, to be torn in ways that a driver's session hides."""

    def __init__(self, server):
        self.driver = GraphDatabase.driver(f"bolt://{server.address}", auth=None, max_connection_pool_size=1)
        self.session = self.driver.session()
        self.tx = self.session.begin_transaction()

    @property
    def connection(self):
        return self.session._connection

    def reset(self):
        self.connection.reset()

    def lose(self):
        # Without a word of goodbye.
        self.connection.socket._socket.close()

    def rollback(self):
        self.tx.rollback()


@pytest.mark.parametrize("end", [Raw.rollback, Raw.reset, Raw.lose], ids=["rollback", "reset", "lost connection"])
def test_whatever_ends_a_transaction_before_its_commit_undoes_all_of_it(room, end):
    room.run(LINK)
    before = room.run("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN n.key, n.value, labels(n), count(r) ORDER BY n.key")
    raw = Raw(room.server)
    for query in (
        "MATCH (n:Kv {key: 1}) SET n.value = 99, n:Extra",
        "CREATE (:Left)-[:T]->(:Left)",
        "MATCH (:Kv)-[r:T]->(:Kv) DELETE r",
        "MATCH (n:Kv {key: 2}) DETACH DELETE n",
    ):
        raw.tx.run(query).consume()
    end(raw)

    def free():
        try:
            # Every row that it had touched can be written by another now.
            with room.transactions(1) as (other,):
                other.run("MATCH (n:Kv) SET n.touched = true")
                other.run("MATCH (:Kv)-[r:T]->(:Kv) SET r.touched = true")
                other.run("MATCH (n:Kv {key: 2}) DETACH DELETE n")
                return True
        except TransientError:
            return False

    # A lost connection is noticed by the server, not by us.
    eventually(free, "the rows to be free again")
    after = room.run("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN n.key, n.value, labels(n), count(r) ORDER BY n.key")
    assert after == before
    assert nothing_dangles(room) == 1
    raw.driver.close()


# -- choosing a level -------------------------------------------------------------------------------------------------


@pytest.fixture
def one_connection():
    with cluster(cores=2) as group:
        with GraphDatabase.driver(f"bolt://{group.main.address}", auth=None, max_connection_pool_size=1) as driver:
            yield group.main, driver


def shown(session):
    info = dict(record.values() for record in session.run("SHOW STORAGE INFO"))
    return [info[f"{scope}isolation_level"] for scope in ("global_", "session_", "next_session_")]


def test_levels_are_shown_where_they_were_set(one_connection):
    server, driver = one_connection
    with driver.session() as session:
        assert shown(session) == ["SNAPSHOT_ISOLATION", "", ""]
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").consume()
        session.run("SET NEXT TRANSACTION ISOLATION LEVEL READ COMMITTED").consume()
        assert shown(session) == ["SNAPSHOT_ISOLATION", "READ_UNCOMMITTED", "READ_COMMITTED"]
    server.rows("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
    with driver.session() as session:
        assert shown(session) == ["READ_COMMITTED", "READ_UNCOMMITTED", "READ_COMMITTED"]
    # Another connection knows of the global one only.
    with server.driver.session() as session:
        assert shown(session) == ["READ_COMMITTED", "", ""]


def test_the_level_of_the_next_transaction_is_used_once_and_beats_the_sessions(one_connection):
    server, driver = one_connection
    server.rows("CREATE (:Kv {key: 1, value: 10})")
    read = "MATCH (n:Kv) RETURN n.value"
    with server.driver.session() as other, driver.session() as session:
        writer = other.begin_transaction()
        writer.run("MATCH (n:Kv) SET n.value = 11").consume()
        assert session.run(read).values() == [[10]]
        session.run("SET NEXT TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").consume()
        assert session.run(read).values() == [[11]]
        assert session.run(read).values() == [[10]]
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").consume()
        assert session.run(read).values() == [[11]]
        session.run("SET NEXT TRANSACTION ISOLATION LEVEL SNAPSHOT ISOLATION").consume()
        with session.begin_transaction() as tx:
            assert tx.run(read).values() == [[10]]
        with session.begin_transaction() as tx:
            assert tx.run(read).values() == [[11]]
        writer.rollback()


def test_levels_are_not_changed_within_a_transaction_and_serializable_is_refused(one_connection):
    server, driver = one_connection
    for scope in ("GLOBAL", "SESSION", "NEXT"):
        with driver.session() as session:
            tx = session.begin_transaction()
            with pytest.raises(ClientError, match="multicommand transactions"):
                tx.run(f"SET {scope} TRANSACTION ISOLATION LEVEL READ COMMITTED").consume()
        with driver.session() as session:
            with pytest.raises(ClientError, match="SERIALIZABLE"):
                session.run(f"SET {scope} TRANSACTION ISOLATION LEVEL SERIALIZABLE").consume()
            assert shown(session) == ["SNAPSHOT_ISOLATION", "", ""]


def global_level(server):
    with server.driver.session() as session:
        return shown(session)[0]


def test_the_global_level_outlives_a_kill_and_beats_the_flag():
    with cluster(cores=2, arguments=["--isolation-level", "READ_UNCOMMITTED"]) as group:
        assert global_level(group.main) == "READ_UNCOMMITTED"
        group.main.rows("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
        group.main.kill()
        group.main.restart()
        assert global_level(group.main) == "READ_COMMITTED"


def test_the_global_level_reaches_replicas_where_nothing_uncommitted_is_shown():
    with cluster() as group:
        group.join("replica", "SYNC")
        group.wait_ready("replica")
        group.main.rows("SET GLOBAL TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        eventually(lambda: global_level(group.replica) == "READ_UNCOMMITTED", "the level to reach the replica")
        with pytest.raises(ClientError):
            group.replica.rows("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
        group.main.rows("CREATE (:Kv {key: 1})")
        eventually(lambda: group.replica.rows("MATCH (n:Kv) RETURN count(n)") == [[1]], "the write to reach the replica")
