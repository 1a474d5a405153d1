"""Replication statements: columns, notifications and refusals as Memgraph's clients know them."""

import socket

import pytest
from neo4j.exceptions import ClientError

from cluster import cluster, eventually, free_ports


def refusal(server, query):
    with pytest.raises(ClientError) as caught:
        server.rows(query)
    return caught.value.message


def notification(server, query):
    _, summary = server.run(query)
    return [(n["severity"], n["code"], n["title"]) for n in summary.notifications or []]


def test_a_new_server_is_a_main_without_replicas(alone):
    rows, summary = alone.run("SHOW REPLICATION ROLE;")
    assert rows == [["main"]]
    with alone.driver.session() as session:
        assert session.run("SHOW REPLICATION ROLE").keys() == ["replication role"]
        result = session.run("SHOW REPLICAS")
        assert result.keys() == ["name", "socket_address", "sync_mode", "system_info", "data_info",
                                 "timeout", "effective_mode", "lag_transactions", "lag_seconds", "detail"]
        assert list(result) == []


def test_roles_change_and_say_so(alone):
    port = alone.replication_port
    assert notification(alone, f"SET REPLICATION ROLE TO REPLICA WITH PORT {port};")[0][2] == "Replica role set to REPLICA."
    assert alone.rows("SHOW REPLICATION ROLE") == [["replica"]]
    assert "Couldn't set role to replica" in refusal(alone, f"SET REPLICATION ROLE TO REPLICA WITH PORT {port};")
    assert notification(alone, "SET REPLICATION ROLE TO MAIN;")[0][2] == "Replica role set to MAIN."
    assert alone.rows("SHOW REPLICATION ROLE") == [["main"]]
    assert "Couldn't set" in refusal(alone, "SET REPLICATION ROLE TO MAIN;")
    assert "Main can't set a port!" in refusal(alone, "SET REPLICATION ROLE TO MAIN WITH PORT 1;")


@pytest.mark.parametrize(("statement", "text"), [
    ("SET REPLICATION ROLE TO REPLICA;", "port"),
    ("SET REPLICATION ROLE TO REPLICA WITH PORT 70000;", "Port number invalid!"),
    ("SET REPLICATION ROLE TO REPLICA WITH PORT 'x';", "Port must be an integer literal!"),
    ('REGISTER REPLICA r ASYNC WITH TIMEOUT 1 TO "127.0.0.1:1";', "Timeout can be set only for the SYNC replication mode!"),
    ('REGISTER REPLICA r SYNC TO "not an address:x";', "Invalid socket address!"),
    ("DROP REPLICA nobody;", "nobody"),
])
def test_wrong_statements_are_refused_with_words(alone, statement, text):
    assert text in refusal(alone, statement)
    assert alone.rows("SHOW REPLICATION ROLE") == [["main"]]
    assert alone.replicas() == {}


def test_an_unreachable_endpoint_leaves_nothing_half_registered(group):
    port = free_ports(1)[0]
    assert "r1" in refusal(group.main, f'REGISTER REPLICA r1 SYNC TO "127.0.0.1:{port}";')
    assert group.main.replicas() == {}
    r1 = group.add("r1")
    r1.rows(f"SET REPLICATION ROLE TO REPLICA WITH PORT {port};")
    group.main.rows(f'REGISTER REPLICA r1 SYNC TO "127.0.0.1:{port}";')
    group.main.kill()
    group.main.restart()
    assert set(group.main.replicas()) == {"r1"}


def test_names_and_endpoints_are_taken_once(group):
    r1 = group.join("r1", "SYNC")
    assert "r1" in refusal(group.main, 'REGISTER REPLICA r1 ASYNC TO "127.0.0.1:1";')
    assert "r2" in refusal(group.main, f'REGISTER REPLICA r2 ASYNC TO "{r1.endpoint}";')
    assert set(group.main.replicas()) == {"r1"}


def test_a_replica_refuses_what_belongs_to_the_main(group):
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    assert "Replica can't register another replica!" in refusal(r1, 'REGISTER REPLICA r2 SYNC TO "127.0.0.1:1";')
    assert "replica" in refusal(r1, "SHOW REPLICAS;").lower()
    assert "replica" in refusal(r1, "DROP REPLICA r2;").lower()
    assert "replica" in refusal(r1, "CREATE INDEX ON :N(p);").lower()
    assert r1.rows("MATCH (n) RETURN count(n)") == [[0]]


def test_replication_statements_do_not_run_inside_a_transaction(alone):
    with alone.driver.session() as session:
        tx = session.begin_transaction()
        with pytest.raises(ClientError, match="in multicommand transactions"):
            tx.run("SHOW REPLICAS;").consume()
        tx.close()


def test_a_dropped_replica_gets_nothing_more_and_stays_a_replica(group):
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    group.main.rows("CREATE (:N)")
    assert notification(group.main, "DROP REPLICA r1;")[0][2] == "Replica r1 is dropped."
    group.main.rows("CREATE (:N)")
    assert r1.rows("MATCH (n:N) RETURN count(n)") == [[1]]
    assert r1.rows("SHOW REPLICATION ROLE") == [["replica"]]
    group.main.rows(f'REGISTER REPLICA r1 ASYNC TO "{r1.endpoint}";')
    eventually(lambda: r1.rows("MATCH (n:N) RETURN count(n)") == [[2]], "the replica to get what it missed")


def test_show_replicas_tells_mode_and_state(group):
    for name, mode in (("r1", "SYNC"), ("r2", "ASYNC"), ("r3", "SYNC WITH TIMEOUT 1")):
        group.join(name, mode)
    group.wait_ready("r1", "r2", "r3")
    rows = group.main.replicas()
    assert [rows[n]["sync_mode"] for n in ("r1", "r2", "r3")] == ["sync", "async", "sync"]
    assert [rows[n]["timeout"] for n in ("r1", "r2", "r3")] == [None, None, 1.0]
    assert [rows[n]["socket_address"] for n in ("r1", "r2", "r3")] == [getattr(group, n).endpoint for n in ("r1", "r2", "r3")]
    group.r2.kill()
    eventually(lambda: group.status("r2") == "invalid", "the killed replica to be shown as invalid")


def test_host_names_and_ipv6_endpoints_work(group):
    r1 = group.add("r1")
    r1.rows(f'SET REPLICATION ROLE TO REPLICA WITH PORT {r1.replication_port} ON ADDRESS "::";')
    group.main.rows(f'REGISTER REPLICA r1 SYNC TO "[::1]:{r1.replication_port}";')
    r2 = group.add("r2")
    r2.rows(f'SET REPLICATION ROLE TO REPLICA WITH PORT {r2.replication_port} ON ADDRESS "127.0.0.1";')
    group.main.rows(f'REGISTER REPLICA r2 SYNC TO "localhost:{r2.replication_port}";')
    group.wait_ready("r1", "r2")
    assert group.main.warnings("CREATE (:N)") == []
    for replica in (r1, r2):
        eventually(lambda: replica.rows("MATCH (n:N) RETURN count(n)") == [[1]], "the vertex")


def test_garbage_on_the_replication_port_harms_nobody(group):
    r1 = group.join("r1", "SYNC")
    group.wait_ready("r1")
    for junk in (b"", b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 70000, bytes(range(256)) * 100):
        with socket.create_connection(("127.0.0.1", r1.replication_port), timeout=5) as s:
            try:
                s.sendall(junk)
            except OSError:
                pass
    assert group.main.warnings("CREATE (:N)") == []
    eventually(lambda: r1.rows("MATCH (n:N) RETURN count(n)") == [[1]], "the replica to go on")
