//! Bolt inside a WebSocket, as browsers send it.

use crate::client::{ALL, TestServer};
use quoit_protocol::handshake::{ClientHandshake, Proposal};
use quoit_protocol::message::ask::{ClientHello, Login, TransactionOptions};
use quoit_protocol::message::notification::NotificationFilter;
use quoit_protocol::{SendBuffer, Version, WireFormat};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A client that has upgraded its connection.
struct Browser(TcpStream);

impl Browser {
    fn connect(server: &TestServer) -> Browser {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // The key and the answer to it are those of RFC 6455, section 1.3.
        let request = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        Browser(stream)
    }

    /// Sends one masked frame of less than 126 bytes.
    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mask = [0x37, 0xFA, 0x21, 0x3D];
        let mut frame = vec![0x80 | opcode, 0x80 | u8::try_from(payload.len()).unwrap()];
        assert!(payload.len() < 126);
        frame.extend(mask);
        frame.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        self.0.write_all(&frame).unwrap();
    }

    /// Sends Bolt's bytes in frames that cut them anywhere.
    fn send_in_pieces(&mut self, bytes: &[u8]) {
        bytes.chunks(7).for_each(|piece| self.send(BINARY, piece));
    }

    /// The next frame of the server: opcode and payload.
    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut header = [0; 2];
        self.0.read_exact(&mut header).unwrap();
        assert_eq!(header[0] & 0xF0, 0x80, "servers send whole frames");
        let len = match header[1] {
            126 => {
                let mut len = [0; 2];
                self.0.read_exact(&mut len).unwrap();
                usize::from(u16::from_be_bytes(len))
            }
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload).unwrap();
        (header[0] & 0x0F, payload)
    }

    /// Bolt's bytes until they contain `end`.
    fn receive_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !bytes.windows(end.len()).any(|window| window == end) {
            let (opcode, payload) = self.receive();
            assert_eq!(opcode, BINARY);
            bytes.extend(payload);
        }
        bytes
    }
}

#[test]
fn a_browser_talks_bolt_in_frames_that_cut_it_anywhere() {
    let server = TestServer::shared();
    let mut browser = Browser::connect(&server);
    let mut out = Vec::new();
    let mut handshake = ClientHandshake::new(Proposal::Exactly(Version::V5_4), &mut out);
    browser.send_in_pieces(&out);
    let (opcode, answer) = browser.receive();
    assert_eq!(opcode, BINARY);
    assert!(
        handshake
            .advance(&mut &answer[..], &mut Vec::new())
            .unwrap()
            .is_some()
    );

    let mut ask = SendBuffer::new(WireFormat::new(Version::V5_4));
    ask.ask_hello(&ClientHello {
        user_agent: "quoit-tests/1",
        routing_address: None,
        login: Login::None,
        notifications: NotificationFilter::default(),
    });
    ask.ask_run(
        "RETURN 'through the socket' AS said",
        |_| {},
        &TransactionOptions::default(),
    );
    ask.ask_pull(ALL);
    browser.send_in_pieces(ask.as_slice());
    let answers = browser.receive_until(b"bookmark");
    assert!(
        answers
            .windows(18)
            .any(|window| window == b"through the socket")
    );

    browser.send(PING, b"still there?");
    loop {
        match browser.receive() {
            (BINARY, _) => {}
            other => break assert_eq!(other, (PONG, b"still there?".to_vec())),
        }
    }
    browser.send(CLOSE, &1000u16.to_be_bytes());
    assert_eq!(browser.receive(), (CLOSE, 1000u16.to_be_bytes().to_vec()));
    assert_eq!(browser.0.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_ordinary_http_client_is_told_what_speaks_here() {
    let server = TestServer::shared();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 ") && answer.contains("Bolt"),
        "{answer}"
    );
}

#[test]
fn a_stranger_gets_no_bytes_at_all() {
    let server = TestServer::shared();
    for hello in [&b"SSH-2.0-x\r\n"[..], &[0x16, 3, 1, 0, 0, 0, 0, 0]] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.write_all(hello).unwrap();
        let mut answer = Vec::new();
        // The server may close before it has taken everything, which a client sees as a reset.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }
}
