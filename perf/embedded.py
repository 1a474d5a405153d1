"""Ladybug, which has no server: a process of its own that answers lines of JSON.

Run as a script it is that process. A request {"text", "parameters": [{..}, ..], "rows": bool} is one prepared statement executed once for
each entry; the reply has the seconds of all executions by the clock and of CPU, without planning and without turning rows into Python
values, which favours Ladybug; `rows` asks for the rows of the last one. {"load": FOLDER} loads FOLDER/vertices.csv and edges.csv by COPY.
"""

import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np


def serve():
    import ladybug

    warnings.simplefilter("ignore")  # It would rather plan and execute in one call.
    threads = len(os.sched_getaffinity(0))
    database = ladybug.Database(":memory:", max_num_threads=threads)
    connection = ladybug.Connection(database, num_threads=threads)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "load" in request:
                folder = request["load"]
                connection.execute("CREATE NODE TABLE User(id INT64, completion_percentage INT64, gender STRING, age INT64, PRIMARY KEY (id))")
                connection.execute("CREATE REL TABLE FRIEND(FROM User TO User)")
                connection.execute(f'COPY User FROM "{folder}/vertices.csv" (HEADER=false)')
                connection.execute(f'COPY FRIEND FROM "{folder}/edges.csv" (HEADER=false)')
                reply = {}
            else:
                statement = connection.prepare(request["text"])
                clock = cpu = 0.0
                result = None
                for parameters in request["parameters"]:
                    del result
                    begin, cpu_begin = time.perf_counter(), time.process_time()
                    result = connection.execute(statement, parameters)
                    clock, cpu = clock + time.perf_counter() - begin, cpu + time.process_time() - cpu_begin
                reply = {"seconds": clock, "cpu": cpu, "rows": [list(row) for row in result] if request.get("rows") else []}
                del result
        except Exception as error:  # Whatever it is, the other side says it and goes on.
            reply = {"error": str(error)}
        print(json.dumps(reply, default=str), flush=True)


class Ladybug:
    """The other side of the process."""

    name = "Ladybug"

    def __init__(self, directory, cpus):
        self.directory, self.cpus, self.process = pathlib.Path(directory) / "ladybug", cpus, None

    def start(self):
        self.directory.mkdir()
        self.process = subprocess.Popen(["taskset", "-c", self.cpus, sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        return self

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(20)

    def request(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if "error" in reply:
            raise RuntimeError(f"Ladybug: {reply['error']}")
        return reply

    def load(self, graph):
        genders = np.where(graph.woman, "woman", "man")
        with open(self.directory / "vertices.csv", "w") as file:
            for row in zip(range(1, graph.vertices + 1), graph.completion.tolist(), genders.tolist(), graph.age.tolist()):
                file.write("%d,%d,%s,%d\n" % row)
        np.savetxt(self.directory / "edges.csv", np.stack((graph.source + 1, graph.target + 1), axis=1), fmt="%d", delimiter=",")
        self.request({"load": str(self.directory)})
        assert self.rows("MATCH (n:User) RETURN count(n)", {}) == [[graph.vertices]]
        assert self.rows("MATCH ()-[e:FRIEND]->() RETURN count(e)", {}) == [[graph.edges]]

    def rows(self, text, parameters):
        return self.request({"text": text, "parameters": [parameters], "rows": True})["rows"]


if __name__ == "__main__":
    serve()
