//! What decoding allocates: nothing for a RUN with parameters, and never more than in proportion to what
//! was received.

#![allow(unsafe_code)]

use quoit_protocol::chunk::{Dechunker, MESSAGE_LEN_AFTER_LOGIN};
use quoit_protocol::message::{Request, Rows, StreamRequest};
use quoit_protocol::packstream::{Limits, Token, Value, check};
use quoit_protocol::{SendBuffer, Version, WireFormat};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting what each thread asks for.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: every call is passed on to `System` with unchanged arguments, so its guarantees are ours; the
// counters are plain cells of the calling thread without destructors and do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller keeps the contract of `realloc`, and `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often, and how many bytes, `work` allocates; and its result.
fn allocated<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let (calls, bytes) = (CALLS.get(), BYTES.get());
    let result = work();
    (CALLS.get() - calls, BYTES.get() - bytes, result)
}

/// RUN with parameters of every kind, and PULL.
fn run_and_pull() -> Vec<u8> {
    let mut send = SendBuffer::new(WireFormat::new(Version::V5_8));
    send.ask_run(
        "MATCH (n:Person {name: $name}) WHERE n.age > $age RETURN n, $rows",
        |map| {
            map.string("name", "Zoë");
            map.int("age", 40);
            map.key("rows").list(|rows| {
                for row in 0..100 {
                    rows.item().map(|map| {
                        map.int("id", row);
                        map.string("text", "a text that is longer than one that is short");
                        map.float("score", 0.5);
                        map.key("tags").list(|tags| tags.string("tag"));
                        map.key("since").date(19_724);
                    });
                }
            });
        },
        &Default::default(),
    );
    send.ask_pull(StreamRequest {
        rows: Rows::AtMost(1000),
        qid: None,
    });
    send.as_slice().to_vec()
}

#[test]
fn the_counter_counts() {
    let (calls, bytes, _kept) = allocated(|| vec![0_u8; 1000]);
    assert_eq!((calls, bytes), (1, 1000));
}

#[test]
fn decoding_a_run_with_parameters_allocates_nothing_and_its_strings_are_in_the_receive_buffer() {
    let mut received = run_and_pull();
    let buffer = received.as_ptr_range();
    let inside = |text: &str| {
        let range = text.as_bytes().as_ptr_range();
        buffer.start <= range.start && range.end <= buffer.end
    };
    let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
    let (calls, _, (strings, rows)) = allocated(|| {
        let mut input = received.as_mut_slice();
        let message = dechunker.next(&mut input).unwrap().unwrap();
        let Ok(Request::Run(run)) = Request::decode(message, Version::V5_8, &Limits::AFTER_LOGIN)
        else {
            panic!("RUN");
        };
        assert!(run.query.starts_with("MATCH") && inside(run.query));
        assert_eq!(run.parameters.get("age"), Some(Value::Int(40)));
        // Every value, once in wire order and once through the views.
        let mut strings = 0;
        for token in run.parameters.tokens() {
            if let Token::String(text) = token {
                assert!(inside(text));
                strings += 1;
            }
        }
        let mut rows = 0;
        let list = run
            .parameters
            .get("rows")
            .and_then(|v| v.as_list())
            .unwrap();
        for row in list {
            let row = row.as_map().unwrap();
            assert_eq!(row.get("id"), Some(Value::Int(rows)));
            assert!(row.iter().all(|(key, _)| inside(key)));
            rows += 1;
        }
        let message = dechunker.next(&mut input).unwrap().unwrap();
        assert!(matches!(
            Request::decode(message, Version::V5_8, &Limits::AFTER_LOGIN),
            Ok(Request::Pull(_))
        ));
        assert_eq!(dechunker.next(&mut input), Ok(None));
        (strings, rows)
    });
    assert_eq!(calls, 0);
    assert_eq!((strings, rows), (4 + 100 * 7, 100));
}

#[test]
fn a_message_in_many_chunks_within_one_buffer_allocates_nothing() {
    let single = run_and_pull();
    let payload_len = usize::from(u16::from_be_bytes([single[0], single[1]]));
    let mut received = Vec::new();
    for chunk in single[2..2 + payload_len].chunks(1398) {
        received.extend_from_slice(&(chunk.len() as u16).to_be_bytes());
        received.extend_from_slice(chunk);
    }
    received.extend_from_slice(&[0, 0]);
    let buffer = received.as_ptr_range();
    let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
    let (calls, _, ()) = allocated(|| {
        let mut input = received.as_mut_slice();
        let message = dechunker.next(&mut input).unwrap().unwrap();
        assert_eq!(message, &single[2..2 + payload_len]);
        assert!(buffer.contains(&message.as_ptr()));
        assert!(Request::decode(message, Version::V5_8, &Limits::AFTER_LOGIN).is_ok());
    });
    assert_eq!(calls, 0);
}

#[test]
fn writing_records_into_a_warm_buffer_allocates_nothing() {
    let mut send = SendBuffer::new(WireFormat::new(Version::V5_8));
    let write = |send: &mut SendBuffer| {
        for id in 0..50 {
            let mut record = send.record(2);
            record.int(id);
            record.vertex(id, ["Person"], |map| {
                map.string("name", "Zoë");
                map.int("age", 41);
            });
            record.finish();
        }
        send.more_success();
    };
    write(&mut send);
    let first = send.as_slice().to_vec();
    send.clear();
    let (calls, _, ()) = allocated(|| write(&mut send));
    assert_eq!(calls, 0);
    assert_eq!(send.as_slice(), first);
}

#[test]
fn hostile_messages_allocate_no_more_than_they_bring() {
    let claims = |marker: &[u8], len: usize| {
        let mut message = vec![0xB1, 0x11];
        message.extend(marker.iter().cycle().take(len));
        message
    };
    for message in [
        claims(&[0x91], 100_000),
        claims(&[0xA1, 0x81, b'k'], 100_000),
        claims(&[0xB1, 0x44], 100_000),
        claims(&[0xD5, 0xFF, 0xFF], 100_000),
        claims(&[0xD6, 0x7F, 0xFF, 0xFF, 0xFF], 100_000),
        claims(&[0xDA, 0x7F, 0xFF, 0xFF, 0xFF], 1000),
        claims(&[0xCE, 0x7F, 0xFF, 0xFF, 0xFF], 1000),
        claims(&[0xD2, 0x7F, 0xFF, 0xFF, 0xFF], 1000),
    ] {
        let (_, bytes, outcome) = allocated(|| check(&message, &Limits::AFTER_LOGIN));
        assert!(outcome.is_err());
        assert!(bytes < 8 << 10, "{bytes} bytes for {:02X?}", &message[..8]);
    }
}

#[test]
fn a_claimed_message_size_reserves_nothing() {
    let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
    let mut received = [0xFF, 0xFF, 0xB1];
    let (_, bytes, ()) = allocated(|| {
        let mut input = received.as_mut_slice();
        assert_eq!(dechunker.next(&mut input), Ok(None));
    });
    assert!(bytes <= 64, "{bytes}");
    // What spans buffers costs in proportion to what came, doubling included.
    let mut arrived = 1;
    let (_, bytes, ()) = allocated(|| {
        for _ in 0..60 {
            let mut piece = [7_u8; 1000];
            let mut input = piece.as_mut_slice();
            assert_eq!(dechunker.next(&mut input), Ok(None));
            arrived += piece.len();
        }
    });
    assert!(bytes <= 4 * arrived, "{bytes} for {arrived}");
}
