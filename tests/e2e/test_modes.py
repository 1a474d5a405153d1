"""The table of the three modes (design D12), each row proven by stopping, pausing or cutting a real replica."""

import threading

import pytest
from neo4j import READ_ACCESS, WRITE_ACCESS, GraphDatabase

from cluster import cluster, eventually
from test_bolt import BEGIN, COMMIT, PULL, SUCCESS, Wire, run

# Short enough for a test to wait out, long enough that a healthy replica on a loaded machine stays within it.
REPLICA_TIMEOUT = ["--replica-timeout", "2"]


@pytest.fixture(params=[1, 2], ids=["1 core", "2 cores"])
def group(request):
    """A main of one core, and of two: then every session has two lanes, and groups take both."""
    with cluster(cores=request.param, arguments=REPLICA_TIMEOUT) as made:
        yield made


def count(server):
    return server.rows("MATCH (n:N) RETURN count(n)")[0][0]


def effective_mode(group, name):
    return group.main.replicas()[name]["effective_mode"]


class Background:
    """One statement running in a thread; `.warnings()` joins it."""

    def __init__(self, server, query):
        self.result = None
        self.error = None

        def work():
            try:
                self.result = server.warnings(query)
            except Exception as error:  # noqa: BLE001 - handed to the test
                self.error = error

        self.thread = threading.Thread(target=work)
        self.thread.start()

    @property
    def pending(self):
        return self.thread.is_alive()

    def warnings(self):
        self.thread.join(30)
        assert not self.thread.is_alive(), "the statement never came back"
        assert self.error is None, self.error
        return self.result


# -- SYNC -------------------------------------------------------------------------------------------------------------


def test_a_sync_commit_is_on_the_replica_when_it_is_answered(group):
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    for i in range(1, 51):
        assert group.main.warnings(f"CREATE (:N {{i: {i}}})") == []
    r1.kill()
    r1.restart()
    group.main.kill()
    r1.rows("SET REPLICATION ROLE TO MAIN;")
    assert count(r1) == 50


def test_sync_with_a_dead_replica_commits_with_a_warning_that_names_it(group):
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    r1.kill()
    warnings = group.main.warnings("CREATE (:N)")
    assert len(warnings) == 1 and "r1" in warnings[0], warnings
    assert count(group.main) == 1
    r1.restart()
    group.wait_ready("r1")
    eventually(lambda: count(r1) == 1, "the replica to show what it caught up with", 2)
    assert group.main.warnings("CREATE (:N)") == []


def test_a_paused_sync_replica_delays_the_writer_and_nobody_else(group):
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    group.main.rows("CREATE (:N {i: 0})")
    r1.pause()
    try:
        writer = Background(group.main, "MATCH (n:N) SET n.i = 1")
        eventually(lambda: group.main.rows("MATCH (n:N) RETURN n.i") == [[1]], "readers to see the commit before it is answered")
        assert writer.pending, "the writer was answered before its replica could have confirmed"
        second = Background(group.main, "MATCH (n:N) SET n.i = 2")
        eventually(lambda: group.main.rows("MATCH (n:N) RETURN n.i") == [[2]], "a second writer of the same row to proceed")
        assert any("r1" in w for w in writer.warnings())
        assert any("r1" in w for w in second.warnings())
    finally:
        r1.resume()
    group.wait_ready("r1")
    eventually(lambda: r1.rows("MATCH (n:N) RETURN n.i") == [[2]], "the replica to catch up")
    assert group.main.warnings("CREATE (:N)") == []


# -- SYNC WITH TIMEOUT ------------------------------------------------------------------------------------------------


def test_semi_sync_is_demoted_once_and_promoted_back_by_itself(group):
    # Long enough for four clients to begin on a machine that is busy with other things.
    r1 = group.join("r1", "SYNC WITH TIMEOUT 2")
    group.wait_ready("r1")
    assert group.main.warnings("CREATE (:N)") == []
    assert effective_mode(group, "r1") == "sync"
    r1.pause()
    try:
        waiting = [Background(group.main, "CREATE (:N)") for _ in range(4)]
        # All four have committed, so all wait for the same replica at the moment it is given up.
        eventually(lambda: count(group.main) == 5, "the four commits to be visible on the main")
        assert all(any("r1" in warning for warning in w.warnings()) for w in waiting), "a commit that waited was not told"
        assert effective_mode(group, "r1") == "async"
        assert group.main.warnings("CREATE (:N)") == [], "a commit after the demotion still carries the warning"
        assert group.main.replicas()["r1"]["timeout"] == 2
        assert group.main.replicas()["r1"]["lag_transactions"] >= 1
    finally:
        r1.resume()
    eventually(lambda: effective_mode(group, "r1") == "sync", "the replica to be promoted back", 20)
    assert group.main.warnings("CREATE (:N)") == []
    assert group.main.replicas()["r1"]["lag_transactions"] == 0
    eventually(lambda: count(r1) == count(group.main) == 7, "every commit to be on the replica")


def test_semi_sync_with_a_dead_replica_commits_and_recovers(group):
    r1 = group.join("r1", "SYNC WITH TIMEOUT 0.5")
    group.wait_ready("r1")
    r1.kill()
    first = group.main.warnings("CREATE (:N)")
    assert any("r1" in w for w in first), first
    assert group.main.warnings("CREATE (:N)") == []
    r1.restart()
    eventually(lambda: effective_mode(group, "r1") == "sync", "the replica to be promoted back", 20)
    eventually(lambda: count(r1) == 2, "the replica to show what it caught up with", 2)


