"""`quoit load` against a server: it measures what was answered, and refuses to measure wrong answers."""

import json
import subprocess

import pytest

from cluster import BINARY

READ = """
setup = ["CREATE INDEX ON :User(id)", "UNWIND range(1, 100) AS i CREATE (:User {id: i})"]
[[query]]
name = "read"
text = "MATCH (n:User {id: $id}) RETURN n"
rows = 1
read = true
parameters.id = { uniform = [1, 100] }
[[query]]
name = "write"
text = "MATCH (n:User {id: $id}) SET n.seen = true"
parameters.id = { uniform = [1, 100] }
"""


def load(server, workload, tmp_path, *arguments):
    path = tmp_path / "workload.toml"
    path.write_text(workload)
    return subprocess.run([str(BINARY), "load", f"bolt://{server.address}", "-w", str(path), "--server-pid", str(server.process.pid),
                           "--json", *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("arguments", [["-c", "8"], ["-c", "2", "-p", "8"], ["-c", "4", "--rate", "500"]], ids=["closed", "deep", "open"])
def test_a_mixed_workload_is_measured(alone, tmp_path, arguments):
    done = load(alone, READ, tmp_path, "-d", "1", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["total"]["per_second"] > 0 and report["errors"] == {}
    assert {query["name"] for query in report["queries"]} == {"read", "write"}
    assert 0 < report["total"]["latency_us"]["p50"] <= report["total"]["latency_us"]["p99"]
    assert report["server_cpu_us_per_request"] > 0


def test_wrong_row_counts_and_failing_queries_fail_the_run(alone, tmp_path):
    assert load(alone, READ.replace("rows = 1", "rows = 2"), tmp_path, "-n", "20").returncode == 1
    assert load(alone, READ.replace("RETURN n", "RETURN m"), tmp_path, "-n", "20").returncode == 1
