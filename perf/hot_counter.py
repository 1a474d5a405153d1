"""Increments of one hot property against the same over 64 properties, durability `commit`: what a hot row costs.

The server has one core or two (the client shares the second with it then); 64 connections; both workloads by turns in one run. At
the end the counters must hold the increments that were answered.
"""

import argparse
import datetime
import os
import pathlib
import statistics
import sys
import tempfile

from servers import ROOT, Quoit
from side_by_side import ask, commit

from neo4j import GraphDatabase

CONNECTIONS = 64


def sum_of_counters(server):
    with GraphDatabase.driver(f"bolt://127.0.0.1:{server.port}", auth=None) as driver, driver.session() as session:
        return session.run("MATCH (c:Counter) RETURN sum(c.value)").single().value() or 0


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--record")
    arguments = arguments.parse_args()
    lines = [
        f"Recorded {datetime.date.today()} at commit {commit()}: `perf/run hot --rounds {arguments.rounds} --seconds {arguments.seconds}`; "
        f"{os.cpu_count()} CPUs, load average at the start {os.getloadavg()[0]:.1f}.",
        "",
        "Increments by single statements, 64 connections, durability `commit`, client on CPU 1. Medians of the rounds, taken in turns.",
        "",
        "| server's cores | one property, increments/s | 64 properties, increments/s | ratio (goal 0.5 or more) | errors |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for cpus in ("0", "0,1"):
        with tempfile.TemporaryDirectory(prefix="quoit-perf-") as directory:
            server = Quoit(directory, cpus).start()
            try:
                runs = {"hot_counter": [], "cold_counters": []}
                for _ in range(arguments.rounds):
                    for workload, reports in runs.items():
                        before = sum_of_counters(server)
                        report = ask(server, workload, CONNECTIONS, arguments.seconds)
                        answered, made = report["total"]["requests"], sum_of_counters(server) - before
                        # Those of the warm-up, and those on their way when the time was up, are made and not counted as answered.
                        if made < answered:
                            sys.exit(f"{workload}: {answered} increments were answered, {made} were made")
                        reports.append(report)
            finally:
                server.stop()
        hot, cold = (statistics.median(r["total"]["per_second"] for r in runs[w]) for w in ("hot_counter", "cold_counters"))
        errors = sum(r["total"]["errors"] for reports in runs.values() for r in reports)
        lines.append(f"| {len(cpus.split(','))} | {hot:,.0f} | {cold:,.0f} | {hot / cold:.2f} | {errors} |")
    text = "\n".join(lines)
    print(text)
    if arguments.record:
        pathlib.Path(ROOT / "perf" / "results" / arguments.record).write_text(f"# A hot counter\n\n{text}\n")


if __name__ == "__main__":
    main()
