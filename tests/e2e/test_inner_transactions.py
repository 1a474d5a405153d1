"""CALL { } IN TRANSACTIONS and USING PERIODIC COMMIT over Bolt: what the client is told, and where they cannot stand."""

import neo4j
import pytest
from neo4j.exceptions import ClientError, Neo4jError


def number(session, query):
    return session.run(query).single().value()


def test_some_rows_at_a_time_are_committed_and_the_summary_adds_up(alone):
    with alone.driver.session() as session:
        result = session.run(
            "UNWIND range(1, 2500) AS i CALL { WITH i CREATE (:T {i: i}) } IN TRANSACTIONS OF 1000 ROWS RETURN count(*) AS n"
        )
        assert result.single().value() == 2500
        counters = result.consume().counters
        assert (counters.nodes_created, counters.properties_set, counters.labels_added) == (2500, 2500, 2500)
        summary = session.run("USING PERIODIC COMMIT 100 UNWIND range(1, 250) AS i CREATE (:P {i: i})").consume()
        assert summary.counters.nodes_created == 250
        # The next transaction of the session sees all of it.
        assert number(session, "MATCH (n) RETURN count(n)") == 2750


def test_a_failure_tells_its_error_and_leaves_what_was_committed(alone):
    query = "UNWIND [1, 2, 0, 4] AS i CALL { WITH i CREATE (:T {i: 12 / i}) } IN TRANSACTIONS OF 1 ROW"
    with alone.driver.session() as session:
        with pytest.raises(Neo4jError, match="division by zero"):
            session.run(query).consume()
        assert number(session, "MATCH (t:T) RETURN count(t)") == 2
        result = session.run(query + " ON ERROR CONTINUE REPORT STATUS AS s RETURN i, s.committed AS c")
        assert [tuple(record) for record in result] == [(1, True), (2, True), (0, False), (4, True)]
        assert result.consume().counters.nodes_created == 3


def test_an_explicit_transaction_refuses_what_commits_by_itself(alone):
    with alone.driver.session() as session:
        tx = session.begin_transaction()
        with pytest.raises(ClientError, match="cannot run in an explicit transaction"):
            tx.run("UNWIND [1] AS i CALL { CREATE (:T) } IN TRANSACTIONS").consume()
        tx.close()
        with pytest.raises(ClientError, match="not allowed in a transaction of access mode read"):
            with alone.driver.session(default_access_mode=neo4j.READ_ACCESS) as reader:
                reader.run("UNWIND [1] AS i CALL { CREATE (:T) } IN TRANSACTIONS").consume()
        assert number(session, "MATCH (t:T) RETURN count(t)") == 0


def test_what_does_not_end_is_stopped_and_leaves_what_was_committed(alone):
    query = neo4j.Query("UNWIND range(1, 1000000000) AS i CALL { WITH i CREATE (:T) } IN TRANSACTIONS OF 100 ROWS", timeout=1)
    with alone.driver.session() as session:
        with pytest.raises(Neo4jError):
            session.run(query).consume()
        made = number(session, "MATCH (t:T) RETURN count(t)")
        assert made > 0 and made % 100 == 0
