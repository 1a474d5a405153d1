"""Disks that are full, and files whose bytes are not what was written."""

import contextlib
import pathlib
import random
import shutil
import subprocess
import tempfile

import pytest
from neo4j.exceptions import Neo4jError

from cluster import Cluster, Server, eventually
from journal import Journal
from load import Load
from test_kill import agrees, judged


@contextlib.contextmanager
def small_disk(megabytes):
    """A mounted tmpfs of so many megabytes."""
    where = tempfile.mkdtemp(prefix="quoit-disk-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", where], check=True)
    try:
        yield pathlib.Path(where)
    finally:
        subprocess.run(["umount", "-l", where], check=True)
        shutil.rmtree(where, ignore_errors=True)


def fill_until_refused(server, journal):
    """Writes until one is refused; the error."""
    for _ in range(10_000):
        write = journal.ask()
        query = "CREATE (:Write {id: $id, text: $text})-[:OF {id: $id}]->(:Pair {id: $id})"
        try:
            server.rows(query, id=write, text="x" * 200_000)
        except Neo4jError as error:
            journal.abort(write)
            return error
        journal.acknowledge(write, True)
    raise AssertionError("the disk never filled up")


@pytest.mark.root
def test_a_full_disk_is_a_clean_refusal_and_goes_on_with_room(fire, count):
    with small_disk(200) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(80 << 20))
        server, journal = Server("main", disk / "data").start(), Journal()
        count(journal)
        try:
            error = fill_until_refused(server, journal)
            fire("full disk")
            assert "full" in str(error) or "No space" in str(error), error
            judged(server, journal)
            with pytest.raises(Neo4jError):
                server.rows("CREATE SNAPSHOT")
            ballast.unlink()
            eventually(lambda: accepted(server, journal), "a write to be taken again", 30)
            server.kill()
            server.restart()
            judged(server, journal)
        finally:
            server.close_driver()
            server.process.kill()
            server.process.wait()


def accepted(server, journal):
    write = journal.ask()
    try:
        server.rows("CREATE (:Write {id: $id})-[:OF {id: $id}]->(:Pair {id: $id})", id=write)
    except Neo4jError:
        journal.abort(write)
        return False
    journal.acknowledge(write, True)
    return True


@pytest.mark.root
def test_a_replica_whose_disk_is_full_does_not_hold_the_main_up(fire, count):
    with tempfile.TemporaryDirectory(prefix="quoit-faults-") as directory, small_disk(120) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(30 << 20))
        group, journal = Cluster(directory), Journal()
        count(journal)
        try:
            group.add("main")
            group.servers["one"] = Server("one", disk / "data", cores=1).start()
            group.join("one", "SYNC WITH TIMEOUT 0.3")
            for _ in range(600):
                write = journal.ask()
                query = "CREATE (:Write {id: $id, text: $text})-[:OF {id: $id}]->(:Pair {id: $id})"
                group.main.rows(query, id=write, text="x" * 200_000)
                journal.acknowledge(write, True)
                if group.status("one") != "ready" and group.main.replicas()["one"]["detail"]:
                    break
            fire("full disk of a replica")
            judged(group.main, journal)
            row = group.main.replicas()["one"]
            assert row["lag_transactions"] > 0 or row["data_info"]["memgraph"]["status"] != "ready", row
            # With room it comes back, by itself or, if it stopped, when it is started again.
            ballast.unlink()
            if group.one.process.poll() is not None:
                group.one.restart()
            group.wait_ready("one", seconds=90)
            agrees(group.one, group.main)
            judged(group.one, journal)
        finally:
            group.stop()


def test_every_start_on_damaged_bytes_keeps_what_was_promised_or_refuses_by_name(group, fire, count, dice, rounds):
    server, journal = group.main, Journal()
    load = Load(server, journal)
    load.prepare()
    count(journal)
    load.start()
    load.acknowledged_more(50)
    load.stop()
    server.rows("CREATE SNAPSHOT")
    assert server.stop() == 0
    whole = server.directory.parent / "whole"
    shutil.copytree(server.directory, whole)
    used = {path: len(path.read_bytes().rstrip(b"\0")) for path in sorted(whole.rglob("*")) if path.suffix in (".log", ".manifest") or ".part-" in path.name}
    used = {path: size for path, size in used.items() if size > 4096 or path.suffix != ".log"}
    assert len(used) >= 4
    refused = 0
    for _ in range(12 * rounds):
        path = dice.choice(list(used))
        shutil.rmtree(server.directory)
        shutil.copytree(whole, server.directory)
        damaged = server.directory / path.relative_to(whole)
        content = bytearray(damaged.read_bytes())
        if dice.random() < 0.5:
            at = dice.randrange(used[path])
            content[at] ^= 1 << dice.randrange(8)
        else:
            at = dice.randrange(used[path])
            content[at : used[path]] = bytes(used[path] - at)
        damaged.write_bytes(content)
        fire("damaged file")
        server.start(wait=False)

        def settled():
            return server.process.poll() is not None or server.log().count("\nready\n") > server.started

        eventually(settled, f"a start or a refusal after damage to {damaged} at {at}", 30)
        if server.process.poll() is None:
            judged(server, journal)
            server.kill()
        else:
            refused += 1
            assert server.process.returncode == 18, server.log()
            last = server.log().strip().splitlines()[-1]
            assert "offset" in last and ("Restore" in last or "aside" in last), last
    assert 0 < refused < 12 * rounds, f"{refused} starts were refused"
