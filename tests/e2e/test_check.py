"""`quoit check DIR`: says what is wrong with a data directory, and where, without changing it."""

import hashlib
import json
import pathlib
import subprocess

from cluster import BINARY


def check(directory, *arguments):
    return subprocess.run([str(BINARY), "check", str(directory), *arguments], capture_output=True, text=True, timeout=60)


def lines(done):
    return {line["what"].split()[0]: line for line in map(json.loads, done.stdout.splitlines())}


def contents(directory):
    files = sorted(path for path in pathlib.Path(directory).rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def filled(server):
    server.rows("UNWIND range(1, 500) AS i CREATE (:N {i: i})-[:TO]->(:M)")
    server.rows("CREATE SNAPSHOT")
    server.rows("CREATE (:Behind)")


def test_a_good_directory_is_good_and_stays_as_it_is(alone):
    filled(alone)
    assert check(alone.directory).returncode == 14, "a server uses it"
    alone.stop()
    before = contents(alone.directory)
    done = check(alone.directory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PROBLEM" not in done.stdout and "2 transactions" in done.stdout and "snapshot-" in done.stdout
    found = lines(check(alone.directory, "--json"))
    assert {what: line["verdict"] for what, line in found.items()} == {"node": "ok", "log": "ok", "snapshot": "ok"}
    assert contents(alone.directory) == before


def test_what_is_damaged_is_named_with_its_place_and_what_to_do(alone):
    filled(alone)
    alone.stop()
    [segment] = [path for path in (alone.directory / "log").glob("*1.log")]
    [part] = (alone.directory / "snapshots").glob("*.part-0000")
    [manifest] = (alone.directory / "snapshots").glob("*.manifest")
    for path, at, what, words in [
        (segment, 4096 + 100, "log", ("offset 4096", "Restore")),
        (part, 3000, "snapshot", (part.name, "offset", "passes it over")),
        (manifest, 41, "snapshot", (manifest.name, "passes it over")),
        (alone.directory / "node", 70_000, "node", ("node",)),
    ]:
        flip(path, at)
        done = check(alone.directory, "--json")
        finding = lines(done)[what]
        if what == "node":
            # The other copy of the record is whole.
            assert done.returncode == 0 and finding["verdict"] == "ok"
        else:
            assert done.returncode == 1 and finding["verdict"] == "problem", done.stdout
            assert all(word in finding["found"] for word in words), finding
        flip(path, at)
    assert check(alone.directory).returncode == 0


def test_a_log_that_ends_below_its_snapshot_is_a_problem(alone):
    filled(alone)
    alone.stop()
    for path in (alone.directory / "log").glob("*.log"):
        path.unlink()
    done = check(alone.directory)
    assert done.returncode == 0 and "no log that it could be held against" in done.stdout


def test_what_is_no_directory_is_said_in_one_line(tmp_path):
    done = check(tmp_path / "nowhere")
    assert done.returncode == 1 and "cannot be read" in done.stderr
    assert check(tmp_path).returncode == 0
