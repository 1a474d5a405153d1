//! Bolt: RUN and PULL sent back to back, answers counted without decoding rows.
//!
//! Of each received message only the chunk sizes and the structure's tag are looked at; a FAILURE
//! is kept whole for its code. After a failure the server ignores what was pipelined behind it until
//! RESET, so RESET goes out at once and those requests count as failed too.

use super::{Reply, WireError};
use crate::load::workload::{Literal, Query};
use quoit_protocol::message::ask::TransactionOptions;
use quoit_protocol::message::{AccessMode, Response, Rows, StreamRequest, tag};
use quoit_protocol::packstream::Packer;
use quoit_protocol::{SendBuffer, WireFormat};
use std::collections::VecDeque;

/// A Bolt connection after its login.
#[derive(Debug)]
pub struct BoltWire {
    send: SendBuffer,
    database: Option<String>,
    /// What is to be answered, oldest first.
    expected: VecDeque<Expected>,
    /// The code of the request whose RUN failed and whose PULL has not been answered.
    failed: Option<String>,
    rows: u64,
    position: Position,
    /// The first bytes of the message in hand: marker and tag; of a FAILURE all bytes.
    head: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Run,
    Pull,
    Reset,
}

/// Where in the chunked stream the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    SizeHigh,
    SizeLow(u8),
    Chunk(u16),
}

/// A FAILURE larger than this is kept only in part, and its code is unknown.
const FAILURE_BYTES_MAX: usize = 64 << 10;
/// The structure's marker and tag.
const HEAD_BYTES: usize = 2;
/// Counted for requests that stood behind a failed one.
pub(super) const IGNORED: &str = "ignored after a failure";

impl BoltWire {
    /// The state after login, with nothing in flight.
    pub fn new(format: WireFormat, database: Option<String>) -> Self {
        BoltWire {
            send: SendBuffer::new(format),
            database,
            expected: VecDeque::new(),
            failed: None,
            rows: 0,
            position: Position::SizeHigh,
            head: Vec::new(),
        }
    }

    pub fn request(&mut self, query: &Query, parameters: &[Literal], out: &mut Vec<u8>) {
        let options = TransactionOptions {
            mode: if query.read {
                AccessMode::Read
            } else {
                AccessMode::Write
            },
            database: self.database.as_deref(),
            ..TransactionOptions::default()
        };
        self.send.ask_run(
            &query.text,
            |map| {
                for (name, value) in query.parameter_names().zip(parameters) {
                    write_literal(&mut map.key(name), value);
                }
            },
            &options,
        );
        self.send.ask_pull(StreamRequest {
            rows: Rows::All,
            qid: None,
        });
        self.expected.push_back(Expected::Run);
        self.expected.push_back(Expected::Pull);
        self.flush_to(out);
    }

    pub fn receive(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), WireError> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.position {
                Position::SizeHigh => {
                    self.position = Position::SizeLow(first);
                    bytes = rest;
                }
                Position::SizeLow(high) => {
                    bytes = rest;
                    match u16::from_be_bytes([high, first]) {
                        0 => {
                            self.position = Position::SizeHigh;
                            // An empty head is a NOOP between messages.
                            if !self.head.is_empty() {
                                self.message(out, replies)?;
                                self.head.clear();
                            }
                        }
                        size => self.position = Position::Chunk(size),
                    }
                }
                Position::Chunk(left) => {
                    let taken = bytes.len().min(usize::from(left));
                    let (payload, rest) = bytes.split_at(taken);
                    self.keep(payload);
                    bytes = rest;
                    self.position = match left - taken as u16 {
                        0 => Position::SizeHigh,
                        left => Position::Chunk(left),
                    };
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, payload: &[u8]) {
        if self.head.len() < HEAD_BYTES {
            let missing = (HEAD_BYTES - self.head.len()).min(payload.len());
            let (head, rest) = payload.split_at(missing);
            self.head.extend_from_slice(head);
            if !rest.is_empty() {
                self.keep(rest);
            }
        } else if self.head[1] == tag::FAILURE {
            let room = FAILURE_BYTES_MAX.saturating_sub(self.head.len());
            self.head
                .extend_from_slice(&payload[..payload.len().min(room)]);
        }
    }

    fn message(&mut self, out: &mut Vec<u8>, replies: &mut Vec<Reply>) -> Result<(), WireError> {
        let kind = *self
            .head
            .get(1)
            .ok_or_else(|| WireError("a message of one byte".to_owned()))?;
        if kind == tag::RECORD {
            self.rows += 1;
            return Ok(());
        }
        let expected = self
            .expected
            .pop_front()
            .ok_or_else(|| WireError("an answer to nothing".to_owned()))?;
        match (expected, kind) {
            (Expected::Run, tag::SUCCESS) => {}
            (Expected::Run, tag::FAILURE) => {
                self.failed = Some(self.failure_code());
                self.reset(out);
            }
            (Expected::Run, tag::IGNORED) => self.failed = Some(IGNORED.to_owned()),
            (Expected::Pull, tag::SUCCESS) => {
                let rows = std::mem::take(&mut self.rows);
                replies.push(Reply::Done { rows });
            }
            (Expected::Pull, tag::FAILURE) => {
                self.rows = 0;
                let code = self.failure_code();
                replies.push(Reply::Failed { code });
                self.reset(out);
            }
            (Expected::Pull, tag::IGNORED) => {
                self.rows = 0;
                let code = self.failed.take().unwrap_or_else(|| IGNORED.to_owned());
                replies.push(Reply::Failed { code });
            }
            (Expected::Reset, tag::SUCCESS) => {}
            (expected, kind) => {
                return Err(WireError(format!(
                    "message {kind:02X} as the answer to {expected:?}"
                )));
            }
        }
        Ok(())
    }

    fn reset(&mut self, out: &mut Vec<u8>) {
        self.send.ask_reset();
        self.expected.push_back(Expected::Reset);
        self.flush_to(out);
    }

    fn flush_to(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.send.as_slice());
        self.send.clear();
    }

