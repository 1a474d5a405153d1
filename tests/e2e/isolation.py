"""Transactions against each other: sessions of the real driver, a connection each, spread over the server's cores.

`Room` owns a server with two cores at one isolation level and the sessions opened on it; what a test leaves in the graph is gone
before the next. A conflict is a `TransientError`, the kind that drivers retry; `refused` asks for exactly that.
"""

import contextlib

from neo4j.exceptions import TransientError

from cluster import cluster

LEVELS = {
    "snapshot": "SNAPSHOT ISOLATION",
    "read committed": "READ COMMITTED",
    "read uncommitted": "READ UNCOMMITTED",
}


class Room:
    def __init__(self, server, level):
        self.server, self.level = server, level
        server.rows(f"SET GLOBAL TRANSACTION ISOLATION LEVEL {LEVELS[level]}")

    def expect(self, snapshot, committed, uncommitted):
        """What this level has to give, of the three."""
        return {"snapshot": snapshot, "read committed": committed, "read uncommitted": uncommitted}[self.level]

    def run(self, query, **parameters):
        return self.server.rows(query, **parameters)

    @contextlib.contextmanager
    def transactions(self, count):
        """So many explicit transactions at once, each on a connection of its own; open ones are rolled back at the end."""
        with contextlib.ExitStack() as stack:
            sessions = [stack.enter_context(self.server.driver.session()) for _ in range(count)]
            opened = [Transaction(session.begin_transaction()) for session in sessions]
            for transaction in opened:
                stack.callback(transaction.end)
            yield opened

    def empty(self):
        self.run("MATCH (n) DETACH DELETE n")


class Transaction:
    """An explicit transaction on the table of keys and values that the cases speak of."""

    def __init__(self, tx):
        self.tx = tx

    def run(self, query, **parameters):
        return [record.values() for record in self.tx.run(query, parameters)]

    def read(self, key):
        rows = self.run("MATCH (n:Kv {key: $key}) RETURN n.value", key=key)
        return [value for (value,) in rows]

    def both(self):
        return self.read(1) + self.read(2)

    def keys(self, predicate):
        rows = self.run(f"MATCH (n:Kv) WHERE {predicate} RETURN n.key ORDER BY n.key")
        return [key for (key,) in rows]

    def write(self, key, value):
        self.run("MATCH (n:Kv {key: $key}) SET n.value = $value", key=key, value=value)

    def commit(self):
        self.tx.commit()

    def rollback(self):
        self.tx.rollback()

    def end(self):
        with contextlib.suppress(Exception):
            self.tx.rollback()


def refused(step, *arguments, **parameters):
    """The step conflicts with another transaction and says so in the way that drivers retry; the error's text."""
    try:
        step(*arguments, **parameters)
    except TransientError as error:
        assert error.code == "Neo.TransientError.Transaction.Outdated", error.code
        assert error.is_retryable()
        return error.message
    raise AssertionError("two transactions wrote the same, and nobody was told")


@contextlib.contextmanager
def rooms(cores=2):
    """A server on which rooms of any level can be had, one after the other."""
    with cluster(cores=cores) as group:
        yield lambda level: Room(group.main, level)
