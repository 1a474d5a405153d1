//! Whole conversations: however the bytes are cut, both sides understand the same.

mod wire;

use proptest::prelude::*;
use quoit_protocol::chunk::{Dechunker, MESSAGE_LEN_AFTER_LOGIN, MESSAGE_LEN_BEFORE_LOGIN};
use quoit_protocol::handshake::{ClientHandshake, Proposal, ServerHandshake};
use quoit_protocol::message::{Request, RequestKind, Response};
use quoit_protocol::packstream::Limits;
use quoit_protocol::queue::{RequestQueue, Urgent};
use quoit_protocol::sniff::MAGIC;
use quoit_protocol::state::{Session, State, TransactionChange, Verdict};
use quoit_protocol::websocket::{FrameDecoder, HttpRequest, Incoming};
use quoit_protocol::{SendBuffer, Version, WireFormat};
use wire::hex;

/// A client's bytes: the Python driver's handshake and login, a query in several chunks and with
/// NOOPs, a long string across chunks, a failing value, RESET, GOODBYE.
fn recorded() -> Vec<u8> {
    let mut stream = hex(
        "60 60 B0 17 00 00 01 FF 00 08 08 05 00 02 04 04 00 00 00 03 \
         00 00 01 06 00 \
         00 29 B1 01 A2 8A 75 73 65 72 5F 61 67 65 6E 74 8E 6D 67 63 6C 69 65 6E 74 2F 31 2E 37 2E 30 \
         86 73 63 68 65 6D 65 84 6E 6F 6E 65 00 00 \
         00 0F B1 6A A1 86 73 63 68 65 6D 65 84 6E 6F 6E 65 00 00 \
         00 00 00 00 \
         00 03 B1 54 02 00 00 \
         00 05 B3 10 8D 52 45 00 01 54 00 0A 55 52 4E 20 31 20 41 53 20 6E 00 02 A0 A0 00 00 \
         00 08 B1 3F A1 81 6E C9 03 E8 00 00 \
         00 00 \
         00 06 B1 3F A1 81 6E 00 00 00 \
         00 02 B0 0F 00 00",
    );
    // RETURN $text, with a text of 300 bytes in chunks of 100, as the JavaScript driver cuts.
    let text = "é".repeat(150);
    let mut send = SendBuffer::new(WireFormat::new(Version::V6_1));
    send.ask_run(
        "RETURN $text",
        |map| map.string("text", &text),
        &Default::default(),
    );
    let payload = &send.as_slice()[2..send.len() - 2];
    for chunk in payload.chunks(100) {
        stream.extend_from_slice(&(chunk.len() as u16).to_be_bytes());
        stream.extend_from_slice(chunk);
    }
    stream.extend_from_slice(&hex("00 00 00 02 B0 02 00 00"));
    stream
}

/// What a server makes of a stream that arrives in pieces: each request with the state's verdict.
fn understood<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut handshake = ServerHandshake::new();
    let mut connection: Option<(Session, Version)> = None;
    let mut dechunker = Dechunker::new(MESSAGE_LEN_BEFORE_LOGIN);
    let mut answers = Vec::new();
    let mut log = Vec::new();
    for piece in pieces {
        let mut received = piece.to_vec();
        let mut start = 0;
        if connection.is_none() {
            let mut input = &received[..];
            let agreed = handshake.advance(&mut input, &mut answers).unwrap();
            start = received.len() - input.len();
            if let Some(agreement) = agreed {
                log.push(format!("{agreement:?}"));
                connection = Some((Session::new(agreement.version), agreement.version));
            }
        }
        let mut input = &mut received[start..];
        while let Some((session, version)) = &mut connection {
            let limits = match session.is_logged_in() {
                true => Limits::AFTER_LOGIN,
                false => Limits::BEFORE_LOGIN,
            };
            let Some(message) = dechunker.next(&mut input).unwrap() else {
                break;
            };
            let (kind, text) = match Request::decode(message, *version, &limits) {
                Ok(request) => (request.kind(), format!("{request:?}")),
                Err(error) => (RequestKind::Pull, error.to_string()),
            };
            let verdict = session.on_request(kind);
            log.push(format!("{verdict:?} {text}"));
            if verdict == Verdict::Accept {
                match kind {
                    RequestKind::Hello => session.hello_succeeded(),
                    RequestKind::Logon => session.logon_succeeded(),
                    RequestKind::Run => session.run_succeeded(TransactionChange::None),
                    RequestKind::Pull => session.stream_ended(),
                    RequestKind::Reset => session.reset_succeeded(),
                    _ => {}
                }
            }
            if session.is_logged_in() {
                dechunker.set_limit(MESSAGE_LEN_AFTER_LOGIN);
            }
        }
        assert!(input.is_empty());
    }
    log
}

