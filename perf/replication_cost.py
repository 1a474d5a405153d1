"""What a replica costs its main, and how soon a lone write is seen there.

1. Write CPU of the main (µs a transaction, 64 connections) without a replica and with one ASYNC replica, in turns;
   main on core 0, replica and client on core 1.
2. Delay of a lone CREATE: from the main's answer until a replica shows it, nothing else running, no later traffic.
"""

import argparse
import datetime
import os
import pathlib
import statistics
import sys
import tempfile
import time

from servers import ROOT, Quoit, free_port
from side_by_side import ask, commit

from neo4j import GraphDatabase


def statement(server, text, **parameters):
    with GraphDatabase.driver(f"bolt://127.0.0.1:{server.port}", auth=None) as driver, driver.session() as session:
        return [record.values() for record in session.run(text, parameters)]


def become_replica(server):
    server.replication_port = free_port()
    statement(server, f"SET REPLICATION ROLE TO REPLICA WITH PORT {server.replication_port}")


def wait_in_step(main, name):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        rows = {row[0]: row for row in statement(main, "SHOW REPLICAS")}
        if rows[name][4]["memgraph"]["status"] == "ready" and rows[name][7] == 0:
            return
        time.sleep(0.02)
    sys.exit(f"{name} did not catch up within 30 s")


def lone_create_delays(main, replicas, count):
    delays = {name: [] for name in replicas}
    with GraphDatabase.driver(f"bolt://127.0.0.1:{main.port}", auth=None) as writer, writer.session() as session:
        readers = {name: GraphDatabase.driver(f"bolt://127.0.0.1:{server.port}", auth=None) for name, server in replicas.items()}
        sessions = {name: driver.session() for name, driver in readers.items()}
        for i in range(count):
            session.run("CREATE (:Lone {i: $i})", i=i).consume()
            answered = time.monotonic()
            for name, reader in sessions.items():
                while reader.run("MATCH (n:Lone {i: $i}) RETURN count(n)", i=i).single().value() == 0:
                    assert time.monotonic() - answered < 10, f"{name} never showed a lone CREATE"
                delays[name].append((time.monotonic() - answered) * 1e3)
            time.sleep(0.02)
        for driver in readers.values():
            driver.close()
    return delays


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--lone", type=int, default=300)
    arguments.add_argument("--record")
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="quoit-perf-") as directory:
        main = Quoit(directory, "0", name="main").start()
        replica = Quoit(directory, "1", name="replica").start()
        others = {name: Quoit(directory, "1", name=name).start() for name in ("sync", "semi-sync")}
        try:
            become_replica(replica)
            alone, replicated, replica_cpu = [], [], []
            for _ in range(arguments.rounds):
                alone.append(ask(main, "vertex_write", 64, arguments.seconds, warmup=1))
                statement(main, f'REGISTER REPLICA r ASYNC TO "127.0.0.1:{replica.replication_port}"')
                wait_in_step(main, "r")
                replicated.append(ask(main, "vertex_write", 64, arguments.seconds, warmup=1))
                wait_in_step(main, "r")
                statement(main, "DROP REPLICA r")
            statement(main, f'REGISTER REPLICA async ASYNC TO "127.0.0.1:{replica.replication_port}"')
            for name, server in others.items():
                become_replica(server)
                mode = "SYNC" if name == "sync" else "SYNC WITH TIMEOUT 1"
                statement(main, f'REGISTER REPLICA `{name}` {mode} TO "127.0.0.1:{server.replication_port}"')
            for name in ("async", *others):
                wait_in_step(main, name)
            delays = lone_create_delays(main, {"async": replica, **others}, arguments.lone)
        finally:
            for server in (main, replica, *others.values()):
                server.stop()

    def figures(runs):
        return (statistics.median(r["server_cpu_us_per_request"] for r in runs), statistics.median(r["total"]["per_second"] for r in runs))

    (cpu_alone, rate_alone), (cpu_replicated, rate_replicated) = figures(alone), figures(replicated)
    lines = [
        f"Recorded {datetime.date.today()} at commit {commit()}: `perf/run replication --rounds {arguments.rounds} --seconds {arguments.seconds} "
        f"--lone {arguments.lone}`; {os.cpu_count()} CPUs, load average at the end {os.getloadavg()[0]:.1f}.",
        "",
        "Vertex writes, 64 connections, durability `commit`; main on core 0; client and replicas on core 1. Medians of the rounds, taken in turns.",
        "",
        "| | main's CPU µs/transaction | transactions/s |",
        "| --- | ---: | ---: |",
        f"| no replica | {cpu_alone:.1f} | {rate_alone:,.0f} |",
        f"| one ASYNC replica | {cpu_replicated:.1f} | {rate_replicated:,.0f} |",
        f"| ratio | {cpu_replicated / cpu_alone:.2f} | {rate_replicated / rate_alone:.2f} |",
        "",
        "Delay of a lone CREATE, from the main's answer until the replica shows it (includes the reader's own round trip), ms:",
        "",
        "| replica | p50 | p99 | max |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, values in delays.items():
        values.sort()
        lines.append(f"| {name} | {values[len(values) // 2]:.2f} | {values[int(len(values) * 0.99)]:.2f} | {values[-1]:.2f} |")
    text = "\n".join(lines)
    print(text)
    if arguments.record:
        pathlib.Path(ROOT / "perf" / "results" / arguments.record).write_text(f"# What replication costs\n\n{text}\n")


if __name__ == "__main__":
    main()
