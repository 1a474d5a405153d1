"""SIGKILL and SIGSTOP of a main, a replica, both, under load, with snapshots being written."""

import threading

import pytest
from neo4j.exceptions import DriverError, Neo4jError

from cluster import eventually, join
from journal import Journal, Verdict
from load import Load, bank_is_whole, found


class Snapshots:
    """Writes snapshots on a server until it goes away or is told to stop."""

    def __init__(self, server):
        self.server, self.stopping = server, threading.Event()
        self.thread = threading.Thread(target=self.run, name="snapshots")
        self.thread.start()

    def run(self):
        try:
            with self.server.driver.session() as session:
                while not self.stopping.wait(0.05):
                    session.run("CREATE SNAPSHOT").consume()
        except (DriverError, Neo4jError, OSError):
            return

    def stop(self):
        self.stopping.set()
        join([self.thread])


def judged(server, journal, promised=None):
    Verdict(journal, found(server), promised).demand(server.name)
    bank_is_whole(server)


def agrees(replica, main):
    """The replica has all that the main has, in the end."""
    eventually(lambda: sorted(found(replica)) == sorted(found(main)), f"{replica.name} to have what the main has", 60)


def test_a_main_that_is_killed_loses_nothing_that_was_acknowledged(group, fire, count, dice, rounds):
    server, journal = group.main, Journal()
    load = Load(server, journal)
    load.prepare()
    count(journal)
    for _ in range(2 * rounds):
        load.start()
        snapshots = Snapshots(server)
        load.acknowledged_more(dice.randrange(20, 300))
        server.kill()
        fire("kill of a main")
        load.stop()
        snapshots.stop()
        server.restart()
        judged(server, journal)


@pytest.mark.parametrize("mode", ["SYNC", "ASYNC", "SYNC WITH TIMEOUT 0.3"])
def test_a_replica_that_is_killed_comes_back_to_all_of_it(group, fire, count, dice, rounds, mode):
    replica, journal = group.join("one", mode), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    for _ in range(rounds):
        load.start()
        snapshots = Snapshots(replica)
        load.acknowledged_more(dice.randrange(20, 200))
        replica.kill()
        fire("kill of a replica")
        snapshots.stop()
        if mode != "SYNC":
            load.acknowledged_more(20)
        replica.restart()
        load.acknowledged_more(20)
        bank_is_whole(replica)
        load.stop()
        group.wait_ready("one", seconds=60)
        agrees(replica, group.main)
        judged(group.main, journal)
        judged(replica, journal)


def test_main_and_replica_killed_together_agree_afterwards(group, fire, count, dice, rounds):
    replica, journal = group.join("one", "SYNC"), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    for _ in range(rounds):
        load.start()
        load.acknowledged_more(dice.randrange(20, 200))
        for server in dice.sample([group.main, replica], 2):
            server.kill()
            fire(f"kill of {server.name}")
        load.stop()
        group.main.restart()
        replica.restart()
        group.wait_ready("one", seconds=60)
        agrees(replica, group.main)
        judged(group.main, journal)
        judged(replica, journal)


def test_a_sync_replica_that_is_promoted_has_all_that_was_confirmed(group, fire, count, dice):
    replica, journal = group.join("one", "SYNC"), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    load.start()
    load.acknowledged_more(dice.randrange(100, 300))
    group.main.kill()
    fire("kill of a main")
    load.stop()
    replica.rows("SET REPLICATION ROLE TO MAIN")
    judged(replica, journal, promised=journal.confirmed)
    assert len(journal.confirmed) >= 100
    # It goes on as a main, and what it takes is kept.
    own = Load(replica, journal)
    own.start()
    own.acknowledged_more(50)
    replica.kill()
    fire("kill of a promoted main")
    own.stop()
    replica.restart()
    judged(replica, journal, promised=journal.confirmed)


@pytest.mark.parametrize("mode, waits", [("SYNC", True), ("ASYNC", False), ("SYNC WITH TIMEOUT 0.3", False)])
def test_a_stopped_replica_is_waited_for_as_its_mode_says_and_catches_up(group, fire, count, mode, waits):
    replica, journal = group.join("one", mode), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    load.start()
    load.acknowledged_more(50)
    replica.pause()
    fire("stop of a replica")
    # SYNC gives it up after --replica-timeout; the others go on sooner. Nobody stands still for ever.
    load.acknowledged_more(50, 60)
    assert group.main.rows("RETURN 1") == [[1]], "readers are not held up"
    replica.resume()
    load.acknowledged_more(50)
    load.stop()
    group.wait_ready("one", seconds=60)
    agrees(replica, group.main)
    judged(group.main, journal)
    judged(replica, journal)
    assert (len(journal.confirmed) < len(journal.acknowledged)) == (mode != "ASYNC")