    fn failure_code(&self) -> String {
        match Response::decode(&self.head) {
            Ok(Response::Failure {
                code: "", message, ..
            }) => message.to_owned(),
            Ok(Response::Failure { code, .. }) => code.to_owned(),
            _ => "failure without a code".to_owned(),
        }
    }
}

fn write_literal(out: &mut Packer<'_>, literal: &Literal) {
    match literal {
        Literal::Null => out.null(),
        Literal::Bool(truth) => out.bool(*truth),
        Literal::Int(int) => out.int(*int),
        Literal::Float(float) => out.float(*float),
        Literal::String(text) => out.string(text),
        Literal::List(list) => {
            out.list_header(list.len());
            for item in list {
                write_literal(out, item);
            }
        }
        Literal::Map(map) => {
            out.map_header(map.len());
            for (key, item) in map {
                out.string(key);
                write_literal(out, item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::workload::Workload;
    use quoit_protocol::Version;

    fn format() -> WireFormat {
        WireFormat::new(Version::V5_4)
    }

    /// A server's answers, one message after the other.
    fn answers(write: impl FnOnce(&mut SendBuffer)) -> Vec<u8> {
        let mut send = SendBuffer::new(format());
        write(&mut send);
        send.as_slice().to_vec()
    }

    fn success(send: &mut SendBuffer) {
        let mut message = send.message(tag::SUCCESS, 1);
        message.map_header(0);
        message.finish();
    }

    fn record(send: &mut SendBuffer) {
        let mut message = send.message(tag::RECORD, 1);
        message.list_header(1);
        message.string(&"x".repeat(70_000));
        message.finish();
    }

    fn failure(send: &mut SendBuffer) {
        let mut message = send.message(tag::FAILURE, 1);
        message.map(|map| map.string("code", "Neo.ClientError.Statement.SyntaxError"));
        message.finish();
    }

    fn ignored(send: &mut SendBuffer) {
        send.message(tag::IGNORED, 0).finish();
    }

    fn with_requests(count: usize) -> BoltWire {
        let workload = Workload::single("RETURN 1");
        let mut wire = BoltWire::new(format(), None);
        let mut out = Vec::new();
        for _ in 0..count {
            wire.request(&workload.queries[0], &[], &mut out);
        }
        wire
    }

    #[test]
    fn rows_are_counted_wherever_the_stream_is_cut() {
        let bytes = answers(|send| {
            success(send);
            record(send);
            send.noop();
            record(send);
            success(send);
            success(send);
            success(send);
        });
        for size in [1, 2, 3, 7, 4096, bytes.len()] {
            let mut wire = with_requests(2);
            let (mut out, mut replies) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(size) {
                wire.receive(piece, &mut out, &mut replies).unwrap();
            }
            assert_eq!(
                replies,
                [Reply::Done { rows: 2 }, Reply::Done { rows: 0 }],
                "pieces of {size}"
            );
            assert!(out.is_empty());
        }
    }

    #[test]
    fn a_failure_is_reset_at_once_and_takes_what_was_pipelined_with_it() {
        let mut wire = with_requests(2);
        let (mut out, mut replies) = (Vec::new(), Vec::new());
        let bytes = answers(|send| {
            failure(send);
            ignored(send);
            ignored(send);
            ignored(send);
        });
        wire.receive(&bytes, &mut out, &mut replies).unwrap();
        let failed = |code: &str| Reply::Failed { code: code.into() };
        assert_eq!(
            replies,
            [
                failed("Neo.ClientError.Statement.SyntaxError"),
                failed(IGNORED)
            ]
        );
        assert_eq!(out, answers(SendBuffer::ask_reset));

        // The request behind the RESET is answered again.
        let workload = Workload::single("RETURN 1");
        wire.request(&workload.queries[0], &[], &mut out);
        replies.clear();
        let bytes = answers(|send| {
            success(send);
            success(send);
            success(send);
        });
        wire.receive(&bytes, &mut out, &mut replies).unwrap();
        assert_eq!(replies, [Reply::Done { rows: 0 }]);
    }

    #[test]
    fn rows_of_a_query_that_fails_later_are_not_counted_for_the_next() {
        let mut wire = with_requests(1);
        let (mut out, mut replies) = (Vec::new(), Vec::new());
        let bytes = answers(|send| {
            success(send);
            record(send);
            failure(send);
        });
        wire.receive(&bytes, &mut out, &mut replies).unwrap();
        assert_eq!(replies.len(), 1);
        let workload = Workload::single("RETURN 1");
        wire.request(&workload.queries[0], &[], &mut out);
        let bytes = answers(|send| {
            success(send);
            success(send);
            success(send);
        });
        wire.receive(&bytes, &mut out, &mut replies).unwrap();
        assert_eq!(replies[1], Reply::Done { rows: 0 });
    }

    #[test]
    fn answers_that_nobody_asked_for_end_the_connection() {
        let mut wire = with_requests(0);
        let bytes = answers(success);
        assert!(
            wire.receive(&bytes, &mut Vec::new(), &mut Vec::new())
                .is_err()
        );
    }
}
