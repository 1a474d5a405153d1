"""Indexes and constraints as clients see them: statements of both dialects, SHOW, notices, errors, what survives a kill."""

import threading

import pytest
from neo4j.exceptions import ClientError, TransientError

from cluster import cluster, eventually, join


@pytest.fixture(params=[1, 2])
def server(request):
    with cluster(cores=request.param) as made:
        yield made.main


def notices(server, query):
    _, summary = server.run(query)
    return [(n["code"], n["title"], n["severity"], n.get("category")) for n in summary.notifications or []]


def indexes(server):
    return server.rows("SHOW INDEX INFO")


def constraints(server):
    return server.rows("SHOW CONSTRAINT INFO")


def refused(server, query, **parameters):
    with pytest.raises(ClientError) as error:
        server.rows(query, **parameters)
    return error.value


def test_indexes_are_shown_in_memgraphs_columns(server):
    with server.driver.session() as session:
        assert session.run("SHOW INDEX INFO").keys() == ["index type", "label", "property", "count"]
        assert session.run("SHOW CONSTRAINT INFO").keys() == ["constraint type", "label", "properties", "data_type"]
    server.rows("UNWIND range(1, 10) AS i CREATE (:P {id: i, name: 'n'})-[:T {since: i}]->(:Q)")
    server.rows("CREATE INDEX ON :P")
    server.rows("CREATE INDEX ON :P(id)")
    server.rows("CREATE INDEX two FOR (n:P) ON (n.id, n.name)")
    server.rows('CREATE INDEX ON :P(name) WITH CONFIG {"order": "DESC"}')
    assert indexes(server) == [
        ["label", "P", None, 10],
        ["label+property", "P", ["id"], 10],
        ["label+property", "P", ["id", "name"], 10],
        ["label+property (DESC)", "P", ["name"], 10],
    ]
    both = server.rows("SHOW INDEXES")
    assert sorted(str(row[:4]) for row in both) == sorted(str(row) for row in indexes(server))
    assert ["two", "ONLINE", "RANGE", "NODE"] in [[row[5], row[6], row[8], row[9]] for row in both]
    server.rows("DROP ALL INDEXES")
    assert indexes(server) == []


def test_indexes_on_relationships_are_shown_in_memgraphs_columns(server):
    server.rows("UNWIND range(1, 10) AS i CREATE (:P)-[:T {since: i}]->(:Q)")
    server.rows("CREATE EDGE INDEX ON :T")
    server.rows("CREATE EDGE INDEX ON :T(since)")
    assert indexes(server) == [["edge-type", "T", None, 10], ["edge-type+property", "T", "since", 10]]
    assert server.rows("MATCH ()-[r:T {since: 3}]->() RETURN r.since") == [[3]]
    server.rows("DROP EDGE INDEX ON :T(since)")
    assert indexes(server) == [["edge-type", "T", None, 10]]


def test_the_schema_is_shown_in_neo4js_columns_with_yield(server):
    server.rows("CREATE INDEX two FOR (n:P) ON (n.id, n.name)")
    server.rows("CREATE EDGE INDEX ON :T(since)")
    server.rows("CREATE CONSTRAINT one FOR (n:P) REQUIRE n.id IS UNIQUE")
    rows = server.rows("SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, state")
    made = rows[1][0]
    assert made.startswith("index_")
    assert rows == [
        ["two", "RANGE", "NODE", ["P"], ["id", "name"], "ONLINE"],
        [made, "RANGE", "RELATIONSHIP", ["T"], ["since"], "ONLINE"],
    ]
    with server.driver.session() as session:
        result = session.run("SHOW CONSTRAINTS YIELD *")
        assert result.keys()[4:8] == ["id", "name", "type", "entityType"]
        assert result.single()["type"] == "UNIQUENESS"
        assert session.run("SHOW INDEXES YIELD name AS n").keys() == ["n"]
    assert "`nothing`" in refused(server, "SHOW INDEXES YIELD nothing").message
    assert server.rows("SHOW INDEXES YIELD name, type WHERE name = 'two'") == [["two", "RANGE"]]
    assert server.rows("SHOW RANGE INDEXES WHERE entityType = 'RELATIONSHIP' RETURN properties") == [[["since"]]]
    assert server.rows("SHOW UNIQUE CONSTRAINTS YIELD name ORDER BY name LIMIT 3") == [["one"]]
    assert server.rows("SHOW PROPERTY TYPE CONSTRAINTS") == []
    assert server.rows("CALL db.indexes() YIELD name, type RETURN name, type") == [["two", "RANGE"], [made, "RANGE"]]
    assert server.rows("CALL db.constraints() YIELD name, description") == [
        ["one", "CONSTRAINT ON ( p:P ) ASSERT (p.id) IS UNIQUE"]]
    with server.driver.session() as session:
        with session.begin_transaction() as tx:
            assert tx.run("SHOW INDEXES YIELD name WHERE name = $name", name="two").single()["name"] == "two"


