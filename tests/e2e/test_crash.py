"""kill -9 under load: what was acknowledged is there, and nothing that was never asked for.

Acknowledgements are journalled outside the server, in a file that is synced before the next write is sent.
"""

import os
import threading
import time

import pytest
from neo4j.exceptions import DriverError, Neo4jError

from cluster import cluster, eventually, join


class Load:
    """Writers with a connection each; every vertex has an id of its own. `acknowledged` and `asked` are sets of ids."""

    WRITERS = 4

    def __init__(self, server, journal):
        self.server = server
        self.journal = open(journal, "ab", buffering=0)
        self.lock = threading.Lock()
        self.asked, self.acknowledged = set(), set()
        self.stopping = threading.Event()
        self.threads = []
        self.generation = 0

    def start(self):
        self.stopping.clear()
        self.generation += 1
        self.threads = [threading.Thread(target=self.write, args=(w, self.generation)) for w in range(self.WRITERS)]
        for t in self.threads:
            t.start()

    def write(self, writer, generation):
        i = 0
        try:
            with self.server.driver.session() as session:
                while not self.stopping.is_set():
                    i += 1
                    key = generation * 10_000_000 + writer * 1_000_000 + i
                    with self.lock:
                        self.asked.add(key)
                    session.run("CREATE (:W {id: $id})-[:OF]->(:Pair {id: $id})", id=key).consume()
                    with self.lock:
                        self.journal.write(f"{key}\n".encode())
                        os.fsync(self.journal.fileno())
                        self.acknowledged.add(key)
        except (Neo4jError, DriverError, OSError):
            return  # the server was killed: the outcome of the last write is unknown

    def stop(self):
        self.stopping.set()
        # A machine that has just built everything may take tens of seconds for one sync of the journal.
        join(self.threads, 120)


def ids(server):
    rows = server.rows("MATCH (n:W)-[:OF]->(p:Pair) WHERE n.id = p.id RETURN n.id")
    return [row[0] for row in rows]


def judge(load, found):
    assert len(found) == len(set(found)), "a write is there twice"
    assert load.acknowledged <= set(found), f"{len(load.acknowledged - set(found))} acknowledged writes are lost"
    assert set(found) <= load.asked, "a write is there that nobody asked for"


@pytest.mark.parametrize(("cores", "arguments"), [(1, []), (2, []), (1, ["--durability", "interval"])],
                         ids=["commit", "commit, 2 cores", "interval"])
def test_a_killed_main_has_every_acknowledged_write(tmp_path, cores, arguments):
    with cluster(cores=cores, arguments=arguments) as group:
        load = Load(group.main, tmp_path / "journal")
        kills = 4
        for round_ in range(kills):
            load.start()
            before = len(load.acknowledged)
            eventually(lambda: len(load.acknowledged) > before + 30, "writes to flow", 20)
            time.sleep(0.05 * round_)
            group.main.kill()
            load.stop()
            group.main.cores = 3 - cores if cores == 2 else cores + round_ % 2
            group.main.restart()
            judge(load, ids(group.main))
        assert group.main.rows("MATCH (n:W) WHERE NOT (n)-[:OF]->() RETURN count(n)") == [[0]]
        assert group.main.rows("MATCH (p:Pair) WHERE NOT (p)<-[:OF]-() RETURN count(p)") == [[0]]
        print(f"{kills} kills, {len(load.acknowledged)} acknowledged, 0 lost")


def test_a_killed_sync_replica_has_every_acknowledged_write(tmp_path):
    with cluster() as group:
        r1 = group.join("r1", "SYNC")
        group.wait_ready("r1")
        load = Load(group.main, tmp_path / "journal")
        for _ in range(3):
            load.start()
            before = len(load.acknowledged)
            eventually(lambda: len(load.acknowledged) > before + 30, "writes to flow", 20)
            r1.kill()
            r1.restart()
            group.wait_ready("r1")
            load.stop()
        # Killed once more and brought back alone: what a SYNC answer promised must be on its own disk.
        load.start()
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) > before + 30, "writes to flow", 20)
        group.main.kill()
        r1.kill()
        load.stop()
        r1.restart()
        r1.rows("SET REPLICATION ROLE TO MAIN;")
        judge(load, ids(r1))
        print(f"{len(load.acknowledged)} acknowledged, 0 lost")


def test_roles_and_registrations_survive_kill_9_of_either_side(group):
    r1 = group.join("r1", "SYNC")
    r2 = group.join("r2", "ASYNC")
    r3 = group.join("r3", "SYNC WITH TIMEOUT 1")
    group.wait_ready("r1", "r2", "r3")
    group.main.rows("CREATE (:N {i: 1})")
    group.main.kill()
    group.main.restart()
    assert group.main.rows("SHOW REPLICATION ROLE") == [["main"]]
    assert set(group.main.replicas()) == {"r1", "r2", "r3"}
    group.wait_ready("r1", "r2", "r3")
    assert group.main.warnings("CREATE (:N {i: 2})") == []
    for replica in (r1, r2, r3):
        replica.kill()
    for replica in (r1, r2, r3):
        replica.restart()
        assert replica.rows("SHOW REPLICATION ROLE") == [["replica"]]
    group.wait_ready("r1", "r2", "r3")
    group.main.rows("CREATE (:N {i: 3})")
    for replica in (r1, r2, r3):
        eventually(lambda: replica.rows("MATCH (n:N) RETURN n.i ORDER BY n.i") == [[1], [2], [3]], "all three")
    group.main.rows("DROP REPLICA r2;")
    group.main.kill()
    group.main.restart()
    assert set(group.main.replicas()) == {"r1", "r3"}


def test_a_replica_is_a_prefix_while_the_main_is_killed(tmp_path):
    with cluster() as group:
        r1 = group.join("r1", "ASYNC")
        group.wait_ready("r1")
        load = Load(group.main, tmp_path / "journal")
        for _ in range(3):
            load.start()
            before = len(load.acknowledged)
            eventually(lambda: len(load.acknowledged) > before + 30, "writes to flow", 20)
            group.main.kill()
            load.stop()
            assert set(ids(r1)) <= load.asked
            group.main.restart()
            group.wait_ready("r1")
            eventually(lambda: sorted(ids(r1)) == sorted(ids(group.main)), "the replica to equal its main")
            judge(load, ids(r1))


def test_a_transaction_larger_than_the_logs_spare_room_commits_and_comes_back(alone):
    text = "x" * 1_000_000
    alone.rows("UNWIND range(1, 150) AS i CREATE (:Big {i: i, text: $text + i})", text=text)
    with alone.driver.session() as session, session.begin_transaction() as tx:
        tx.run("UNWIND range(151, 300) AS i CREATE (:Big {i: i, text: $text + i})", text=text).consume()
        tx.commit()
    alone.kill()
    alone.restart()
    assert alone.rows("MATCH (b:Big) RETURN count(b), sum(b.i), min(size(b.text))") == [[300, 45150, 1_000_001]]
