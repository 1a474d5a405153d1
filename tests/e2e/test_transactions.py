"""Transactions as an operator sees them: listed over all cores, stopped by id, stopped when their time is up."""

import threading
import time

import neo4j
import pytest
from neo4j.exceptions import ClientError, TransientError

from cluster import cluster, eventually, join

# Runs for hours.
LONG = "UNWIND range(1, 1000000000000) AS x WITH x WHERE x < 0 RETURN count(x)"


@pytest.fixture
def cores():
    """A main with two cores; connections are dealt to them in turn."""
    with cluster(cores=2) as made:
        yield made.main


def listed(server, what="SHOW TRANSACTIONS"):
    """Transactions but the listing one, as dictionaries."""
    with server.driver.session() as session:
        rows = [record.data() for record in session.run(what)]
    return [row for row in rows if row["query"] != [what]]


def of_query(server, query):
    return [row for row in listed(server) if row["query"] and row["query"][-1] == query]


class Running:
    """A query in a thread of its own, on a connection of its own; `join` gives what it ended with."""

    def __init__(self, server, query, **options):
        self.error = None
        self.ended = None
        self.driver = neo4j.GraphDatabase.driver(f"bolt://{server.address}", auth=("someone", "x"), max_transaction_retry_time=0)

        def run():
            try:
                with self.driver.session() as session:
                    session.run(neo4j.Query(query, **options)).consume()
            except Exception as error:
                self.error = error
            self.ended = time.monotonic()

        self.thread = threading.Thread(target=run, name=query)
        self.thread.start()

    def join(self):
        join([self.thread], 20)
        self.driver.close()
        return self.error


def test_transactions_of_all_cores_are_listed_with_what_their_clients_said(cores):
    sessions = [cores.driver.session() for _ in range(4)]
    transactions = [session.begin_transaction(metadata={"who": n, "tags": ["a"]}) for n, session in enumerate(sessions)]
    for n, transaction in enumerate(transactions):
        transaction.run("RETURN 1").consume()
        transaction.run(f"RETURN {n}").consume()
    rows = sorted(listed(cores), key=lambda row: row["metadata"]["who"])
    assert [row["query"] for row in rows] == [["RETURN 1", f"RETURN {n}"] for n in range(4)]
    assert [row["metadata"] for row in rows] == [{"who": n, "tags": ["a"]} for n in range(4)]
    assert {row["status"] for row in rows} == {"running"}
    assert list(rows[0]) == ["username", "transaction_id", "query", "status", "metadata", "start_time", "elapsed_ms"]
    assert len({int(row["transaction_id"]) % 2 for row in rows}) == 2, "connections are dealt over both cores"
    assert len({row["transaction_id"] for row in rows}) == 4
    assert listed(cores, "SHOW COMMITTING TRANSACTIONS") == []
    assert len(listed(cores, "SHOW RUNNING, ABORTING TRANSACTIONS")) == 4
    for transaction, session in zip(transactions, sessions):
        transaction.close()
        session.close()
    assert listed(cores) == []


def test_a_listing_shows_itself(alone):
    with alone.driver.session() as session:
        row = session.run(neo4j.Query("SHOW TRANSACTIONS", metadata={"a": 1})).single().data()
    assert row["query"] == ["SHOW TRANSACTIONS"] and row["metadata"] == {"a": 1}
    killed = alone.rows("TERMINATE TRANSACTIONS $id", id=row["transaction_id"])
    assert killed == [[row["transaction_id"], False]]


@pytest.mark.parametrize("what", [LONG, "UNWIND range(1, 1000000000000) AS x CREATE (:Stopped)"])
def test_a_running_query_is_stopped_from_another_core_and_leaves_nothing(cores, what):
    # Connections are dealt round-robin: this one first, so that the two that follow are on two cores.
    assert listed(cores) == []
    running = [Running(cores, what) for _ in range(2)]
    rows = eventually(lambda: (rows := of_query(cores, what)) and len(rows) == 2 and rows, "two running queries")
    assert {row["username"] for row in rows} == {"someone"}
    assert {int(row["transaction_id"]) % 2 for row in rows} == {0, 1}
    ids = [row["transaction_id"] for row in rows]
    assert cores.rows("TERMINATE TRANSACTIONS $a, $b", a=ids[0], b=ids[1]) == [[ids[0], True], [ids[1], True]]
    for query in running:
        error = query.join()
        assert "TERMINATE TRANSACTIONS" in error.message
        # The driver has its own name for Neo.TransientError.Transaction.Terminated, which it does not try again.
        assert error.code.endswith(".Transaction.Terminated")
    assert listed(cores) == []
    assert cores.rows("MATCH (n:Stopped) RETURN count(n)") == [[0]]
    assert cores.rows("TERMINATE TRANSACTIONS $ids", ids=ids) == [[ids[0], False], [ids[1], False]]