def test_a_name_for_what_is_there_under_another_is_told(server):
    server.rows("CREATE INDEX one FOR (n:L) ON (n.p)")
    error = refused(server, "CREATE INDEX two FOR (n:L) ON (n.p)")
    assert error.code == "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists" and "as `one`" in error.message
    assert "as `one`" in notices(server, "CREATE INDEX two IF NOT EXISTS FOR (n:L) ON (n.p)")[0][1]


def test_a_conflict_over_a_unique_key_names_it_and_can_be_tried_again(server):
    server.rows("CREATE CONSTRAINT ON (n:P) ASSERT n.name IS UNIQUE")
    with server.driver.session() as first, server.driver.session() as second:
        holder = first.begin_transaction()
        holder.run("CREATE (:P {name: 'ann'})").consume()
        waiter = second.begin_transaction()
        with pytest.raises(TransientError) as error:
            waiter.run("CREATE (:P {name: 'ann'})").consume()
        assert "the unique key :P(name: 'ann')" in error.value.message
        waiter.close()
        holder.rollback()
    assert server.rows("CREATE (n:P {name: 'ann'}) RETURN n.name") == [["ann"]]


def test_what_is_there_already_or_is_not_there_is_a_notice(server):
    created = ("CreateIndex", "Created index on label L on properties p.", "INFO", "SCHEMA")
    assert notices(server, "CREATE INDEX ON :L(p)") == [created]
    assert notices(server, "CREATE INDEX ON :L(p)")[0][:2] == (
        "IndexAlreadyExists", "Index on label L on properties p already exists.")
    assert notices(server, "DROP INDEX ON :L(p)")[0][0] == "DropIndex"
    assert notices(server, "DROP INDEX ON :L(p)")[0][:2] == (
        "IndexDoesNotExist", "Index on label L on properties p doesn't exist.")
    assert notices(server, "CREATE CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE")[0][:2] == (
        "CreateConstraint", "Created UNIQUE constraint on label L on properties p.")
    assert notices(server, "CREATE CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE")[0][0] == "ConstraintAlreadyExists"
    assert notices(server, "DROP CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE")[0][0] == "DropConstraint"
    assert notices(server, "DROP CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE")[0][0] == "ConstraintDoesNotExist"
    assert refused(server, "DROP INDEX nothing").code == "Neo.ClientError.Schema.IndexNotFound"


def test_constraints_are_shown_told_and_counted(server):
    _, summary = server.run("CREATE CONSTRAINT names FOR (n:P) REQUIRE n.name IS NOT NULL")
    assert summary.counters.constraints_added == 1
    server.rows("CREATE CONSTRAINT ON (n:P) ASSERT n.name, n.born IS UNIQUE")
    server.rows("CREATE CONSTRAINT ON (n:P) ASSERT n.born IS TYPED INTEGER")
    assert constraints(server) == [
        ["data_type", "P", "born", "INTEGER"],
        ["exists", "P", "name", ""],
        ["unique", "P", ["name", "born"], ""],
    ]
    server.rows("CREATE (:P {name: 'Ann', born: 1990})")
    code = "Neo.ClientError.Schema.ConstraintValidationFailed"
    for query, words in [
        ("CREATE (:P {name: 'Ann', born: 1990})", "Unable to commit due to unique constraint violation on :P(name, born)"),
        ("CREATE (:P {born: 1990})", "Unable to commit due to existence constraint violation on :P(name)"),
        ("CREATE (:P {name: 'Bob', born: 'long ago'})", "IS TYPED INTEGER violation on :P(born)"),
    ]:
        error = refused(server, query)
        assert error.code == code and words in error.message, error
    assert server.rows("MATCH (n:P) RETURN count(n)") == [[1]]
    # In a transaction of several statements what must exist is looked at when it ends.
    with server.driver.session() as session:
        with session.begin_transaction() as tx:
            tx.run("CREATE (n:P {born: 1}) SET n.name = 'late'").consume()
            tx.commit()
        with pytest.raises(ClientError) as error:
            with session.begin_transaction() as tx:
                tx.run("CREATE (n:P {born: 2})").consume()
                tx.commit()
        assert error.value.code == code
    _, summary = server.run("DROP CONSTRAINT names")
    assert summary.counters.constraints_removed == 1
    assert len(constraints(server)) == 2


