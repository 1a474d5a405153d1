"""`quoit cluster`: one command starts four servers and walks the founding story."""

import os
import re
import signal
import subprocess

from cluster import BINARY, eventually


def cluster(*arguments, **options):
    return subprocess.run([str(BINARY), "cluster", *arguments], capture_output=True, text=True, timeout=120, **options)


def servers():
    found = subprocess.run(["pgrep", "-f", f"{BINARY} server"], capture_output=True, text=True).stdout.split()
    return set(found)


def test_up_walks_the_story_and_ctrl_c_ends_all_of_it(tmp_path):
    before = servers()
    with open(tmp_path / "out", "w+") as out:
        up = subprocess.Popen([str(BINARY), "cluster", "up", "--main", "1", "--sync", "1", "--async", "1", "--semi-sync", "1",
                               "--story", "--dir", str(tmp_path / "state")], stdout=out, stderr=subprocess.STDOUT)
        try:
            text = eventually(lambda: (lambda t: t if t.count("This is going to be replicated!") >= 4 else None)(
                (tmp_path / "out").read_text()), "the story to be told", 60)
            assert re.search(r"REGISTER REPLICA \w+ SYNC TO", text)
            assert re.search(r"REGISTER REPLICA \w+ ASYNC TO", text)
            assert re.search(r"REGISTER REPLICA \w+ SYNC WITH TIMEOUT", text)
            eventually(lambda: up.poll() is not None or len(servers() - before) == 4, "four servers")
            if up.poll() is None:
                status = cluster("status", "--dir", str(tmp_path / "state"))
                assert status.returncode == 0 and "main" in status.stdout and "replica" in status.stdout, status.stdout + status.stderr
                up.send_signal(signal.SIGINT)
            up.wait(30)
            assert up.returncode in (0, 130), (tmp_path / "out").read_text()
        finally:
            if up.poll() is None:
                up.kill()
                up.wait()
    eventually(lambda: not servers() - before, "all servers to end")


def test_servers_end_when_the_command_is_killed(tmp_path):
    before = servers()
    up = subprocess.Popen([str(BINARY), "cluster", "up", "--sync", "0", "--async", "1", "--semi-sync", "0", "--dir", str(tmp_path / "state")],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: len(servers() - before) == 2, "two servers", 60)
    finally:
        os.kill(up.pid, signal.SIGKILL)
        up.wait()
    eventually(lambda: not servers() - before, "the servers to follow their parent")