#[test]
fn the_recorded_conversation_is_understood() {
    let stream = recorded();
    let log = understood([&stream[..]]);
    let starts: Vec<_> = log
        .iter()
        .map(|line| {
            line.split([' ', '(', '{'])
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(
        starts,
        [
            "Agreement ",
            "Accept Hello",
            "Accept Logon",
            "Accept Telemetry",
            "Accept Run",
            "Accept Pull",
            "Violation WrongState",
            "Close Reset",
            "Close Run",
            "Close Goodbye",
        ]
    );
    assert!(log[4].contains("\"RETURN 1 AS n\""));
    assert!(log[6].contains("PULL: n must be -1 or a number of rows, 1 or more"));
    assert!(log[8].contains(&"é".repeat(150)));
}

#[test]
fn any_single_cut_and_byte_by_byte_give_the_same_requests() {
    let stream = recorded();
    let whole = understood([&stream[..]]);
    for cut in 0..=stream.len() {
        assert_eq!(
            understood([&stream[..cut], &stream[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    assert_eq!(understood(stream.chunks(1)), whole);
    for piece in 2..20 {
        assert_eq!(understood(stream.chunks(piece)), whole, "pieces of {piece}");
    }
}

#[test]
fn any_pair_of_cuts_around_the_query_gives_the_same_requests() {
    let stream = recorded();
    let whole = understood([&stream[..]]);
    let query = stream.windows(2).position(|w| w == [0xB3, 0x10]).unwrap();
    for first in query - 12..query + 60 {
        for second in first..query + 60 {
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(understood(pieces), whole, "cuts at {first} and {second}");
        }
    }
}

#[test]
fn a_reset_behind_waiting_requests_is_found_and_they_are_ignored_in_order() {
    let mut client = SendBuffer::new(WireFormat::new(Version::V5_8));
    client.ask_commit();
    client.ask_run("RETURN 2", |_| (), &Default::default());
    client.ask_reset();
    client.ask_run("RETURN 3", |_| (), &Default::default());
    let stream = client.as_slice();

    let mut session = Session::new(Version::V5_8);
    session.on_request(RequestKind::Hello);
    session.hello_succeeded();
    session.on_request(RequestKind::Logon);
    session.logon_succeeded();
    session.on_request(RequestKind::Run);
    // A query runs; byte by byte more arrives.
    let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
    let mut queue = RequestQueue::new();
    for byte in stream {
        let mut received = [*byte];
        let mut input = received.as_mut_slice();
        while let Some(message) = dechunker.next(&mut input).unwrap() {
            if let Some(urgent) = queue.push(message) {
                assert_eq!((urgent, queue.len()), (Urgent::Reset, 3));
                session.interrupt();
            }
        }
    }
    session.failed();
    assert_eq!(session.state(), State::Interrupted);
    let mut verdicts = Vec::new();
    while let Some(message) = queue.pop() {
        let request = Request::decode(message, Version::V5_8, &Limits::AFTER_LOGIN).unwrap();
        verdicts.push(session.on_request(request.kind()));
        if request == Request::Reset {
            session.reset_succeeded();
        }
    }
    use Verdict::{Accept, Ignore};
    assert_eq!(verdicts, [Ignore, Ignore, Accept, Accept]);
}

/// Records of all sizes around the chunk's limit, read back by a client in pieces.
#[test]
fn records_beyond_a_chunk_are_read_back_whole() {
    let sizes = [
        0, 1, 65_000, 65_525, 65_526, 65_527, 65_528, 65_535, 65_536, 200_000,
    ];
    let mut send = SendBuffer::new(WireFormat::new(Version::V5_8));
    for size in sizes {
        let mut record = send.record(1);
        record.bytes(&vec![size as u8; size]);
        record.finish();
    }
    for piece in [1000, 1448, 65_535, 65_537, usize::MAX] {
        let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
        let mut read = Vec::new();
        for received in send.as_slice().chunks(piece) {
            let mut received = received.to_vec();
            let mut input = received.as_mut_slice();
            while let Some(message) = dechunker.next(&mut input).unwrap() {
                let Ok(Response::Record(values)) = Response::decode(message) else {
                    panic!("a record");
                };
                let Some(quoit_protocol::packstream::Value::Bytes(bytes)) = values.iter().next()
                else {
                    panic!("bytes");
                };
                assert!(bytes.iter().all(|byte| *byte == bytes.len() as u8));
                read.push(bytes.len());
            }
        }
        assert_eq!(read, sizes, "pieces of {piece}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        stream in prop::collection::vec(any::<u8>(), 0..600),
        piece in 1..100_usize,
        version in prop::sample::select(&Version::SUPPORTED[..]),
    ) {
        let mut dechunker = Dechunker::new(500);
        'stream: for received in stream.chunks(piece) {
            let mut received = received.to_vec();
            let mut input = received.as_mut_slice();
            loop {
                match dechunker.next(&mut input) {
                    Ok(None) => break,
                    Err(_) => break 'stream,
                    Ok(Some(message)) => {
                        let _ = Request::decode(message, version, &Limits::AFTER_LOGIN);
                        let _ = Request::decode(message, version, &Limits::BEFORE_LOGIN);
                        let _ = Response::decode(message);
                    }
                }
            }
        }
    }

    #[test]
    fn random_handshakes_and_frames_never_panic(
        slots in prop::collection::vec(prop_oneof![0..10_u8, any::<u8>()], 0..40),
        frames in prop::collection::vec(prop_oneof![Just(0x82_u8), Just(0x80), any::<u8>()], 0..300),
        piece in 1..50_usize,
    ) {
        let mut out = Vec::new();
        let mut server = ServerHandshake::new();
        let _ = server.advance(&mut &[&MAGIC, &slots[..]].concat()[..], &mut out);
        for proposal in [Proposal::Newest, Proposal::Exactly(Version::V5_4)] {
            let mut client = ClientHandshake::new(proposal, &mut out);
            let _ = client.advance(&mut &[&[0, 0, 1, 0xFF], &slots[..]].concat()[..], &mut out);
            let mut client = ClientHandshake::new(proposal, &mut out);
            let _ = client.advance(&mut &slots[..], &mut out);
        }
        let mut decoder = FrameDecoder::new(100);
        let mut taken = 0;
        'frames: for received in frames.chunks(piece) {
            let mut received = received.to_vec();
            let mut input = received.as_mut_slice();
            loop {
                match decoder.next(&mut input) {
                    Ok(Some(Incoming::Data(data))) => taken += data.len(),
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'frames,
                }
            }
        }
        prop_assert!(taken <= frames.len());
        let _ = HttpRequest::parse(&[b"GET ", &frames[..]].concat());
    }

    /// Random fields behind real tags reach deeper than random bytes.
    #[test]
    fn random_fields_of_real_messages_never_panic(
        tag in prop::sample::select(&[0x01_u8, 0x10, 0x11, 0x2F, 0x3F, 0x54, 0x66, 0x6A, 0x70, 0x71, 0x7F][..]),
        fields in 0..4_u8,
        body in prop::collection::vec(prop_oneof![any::<u8>(), 0x80..=0xA3_u8, Just(0xC0)], 0..60),
        version in prop::sample::select(&Version::SUPPORTED[..]),
    ) {
        let message = [[0xB0 | fields, tag].as_slice(), &body].concat();
        if let Ok(request) = Request::decode(&message, version, &Limits::AFTER_LOGIN) {
            let _ = format!("{request:?}");
        }
        if let Ok(response) = Response::decode(&message) {
            let _ = format!("{response:?}");
        }
    }
}