def test_a_transaction_changes_the_schema_as_one_or_data_but_not_both(server):
    # `execute_query` always begins a transaction.
    server.driver.execute_query("CREATE CONSTRAINT FOR (n:L) REQUIRE n.p IS UNIQUE")
    with server.driver.session() as session:
        with session.begin_transaction() as tx:
            tx.run("CREATE INDEX one FOR (n:L) ON (n.q)").consume()
            assert tx.run("CREATE INDEX one IF NOT EXISTS FOR (n:L) ON (n.q)").consume().counters.indexes_added == 0
            tx.run("CREATE INDEX two FOR (n:L) ON (n.r)").consume()
            tx.run("DROP CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE").consume()
            assert tx.run("MATCH (n:L) RETURN count(n) AS n").single()["n"] == 0
            tx.rollback()
        assert (len(indexes(server)), len(constraints(server))) == (0, 1)
        with session.begin_transaction() as tx:
            tx.run("CREATE INDEX one FOR (n:L) ON (n.q)").consume()
            tx.run("CREATE INDEX two FOR (n:L) ON (n.r)").consume()
            tx.run("DROP CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE").consume()
            tx.commit()
        assert (len(indexes(server)), len(constraints(server))) == (2, 0)
        for first, second in [("CREATE (:L)", "CREATE INDEX ON :L(s)"), ("CREATE INDEX ON :L(s)", "CREATE (:L)"),
                              ("DROP INDEX one", "CREATE INDEX FOR (n:L) ON (n.q)")]:
            tx = session.begin_transaction()
            tx.run(first).consume()
            with pytest.raises(ClientError) as error:
                tx.run(second).consume()
            tx.close()
            assert error.value.code == "Neo.ClientError.Transaction.ForbiddenDueToTransactionType", error.value
        assert len(indexes(server)) == 2 and server.rows("MATCH (n:L) RETURN count(n)") == [[0]]
    server.kill()
    server.restart()
    assert [row[2] for row in indexes(server)] == [["q"], ["r"]] and constraints(server) == []


def test_a_wrong_statement_is_told_where_it_is_wrong(server):
    error = refused(server, "CREATE INDEX ON :L(p, q, p)")
    assert error.code == "Neo.ClientError.Statement.SyntaxError"
    assert "`p` stands here twice" in error.message and "line 1, column 26" in error.message, error.message


def test_a_node_key_asks_for_all_its_properties_and_lets_no_two_have_the_same(server):
    _, summary = server.run("CREATE CONSTRAINT FOR (n:P) REQUIRE (n.name, n.born) IS NODE KEY")
    assert summary.counters.constraints_added == 1
    assert constraints(server) == [["node key", "P", ["name", "born"], ""]]
    assert server.rows("SHOW NODE KEY CONSTRAINTS YIELD type, properties") == [["NODE_KEY", ["name", "born"]]]
    server.rows("CREATE (:P {name: 'Ann', born: 1990})")
    for query, words in [
        ("CREATE (:P {name: 'Ann', born: 1990})", "already exists with label `P` and properties `name` = 'Ann', `born` = 1990"),
        ("CREATE (:P {name: 'Bob'})", "node key constraint violation on :P(name, born)"),
        ("MATCH (n:P) SET n.born = null", "lacks one of the properties"),
    ]:
        error = refused(server, query)
        assert error.code == "Neo.ClientError.Schema.ConstraintValidationFailed" and words in error.message, error
    assert "Unique" in str(server.rows("EXPLAIN MATCH (n:P {name: 'Ann', born: 1990}) RETURN n")) or "ByLabelProperties" in str(
        server.rows("EXPLAIN MATCH (n:P {name: 'Ann', born: 1990}) RETURN n"))
    dumped = [row[0] for row in server.rows("DUMP DATABASE")]
    assert "CREATE CONSTRAINT FOR (u:`P`) REQUIRE (u.`name`, u.`born`) IS NODE KEY;" in dumped
    server.kill()
    server.restart()
    assert constraints(server) == [["node key", "P", ["name", "born"], ""]]
    assert refused(server, "CREATE (:P {name: 'Bob'})").code.endswith("ConstraintValidationFailed")
    server.rows("DROP CONSTRAINT ON (n:P) ASSERT (n.name, n.born) IS NODE KEY")
    server.rows("CREATE (:P {name: 'Bob'})")
    assert "lacks one" in refused(server, "CREATE CONSTRAINT again FOR (n:P) REQUIRE (n.name, n.born) IS NODE KEY").message


