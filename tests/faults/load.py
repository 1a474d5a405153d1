"""Clients that write to a main until they are told to stop: single creations, transactions that are rolled back, a bank, large transactions."""

import random
import threading

from neo4j.exceptions import DriverError, Neo4jError

from cluster import eventually, join

ACCOUNTS = 16
BALANCE = 100
LARGE = 5000


class Load:
    """Threads with a session each. `journal` has what they know."""

    def __init__(self, server, journal, clients=4, seed=1):
        self.server, self.journal = server, journal
        self.random = random.Random(seed)
        self.clients = clients
        self.stopping = threading.Event()
        self.threads = []

    def prepare(self):
        self.server.rows("CREATE CONSTRAINT ON (a:Account) ASSERT a.number IS UNIQUE")
        self.server.rows(f"UNWIND range(1, {ACCOUNTS}) AS n CREATE (:Account {{number: n, balance: {BALANCE}}})")

    def start(self):
        self.stopping.clear()
        works = [self.create] * self.clients + [self.roll_back, self.transfer, self.create_large]
        self.threads = [threading.Thread(target=self.run, args=(work,), name=work.__name__) for work in works]
        for thread in self.threads:
            thread.start()

    def run(self, work):
        try:
            with self.server.driver.session() as session:
                while not self.stopping.is_set():
                    work(session)
        except (DriverError, OSError):
            return  # the server is gone; what was under way is unknown

    def acknowledged_more(self, count, seconds=60):
        target = len(self.journal.acknowledged) + count
        eventually(lambda: len(self.journal.acknowledged) >= target, f"{count} more acknowledgements", seconds)

    def stop(self):
        self.stopping.set()
        join(self.threads, 120)

    def settle(self, write, work):
        """Does a write and notes how it was answered."""
        try:
            summary = work()
        except Neo4jError as error:
            if "unknown" not in str(error):
                self.journal.abort(write)
        else:
            failed = [n for n in summary.notifications or [] if n["severity"] == "WARNING"]
            self.journal.acknowledge(write, not failed)

    def create(self, session):
        write = self.journal.ask()
        query = "CREATE (:Write {id: $id})-[:OF {id: $id}]->(:Pair {id: $id})"
        self.settle(write, lambda: session.run(query, id=write).consume())

    def roll_back(self, session):
        write = self.journal.ask()
        try:
            transaction = session.begin_transaction()
            transaction.run("CREATE (:Write {id: $id})-[:OF {id: $id}]->(:Pair {id: $id})", id=write).consume()
            transaction.rollback()
        except Neo4jError:
            pass
        self.journal.abort(write)
        self.stopping.wait(0.01)

    def transfer(self, session):
        source, target = self.random.sample(range(1, ACCOUNTS + 1), 2)
        query = "MATCH (a:Account {number: $a}), (b:Account {number: $b}) SET a.balance = a.balance - 1, b.balance = b.balance + 1"
        try:
            session.run(query, a=source, b=target).consume()
        except Neo4jError:
            pass  # two transfers met

    def create_large(self, session):
        write = self.journal.ask()
        query = f"CREATE (:Write {{id: $id}})-[:OF {{id: $id}}]->(:Pair {{id: $id}}) WITH 1 AS one UNWIND range(1, {LARGE}) AS n CREATE (:Large {{of: $id}})"
        self.settle(write, lambda: session.run(query, id=write).consume())
        self.stopping.wait(0.1)


def found(server):
    """Ids of whole writes as one snapshot sees them; an assertion for what is there in parts."""
    with server.driver.session() as session, session.begin_transaction() as transaction:

        def rows(query):
            return [record.values() for record in transaction.run(query)]

        whole = rows("MATCH (w:Write)-[r:OF]->(p:Pair) WHERE w.id = r.id AND r.id = p.id RETURN w.id")
        [[writes]] = rows("MATCH (w:Write) RETURN count(w)")
        [[pairs]] = rows("MATCH (p:Pair) RETURN count(p)")
        large = rows("MATCH (l:Large) RETURN l.of, count(*)")
    assert len(whole) == writes == pairs, f"{server.name} has {writes} writes, {pairs} pairs, {len(whole)} together"
    assert all(count == LARGE for _, count in large), f"{server.name} has parts of large transactions: {large}"
    assert {of for of, _ in large} <= {row[0] for row in whole}
    return [row[0] for row in whole]


def bank_is_whole(server):
    accounts = server.rows("MATCH (a:Account) RETURN count(a), sum(a.balance)")
    assert accounts in ([[0, 0]], [[ACCOUNTS, ACCOUNTS * BALANCE]]), f"{server.name}: {accounts}"
