"""Bolt over a plain socket: what drivers never send, and what they rely on without saying so."""

import socket
import struct
import threading

import pytest
from neo4j.exceptions import ClientError, Neo4jError

from cluster import eventually

MAGIC = bytes.fromhex("6060b017")
HELLO_44 = bytes.fromhex("00 29 B1 01 A2 8A 75 73 65 72 5F 61 67 65 6E 74 8E 6D 67 63 6C 69 65 6E 74 2F 31 2E 37 2E 30"
                         "86 73 63 68 65 6D 65 84 6E 6F 6E 65 00 00")
RETURN_1 = bytes.fromhex("00 12 B3 10 8D 52 45 54 55 52 4E 20 31 20 41 53 20 6E A0 A0 00 00")
PULL = bytes.fromhex("00 08 B1 3F A1 81 6E C9 03 E8 00 00")
RESET = bytes.fromhex("00 02 B0 0F 00 00")
BEGIN = bytes.fromhex("00 03 B1 11 A0 00 00")
COMMIT = bytes.fromhex("00 02 B0 12 00 00")
# Runs for minutes and gives no row.
ENDLESS = "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b WITH b WHERE b < 0 RETURN count(b)"
SUCCESS, RECORD, IGNORED, FAILURE = 0x70, 0x71, 0x7E, 0x7F


def run(query):
    text = query.encode()
    body = b"\xb3\x10\xd1" + struct.pack(">H", len(text)) + text + b"\xa0\xa0"
    return struct.pack(">H", len(body)) + body + b"\x00\x00"


class Wire:
    """A socket that reads whole messages."""

    def __init__(self, server, *slots, hello=HELLO_44):
        self.socket = socket.create_connection(("127.0.0.1", server.bolt_port), timeout=20)
        self.buffer = b""
        self.send(MAGIC + b"".join(bytes.fromhex(s) for s in (*slots, *["00000000"] * (4 - len(slots)))))
        self.version = self.take(4)
        if hello:
            self.send(hello)
            assert self.tag() == SUCCESS

    def send(self, data):
        self.socket.sendall(data)

    def take(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.buffer)
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def message(self):
        body = b""
        while True:
            (size,) = struct.unpack(">H", self.take(2))
            if size == 0:
                if body:
                    return body
                continue
            body += self.take(size)

    def tag(self):
        return self.message()[1]

    def tags(self, count):
        return [self.tag() for _ in range(count)]

    def closed(self):
        try:
            while True:
                self.take(1)
        except (EOFError, ConnectionError):
            return True


def test_versions_are_chosen_by_slot_and_5_5_never(alone):
    assert Wire(alone, "00000404").version == bytes.fromhex("00000404")
    assert Wire(alone, "00020404").version == bytes.fromhex("00000404")
    assert Wire(alone, "00000505", hello=None).version == bytes(4)
    assert Wire(alone, "00070705", hello=None).version == bytes.fromhex("00000705")
    assert Wire(alone, "00000063", hello=None).version == bytes(4)


def test_a_handshake_may_come_byte_by_byte(alone):
    wire = Wire.__new__(Wire)
    wire.socket, wire.buffer = socket.create_connection(("127.0.0.1", alone.bolt_port), timeout=20), b""
    for byte in MAGIC + bytes.fromhex("00000404") + bytes(12):
        wire.send(bytes([byte]))
    assert wire.take(4) == bytes.fromhex("00000404")
    for byte in HELLO_44 + RETURN_1 + PULL:
        wire.send(bytes([byte]))
    assert wire.tags(4) == [SUCCESS, SUCCESS, RECORD, SUCCESS]


def test_a_pipeline_is_answered_in_order_and_failure_ignores_until_reset(alone):
    wire = Wire(alone, "00000404")
    wire.send(run("RETURN") + PULL + RETURN_1 + PULL + RESET + RETURN_1 + PULL)
    assert wire.tags(8) == [FAILURE, IGNORED, IGNORED, IGNORED, SUCCESS, SUCCESS, RECORD, SUCCESS]


def test_reset_interrupts_a_running_query(alone):
    wire = Wire(alone, "00000404")
    wire.send(run(ENDLESS) + PULL)
    wire.send(RESET)
    assert wire.tag() == SUCCESS  # RUN has its fields before a row is computed
    assert wire.tag() in (FAILURE, IGNORED)
    assert wire.tag() == SUCCESS
    wire.send(RETURN_1 + PULL)
    assert wire.tags(3) == [SUCCESS, RECORD, SUCCESS]


def test_a_running_query_does_not_stop_others(alone):
    busy = Wire(alone, "00000404")
    busy.send(run(ENDLESS) + PULL)
    assert alone.rows("RETURN 1") == [[1]]
    busy.socket.close()


def test_a_client_that_leaves_ends_its_query_and_its_transaction(alone):
    wire = Wire(alone, "00000404")
    wire.send(BEGIN + run("CREATE (:Left {i: 1})") + PULL)
    assert wire.tags(3) == [SUCCESS, SUCCESS, SUCCESS]
    wire.socket.close()
    eventually(lambda: alone.rows("MERGE (l:Left) SET l.i = 2 RETURN l.i") == [[2]], "the transaction to be gone")
    assert alone.rows("MATCH (l:Left) RETURN l.i") == [[2]]


