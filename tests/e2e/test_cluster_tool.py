"""`quoit cluster`: one command starts four servers, walks the founding story, and lets a user watch each mode behave."""

import contextlib
import os
import re
import signal
import subprocess

import pytest

from cluster import BINARY, eventually


def servers():
    found = subprocess.run(["pgrep", "-f", f"{BINARY} server"], capture_output=True, text=True).stdout.split()
    return set(found)


class Up:
    """A running `quoit cluster up` with what it has printed so far."""

    def __init__(self, directory, *arguments):
        self.directory = directory
        self.before = servers()
        self.out = open(directory / "out", "w+")
        self.process = subprocess.Popen([str(BINARY), "cluster", "up", "--dir", str(directory / "state"), *arguments],
                                        stdout=self.out, stderr=subprocess.STDOUT)

    def text(self):
        return (self.directory / "out").read_text()

    def servers(self):
        return servers() - self.before

    def other(self, *arguments):
        """The same cluster, asked from another terminal."""
        return subprocess.run([str(BINARY), "cluster", *arguments, "--dir", str(self.directory / "state")], capture_output=True,
                              text=True, timeout=60)

    def status(self):
        done = self.other("status")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.out.close()
        eventually(lambda: not self.servers(), "all servers to end")


@pytest.fixture
def up(tmp_path):
    with contextlib.ExitStack() as stack:
        def start(*arguments):
            made = Up(tmp_path, *arguments)
            stack.callback(made.close)
            return made

        yield start


def test_the_story_is_told_checked_and_ends(up):
    cluster = up("--main", "1", "--sync", "1", "--async", "1", "--semi-sync", "1", "--story")
    assert cluster.process.wait(60) == 0, cluster.text()
    text = cluster.text()
    assert text.count("This is going to be replicated!") >= 4
    for mode in (r"SYNC TO", r"ASYNC TO", r"SYNC WITH TIMEOUT \S+ TO"):
        assert re.search(r"REGISTER REPLICA \w+ " + mode, text), text
    assert "The story holds" in text
    assert not cluster.servers()


def test_ctrl_c_ends_all_of_it_cleanly(up):
    cluster = up("--story", "--stay")
    eventually(lambda: "The story holds" in cluster.text(), "the story to be told", 60)
    assert len(cluster.servers()) == 4
    cluster.process.send_signal(signal.SIGINT)
    assert cluster.process.wait(30) == 0, cluster.text()
    assert not cluster.servers()


def test_nodes_are_killed_paused_and_brought_back_from_another_terminal(up):
    cluster = up("--sync", "1", "--async", "0", "--semi-sync", "0")
    eventually(lambda: len(cluster.servers()) == 2 and "ready" in cluster.other("status").stdout, "the cluster to be up", 60)
    assert cluster.other("kill", "r1").returncode == 0
    eventually(lambda: "invalid" in cluster.status(), "the killed replica to be shown as invalid")
    assert cluster.other("restart", "r1").returncode == 0
    eventually(lambda: "ready" in cluster.status() and "invalid" not in cluster.status(), "the replica to be ready again")
    assert cluster.other("pause", "r1").returncode == 0
    assert cluster.other("resume", "r1").returncode == 0
    unknown = cluster.other("kill", "nobody")
    assert unknown.returncode != 0 and "nobody" in unknown.stderr
    assert cluster.other("down").returncode == 0
    assert cluster.process.wait(30) == 0, cluster.text()


def test_servers_end_when_the_command_is_killed(up):
    cluster = up("--sync", "0", "--async", "1", "--semi-sync", "0")
    eventually(lambda: len(cluster.servers()) == 2, "two servers", 60)
    os.kill(cluster.process.pid, signal.SIGKILL)
    cluster.process.wait()
    eventually(lambda: not cluster.servers(), "the servers to follow their parent")
