"""The LDBC ACID cases: concurrent clients, and a count of each anomaly, at every isolation level.

A case is a set-up, a transaction that writes, perhaps one that reads and says whether it saw the anomaly, and perhaps a look at
the end. What a level forbids must never be counted. After Waudby et al., "Towards Testing ACID Compliance in the LDBC Social
Network Benchmark" (TPCTC 2020).
"""

import random
import threading
import time

import pytest
from neo4j.exceptions import TransientError

from cluster import join
from isolation import LEVELS, rooms

SNAPSHOT, COMMITTED, UNCOMMITTED = LEVELS
ALL = {SNAPSHOT, COMMITTED, UNCOMMITTED}
CLIENTS = 2
TRANSACTIONS = 40
PERSONS = 4


def pause():
    time.sleep(random.random() * 0.002)


class Case:
    """One anomaly. `forbidden`: the levels at which it must not be seen."""

    forbidden = ALL

    def __init__(self):
        self.lock = threading.Lock()
        self.committed = 0

    def setup(self, run):
        run("UNWIND range(1, $n) AS i CREATE (:Person {id: i, version: 0, history: []})", n=PERSONS)
        run("MATCH (a:Person), (b:Person) WHERE b.id = a.id % $n + 1 CREATE (a)-[:KNOWS {history: []}]->(b)", n=PERSONS)

    def write(self, tx, number):
        raise NotImplementedError

    # Whether what `write` answered is to be committed.
    commits = True

    def done(self, answer):
        """A writer has committed."""

    def read(self, tx):
        """Whether the anomaly was seen."""
        return False

    def end(self, run):
        """How often the anomaly is there when everything is over."""
        return 0


def person(random_=random):
    return random_.randint(1, PERSONS)


class AtomicityCommit(Case):
    def write(self, tx, number):
        tx.run("MATCH (p:Person {id: $id}) SET p.emails = coalesce(p.emails, []) + [$number] "
               "CREATE (p)-[:KNOWS {since: $number}]->(:New {id: $number})", id=person(), number=number).consume()

    def end(self, run):
        (emails,), (news,), (edges,) = (run(q)[0] for q in (
            "MATCH (p:Person) RETURN sum(size(coalesce(p.emails, [])))", "MATCH (n:New) RETURN count(n)",
            "MATCH (:Person)-[k:KNOWS]->(:New) WHERE k.since IS NOT NULL RETURN count(k)"))
        return sum(found != self.committed for found in (emails, news, edges))


class AtomicityRollback(AtomicityCommit):
    commits = False


class DirtyWrite(Case):
    """G0: two writers of the same path must not interleave."""

    def write(self, tx, number):
        at = person()
        for thing in ("a", "k", "b"):
            tx.run(f"MATCH (a:Person {{id: $id}})-[k:KNOWS]->(b:Person) SET {thing}.history = {thing}.history + [$number]",
                   id=at, number=number).consume()

    def end(self, run):
        paths = run("MATCH (a:Person)-[k:KNOWS]->(b:Person) RETURN a.history, k.history, b.history")
        # Of a path's three the edge has that path's writers only; its ends have its neighbours' too.
        return sum([n for n in a if n in k] != k or [n for n in b if n in k] != k for a, k, b in paths)


class AbortedRead(Case):
    """G1a."""

    forbidden = {SNAPSHOT, COMMITTED}
    commits = False

    def write(self, tx, number):
        tx.run("MATCH (p:Person {id: $id}) SET p.version = 99", id=person()).consume()
        pause()

    def read(self, tx):
        return tx.run("MATCH (p:Person {id: $id}) RETURN p.version", id=person()).single()[0] != 0


class IntermediateRead(Case):
    """G1b: odd versions are never a transaction's last."""

    forbidden = {SNAPSHOT, COMMITTED}

    def write(self, tx, number):
        at = person()
        for version in (1, 2):
            tx.run("MATCH (p:Person {id: $id}) SET p.version = $version", id=at, version=version).consume()
            pause()

    def read(self, tx):
        return tx.run("MATCH (p:Person {id: $id}) RETURN p.version", id=person()).single()[0] % 2 == 1


class CircularFlow(Case):
    """G1c: two transactions do not both read the other's write."""

    forbidden = {SNAPSHOT, COMMITTED}

    def __init__(self):
        super().__init__()
        self.saw = {}

    def write(self, tx, number):
        one, other = random.sample(range(1, PERSONS + 1), 2)
        tx.run("MATCH (p:Person {id: $id}) SET p.version = $number", id=one, number=number).consume()
        pause()
        return number, tx.run("MATCH (p:Person {id: $id}) RETURN p.version", id=other).single()[0]

    def done(self, answer):
        with self.lock:
            self.saw[answer[0]] = answer[1]

    def end(self, run):
        return sum(self.saw.get(seen) == number for number, seen in self.saw.items() if seen)


class ItemManyPreceders(Case):
    """IMP: one item, two states."""

    forbidden = {SNAPSHOT}

    def write(self, tx, number):
        tx.run("MATCH (p:Person {id: $id}) SET p.version = p.version + 1", id=person()).consume()

    def read(self, tx):
        query, at = "MATCH (p:Person {id: $id}) RETURN p.version", person()
        first = tx.run(query, id=at).single()[0]
        pause()
        return tx.run(query, id=at).single()[0] != first


