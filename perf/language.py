"""Language and executor beside peers: the table of workloads, every answer checked before it is timed.

Server on core 0, client on core 1. Quoit (no log) beside FalkorDB over their own wires by the load tool, Ladybug embedded in a process of its own
on core 0, a level-set loop over CSR arrays (`levels` of benches/), and the echo floor. The same random ids for all, the same number of
requests, by turns within each round; ratios of medians of one run. `perf/run language` calls it and records perf/results/language.md.
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
import time

import numpy as np

import pokec
from embedded import Ladybug
from expected import Expected
from questions import QUESTIONS, Question, Wrong
from servers import QUOIT, ROOT, TARGET, Echo, Falkor, Quoit
from side_by_side import commit

LEVELS = TARGET / "release" / "levels"
# Beside QUESTIONS: what is measured otherwise than by a rate.
GROUPS = sorted({q.group for q in QUESTIONS} | {"arrays", "plan", "tail", "cores"})
SECONDS_A_RUN, REQUESTS_LEAST, REQUESTS_MOST = 1.2, 3, 40_000
# An answer that takes longer is asked for in the first run only, and compared with the same requests.
SLOW_US = 1.5e6
ROW_NS = 30
POINT = next(q for q in QUESTIONS if q.name == "point_read")


class Numbers:
    """The load tool's generator (SplitMix64), so that everybody is asked about the same vertices."""

    MASK = 2**64 - 1

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return ((z ^ (z >> 31)) * n) >> 64


def drawn(question, vertices, seed, count):
    """Parameters of `count` requests, as the load tool draws them: names in ascending order."""
    numbers = Numbers(seed)
    return [{name: numbers.below(vertices) + 1 for name in sorted(question.parameters)} for _ in range(count)]


def workload_of(question, server, vertices):
    """A workload file for the load tool."""
    lines = ["[[query]]", f"name = {json.dumps(question.name)}", f"text = {json.dumps(question.text_for(server))}"]
    if not question.writes:
        lines.append("read = true")
    return "\n".join(lines + [f"parameters.{name} = {{ uniform = [1, {vertices}] }}" for name in question.parameters])


class Bench:
    def __init__(self, directory, graph):
        self.directory, self.graph, self.expected = pathlib.Path(directory), graph, Expected(graph)
        self.servers = {}

    def start(self, *started):
        for server in started:
            begin = time.monotonic()
            self.servers[server.name] = server.start()
            server.load(self.graph)
            say(f"{server.name} started and loaded in {time.monotonic() - begin:.0f} s")

    def asleep(self):
        """The name of a Quoit that sleeps as soon as it has nothing to do, so that its CPU time is work."""
        name = "Quoit, never spinning"
        if name not in self.servers:
            self.start(Quoit(self.directory, "0", durability="none", name=name, arguments=["--spin-us", "0"]))
        return name

    def stop(self):
        for server in self.servers.values():
            server.stop()

    def load(self, server, workload, connections, *arguments):
        """One run of the load tool; its report."""
        scheme, path = {"bolt": ("bolt", ""), "falkor": ("redis", "/pokec"), "echo": ("echo", "")}[server.protocol]
        file = self.directory / "workload.toml"
        file.write_text(workload)
        command = [QUOIT, "load", f"{scheme}://127.0.0.1:{server.port}{path}", "-w", file, "-c", connections, "--pin", "1", "--server-pid", server.pid,
                   "--json", *arguments]
        done = subprocess.run(["taskset", "-c", "1", *map(str, command)], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"{server.name}: {workload}\n{(done.stderr or done.stdout)[-1000:]}")
        return json.loads(done.stdout)

    def ask(self, name, question, connections, requests, seed):
        """(µs by the clock, µs of server CPU, rows) a request; the clock's is the inverse of the rate of all connections."""
        server = self.servers[name]
        if isinstance(server, Ladybug):
            reply = server.request({"text": question.text_for(name), "parameters": drawn(question, self.graph.vertices, seed, requests)})
            return reply["seconds"] * 1e6 / requests, reply["cpu"] * 1e6 / requests, None
        report = self.load(server, workload_of(question, name, self.graph.vertices), connections, "-n", requests, "--seed", seed,
                           *(["--spin"] if connections == 1 else []))
        total = report["total"]
        return 1e6 / total["per_second"], report["server_cpu_us_per_request"], total["rows"] / total["requests"]

    def verify(self, question, name):
        """"exact" or "walks"; Wrong if the answers are neither."""
        checked = [{name: 1 for name in question.parameters}] if question.once or question.writes else self.chosen(question)
        verdicts = set()
        for parameters in checked:
            rows = self.servers[name].rows(question.text_for(name), parameters)
            try:
                verdicts.add(question.check(self.expected, {k: v - 1 for k, v in parameters.items()}, rows))
            except Wrong as wrong:
                raise Wrong(f"{name}, {question.name}, {parameters}: {wrong}") from None
        return "walks" if "walks" in verdicts else "exact"

    def chosen(self, question):
        """Some random vertices, and one whose edges go both ways, so that trails and walks differ."""
        some = drawn(question, self.graph.vertices, 1_000, question.checks - 1)
        degrees = np.bincount(self.graph.source, minlength=self.graph.vertices)
        answered = next(v for v in np.flatnonzero(degrees == 1) if self.expected.has_edge(self.expected.targets(v)[0], v))
        return some + [{**some[0], question.parameters[0]: int(answered) + 1}]

    def level_sets(self, hops, parameters):
        """µs a search of the loop over arrays, least of its rounds."""
        edges, starts = self.directory / "edges.u32", self.directory / "starts.u32"
        if not edges.exists():
            np.stack((self.graph.source, self.graph.target), axis=1).astype("<u4").tofile(edges)
        np.array([p["id"] - 1 for p in parameters], dtype="<u4").tofile(starts)
        done = subprocess.run(["taskset", "-c", "0", str(LEVELS), str(self.graph.vertices), str(edges), str(starts), str(hops)], capture_output=True,
                              text=True, check=True)
        return json.loads(done.stdout)