# -- ASYNC ------------------------------------------------------------------------------------------------------------


def test_async_waits_for_nobody_and_catches_up(group):
    r1 = group.join("r1", "ASYNC")
    group.wait_ready("r1")
    r1.pause()
    try:
        for _ in range(20):
            assert group.main.warnings("CREATE (:N)") == []
        lag = group.main.replicas()["r1"]["lag_transactions"]
        assert lag >= 1, lag
    finally:
        r1.resume()
    eventually(lambda: count(r1) == 20, "the replica to catch up")
    eventually(lambda: group.main.replicas()["r1"]["lag_transactions"] == 0, "the lag to be 0")


# -- all modes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["SYNC", "ASYNC", "SYNC WITH TIMEOUT 1"])
def test_a_lone_create_is_visible_on_the_replica_with_no_traffic_behind_it(group, mode):
    r1 = group.join("r1", mode)
    group.wait_ready("r1")
    group.main.rows("CREATE (:N)")
    eventually(lambda: count(r1) == 1, "the lone vertex")


@pytest.mark.parametrize("mode", ["SYNC", "ASYNC", "SYNC WITH TIMEOUT 1"])
def test_a_replica_that_joins_late_gets_everything(group, mode):
    group.main.rows("CREATE INDEX ON :N(i)")
    for start in range(0, 1000, 100):
        group.main.rows("UNWIND range($a, $b) AS i CREATE (:N {i: i})-[:E {w: i}]->(:M)", a=start, b=start + 99)
    r1 = group.join("r1", mode)
    group.wait_ready("r1")
    eventually(lambda: count(r1) == 1000, "the late replica to have all")
    assert r1.rows("MATCH (n:N {i: 500})-[e:E]->(m:M) RETURN n.i, e.w, labels(m)") == [[500, 500, ["M"]]]
    assert r1.rows("MATCH (:N)-[e:E]->(:M) RETURN count(e), sum(e.w)") == [[1000, sum(range(1000))]]


def test_a_stuck_replica_leaves_the_other_replicas_alone(group):
    stuck = group.join("stuck", "ASYNC")
    healthy = group.join("healthy", "SYNC")
    group.wait_ready("stuck", "healthy")
    stuck.pause()
    try:
        for _ in range(50):
            assert group.main.warnings("CREATE (:N {p: $p})", p="x" * 2000) == []
        eventually(lambda: count(healthy) == 50, "the healthy replica")
        assert group.main.rows("SHOW REPLICATION ROLE;") == [["main"]]
        assert set(group.main.replicas()) == {"stuck", "healthy"}
        group.main.rows("DROP REPLICA stuck;")
        assert set(group.main.replicas()) == {"healthy"}
    finally:
        stuck.resume()
    assert group.main.warnings("CREATE (:N)") == []


def test_an_explicit_transaction_carries_the_warning_in_its_commit(group):
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    r1.kill()
    # Drivers pass the notifications of COMMIT over, so this looks at the answer itself.
    wire = Wire(group.main, "00000404")
    wire.send(BEGIN + run("CREATE (:N)") + PULL + COMMIT)
    assert wire.tags(3) == [SUCCESS] * 3
    answer = wire.message()
    assert answer[1] == SUCCESS and b"SyncReplicationFailure" in answer and b"r1" in answer, answer
    assert count(group.main) == 1


def role_reached(server, access):
    """The role of the server that a routing driver sends a session of this access mode to."""
    with GraphDatabase.driver(f"neo4j://{server.address}", auth=None) as driver, driver.session(default_access_mode=access) as session:
        return session.run("SHOW REPLICATION ROLE").single().value()


def test_a_main_names_its_replicas_in_step_as_readers(group):
    assert role_reached(group.main, READ_ACCESS) == "main"
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    assert role_reached(group.main, READ_ACCESS) == "replica"
    assert role_reached(group.main, WRITE_ACCESS) == "main"
    r1.kill()
    eventually(lambda: group.status("r1") == "invalid", "the killed replica to be seen")
    assert role_reached(group.main, READ_ACCESS) == "main"


def test_the_mode_table_holds_with_three_replicas_at_once(group):
    r1, r2, r3 = (group.join(name, mode) for name, mode in
                  (("r1", "SYNC"), ("r2", "ASYNC"), ("r3", "SYNC WITH TIMEOUT 0.5")))
    group.wait_ready("r1", "r2", "r3")
    assert group.main.warnings("CREATE (:N)") == []
    for replica in (r2, r3):
        replica.pause()
    try:
        first = group.main.warnings("CREATE (:N)")
        assert len(first) == 1 and "r3" in first[0], first
        assert group.main.warnings("CREATE (:N)") == []
        # It has the write, and shows it when it has heard that the main's own disk has it too.
        eventually(lambda: count(r1) == 3, "the SYNC replica to show what it confirmed", 1)
    finally:
        for replica in (r2, r3):
            replica.resume()
    for replica in (r1, r2, r3):
        eventually(lambda: count(replica) == 3, "every replica to have all")
