"""Durability and replication: what a promise costs, and how soon it is kept.

Groups: `log` (durable writes beside none, Redis with its AOF always synced, Neo4j), `modes` (the main's CPU with one replica of each mode),
`lone` (one connection, and when a lone write shows), `lag` (half of the full rate), `catch_up` (a replica that was away), `stopped` (a SYNC
replica that does not answer). Main on core 0; client and replicas share core 1. By turns within each round, ratios of medians of
one run. `perf/run durable` calls it and records perf/results/durable.md.
"""

import argparse
import datetime
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from neo4j import GraphDatabase

from language import figure
from servers import QUOIT, ROOT, Echo, Neo4j, Quoit, Redis, free_port
from side_by_side import commit

GROUPS = ("log", "modes", "lone", "lag", "catch_up", "stopped")
VERTEX = 'CREATE (:UserTemp {id: $id})'
EDGE = "MATCH (n:User {id: $from}), (m:User {id: $to}) CREATE (n)-[:Temp]->(m)"
USERS = 10_000
MODES = {"ASYNC": ("ASYNC", 0.95), "semi-sync": ("SYNC WITH TIMEOUT 1", 0.92), "SYNC": ("SYNC", 0.88)}


def workload(text, *names, sequence=False, read=False):
    lines = ["[[query]]", 'name = "it"', f"text = {json.dumps(text)}"] + (["read = true"] if read else [])
    kind = "sequence = { from = 1, step = 1 }" if sequence else f"uniform = [1, {USERS}]"
    return "\n".join(lines + [f"parameters.{name} = {{ {kind} }}" for name in names])