def test_a_request_in_the_wrong_state_fails_and_closes(alone):
    wire = Wire(alone, "00000404")
    wire.send(COMMIT)
    assert wire.tag() == FAILURE
    assert wire.closed()


def test_a_client_that_does_not_read_costs_bounded_memory(alone):
    before = alone.resident_bytes()
    wire = Wire(alone, "00000404")
    wire.send(run("UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS i RETURN i, 'some padding to make the row longer'") + struct.pack(">H", 6) + bytes.fromhex("B1 3F A1 81 6E FF") + b"\x00\x00")
    for _ in range(20):
        assert alone.rows("RETURN 1") == [[1]]
        threading.Event().wait(0.1)
    assert alone.resident_bytes() - before < 64 << 20
    wire.socket.close()


@pytest.mark.parametrize("junk", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 20, b"SSH-2.0-x\r\n", b"\xff" * 1000,
], ids=["http", "tls", "zeros", "ssh", "ones"])
def test_other_protocols_are_closed_without_harm(alone, junk):
    with socket.create_connection(("127.0.0.1", alone.bolt_port), timeout=20) as s:
        s.sendall(junk)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while data := s.recv(65536):
                answer += data
        except ConnectionError:
            pass
        assert len(answer) < 4096
    assert alone.rows("RETURN 1") == [[1]]


@pytest.mark.parametrize("body", [
    bytes.fromhex("CE7FFFFFFF"), bytes.fromhex("B101D27FFFFFFF"), b"\xb1\x01" + b"\x91" * 100, b"\xb1\x01" + b"\xd5\xff\xff" * 1000,
    bytes.fromhex("B1 01 A1 C0 01"), bytes.fromhex("B1 01 A1 81 FF 01"), bytes.fromhex("C7"), bytes.fromhex("B0 99"),
], ids=["2 GiB bytes", "2 GiB string", "deep", "nested claims", "null key", "bad utf-8", "reserved", "unknown tag"])
def test_hostile_messages_before_login_close_the_connection_in_bounded_memory(alone, body):
    before = alone.resident_bytes()
    for _ in range(50):
        wire = Wire(alone, "00000404", hello=None)
        wire.send(struct.pack(">H", len(body)) + body + b"\x00\x00")
        assert wire.closed()
    assert alone.resident_bytes() - before < 32 << 20
    assert alone.rows("RETURN 1") == [[1]]


def test_several_streams_of_one_transaction_are_read_in_turn(alone):
    with alone.driver.session(fetch_size=2) as session, session.begin_transaction() as tx:
        outer = tx.run("UNWIND range(1, 10) AS i RETURN i")
        pairs = [(record["i"], tx.run("RETURN $i * 10 AS j", i=record["i"]).single()["j"]) for record in outer]
    assert pairs == [(i, i * 10) for i in range(1, 11)]


def test_has_more_is_exact(alone):
    wire = Wire(alone, "00000404")
    wire.send(run("UNWIND range(1, 4) AS i RETURN i"))
    pull_2 = struct.pack(">H", 6) + bytes.fromhex("B1 3F A1 81 6E 02") + b"\x00\x00"
    wire.send(pull_2)
    assert wire.tags(3) == [SUCCESS, RECORD, RECORD]
    assert b"has_more\xc3" in wire.message()
    wire.send(pull_2)
    assert wire.tags(2) == [RECORD, RECORD]
    assert b"has_more\xc2" in wire.message()


def test_codes_follow_the_dialect_of_the_version(alone):
    old = Wire(alone, "00000404")
    old.send(run("RETURN") + PULL)
    assert b"Memgraph.ClientError.MemgraphError.MemgraphError" in old.message()
    with pytest.raises(ClientError) as caught:
        alone.rows("RETURN")
    assert caught.value.code == "Neo.ClientError.Statement.SyntaxError"


def test_route_names_a_lone_server_by_the_address_the_client_dialled(alone):
    from neo4j import GraphDatabase

    with GraphDatabase.driver(f"neo4j://localhost:{alone.bolt_port}", auth=None) as driver:
        records, _, _ = driver.execute_query("RETURN 1 AS one")
        assert [r["one"] for r in records] == [1]


def test_text_transactions_work_as_messages_do(alone):
    wire = Wire(alone, "00000404")
    wire.send(run("BEGIN") + PULL + run("CREATE (:T)") + PULL + run("ROLLBACK;") + PULL)
    assert wire.tags(6) == [SUCCESS] * 6
    assert alone.rows("MATCH (t:T) RETURN count(t)") == [[0]]
    wire.send(run("begin") + PULL + run("CREATE (:T)") + PULL + COMMIT)
    assert wire.tags(5) == [SUCCESS] * 5
    assert alone.rows("MATCH (t:T) RETURN count(t)") == [[1]]


def test_a_write_conflict_is_transient(alone):
    alone.rows("CREATE (:C {i: 0})")
    with alone.driver.session() as one, alone.driver.session() as two:
        first, second = one.begin_transaction(), two.begin_transaction()
        first.run("MATCH (c:C) SET c.i = 1").consume()
        with pytest.raises(Neo4jError) as caught:
            second.run("MATCH (c:C) SET c.i = 2").consume()
        assert ".TransientError." in caught.value.code
        first.commit()
        second.close()
    assert alone.rows("MATCH (c:C) RETURN c.i") == [[1]]
