"""A Bolt 5.7 client that keeps what drivers drop: nanoseconds, years beyond 9999, and the diagnostic record of a failure.

Owned here: one connection, PackStream, the structures of the wire as `value` types. Always holds: a failure is followed by RESET, so that
the next query finds the connection ready.
"""

import socket
import struct

import temporal
from value import Node, Path, Relationship

MAGIC = bytes.fromhex("6060b017")
SUCCESS, RECORD, IGNORED, FAILURE = 0x70, 0x71, 0x7E, 0x7F
HELLO, RESET, RUN, BEGIN, ROLLBACK, PULL, LOGON = 0x01, 0x0F, 0x10, 0x11, 0x13, 0x3F, 0x6A


class Failure(Exception):
    """A FAILURE; `words` is `TYPE at PHASE: DETAIL` of its diagnostic record."""

    def __init__(self, metadata):
        super().__init__(f"{metadata.get('neo4j_code')}: {metadata.get('message')}")
        self.words = metadata.get("diagnostic_record", {}).get("_opencypher", "")


def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value & 0xFF]) if -16 <= value < 128 else b"\xcb" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xc1" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return b"\xd2" + struct.pack(">I", len(data)) + data
    if isinstance(value, list):
        return b"\xd6" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        entries = b"".join(pack(key) + pack(entry) for key, entry in value.items())
        return b"\xda" + struct.pack(">I", len(value)) + entries
    raise TypeError(f"cannot be sent: {value!r}")


class Unpacker:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        size = struct.calcsize(form)
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += size
        return value

    def value(self):
        marker = self.take(">B")
        high, low = marker & 0xF0, marker & 0x0F
        if marker < 0x80:
            return marker
        if marker >= 0xF0:
            return marker - 0x100
        if high == 0x80:
            return self.text(low)
        if high == 0x90:
            return [self.value() for _ in range(low)]
        if high == 0xA0:
            return self.map(low)
        if high == 0xB0:
            return self.structure(low)
        match marker:
            case 0xC0:
                return None
            case 0xC1:
                return self.take(">d")
            case 0xC2 | 0xC3:
                return marker == 0xC3
            case 0xC8 | 0xC9 | 0xCA | 0xCB:
                return self.take({0xC8: ">b", 0xC9: ">h", 0xCA: ">i", 0xCB: ">q"}[marker])
            case 0xD0 | 0xD1 | 0xD2:
                return self.text(self.size(marker - 0xD0))
            case 0xD4 | 0xD5 | 0xD6:
                return [self.value() for _ in range(self.size(marker - 0xD4))]
            case 0xD8 | 0xD9 | 0xDA:
                return self.map(self.size(marker - 0xD8))
        raise ValueError(f"no PackStream: {marker:#x}")

    def size(self, width):
        return self.take((">B", ">H", ">I")[width])

    def text(self, size):
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def map(self, size):
        return {self.value(): self.value() for _ in range(size)}

    def structure(self, size):
        tag = self.take(">B")
        fields = [self.value() for _ in range(size)]
        match chr(tag):
            case "N":
                return Node(frozenset(fields[1]), fields[2], fields[0])
            case "R":
                return Relationship(fields[3], fields[4], fields[0])
            case "r":
                return Relationship(fields[1], fields[2], fields[0])
            case "P":
                return path(*fields)
            case "D":
                return temporal.date(*fields)
            case "t":
                return temporal.local_time(*fields)
            case "T":
                return temporal.time(*fields)
            case "d":
                return temporal.local_datetime(*fields)
            case "I":
                return temporal.datetime_at(*fields)
            case "i":
                return temporal.datetime_in(*fields)
            case "E":
                return temporal.duration(*fields)
        # Points: the kit has none, but they differ from each other and from all else.
        return {f"structure {chr(tag)}": fields}


def path(nodes, relationships, indices):
    steps = []
    for relationship, node in zip(indices[::2], indices[1::2]):
        steps.append((relationships[abs(relationship) - 1], relationship > 0, nodes[node]))
    return Path(nodes[0], steps)


class Connection:
    """One connection to a server on loopback."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.socket.sendall(MAGIC + bytes.fromhex("00000705") + bytes(12))
        if self.take(4) != bytes.fromhex("00000705"):
            raise ConnectionError("the server does not speak Bolt 5.7")
        self.send((HELLO, {"user_agent": "quoit-tck/1", "bolt_agent": {"product": "quoit-tck/1"}}), (LOGON, {"scheme": "none"}))
        self.success(), self.success()

    def take(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server has closed the connection")
            self.buffer += data
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def send(self, *messages):
        out = b""
        for tag, *fields in messages:
            body = bytes([0xB0 | len(fields), tag]) + b"".join(map(pack, fields))
            for at in range(0, len(body), 0xFFFF):
                chunk = body[at:at + 0xFFFF]
                out += struct.pack(">H", len(chunk)) + chunk
            out += b"\0\0"
        self.socket.sendall(out)

    def receive(self):
        """Tag and fields of the next message."""
        body = b""
        while True:
            (size,) = struct.unpack(">H", self.take(2))
            if size:
                body += self.take(size)
            elif body:
                break
        unpacker = Unpacker(body)
        count = unpacker.take(">B") & 0x0F
        tag = unpacker.take(">B")
        return tag, [unpacker.value() for _ in range(count)]

    def success(self):
        tag, fields = self.receive()
        if tag != SUCCESS:
            raise Failure(fields[0] if fields else {})
        return fields[0]

    def run(self, query, parameters=None):
        """Columns and rows of an auto-commit query.

        Raises `Failure`; the connection is ready again then.
        """
        self.send((RUN, query, parameters or {}, {}), (PULL, {"n": -1}))
        try:
            columns = self.success()["fields"]
        except Failure:
            self.receive()
            self.reset()
            raise
        rows = []
        while True:
            tag, fields = self.receive()
            if tag == RECORD:
                rows.append(fields[0])
            elif tag == SUCCESS:
                return columns, rows
            else:
                self.reset()
                raise Failure(fields[0] if fields else {})

    def begin(self):
        """An explicit transaction: `run` is in it until `rollback`, or until a failure, whose RESET ends it."""
        self.send((BEGIN, {}))
        self.success()

    def rollback(self):
        self.send((ROLLBACK,))
        self.success()

    def reset(self):
        self.send((RESET,))
        self.success()