def test_the_holder_of_a_unique_key_is_told_in_the_words_object_mappers_look_for(server):
    server.rows("CREATE CONSTRAINT FOR (n:P) REQUIRE n.name IS UNIQUE")
    server.rows("CREATE (:P {name: 'Ann'})")
    error = refused(server, "CREATE (:P {name: 'Ann'})")
    assert error.code == "Neo.ClientError.Schema.ConstraintValidationFailed"
    assert "already exists with label `P` and property `name` = 'Ann'" in error.message
    assert "Unable to commit due to unique constraint violation on :P(name)" in error.message


def test_names_indexes_and_constraints_survive_a_kill(server):
    server.rows("UNWIND range(1, 1000) AS i CREATE (:P {id: i, name: toString(i)})")
    server.rows("CREATE INDEX by_name FOR (n:P) ON (n.name)")
    server.rows("CREATE INDEX ON :P(name, id) WITH CONFIG {order: 'DESC'}")
    server.rows("CREATE CONSTRAINT by_id FOR (n:P) REQUIRE n.id IS UNIQUE")
    server.rows("CREATE CONSTRAINT ON (n:P) ASSERT EXISTS (n.id)")
    server.rows("CREATE CONSTRAINT ON (n:P) ASSERT n.id IS TYPED INTEGER")
    server.rows("CREATE INDEX ON :Gone(p)")
    server.rows("DROP INDEX ON :Gone(p)")
    before = indexes(server), constraints(server)
    server.kill()
    server.restart()
    assert (indexes(server), constraints(server)) == before
    assert server.rows("MATCH (n:P {name: '17'}) RETURN n.id") == [[17]]
    assert "ScanAllByLabelProperties" in str(server.rows("EXPLAIN MATCH (n:P {name: '17'}) RETURN n.id"))
    assert refused(server, "CREATE (:P {id: 17})").code.endswith("ConstraintValidationFailed")
    server.rows("DROP INDEX by_name")
    server.rows("DROP CONSTRAINT by_id")
    server.rows("CREATE (:P {id: 17})")
    server.kill()
    server.restart()
    assert len(indexes(server)) == len(before[0]) - 1
    assert len(constraints(server)) == len(before[1]) - 1


def test_the_schema_is_replicated():
    with cluster() as group:
        group.join("r1", "SYNC")
        group.main.rows("UNWIND range(1, 100) AS i CREATE (:P {id: i})")
        group.main.rows("CREATE CONSTRAINT by_id FOR (n:P) REQUIRE n.id IS UNIQUE")
        group.main.rows("CREATE INDEX ON :P(id)")
        eventually(lambda: indexes(group.r1) == indexes(group.main), "the index on the replica")
        assert constraints(group.r1) == constraints(group.main) == [["unique", "P", ["id"], ""]]
        assert group.r1.rows("MATCH (n:P {id: 17}) RETURN count(n)") == [[1]]


def test_writers_go_on_while_an_index_is_made():
    with cluster(cores=2) as made:
        server = made.main
        for _ in range(10):
            server.rows("UNWIND range(1, 20000) AS i CREATE (:P {id: i})")
        longest, written, stopping = [0.0], [0], threading.Event()

        def write():
            with server.driver.session() as session:
                while not stopping.is_set():
                    session.run("CREATE (:P {id: 7})").consume()
                    written[0] += 1

        writer = threading.Thread(target=write)
        writer.start()
        eventually(lambda: written[0] > 10, "the writer to write")
        before = written[0]
        server.rows("CREATE INDEX ON :P(id)")
        during = written[0] - before
        stopping.set()
        writer.join(30)
        assert during > 0, "no write came through while the index was made"
        assert server.rows("MATCH (n:P {id: 7}) RETURN count(n)") == [[10 + written[0]]]


@pytest.mark.parametrize("properties", ["n.id", "(n.id, n.half)"])
def test_of_eight_clients_that_take_the_same_keys_one_gets_each(properties):
    with cluster(cores=2) as made:
        server = made.main
        server.rows(f"CREATE CONSTRAINT FOR (n:K) REQUIRE {properties} IS UNIQUE")
        keys, won = 100, []

        def take(client):
            with server.driver.session() as session:
                for key in range(keys):
                    try:
                        session.run("CREATE (:K {id: $key, half: $key % 2, by: $client})", key=key, client=client).consume()
                        won.append(key)
                    except (ClientError, TransientError) as error:
                        assert "onstraint" in error.code or "Transient" in error.code, error

        clients = [threading.Thread(target=take, args=(client,)) for client in range(8)]
        for client in clients:
            client.start()
        join(clients)
        assert sorted(won) == list(range(keys))
        assert server.rows("MATCH (n:K) RETURN count(n), count(DISTINCT n.id)") == [[len(won), len(won)]]
        for client in range(keys):
            server.rows("MERGE (:K {id: $id})", id=client)
        assert server.rows("MATCH (n:K) RETURN count(n)") == [[keys]]