def say(text):
    print(f"# {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def figure(us):
    return f"{us:,.0f}" if us >= 100 else f"{us:.1f}"


class Table:
    HEAD = ("| workload | conn. | Quoit µs | CPU µs | beside | its µs | its CPU µs | ratio | asked | holds | |\n"
            "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- | --- |")

    def __init__(self):
        self.rows, self.failed, self.missed = [], 0, []

    def miss(self, name, server, error):
        """Nothing is measured of a server whose answer is wrong, or that gives none."""
        self.missed.append(f"- {name}, {server}: {str(error).strip()[:400]}")
        say(self.missed[-1])

    def add(self, name, connections, quoit, beside, its, ratio, asked, holds, note=""):
        """`quoit`, `its`: (µs, CPU µs) or None; `asked`: text."""
        cells = [figure(v) if v is not None else "" for v in (*(quoit or (None, None)), *(its or (None, None)))]
        verdict = "" if holds is None else "yes" if holds else "**no**"
        self.failed += holds is False
        self.rows.append(f"| {name} | {connections} | {cells[0]} | {cells[1]} | {beside} | {cells[2]} | {cells[3]} | {ratio:.2f} | {asked} | {verdict} | {note} |")
        say(self.rows[-1])


def rates(bench, table, questions, rounds):
    """Questions by their rates, Quoit beside each peer that has an answer."""
    for question in questions:
        names = ["Quoit"] + [n for n in ("FalkorDB", "Ladybug") if n in bench.servers and (n in question.asked or (n == "FalkorDB" and question.text_for(n)))]
        verdicts = {}
        for name in names:
            try:
                verdicts[name] = bench.verify(question, name)
                if (name, verdicts[name]) == ("Quoit", "walks"):
                    raise Wrong(f"Quoit answers {question.name} by walks")
            except Exception as error:  # Whatever a server's answer or refusal is, the others are measured.
                table.miss(question.name, name, error)
                verdicts.pop(name, None)
        names = [name for name in names if name in verdicts]
        if "Quoit" not in names:
            continue
        for connections in question.connections:
            beside = [n for n in names if n != "Ladybug" or connections == 1]
            least = max(REQUESTS_LEAST, 4 * connections)
            first = {name: bench.ask(name, question, connections, least, 1) for name in beside}
            slow = {name for name in beside if first[name][0] > SLOW_US}
            requests = least if slow else int(min(REQUESTS_MOST, max(least, SECONDS_A_RUN * 1e6 / max(run[0] for run in first.values()))))
            runs = {name: [first[name]] if name in slow else [] for name in beside}
            for round_ in range(rounds):
                for name in beside if round_ % 2 == 0 else beside[::-1]:
                    if name not in slow:
                        bench.ask(name, question, connections, max(1, requests // 10), 99)
                        runs[name].append(bench.ask(name, question, connections, requests, 1 if slow else 1 + round_))
            figures = {name: tuple(statistics.median(run[i] for run in these) for i in (0, 1)) for name, these in runs.items()}
            rows = statistics.median(run[2] for run in runs["Quoit"])
            for name in beside[1:]:
                ratio, asked = figures[name][0] / figures["Quoit"][0], question.asked.get(name)
                cpu = figures["Quoit"][1]
                note = [f"CPU {figures[name][1] / cpu:.1f} times" if cpu else "CPU below a tick", f"{rows:,.0f} rows"]
                if name in slow or "Quoit" in slow:
                    note.append(f"{requests} requests")
                if verdicts[name] == "walks":
                    note.append("answers walks, not trails")
                table.add(question.name, connections, figures["Quoit"], name, figures[name], ratio, f"≥ {asked}" if asked else "",
                          None if not asked else ratio >= asked, ", ".join(note))


def arrays(bench, table, rounds):
    """Expansions beside the loop over arrays: its time and 30 ns a row, twice; a round trip of the echo apart."""
    echo = statistics.median(bench.ask("echo floor", POINT, 1, 10_000, 1 + r)[0] for r in range(rounds))
    for question in (q for q in QUESTIONS if q.hops):
        bench.verify(question, "Quoit")
        first = bench.ask("Quoit", question, 1, REQUESTS_LEAST, 1)[0]
        requests = int(min(REQUESTS_MOST, max(REQUESTS_LEAST, SECONDS_A_RUN * 1e6 / first)))
        ours, theirs = [], []
        for round_ in range(rounds):
            ours.append(bench.ask("Quoit", question, 1, requests, 1 + round_))
            theirs.append(bench.level_sets(question.hops, drawn(question, bench.graph.vertices, 1 + round_, requests)))
        us, cpu = (statistics.median(run[i] for run in ours) for i in (0, 1))
        loop, rows = (statistics.median(run[k] for run in theirs) for k in ("us", "rows"))
        limit = loop + rows * ROW_NS / 1e3
        note = f"loop {figure(loop)} µs, {rows:,.0f} rows; round trip of {figure(echo)} µs (echo) included, without it {max(0, us - echo) / limit:.2f}"
        table.add(question.name, 1, (us, cpu), "CSR loop + 30 ns a row", (limit, None), us / limit, "≤ 2", us / limit <= 2, note)


def point(bench, table, rounds):
    """CPU of a point read at 64 connections beside the echo of the same bytes."""
    names = (bench.asleep(), "echo floor")
    runs = {name: [bench.ask(name, POINT, 64, REQUESTS_MOST * 2, 1 + r) for r in range(rounds)] for name in names}
    quoit, echo = (tuple(statistics.median(run[i] for run in these) for i in (0, 1)) for these in runs.values())
    table.add("point_read, server CPU", 64, quoit, "echo floor", echo, quoit[1] / echo[1], "≤ 1.5", quoit[1] / echo[1] <= 1.5)


def plan(bench, table, rounds):
    """CPU of a point read whose text never repeats, less that of one in the cache with a text as long."""
    def workload(word):
        text = "MATCH (n%v%:User {id: $id}) RETURN n%v%"
        return f'[[query]]\nname = "read"\ntext = "{text}"\nread = true\nwords.v = {word}\nparameters.id = {{ uniform = [1, {bench.graph.vertices}] }}'

    server = bench.servers[bench.asleep()]
    kinds = {"new": lambda r: f"{{ sequence = {{ from = {10_000_000 * (r + 1)} }} }}", "cached": lambda r: "10000000"}
    runs = {kind: [bench.load(server, workload(word(r)), 64, "-d", 1.5, "--warmup", 0.3)["server_cpu_us_per_request"] for r in range(rounds)]
            for kind, word in kinds.items()}
    new, cached = (statistics.median(these) for these in runs.values())
    table.add("parse and plan of a point read, CPU", 64, (None, new), "the same from the cache", (None, cached), new - cached, "≤ 20 µs", new - cached <= 20,
              "ratio: the difference in µs")


def tail(bench, table, rounds):
    """p99 of point reads, 2,000 a second on 16 connections, alone and beside an expansion and an aggregate in closed loops."""
    vertices = bench.graph.vertices
    read = workload_of(POINT, "Quoit", vertices)
    by_name = {q.name: q for q in QUESTIONS}

    def beside(*names):
        return "\n".join([read] + [workload_of(by_name[n], "Quoit", vertices) + "\nconnections = 1" for n in names])

    def p99(workload, own):
        report = bench.load(bench.servers["Quoit"], workload, 16 + own, "-r", 2_000, "-d", 3, "--warmup", 0.5)
        reads = next(q for q in report["queries"] if q["name"] == "point_read")
        # Reads that never found a free connection have no latency of their own: they waited, at most as long as all of it took.
        late = report["unsent"] > (reads["requests"] + report["unsent"]) / 100
        return report["seconds"] * 1e6 if late else reads["latency_us"]["p99"]

    kinds = {"alone": (read, 0), "expansion_4 and aggregate": (beside("expansion_4", "aggregate"), 2)}
    runs = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, (workload, own) in kinds.items():
            runs[kind].append(p99(workload, own))
    alone, loaded = (statistics.median(these) for these in runs.values())
    limit = 2 * alone + 1_000
    table.add("point_read p99 beside expansion_4 and aggregate", 16, (loaded, None), "p99 alone, twice, and 1 ms", (limit, None), loaded / limit, "≤ 1",
              loaded <= limit, f"alone {figure(alone)} µs; the length of the run where reads found no free connection")


def cores(bench, table, rounds):
    """Server CPU of a point read on two cores beside one."""
    bench.start(Quoit(bench.directory, "0,1", durability="none", name="Quoit, 2 cores", arguments=["--spin-us", "0"]))
    runs = {bench.asleep(): [], "Quoit, 2 cores": []}
    for round_ in range(rounds):
        for name, these in runs.items():
            these.append(bench.ask(name, POINT, 256, REQUESTS_MOST * 2, 1 + round_))
    one, two = (tuple(statistics.median(run[i] for run in these) for i in (0, 1)) for these in runs.values())
    table.add("point_read, server CPU, 2 cores", 256, two, "1 core", one, two[1] / one[1], "≤ 1.1", two[1] / one[1] <= 1.1,
              "the client shares the second core and is counted apart")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--size", default="medium", choices=sorted(pokec.SIZES))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", action="append", choices=GROUPS, help="a group of workloads; may be given several times")
    arguments.add_argument("--question", action="append", default=[], help="of these groups, only these questions")
    arguments.add_argument("--without", action="append", default=[], choices=("FalkorDB", "Ladybug"))
    arguments.add_argument("--record", help="file in perf/results to write the table to")
    arguments = arguments.parse_args()
    groups = arguments.only or GROUPS

    begin = time.monotonic()
    graph = pokec.generate(arguments.size)
    shape = pokec.describe(graph)
    say(shape)
    table = Table()
    questions = [q for q in QUESTIONS if q.group in groups and (not arguments.question or q.name in arguments.question)]
    with tempfile.TemporaryDirectory(prefix="quoit-perf-") as directory:
        bench = Bench(directory, graph)
        try:
            bench.start(Quoit(directory, "0", durability="none"), Echo(directory, "0"))
            if any(q.text_for("FalkorDB") for q in questions) and "FalkorDB" not in arguments.without:
                bench.start(Falkor(directory, "0"))
            if any("Ladybug" in q.asked for q in questions) and "Ladybug" not in arguments.without:
                bench.start(Ladybug(directory, "0"))
            rates(bench, table, [q for q in questions if not q.writes], arguments.rounds)
            for name, measure in (("point", point), ("arrays", arrays), ("plan", plan), ("tail", tail), ("cores", cores)):
                if name in groups:
                    try:
                        measure(bench, table, arguments.rounds)
                    except Exception as error:
                        table.miss(name, "Quoit", error)
            # What writes comes last: before it the graph is the one that answers are checked against.
            rates(bench, table, [q for q in questions if q.writes], arguments.rounds)
        finally:
            bench.stop()

    only = "".join(f" --only {group}" for group in arguments.only or ())
    text = "\n".join([
        f"Recorded {datetime.date.today()} at commit {commit()}: `perf/run language --size {arguments.size} --rounds {arguments.rounds}{only}`, "
        f"{time.monotonic() - begin:.0f} s.",
        "",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, load average at the end "
        f"{os.getloadavg()[0]:.1f}; graph: {shape}.",
        "Server on core 0, client on core 1, the same requests for all, medians of the rounds. µs: time a request by the clock (of all connections "
        "together), and of server CPU; ratio: their time to Quoit's, unless it says otherwise. Every answer was checked against the arrays before. "
        "Quoit writes no log here, FalkorDB does not persist, Ladybug is in memory, on one thread, and its time is without planning and without "
        "reading rows. At one connection the client waits for answers awake, and Quoit's CPU includes waiting awake for the next request.",
        "",
        Table.HEAD, *table.rows, "",
        f"{table.failed} of {sum(' yes |' in r or '**no**' in r for r in table.rows)} do not hold.",
        *(["", "Not measured, because the answer was wrong or there was none:", *table.missed] if table.missed else [])])
    print(text)
    if arguments.record:
        (ROOT / "perf" / "results" / arguments.record).write_text(f"# Language and executor\n\n{text}\n")
    sys.exit(bool(table.missed))


if __name__ == "__main__":
    main()