def load(server, text, connections, *arguments, warmup=0.5, scheme="bolt"):
    """One run of the load tool; its JSON report."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        command = [QUOIT, "load", f"{scheme}://127.0.0.1:{server.port}", "-w", file.name, "-c", connections, "--warmup", warmup, "--pin", 1,
                   "--server-pid", server.pid, "--json", *arguments]
        done = subprocess.run(["taskset", "-c", "1", *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{server.name}: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def rate(report):
    return report["total"]["per_second"]


def cpu(report):
    return report["server_cpu_us_per_request"]


def p50(report):
    return report["queries"][0]["latency_us"]["p50"]


def statement(server, text, **parameters):
    with GraphDatabase.driver(f"bolt://127.0.0.1:{server.port}", auth=None) as driver, driver.session() as session:
        return [record.values() for record in session.run(text, parameters)]


def become_replica(server):
    server.replication_port = free_port()
    statement(server, f"SET REPLICATION ROLE TO REPLICA WITH PORT {server.replication_port}")


def register(main, replica, name, mode):
    statement(main, f'REGISTER REPLICA `{name}` {mode} TO "127.0.0.1:{replica.replication_port}"')


def state(main, name):
    with GraphDatabase.driver(f"bolt://127.0.0.1:{main.port}", auth=None) as driver, driver.session() as session:
        return next(record.data() for record in session.run("SHOW REPLICAS") if record["name"] == name)


def wait_in_step(main, name, seconds=120):
    """Until the replica has all that its main has; polled each 10 ms."""
    began = time.monotonic()
    with GraphDatabase.driver(f"bolt://127.0.0.1:{main.port}", auth=None) as driver, driver.session() as session:
        while time.monotonic() < began + seconds:
            row = next(record for record in session.run("SHOW REPLICAS") if record["name"] == name)
            if row["data_info"]["memgraph"]["status"] == "ready" and row["lag_transactions"] == 0:
                return
            time.sleep(0.01)
    sys.exit(f"{name} did not catch up within {seconds} s")


def process_cpu(server):
    fields = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Table:
    def __init__(self):
        self.rows = []
        self.missed = 0

    def add(self, what, measured, asked="", holds=None, note=""):
        self.missed += holds is False
        row = f"| {what} | {measured} | {asked} | {'' if holds is None else 'yes' if holds else '**no**'} | {note} |"
        print(row, flush=True)
        self.rows.append(row)


def by_turns(rounds, asked):
    """Medians of what each entry of `asked` gives, called in turns."""
    runs = {name: [] for name in asked}
    for round_ in range(rounds):
        for name in list(asked) if round_ % 2 == 0 else list(asked)[::-1]:
            runs[name].append(asked[name]())
    return {name: tuple(statistics.median(run[i] for run in these) for i in range(len(these[0]))) for name, these in runs.items()}


def log(directory, table, options):
    quoit, none = Quoit(directory, "0", name="durable").start(), Quoit(directory, "0", durability="none", name="no log").start()
    redis, neo4j = Redis(directory, "0").start(), Neo4j(directory, "0").start()
    try:
        vertex, key = workload(VERTEX, "id", sequence=True), workload("SET $id 1", "id", sequence=True)
        for connections in (64, 1):
            def ask(server, text=vertex, scheme="bolt"):
                report = load(server, text, connections, "-d", options.seconds, scheme=scheme)
                return rate(report), cpu(report), p50(report)

            figures = by_turns(options.rounds, {"durable": lambda: ask(quoit), "none": lambda: ask(none), "redis": lambda: ask(redis, key, "resp")})
            ours, (without, _, _), (theirs, _, _) = figures["durable"], figures["none"], figures["redis"]
            note = f"{ours[0]:,.0f} a second, p50 {figure(ours[2])} µs, CPU {figure(ours[1])} µs"
            if connections == 64:
                table.add(f"durable vertex writes, {connections} connections, versus no log", f"{ours[0] / without:.2f}", "≥ 0.85", ours[0] / without >= 0.85, note)
            table.add(f"durable vertex writes, {connections} connections, versus Redis `SET`, AOF always", f"{ours[0] / theirs:.2f}", "≥ 1.2",
                      ours[0] / theirs >= 1.2, f"{note}; Redis {theirs:,.0f}")
        users = "UNWIND range(1, $n) AS i CREATE (:User {id: i})"
        for server in (quoit, neo4j):
            statement(server, server.index)
            statement(server, users, n=USERS)
        statement(neo4j, neo4j.await_index)
        edge = workload(EDGE, "from", "to")
        load(neo4j, edge, 64, "-d", 5)
        figures = by_turns(options.rounds, {s.name: lambda s=s: (rate(load(s, edge, 64, "-d", options.seconds)),) for s in (quoit, neo4j)})
        (ours,), (theirs,) = figures.values()
        table.add("durable edge writes, 64 connections, versus Neo4j", f"{ours / theirs:.1f}", "≥ 10", ours / theirs >= 10, f"{ours:,.0f} and {theirs:,.0f} a second")
    finally:
        for server in (quoit, none, redis, neo4j):
            server.stop()


def pair(directory, name):
    main, replica = Quoit(directory, "0", name=f"main {name}").start(), Quoit(directory, "1", name=f"replica {name}").start()
    become_replica(replica)
    return main, replica


def modes(directory, table, options):
    main, replica = pair(directory, "modes")
    vertex = workload(VERTEX, "id", sequence=True)
    try:
        def ask(mode):
            if mode:
                register(main, replica, "r", mode)
                wait_in_step(main, "r")
            before = process_cpu(replica)
            report = load(main, vertex, 64, "-d", options.seconds)
            spent = (process_cpu(replica) - before) / max(1, report["total"]["requests"]) * 1e6
            if mode:
                wait_in_step(main, "r")
                statement(main, "DROP REPLICA r")
            return cpu(report), rate(report), spent

        figures = by_turns(options.rounds, {"none": lambda: ask(None)} | {name: lambda mode=mode: ask(mode) for name, (mode, _) in MODES.items()})
        alone = figures["none"]
        table.add("main's CPU a transaction, 64 connections, no replica", f"{alone[0]:.1f} µs", note=f"{alone[1]:,.0f} a second")
        for name, (_, asked) in MODES.items():
            own, rate_, spent = figures[name]
            table.add(f"the same without a replica versus with one {name}", f"{alone[0] / own:.2f}", f"≥ {asked}", alone[0] / own >= asked,
                      f"{own:.1f} µs; {rate_:,.0f} a second; the replica's CPU {spent:.1f} µs a transaction")
    finally:
        main.stop(), replica.stop()


def lone(directory, table, options):
    main, replica = pair(directory, "lone")
    echo = Echo(directory, "1").start()
    vertex = workload(VERTEX, "id", sequence=True)
    try:
        def ask(mode):
            if mode:
                register(main, replica, "r", mode)
                wait_in_step(main, "r")
            report = load(main, vertex, 1, "-n", 3_000)
            if mode:
                statement(main, "DROP REPLICA r")
            return (p50(report),)

        figures = by_turns(options.rounds, {"none": lambda: ask(None), "SYNC": lambda: ask("SYNC"),
                                            "echo": lambda: (p50(load(echo, vertex, 1, "-n", 3_000, scheme="echo")),)})
        (none,), (sync,), (trip,) = figures["none"], figures["SYNC"], figures["echo"]
        table.add("one connection: what SYNC adds to the p50", f"{figure(sync - none)} µs", "a round trip and what the replica's sync takes beyond", None,
                  f"{figure(none)} µs alone, {figure(sync)} with a SYNC replica; an echo on the replica's core {figure(trip)}")
        for name, (mode, _) in MODES.items():
            register(main, replica, "r", mode)
            wait_in_step(main, "r")
            delays = shown_after(main, replica, options.lone)
            statement(main, "DROP REPLICA r")
            table.add(f"a lone CREATE shows on an {name} replica after its answer", f"p50 {delays[len(delays) // 2]:.2f} ms",
                      note=f"p99 {delays[int(len(delays) * 0.99)]:.2f}, most {delays[-1]:.2f}; a reader's round trip included")
    finally:
        main.stop(), replica.stop(), echo.stop()


def shown_after(main, replica, count):
    delays = []
    with GraphDatabase.driver(f"bolt://127.0.0.1:{main.port}", auth=None) as writer, GraphDatabase.driver(f"bolt://127.0.0.1:{replica.port}", auth=None) as reader:
        with writer.session() as write, reader.session() as read:
            for i in range(count):
                write.run("CREATE (:Lone {i: $i})", i=i).consume()
                answered = time.monotonic()
                while read.run("MATCH (n:Lone {i: $i}) RETURN count(n)", i=i).single().value() == 0:
                    assert time.monotonic() - answered < 10, "a lone CREATE never showed"
                delays.append((time.monotonic() - answered) * 1e3)
                time.sleep(0.02)
    return sorted(delays)


def lag(directory, table, options):
    main, replica = pair(directory, "lag")
    vertex = workload(VERTEX, "id", sequence=True)
    try:
        register(main, replica, "r", "ASYNC")
        wait_in_step(main, "r")
        half = rate(load(main, vertex, 64, "-d", options.seconds)) / 2
        wait_in_step(main, "r")
        samples, done = [], threading.Event()

        def sample():
            with GraphDatabase.driver(f"bolt://127.0.0.1:{main.port}", auth=None) as driver, driver.session() as session:
                while not done.is_set():
                    samples.append(session.run("SHOW REPLICAS").single()["lag_seconds"] * 1e3)
                    time.sleep(0.005)

        thread = threading.Thread(target=sample)
        thread.start()
        time.sleep(0.1)
        load(main, vertex, 64, "-d", 4, "-r", int(half))
        done.set()
        thread.join()
        samples.sort()
        worst = samples[int(len(samples) * 0.99)]
        table.add("replica's lag at half load, p99", f"{worst:.1f} ms", "≤ 2 ms", worst <= 2, f"p50 {samples[len(samples) // 2]:.2f} ms; {half:,.0f} a second; {len(samples)} samples of SHOW REPLICAS")
    finally:
        main.stop(), replica.stop()


def catch_up(directory, table, options):
    hub = "MATCH (h:Hub) CREATE (h)-[:Temp]->(:Leaf)"
    many = "UNWIND range(1, 200) AS i MATCH (n:User {id: $from + i}), (m:User {id: $to + i}) CREATE (n)-[:Temp]->(m)"
    bulk = "UNWIND range(1, 1000) AS i CREATE (:Wide {id: i, text: 'fifty bytes that fill a property of a wide node ...'})"
    kinds = {"vertices": (workload(VERTEX, "id", sequence=True), 64, 60_000), "edges of a supernode": (workload(hub), 64, 60_000),
             "edge-heavy frames": (workload(many, "from", "to").replace(str(USERS), str(USERS - 200)), 16, 1_000), "large transactions": (workload(bulk), 4, 1_500)}
    for name, (text, connections, requests) in kinds.items():
        main, replica = pair(directory, name)
        try:
            statement(main, main.index)
            statement(main, "UNWIND range(1, $n) AS i CREATE (:User {id: i})", n=USERS)
            statement(main, "CREATE (:Hub)")
            report = load(main, text, connections, "-n", requests, warmup=0)
            written = report["seconds"]
            began = time.monotonic()
            register(main, replica, "r", "ASYNC")
            wait_in_step(main, "r")
            took = time.monotonic() - began
            table.add(f"catching up: {name}, applied against the rate of committing", f"{written / took:.2f}", "> 1", written / took > 1,
                      f"{requests:,} transactions committed in {written:.2f} s, received, logged and applied in {took:.2f} s")
        finally:
            main.stop(), replica.stop()


def stopped(directory, table, options):
    main, replica = pair(directory, "stopped")
    read = workload("MATCH (n:User {id: $id}) RETURN n.id", "id", read=True)
    try:
        statement(main, main.index)
        statement(main, "UNWIND range(1, $n) AS i CREATE (:User {id: i})", n=USERS)
        alone = statistics.median(rate(load(main, read, 64, "-d", options.seconds)) for _ in range(options.rounds))
        register(main, replica, "r", "SYNC")
        wait_in_step(main, "r")
        os.kill(replica.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, replica.process.pid, os.WSTOPPED | os.WNOWAIT)
        first = {}

        def write():
            began = time.monotonic()
            statement(main, "MATCH (n:User {id: 1}) SET n.x = 1")
            first["answered"] = time.monotonic() - began

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.3)
        began = time.monotonic()
        with GraphDatabase.driver(f"bolt://127.0.0.1:{main.port}", auth=None) as driver, driver.session() as session:
            transaction = session.begin_transaction()
            seen = transaction.run("MATCH (n:User {id: 1}) SET n.x = n.x + 1 RETURN n.x").single().value()
            second = time.monotonic() - began
            waited = "answered" in first
            transaction.rollback()
        beside = rate(load(main, read, 64, "-d", 2, warmup=0.2))
        thread.join()
        os.kill(replica.process.pid, signal.SIGCONT)
        table.add("reads while a SYNC replica is stopped, versus none", f"{beside / alone:.2f}", "≥ 0.95", beside / alone >= 0.95, f"{beside:,.0f} and {alone:,.0f} a second")
        table.add("a second writer of the same row proceeds before the first is answered", "no" if waited else "yes", "yes", not waited and seen == 2,
                  f"after {second * 1e3:.0f} ms, in an explicit transaction; the first was answered after {first['answered']:.1f} s")
    finally:
        os.kill(replica.process.pid, signal.SIGCONT)
        main.stop(), replica.stop()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=2)
    arguments.add_argument("--lone", type=int, default=200)
    arguments.add_argument("--only", action="append", choices=GROUPS)
    arguments.add_argument("--record", help="file in perf/results to write the table to")
    options = arguments.parse_args()
    table, began = Table(), time.monotonic()
    for group in options.only or GROUPS:
        with tempfile.TemporaryDirectory(prefix="quoit-perf-") as directory:
            globals()[group](directory, table, options)
    text = "\n".join([
        f"Recorded {datetime.date.today()} at commit {commit()}: `perf/run durable {' '.join(a for a in sys.argv[1:] if a not in ('--record', options.record))}`, "
        f"{time.monotonic() - began:.0f} s; {os.cpu_count()} CPUs, load average at the end {os.getloadavg()[0]:.1f}.",
        "", "Main on core 0; client and replicas on core 1, so that a replica takes from the client. Ratios of medians of one run; Quoit's durability is `commit`.", "",
        "| what | measured | asked | holds | |", "| --- | ---: | ---: | --- | --- |", *table.rows, "",
        f"{table.missed} of {sum('| yes |' in r or '**no**' in r for r in table.rows)} do not hold."])
    print(text.rsplit("\n", 1)[1])
    if options.record:
        pathlib.Path(ROOT / "perf" / "results" / options.record).write_text(f"# Durability and replication\n\n{text}\n")


if __name__ == "__main__":
    main()
