"""Snapshots: written while writes go on, loaded at the next start, passed over when damaged; nothing acknowledged is lost."""

import pathlib
import threading

import pytest
from neo4j.exceptions import DriverError, Neo4jError

from cluster import cluster, eventually, join
from test_crash import Load, ids, judge

EVERYTHING = (
    "MATCH (n) OPTIONAL MATCH (n)-[r]->(m) "
    "RETURN id(n) AS n, labels(n) AS l, properties(n) AS p, id(r) AS r, type(r) AS t, properties(r) AS q, id(m) AS m ORDER BY n, r"
)


def snapshots(server):
    return server.rows("SHOW SNAPSHOTS")


def fill(server):
    server.rows("CREATE CONSTRAINT ON (p:Person) ASSERT p.id IS UNIQUE")
    server.rows("CREATE INDEX ON :Person(age)")
    server.rows("UNWIND range(1, 3000) AS i CREATE (:Person {id: i, age: i % 90, name: 'person ' + toString(i)})")
    server.rows("MATCH (p:Person), (q:Person {id: p.id % 1000 + 1}) CREATE (p)-[:KNOWS {since: p.age}]->(q), (q)-[:LIKES]->(p)")
    server.rows("CREATE (:Text {long: reduce(t = '', i IN range(1, 3000) | t + 'twenty bytes of text')})")
    server.rows("MATCH (p:Person) WHERE p.id % 7 = 0 DETACH DELETE p")
    server.rows("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")


@pytest.mark.parametrize("before, after", [(1, 1), (2, 2), (2, 1), (1, 2)])
def test_a_server_starts_from_its_snapshot_and_goes_on_with_the_log(before, after):
    with cluster(cores=before) as made:
        server = made.main
        fill(server)
        [[path]] = server.rows("CREATE SNAPSHOT")
        assert pathlib.Path(path).exists()
        server.rows("MATCH (p:Person {id: 1}) SET p.age = 1000, p:Changed")
        server.rows("UNWIND range(1, 50) AS i CREATE (:After {i: i})")
        server.rows("MATCH (:Person {id: 2})-[r:KNOWS]->() DELETE r")
        expected = server.rows(EVERYTHING)
        server.kill()
        server.cores = after
        server.restart()
        assert "loaded snapshot" in server.log()
        assert server.rows(EVERYTHING) == expected
        assert server.rows("MATCH (p:Person {age: 1000}) RETURN p.id") == [[1]]
        plan = [row[0] for row in server.rows("EXPLAIN MATCH (p:Person {age: 5}) RETURN p")]
        assert any("ScanAllByLabelProperties" in line for line in plan), plan
        with pytest.raises(Neo4jError, match="(?i)unique|constraint"):
            server.rows("CREATE (:Person {id: 1})")
        info = dict(server.rows("SHOW STORAGE INFO"))
        assert info["global_isolation_level"] == "READ_COMMITTED"
        assert info["vertex_count"] == server.rows("MATCH (n) RETURN count(n)")[0][0]
        assert info["edge_count"] == server.rows("MATCH ()-[r]->() RETURN count(r)")[0][0]
        # Ids go on behind those of the log and the snapshot.
        [[new]] = server.rows("CREATE (n:New) RETURN id(n)")
        assert new not in {row[0] for row in expected}
        server.kill()
        server.restart()
        assert server.rows("MATCH (n:New) RETURN id(n)") == [[new]]


def test_what_is_acknowledged_while_snapshots_are_written_survives_a_kill(tmp_path):
    with cluster(cores=2) as made:
        server = made.main
        load = Load(server, tmp_path / "journal")
        written = []
        for _ in range(3):
            stopping = threading.Event()

            def keep_writing():
                try:
                    with server.driver.session() as session:
                        while not stopping.is_set():
                            written.append(session.run("CREATE SNAPSHOT").single()[0])
                except (Neo4jError, DriverError, OSError):
                    return  # the server was killed

            writer = threading.Thread(target=keep_writing)
            begun = len(written)
            load.start()
            writer.start()
            eventually(lambda: len(written) >= begun + 3, "three snapshots under load", 60)
            server.kill()
            stopping.set()
            load.stop()
            join([writer])
            server.restart()
            judge(load, ids(server))
        assert server.log().count("loaded snapshot") == 3
        assert len(load.acknowledged) > 100


