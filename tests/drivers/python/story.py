"""The founding story through the official Python driver."""

import os
import sys
import time

from neo4j import GraphDatabase, READ_ACCESS
from neo4j.exceptions import ClientError, Neo4jError

SCHEME = os.environ["STORY_SCHEME"]
MAIN = os.environ["STORY_MAIN"]
REPLICAS = os.environ["STORY_REPLICAS"].split(",")
REPLICATION = os.environ["STORY_REPLICATION"].split(",")
FOUNDING = "This is going to be replicated!"


def check(condition, what):
    if not condition:
        print(f"differs: {what}")
        sys.exit(1)


def open_driver(address):
    return GraphDatabase.driver(f"{SCHEME}://{address}", auth=None)


def rows(driver, query, **parameters):
    with driver.session() as session:
        return [record.values() for record in session.run(query, parameters)]


def read_rows(driver, query):
    with driver.session(default_access_mode=READ_ACCESS) as session:
        return [record.values() for record in session.run(query)]


def expect_client_error(driver, query):
    try:
        rows(driver, query)
    except ClientError as error:
        return error
    except Neo4jError as error:
        check(False, f"{query!r} gave {error.code}, not a client error")
    check(False, f"{query!r} succeeded")


main = open_driver(MAIN)
replicas = [open_driver(address) for address in REPLICAS]

for driver, endpoint in zip(replicas, REPLICATION):
    port = endpoint.rsplit(":", 1)[1]
    check(rows(driver, f"SET REPLICATION ROLE TO REPLICA WITH PORT {port};") == [], "SET ROLE returns no rows")
    check(read_rows(driver, "SHOW REPLICATION ROLE;") == [["replica"]], "role of a replica")

for name, mode, endpoint in zip(("r1", "r2", "r3"), ("SYNC", "ASYNC", "SYNC WITH TIMEOUT 1"), REPLICATION):
    check(rows(main, f'REGISTER REPLICA {name} {mode} TO "{endpoint}";') == [], "REGISTER returns no rows")
check(rows(main, "SHOW REPLICATION ROLE;") == [["main"]], "role of the main")

rows(main, f'CREATE (n:N {{p: "{FOUNDING}"}});')

for driver in replicas:
    deadline = time.monotonic() + 10
    while True:
        found = read_rows(driver, "MATCH (n:N) RETURN n;")
        if found or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    check(len(found) == 1, f"a replica shows {len(found)} vertices")
    node = found[0][0]
    check(set(node.labels) == {"N"} and dict(node) == {"p": FOUNDING}, f"a replica shows {node!r}")

check([row[0] for row in rows(main, "SHOW REPLICAS;")] == ["r1", "r2", "r3"], "SHOW REPLICAS")

# A replica's routing table has no writer, so under neo4j:// the driver itself may refuse; under bolt:// the server must.
if SCHEME == "bolt":
    try:
        rows(replicas[0], "CREATE (:Forbidden);")
        check(False, "a replica took a write")
    except Neo4jError as error:
        check("replica" in error.message.lower(), f"the refusal reads {error.message!r}")
check(len(read_rows(replicas[0], "MATCH (n) RETURN n")) == 1, "a replica after a refused write")

error = expect_client_error(main, "MATCH (n RETURN n")
check("SyntaxError" in error.code and "line 1" in error.message.lower(), f"{error.code}: {error.message}")
check(rows(main, "RETURN 1") == [[1]], "the connection after an error")

values = [None, True, False, 0, -1, 127, 128, -129, 2**63 - 1, -(2**63), 1.5, -0.0, "", "a", "ä€😀" * 100,
          [1, "two", None, [3.0]], {"k": [1, {"deep": True}]}, list(range(300)), "x" * 70000, b"\x00\xff"]
for value in values:
    check(rows(main, "RETURN $value AS v", value=value) == [[value]], f"round trip of {str(value)[:60]}")

path = rows(main, "CREATE p = (:A {i: 1})-[:R {w: 0.5}]->(:B {i: 2})<-[:S]-(:C) RETURN p")[0][0]
check([type(r).__name__ for r in path.relationships] == ["R", "S"], f"path {path!r}")
check([set(n.labels) for n in path.nodes] == [{"A"}, {"B"}, {"C"}], f"path nodes {path.nodes!r}")
check(path.relationships[0]["w"] == 0.5 and path.relationships[1].end_node == path.nodes[1], "path relationships")

with main.session() as session:
    with session.begin_transaction() as tx:
        tx.run("CREATE (:Tx {i: 1})").consume()
        tx.rollback()
    with session.begin_transaction() as tx:
        tx.run("CREATE (:Tx {i: 2})").consume()
        tx.commit()
    session.execute_write(lambda tx: tx.run("CREATE (:Tx {i: 3})").consume())
check(rows(main, "MATCH (n:Tx) RETURN n.i ORDER BY n.i") == [[2], [3]], "transactions")

check([row[0] for row in rows(main, "UNWIND range(1, 10000) AS i RETURN i")] == list(range(1, 10001)), "stream of 10,000 rows")



def ask_harness(what):
    print(f"harness: {what}", flush=True)
    sys.stdin.readline()


def warned_of():
    """Names of the replicas that the WARNINGs of one write name."""
    with main.session() as session:
        summary = session.run("CREATE (:Mode)").consume()
    texts = [n["title"] for n in summary.notifications or [] if n["severity"] == "WARNING"]
    return [name for name in ("r1", "r2", "r3") if any(f"'{name}'" in text for text in texts)]


check(warned_of() == [], "a warning while all replicas are well")
ask_harness("kill r1")
check(warned_of() == ["r1"], "warnings with a dead SYNC replica")
ask_harness("pause r2")
check(warned_of() == ["r1"], "warnings with a stuck ASYNC replica too")
ask_harness("pause r3")
check(warned_of() == ["r1", "r3"], "warnings of the write that a stuck SYNC WITH TIMEOUT replica delayed")
check(warned_of() == ["r1"], "warnings of the write after it")
ask_harness("resume r2")
ask_harness("resume r3")

for driver in [main, *replicas]:
    driver.close()
print("story ok")
