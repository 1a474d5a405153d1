"""Real `quoit server` processes for the end to end tests.

A `Server` owns one process and its data directory and can be killed, paused, resumed and restarted; a `Cluster` owns a
main and its replicas and registers them with the founding story's statements. Everything listens on loopback, on ports
that were free a moment ago. Nothing here waits without a deadline, and every wait names what it waited for.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from neo4j import GraphDatabase

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("QUOIT_BINARY", ROOT / "target" / "release" / "quoit"))


def free_ports(count):
    """Ports that nobody listens on now: all are held at once so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def eventually(condition, what, seconds=10.0, pause=0.02):
    """The first true value of `condition()`; an assertion that names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        last = condition()
        if last:
            return last
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}; last saw {last!r}"
        time.sleep(pause)


def join(threads, seconds=60.0):
    """Waits for threads; an assertion that shows where the one that stays out stands."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            frame = sys._current_frames().get(thread.ident)
            stack = "".join(traceback.format_stack(frame)) if frame else "it has just ended\n"
            raise AssertionError(f"{thread.name} is still out after {seconds} s:\n{stack}")


class Server:
    """One `quoit server`: its process, ports and data directory."""

    def __init__(self, name, directory, cores=1, arguments=()):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.bolt_port, self.replication_port = free_ports(2)
        self.cores = cores
        self.arguments = list(arguments)
        self.process = None
        self.log_path = self.directory.parent / f"{name}.log"
        self._driver = None
        self._driver_lock = threading.Lock()

    @property
    def address(self):
        return f"127.0.0.1:{self.bolt_port}"

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.replication_port}"

    def command(self):
        return [str(BINARY), "server", "--bolt-port", str(self.bolt_port), "--data-directory", str(self.directory),
                "--cores", str(self.cores), *self.arguments]

    def start(self, wait=True):
        self.close_driver()
        self.started = self.log().count("\nready\n")
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=20.0):
        # Not by connecting: for a moment after a kill the kernel still accepts for the process that is gone.
        def ready():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.log()}"
            return self.log().count("\nready\n") > self.started

        eventually(ready, f"{self.name} to be ready on {self.bolt_port}", seconds)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self):
        """SIGKILL: nothing in user space runs after it. The driver stays as it is: clients may be in the middle of a query."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=15.0):
        """SIGTERM; the exit code."""
        if self.process is None or self.process.poll() is not None:
            return None if self.process is None else self.process.returncode
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM:\n{self.log()}")
        self.close_driver()
        return self.process.returncode

    def pause(self):
        """SIGSTOP; returns when every thread stands, which sending the signal does not promise."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.close_driver()
        return self.start()

    # -- queries ------------------------------------------------------------------------------------------------------

    @property
    def driver(self):
        with self._driver_lock:
            if self._driver is None:
                self._driver = GraphDatabase.driver(f"bolt://{self.address}", auth=None, connection_timeout=5)
            return self._driver

    def close_driver(self):
        if self._driver is not None:
            with contextlib.suppress(Exception):
                self._driver.close()
            self._driver = None

    def run(self, query, **parameters):
        """(rows, summary) of one auto-commit statement."""
        with self.driver.session() as session:
            result = session.run(query, parameters)
            rows = [record.values() for record in result]
            return rows, result.consume()

    def rows(self, query, **parameters):
        return self.run(query, **parameters)[0]

    def warnings(self, query, **parameters):
        """Texts of the WARNING notifications of one statement."""
        _, summary = self.run(query, **parameters)
        return [n["title"] + " " + n["description"] for n in summary.notifications or [] if n["severity"] == "WARNING"]

    def replicas(self):
        """`SHOW REPLICAS` as dictionaries by replica name."""
        with self.driver.session() as session:
            return {record["name"]: record.data() for record in session.run("SHOW REPLICAS;")}

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Cluster:
    """A main and replicas, each a process; registered by `join`."""

    def __init__(self, directory, cores=1, arguments=()):
        self.directory = pathlib.Path(directory)
        self.cores = cores
        self.arguments = arguments
        self.servers = {}

    def add(self, name, **options):
        options.setdefault("cores", self.cores)
        options.setdefault("arguments", self.arguments)
        self.servers[name] = Server(name, self.directory / name, **options).start()
        return self.servers[name]

    def __getattr__(self, name):
        try:
            return self.__dict__["servers"][name]
        except KeyError:
            raise AttributeError(name) from None

    def join(self, name, mode):
        """Make `name` a replica and register it on `main` in `mode`, with the founding story's statements."""
        server = self.servers.get(name) or self.add(name)
        server.rows(f"SET REPLICATION ROLE TO REPLICA WITH PORT {server.replication_port};")
        self.main.rows(f'REGISTER REPLICA {name} {mode} TO "{server.endpoint}";')
        return server

    def status(self, name):
        return self.main.replicas()[name]["data_info"]["memgraph"]["status"]

    def wait_ready(self, *names, seconds=15.0):
        for name in names:
            eventually(lambda: self.status(name) == "ready", f"{name} to be ready on the main", seconds)

    def stop(self):
        for server in self.servers.values():
            server.close_driver()
            if server.process is not None and server.process.poll() is None:
                server.process.kill()
                server.process.wait()


@contextlib.contextmanager
def cluster(cores=1, arguments=()):
    """A cluster with a running main in a directory of its own, all gone at the end; logs are shown if the body fails."""
    directory = tempfile.mkdtemp(prefix="quoit-e2e-")
    made = Cluster(directory, cores, arguments)
    try:
        made.add("main")
        yield made
    except BaseException:
        for server in made.servers.values():
            print(f"--- log of {server.name}\n{server.log()[-4000:]}")
        raise
    finally:
        made.stop()
        shutil.rmtree(directory, ignore_errors=True)
