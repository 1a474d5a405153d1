"""Quoit beside FalkorDB, Neo4j and the echo floor: point read, one-hop read, vertex write at 1 and 64 connections.

Server on core 0, client on core 1. All servers run side by side, idle but for the one that is asked; they take turns
within each round, so that a drift of the machine's speed meets all of them. Medians of the rounds, and ratios of
medians. `perf/run` calls it and records the table in perf/results/.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

import pokec
from servers import QUOIT, ROOT, Echo, Falkor, Neo4j, Quoit

WORKLOADS = ROOT / "perf" / "workloads"
READS, WRITES = ("point_read", "one_hop"), ("vertex_write",)


def ask(server, workload, connections, seconds, warmup=0):
    """One run of the load tool; its JSON report."""
    scheme = {"bolt": "bolt", "falkor": "redis", "echo": "echo"}[server.protocol]
    path = "/pokec" if scheme == "redis" else ""
    command = [QUOIT, "load", f"{scheme}://127.0.0.1:{server.port}{path}", "-w", WORKLOADS / f"{workload}.toml", "-c", connections,
               "-d", seconds, "--pin", "1", "--server-pid", server.pid, "--json"]
    if warmup:
        command += ["--warmup", warmup]
    done = subprocess.run(["taskset", "-c", "1", *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{server.name}, {workload}, {connections} connections: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def median(runs, read):
    return statistics.median(read(run) for run in runs)


def commit():
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    dirty = subprocess.run(["git", "-C", str(ROOT), "status", "--porcelain", "-uno"], capture_output=True, text=True).stdout.strip()
    return head + ("+" if dirty else "")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--size", default="small", choices=sorted(pokec.SIZES))
    arguments.add_argument("--without", action="append", default=[], help="leave a server out, by name")
    arguments.add_argument("--record", help="file in perf/results to write the table to")
    arguments = arguments.parse_args()

    graph = pokec.generate(arguments.size)
    with tempfile.TemporaryDirectory(prefix="quoit-perf-") as directory:
        servers = {s.name: s for s in (
            Quoit(directory, "0"), Quoit(directory, "0", durability="none", name="Quoit, no log"),
            Falkor(directory, "0"), Neo4j(directory, "0"), Echo(directory, "0"))}
        servers = {name: s for name, s in servers.items() if name not in arguments.without}
        try:
            for server in servers.values():
                print(f"# starting {server.name}", file=sys.stderr)
                server.start()
                server.load(graph)
            if "Neo4j" in servers:
                print("# warming Neo4j up", file=sys.stderr)
                for workload in READS + WRITES:
                    ask(servers["Neo4j"], workload, 16, 1, warmup=25)
            runs = {}
            for round_ in range(arguments.rounds):
                for workload in READS + WRITES:
                    for connections in (1, 64):
                        for name, server in servers.items():
                            if name == "Quoit, no log" and workload in READS:
                                continue
                            runs.setdefault((workload, connections, name), []).append(
                                ask(server, workload, connections, arguments.seconds, warmup=1))
                print(f"# round {round_ + 1} of {arguments.rounds} done", file=sys.stderr)
        finally:
            for server in servers.values():
                server.stop()

    lines = [
        f"Recorded {datetime.date.today()} at commit {commit()}: `perf/run --rounds {arguments.rounds} --seconds {arguments.seconds} --size {arguments.size}`.",
        "",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, load average at the end "
        f"{os.getloadavg()[0]:.1f}; graph: {pokec.describe(graph)}.",
        "Server on core 0, client on core 1; medians of the rounds. FalkorDB writes nothing to disk, Neo4j and Quoit commit durably, "
        "`no log` does not. Ratios: Quoit's rate to theirs, and Quoit's CPU to theirs.",
        "",
        "| workload | conn. | server | requests/s | p50 µs | p99 µs | server CPU µs/request | Quoit's rate to it | Quoit's CPU to it |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for workload in READS + WRITES:
        for connections in (1, 64):
            def rate(name):
                return median(runs[workload, connections, name], lambda r: r["total"]["per_second"])

            def cpu(name):
                return median(runs[workload, connections, name], lambda r: r["server_cpu_us_per_request"])

            for name in servers:
                if (workload, connections, name) not in runs:
                    continue
                these = runs[workload, connections, name]
                latency = [median(these, lambda r, q=q: r["total"]["latency_us"][q]) for q in ("p50", "p99")]
                ratios = ("", "")
                if name != "Quoit":
                    ratios = (f"{rate('Quoit') / rate(name):.1f}", f"{cpu('Quoit') / cpu(name):.2f}")
                lines.append(f"| {workload} | {connections} | {name} | {rate(name):,.0f} | {latency[0]:,.0f} | {latency[1]:,.0f} "
                             f"| {cpu(name):.1f} | {ratios[0]} | {ratios[1]} |")
    text = "\n".join(lines)
    print(text)
    if arguments.record:
        pathlib.Path(ROOT / "perf" / "results" / arguments.record).write_text(f"# Side by side\n\n{text}\n")


if __name__ == "__main__":
    main()
