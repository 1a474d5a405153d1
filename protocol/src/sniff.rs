//! Who connects: the first bytes of a connection tell.
//!
//! Called by the listener's side of a session with all bytes received so far, none consumed, on a plain
//! socket and again inside of TLS. Left to the caller: bounding the wait, and what to do with each answer.

/// What a connection's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// Too few bytes to say.
    NeedMore,
    /// Bolt: go on with [`crate::handshake::ServerHandshake`].
    Bolt,
    /// A TLS ClientHello.
    Tls,
    /// HTTP, perhaps a WebSocket: go on with [`crate::websocket::HttpRequest`].
    Http,
    /// Nothing that is spoken here: close without writing.
    Unknown,
}

/// The first four bytes of every Bolt connection.
pub const MAGIC: [u8; 4] = [0x60, 0x60, 0xB0, 0x17];

/// Tells what the connection that begins with `bytes` speaks. At most four bytes are needed, and none
/// more than the first that fits nothing.
pub fn sniff(bytes: &[u8]) -> Sniff {
    let kinds: [(&[u8], Sniff); 3] = [
        (&MAGIC, Sniff::Bolt),
        (&[0x16, 0x03], Sniff::Tls),
        (b"GET ", Sniff::Http),
    ];
    for (prefix, kind) in kinds {
        if bytes.starts_with(prefix) {
            return kind;
        }
        if prefix.starts_with(bytes) {
            return Sniff::NeedMore;
        }
    }
    Sniff::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_as_soon_as_they_can() {
        for (bytes, expected) in [
            (&b""[..], Sniff::NeedMore),
            (b"\x60", Sniff::NeedMore),
            (b"\x60\x60\xB0", Sniff::NeedMore),
            (b"\x60\x60\xB0\x17", Sniff::Bolt),
            (b"\x60\x60\xB0\x17\x00", Sniff::Bolt),
            (b"\x60\x61", Sniff::Unknown),
            (b"\x16", Sniff::NeedMore),
            (b"\x16\x03\x01\x02", Sniff::Tls),
            (b"\x16\x04", Sniff::Unknown),
            (b"GET", Sniff::NeedMore),
            (b"GET / HTTP/1.1", Sniff::Http),
            (b"GETX", Sniff::Unknown),
            (b"POST / HTTP/1.1", Sniff::Unknown),
            (b"\0", Sniff::Unknown),
        ] {
            assert_eq!(sniff(bytes), expected, "{bytes:02X?}");
        }
    }
}