class PredicateManyPreceders(Case):
    """PMP: one predicate, two answers."""

    forbidden = {SNAPSHOT}

    def write(self, tx, number):
        tx.run("MATCH (p:Person {id: $id}) CREATE (p)-[:LIKES]->(:Post)", id=person()).consume()

    def read(self, tx):
        query, at = "MATCH (:Person {id: $id})-[:LIKES]->(post:Post) RETURN count(post)", person()
        first = tx.run(query, id=at).single()[0]
        pause()
        return tx.run(query, id=at).single()[0] != first


RING = "MATCH (a:Person {id: 1})-[:KNOWS]->(b:Person)-[:KNOWS]->(c:Person)-[:KNOWS]->(d:Person) "


class ObservedTransactionVanishes(Case):
    """OTV: what was seen of a transaction is not unseen later."""

    forbidden = {SNAPSHOT, COMMITTED}

    def write(self, tx, number):
        tx.run(RING + "SET a.version = a.version + 1, b.version = b.version + 1, c.version = c.version + 1, d.version = d.version + 1").consume()

    def look(self, tx):
        return tx.run(RING + "RETURN a.version, b.version, c.version, d.version").single().values()

    def read(self, tx):
        first = self.look(tx)
        pause()
        return max(first) > min(self.look(tx))


class FracturedRead(ObservedTransactionVanishes):
    """FR: of a transaction all is seen, or nothing."""

    forbidden = {SNAPSHOT}

    def read(self, tx):
        first = self.look(tx)
        pause()
        second = self.look(tx)
        return first != second or len(set(first)) > 1


class LostUpdate(Case):
    """LU."""

    def write(self, tx, number):
        tx.run("MATCH (p:Person {id: $id}) SET p.version = p.version + 1 CREATE (p)-[:HAS]->(:Post)", id=person()).consume()

    def end(self, run):
        ((versions, _),) = run("MATCH (p:Person) RETURN sum(p.version), count(p)")
        wrong = run("MATCH (p:Person) OPTIONAL MATCH (p)-[h:HAS]->() WITH p, count(h) AS posts WHERE posts <> p.version RETURN count(p)")
        return abs(versions - self.committed) + wrong[0][0]


class WriteSkew(Case):
    """WS: both ends of a pair look at their sum, and each takes from itself. Allowed at every level here."""

    forbidden = set()

    def setup(self, run):
        run("UNWIND range(1, $n) AS i CREATE (:Person {id: i, value: 70})-[:PAIR]->(:Person {id: -i, value: 80})", n=PERSONS)

    def write(self, tx, number):
        at = person()
        total = tx.run("MATCH (a:Person {id: $id})-[:PAIR]->(b) RETURN a.value + b.value", id=at).single()[0]
        pause()
        if total >= 100:
            tx.run("MATCH (p:Person {id: $id}) SET p.value = p.value - 100", id=random.choice([at, -at])).consume()

    def end(self, run):
        return run("MATCH (a:Person)-[:PAIR]->(b) WHERE a.value + b.value < 0 RETURN count(a)")[0][0]


CASES = [AtomicityCommit, AtomicityRollback, DirtyWrite, AbortedRead, IntermediateRead, CircularFlow, ItemManyPreceders,
         PredicateManyPreceders, ObservedTransactionVanishes, FracturedRead, LostUpdate, WriteSkew]


@pytest.fixture(scope="module")
def make_room():
    with rooms() as make:
        yield make


def play(room, case):
    """All clients to their end: anomalies, transactions that were tried, and those that conflicted."""
    counts = {"anomalies": 0, "tried": 0, "conflicts": 0}
    reads = type(case).read is not Case.read
    failures = []

    def client(number, reading):
        try:
            with room.server.driver.session() as session:
                for turn in range(TRANSACTIONS):
                    transaction(session, number * TRANSACTIONS + turn + 1, reading)
        except BaseException as error:
            failures.append(error)

    def transaction(session, number, reading):
        with case.lock:
            counts["tried"] += 1
        tx = session.begin_transaction()
        try:
            if reading:
                seen = case.read(tx)
                tx.commit()
                with case.lock:
                    counts["anomalies"] += bool(seen)
                return
            answer = case.write(tx, number)
            if case.commits:
                tx.commit()
                with case.lock:
                    case.committed += 1
                case.done(answer)
            else:
                tx.rollback()
        except TransientError:
            # Nothing more through `tx`: its failure gave the connection back to the pool, where another client may have it.
            with case.lock:
                counts["conflicts"] += 1

    threads = [threading.Thread(target=client, args=(n, False)) for n in range(CLIENTS)]
    if reads:
        threads += [threading.Thread(target=client, args=(CLIENTS + n, True)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    join(threads, 120)
    if failures:
        raise failures[0]
    counts["anomalies"] += case.end(room.run)
    return counts


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_no_anomaly_that_the_level_forbids(make_room, kind, level):
    room = make_room(level)
    room.empty()
    case = kind()
    case.setup(room.run)
    counts = play(room, case)
    print(f"{kind.__name__} at {level}: {counts}")
    if level in kind.forbidden:
        assert counts["anomalies"] == 0, counts
    assert not case.commits or case.committed * 4 >= CLIENTS * TRANSACTIONS, f"nearly everything conflicted: {counts}"