def test_what_idles_in_a_transaction_is_stopped_and_its_client_told_at_its_next_request(cores):
    for request in [lambda tx: tx.run("RETURN 1").consume(), lambda tx: tx.commit()]:
        with cores.driver.session() as session:
            transaction = session.begin_transaction()
            transaction.run("CREATE (:Stopped)").consume()
            [row] = listed(cores)
            assert cores.rows(f'TERMINATE TRANSACTION "neo4j-transaction-{row["transaction_id"]}"')[0][1]
            eventually(lambda: not listed(cores), "the transaction to be gone")
            with pytest.raises((TransientError, ClientError), match="TERMINATE TRANSACTIONS"):
                request(transaction)
            transaction.close()
        with cores.driver.session() as session:
            assert session.run("RETURN 1").single()[0] == 1
    assert cores.rows("MATCH (n:Stopped) RETURN count(n)") == [[0]]


def test_a_half_read_result_is_stopped_while_its_client_reads_nothing(cores):
    with cores.driver.session(fetch_size=10) as session:
        result = session.run("UNWIND range(1, 1000000000) AS x RETURN x")
        assert next(iter(result))["x"] == 1
        [row] = listed(cores)
        assert cores.rows("TERMINATE TRANSACTIONS $id", id=row["transaction_id"])[0][1]
        eventually(lambda: not listed(cores), "the transaction to be gone")
        with pytest.raises((TransientError, ClientError), match="TERMINATE TRANSACTIONS"):
            for _ in result:
                pass


def test_ids_that_are_none_are_told(alone):
    assert alone.rows('TERMINATE TRANSACTIONS "17", "snapshot", ""') == [["17", False], ["snapshot", False], ["", False]]
    with pytest.raises(ClientError, match="id is a string"):
        alone.rows("TERMINATE TRANSACTIONS 17")


def test_users_that_are_logged_in_are_listed(alone):
    with neo4j.GraphDatabase.driver(f"bolt://{alone.address}", auth=("ann", "secret")) as driver, driver.session() as session:
        rows = session.run("SHOW ACTIVE USERS INFO").data()
        assert [row for row in rows if row["username"] == "ann"]
        assert list(rows[0]) == ["username", "session uuid", "login timestamp"]
        assert "secret" not in str(rows)
    eventually(lambda: "ann" not in str(alone.rows("SHOW ACTIVE USERS INFO")), "ann to be gone")


def test_a_query_is_stopped_when_the_servers_time_for_it_is_up():
    with cluster(arguments=["--query-execution-timeout-sec", "1"]) as made:
        begun = time.monotonic()
        with pytest.raises(ClientError) as caught:
            made.main.rows(LONG)
        assert caught.value.code.startswith("Neo.ClientError.Transaction.TransactionTimedOut")
        assert time.monotonic() - begun >= 1
        # A client may ask for more, and for no limit at all.
        running = Running(made.main, LONG, timeout=0)
        time.sleep(1.5)
        assert running.ended is None
        [row] = of_query(made.main, LONG)
        made.main.rows("TERMINATE TRANSACTIONS $id", id=row["transaction_id"])
        assert "TERMINATE" in running.join().message


def test_a_transaction_that_idles_is_rolled_back_when_the_servers_time_for_it_is_up():
    with cluster(arguments=["--query-execution-timeout-sec", "1"]) as made, made.main.driver.session() as session:
        transaction = session.begin_transaction()
        transaction.run("CREATE (:Late)").consume()
        # Nobody asks; its locks go all the same.
        eventually(lambda: not listed(made.main), "the transaction to be gone")
        with pytest.raises(ClientError) as caught:
            transaction.run("RETURN 1").consume()
        assert caught.value.code.startswith("Neo.ClientError.Transaction.TransactionTimedOut")
        transaction.close()
        assert made.main.rows("MATCH (n:Late) RETURN count(n)") == [[0]]


def test_a_clients_time_limit_stops_what_runs_and_what_idles(alone):
    begun = time.monotonic()
    with alone.driver.session() as session, pytest.raises(ClientError) as caught:
        session.run(neo4j.Query(LONG, timeout=0.5)).consume()
    assert caught.value.code.startswith("Neo.ClientError.Transaction.TransactionTimedOut")
    assert time.monotonic() - begun >= 0.5
    with alone.driver.session() as session:
        transaction = session.begin_transaction(timeout=0.5)
        transaction.run("CREATE (:Late)").consume()
        eventually(lambda: not listed(alone), "the transaction to be gone")
        with pytest.raises(ClientError) as caught:
            transaction.commit()
        assert caught.value.code.startswith("Neo.ClientError.Transaction.TransactionTimedOut")
    assert alone.rows("MATCH (n:Late) RETURN count(n)") == [[0]]


def test_metadata_without_bounds_is_refused(alone):
    with alone.driver.session() as session:
        for metadata in [{"a": "x" * 10_000}, {"a": list(range(10_000))}]:
            with pytest.raises(ClientError, match="tx_metadata"):
                session.run(neo4j.Query("RETURN 1", metadata=metadata)).consume()