def flip(path, at):
    path = pathlib.Path(path)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_damaged_snapshot_is_passed_over_for_an_older_one_or_the_log(alone):
    server = alone
    fill(server)
    server.rows("CREATE SNAPSHOT")
    server.rows("CREATE (:Between)")
    server.rows("CREATE SNAPSHOT")
    server.rows("CREATE (:Behind)")
    expected = server.rows(EVERYTHING)
    server.kill()
    directory = server.directory / "snapshots"
    parts = sorted(directory.glob("*.part-0000"))
    assert len(parts) == 2
    flip(parts[1], 5000)
    server.restart()
    assert server.rows(EVERYTHING) == expected
    assert f"{parts[1]} cannot be used" in server.log().replace("snapshot file ", "")
    assert server.log().count("loaded snapshot") == 1
    server.kill()
    [older] = [p for p in directory.glob("*.manifest") if p.stem == parts[0].stem]
    flip(older, 50)
    server.restart()
    assert server.rows(EVERYTHING) == expected
    assert server.log().count("loaded snapshot") == 1, "the log alone was used"
    sizes = [row[3] for row in snapshots(server)]
    assert len(sizes) == 2 and any("damaged" in size for size in sizes)


def test_a_snapshot_without_its_log_is_refused_with_what_to_do(alone):
    server = alone
    fill(server)
    server.rows("CREATE SNAPSHOT")
    server.stop()
    (server.directory / "log").rename(server.directory / "elsewhere")
    server.start(wait=False)
    assert server.process.wait(20) == 18
    assert "belongs to another log" in server.log() and "aside" in server.log()
    for path in (server.directory / "log").iterdir():
        path.unlink()
    (server.directory / "log").rmdir()
    (server.directory / "elsewhere").rename(server.directory / "log")
    server.start()
    assert server.rows("MATCH (t:Text) RETURN size(t.long)") == [[60_000]]


def test_snapshots_are_written_on_schedule_and_on_exit_and_the_oldest_go():
    arguments = ["--storage-snapshot-interval-sec", "1", "--storage-snapshot-retention-count", "2"]
    with cluster(arguments=[*arguments, "--storage-snapshot-on-exit=true"]) as made:
        server = made.main
        [[path, due]] = server.rows("SHOW NEXT SNAPSHOT")
        assert path.endswith("snapshots") and due is not None
        assert snapshots(server) == []
        for n in range(1, 4):
            server.rows("CREATE (:N {n: $n})", n=n)
            eventually(lambda: any(row[1] >= n for row in snapshots(server)), f"a snapshot of commit {n}", 20)
        assert len(snapshots(server)) == 2
        server.rows("CREATE (:Last)")
        assert server.stop() == 0
        server.restart()
        newest = snapshots(server)[0]
        assert newest[1] >= 4
        assert server.rows("MATCH (n:N) RETURN count(n)") == [[3]]
        assert "loaded snapshot" in server.log()


def test_a_replica_writes_snapshots_too_and_goes_on_from_them(group):
    group.join("one", "SYNC")
    fill(group.main)
    replica = group.one
    eventually(lambda: replica.rows("MATCH (t:Text) RETURN count(t)") == [[1]], "the replica to show it")
    replica.rows("CREATE SNAPSHOT")
    group.main.rows("UNWIND range(1, 50) AS i CREATE (:After {i: i})")
    replica.kill()
    group.main.rows("CREATE (:WhileAway)")
    replica.restart()
    assert "loaded snapshot" in replica.log()
    group.wait_ready("one", seconds=30)
    group.main.rows("CREATE (:Back)")
    expected = group.main.rows(EVERYTHING)
    eventually(lambda: replica.rows(EVERYTHING) == expected, "the replica to have everything")
    # And as a main.
    replica.rows("SET REPLICATION ROLE TO MAIN")
    replica.rows("CREATE (:Promoted)")
    replica.kill()
    replica.restart()
    assert replica.rows("MATCH (n:Promoted) RETURN count(n)") == [[1]]
    assert replica.rows("MATCH (n:After) RETURN count(n)") == [[50]]


@pytest.mark.parametrize("durability", ["interval", "none"])
def test_a_snapshot_counts_only_with_its_commits_in_the_log(durability):
    with cluster(cores=2, arguments=["--durability", durability]) as made:
        server = made.main
        fill(server)
        server.rows("CREATE SNAPSHOT")
        expected = server.rows(EVERYTHING)
        server.kill()
        server.restart()
        assert "loaded snapshot" in server.log()
        assert server.rows(EVERYTHING) == expected


def test_a_snapshot_in_a_transaction_is_refused(alone):
    with alone.driver.session() as session:
        transaction = session.begin_transaction()
        with pytest.raises(Neo4jError, match="explicit transaction"):
            transaction.run("CREATE SNAPSHOT").consume()
        transaction.close()
