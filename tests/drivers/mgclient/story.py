"""The founding story through pymgclient, which wraps mgconsole's own client library (Bolt 4.4 and older)."""

import os
import sys
import time

import mgclient

if os.environ["STORY_SCHEME"] != "bolt":
    print("story not applicable: mgclient knows no routing")
    sys.exit(0)

FOUNDING = "This is going to be replicated!"


def check(condition, what):
    if not condition:
        print(f"differs: {what}")
        sys.exit(1)


def open_connection(address):
    host, port = address.rsplit(":", 1)
    connection = mgclient.connect(host=host, port=int(port))
    connection.autocommit = True
    return connection


def rows(connection, query, parameters=None):
    cursor = connection.cursor()
    cursor.execute(query, parameters or {})
    return cursor.fetchall()


main = open_connection(os.environ["STORY_MAIN"])
replicas = [open_connection(address) for address in os.environ["STORY_REPLICAS"].split(",")]
endpoints = os.environ["STORY_REPLICATION"].split(",")

for connection, endpoint in zip(replicas, endpoints):
    check(rows(connection, f"SET REPLICATION ROLE TO REPLICA WITH PORT {endpoint.rsplit(':', 1)[1]};") == [], "SET ROLE")
    check(rows(connection, "SHOW REPLICATION ROLE;") == [("replica",)], "role of a replica")
for name, mode, endpoint in zip(("r1", "r2", "r3"), ("SYNC", "ASYNC", "SYNC WITH TIMEOUT 1"), endpoints):
    check(rows(main, f'REGISTER REPLICA {name} {mode} TO "{endpoint}";') == [], "REGISTER")
check(rows(main, "SHOW REPLICATION ROLE;") == [("main",)], "role of the main")

rows(main, f'CREATE (n:N {{p: "{FOUNDING}"}});')
for connection in replicas:
    deadline = time.monotonic() + 10
    while not (found := rows(connection, "MATCH (n:N) RETURN n;")) and time.monotonic() < deadline:
        time.sleep(0.01)
    check(len(found) == 1, f"a replica shows {len(found)} vertices")
    node = found[0][0]
    check(node.labels == {"N"} and node.properties == {"p": FOUNDING}, f"a replica shows {node}")
check([row[0] for row in rows(main, "SHOW REPLICAS;")] == ["r1", "r2", "r3"], "SHOW REPLICAS")

for connection, query, word in ((replicas[0], "CREATE (:Forbidden)", "replica"), (main, "MATCH (n RETURN n", "line 1")):
    try:
        rows(connection, query)
        check(False, f"{query!r} succeeded")
    except mgclient.DatabaseError as error:
        check(word in str(error).lower(), f"{query!r} gave {error}")
    check(rows(connection, "RETURN 1") == [(1,)], "the connection after an error")

values = [None, True, False, 0, -1, 127, 128, -129, 2**63 - 1, -(2**63), 1.5, "", "a", "ä€😀" * 100,
          [1, "two", None, [3.0]], {"k": [1, {"deep": True}]}, list(range(300)), "x" * 70000]
for value in values:
    check(rows(main, "RETURN $value AS v", {"value": value}) == [(value,)], f"round trip of {str(value)[:60]}")

path = rows(main, "CREATE p = (:A {i: 1})-[:R {w: 0.5}]->(:B {i: 2})<-[:S]-(:C) RETURN p")[0][0]
check([r.type for r in path.relationships] == ["R", "S"], f"path {path}")
check([n.labels for n in path.nodes] == [{"A"}, {"B"}, {"C"}], f"path {path}")

main.autocommit = False
rows(main, "CREATE (:Tx {i: 1})")
main.rollback()
rows(main, "CREATE (:Tx {i: 2})")
main.commit()
check(rows(main, "MATCH (n:Tx) RETURN n.i") == [(2,)], "transactions")
main.commit()
main.autocommit = True

check([row[0] for row in rows(main, "UNWIND range(1, 10000) AS i RETURN i")] == list(range(1, 10001)), "stream of 10,000 rows")


def ask_harness(what):
    print(f"harness: {what}", flush=True)
    sys.stdin.readline()


for what in ("kill r1", "pause r2", "pause r3", "resume r2", "resume r3"):
    ask_harness(what)
    rows(main, "CREATE (:Mode)")
check(rows(main, "MATCH (n:Mode) RETURN count(n)") == [(5,)], "writes with replicas dead and stuck")
print("story ok")
