"""Where a request's time goes: samples of the server under one workload, by room and by function.

Needs Linux `perf` (Debian: linux-perf). Samples the CPU clock, so it works where there are no hardware counters.
"""

import argparse
import datetime
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pokec
from servers import ROOT, Quoit
from side_by_side import WORKLOADS, ask, commit

# What a symbol of the server belongs to, by its path; the first that fits.
ROOMS = ("quoit_protocol", "quoit_query", "quoit_cypher", "quoit_graph", "quoit_log", "quoit_replication", "quoit_rt", "quoit_server",
         "glommio", "rustls")


def samples(data):
    """(share of all samples in percent, shared object, symbol), largest first."""
    report = subprocess.run(["perf", "report", "-i", str(data), "--no-children", "-g", "none", "--sort", "dso,sym", "--stdio"],
                            capture_output=True, text=True, check=True).stdout
    for line in report.splitlines():
        found = re.match(r"\s*([\d.]+)%\s+(\S+)\s+\[.\]\s+(.*\S)", line)
        if found:
            yield float(found[1]), found[2], found[3]


def room_of(dso, symbol):
    if "kernel" in dso:
        return "kernel"
    if dso != "quoit":
        return {"[vdso]": "clock"}.get(dso, dso)
    return next((room.removeprefix("quoit_") for room in ROOMS if room in symbol), "other (generic code)")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--workload", action="append", choices=[p.stem for p in WORKLOADS.glob("*.toml")])
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--record")
    arguments = arguments.parse_args()
    if not shutil.which("perf"):
        sys.exit("perf is missing: install linux-perf")
    lines = [f"Recorded {datetime.date.today()} at commit {commit()}: `perf/run profile`. Samples of the CPU clock, 4999 a second, "
             f"{arguments.connections} connections, server on core 0, client on core 1, graph `small`."]
    with tempfile.TemporaryDirectory(prefix="quoit-perf-") as directory:
        server = Quoit(directory, "0").start()
        try:
            server.load(pokec.generate("small"))
            for workload in arguments.workload or ("point_read", "vertex_write"):
                ask(server, workload, arguments.connections, 2)
                data = pathlib.Path(directory) / f"{workload}.data"
                recorder = subprocess.Popen(["perf", "record", "-F", "4999", "-e", "cpu-clock", "-o", str(data), "-p", str(server.pid), "--",
                                             "sleep", "4"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                run = ask(server, workload, arguments.connections, 5)
                recorder.wait()
                found = list(samples(data))
                cpu = run["server_cpu_us_per_request"]
                rooms = {}
                for share, dso, symbol in found:
                    rooms[room_of(dso, symbol)] = rooms.get(room_of(dso, symbol), 0) + share
                lines += ["", f"## {workload}: {cpu:.1f} µs of server CPU a request", "", "| room | share | µs |", "| --- | ---: | ---: |"]
                lines += [f"| {room} | {share:.1f} % | {cpu * share / 100:.2f} |"
                          for room, share in sorted(rooms.items(), key=lambda item: -item[1]) if share >= 0.5]
                lines += ["", "| function | share |", "| --- | ---: |"]
                lines += [f"| `{symbol[:110]}` ({dso}) | {share:.1f} % |" for share, dso, symbol in found[:30]]
        finally:
            server.stop()
    text = "\n".join(lines)
    print(text)
    if arguments.record:
        (ROOT / "perf" / "results" / arguments.record).write_text(f"# Where the time goes\n\n{text}\n")


if __name__ == "__main__":
    main()
