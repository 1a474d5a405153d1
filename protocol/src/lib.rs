//! The Bolt protocol without I/O.
//!
//! Owns everything between "bytes arrived" and "a request with typed fields", and between "here is a
//! value" and "these bytes go out": telling who connects ([`sniff`]), the version handshake
//! ([`handshake`]), chunks ([`chunk`], [`send`]), PackStream ([`packstream`]), the structures that
//! stand for graph, time and space values ([`structure`]), messages in both directions ([`message`]),
//! the session's states ([`state`]), its queue of waiting requests ([`queue`]), and WebSocket framing
//! ([`websocket`]). It serves both ends of a connection: the server, and the console and load tool.
//!
//! What always holds:
//! - No socket, clock, thread or storage is known here. Bytes come in as slices, go out into a
//!   [`send::SendBuffer`]; every type is plain data that a test can drive.
//! - Bytes become values once. After [`message::Request::decode`] or [`message::Response::decode`]
//!   has accepted a message, reading its values cannot fail, and strings and byte arrays are slices
//!   of the received message.
//! - A message makes this crate allocate at most a constant times the bytes that were really
//!   received, whatever sizes it claims; nesting is bounded; input never panics.
//! - Inside Quoit one says vertex and edge. The wire's "node" and "relationship" are translated in
//!   [`structure`] and [`message`], nowhere else.
//!
//! Left to others: sockets, TLS, timeouts, authentication, running queries, choosing error codes.

//!
//! One received buffer, on a connection that has shaken hands and logged in:
//!
//! ```
//! use quoit_protocol::chunk::{Dechunker, MESSAGE_LEN_AFTER_LOGIN};
//! use quoit_protocol::message::answer::{EncodedFields, RunAnswer};
//! use quoit_protocol::message::{Request, RequestError};
//! use quoit_protocol::packstream::Limits;
//! use quoit_protocol::state::{Session, TransactionChange, Verdict};
//! use quoit_protocol::{SendBuffer, Version, WireFormat};
//!
//! fn received(
//!     mut input: &mut [u8],
//!     dechunker: &mut Dechunker,
//!     session: &mut Session,
//!     send: &mut SendBuffer,
//! ) -> Result<(), RequestError> {
//!     let version = send.format().version();
//!     while let Some(message) = dechunker.next(&mut input).expect("within the limit") {
//!         let request = Request::decode(message, version, &Limits::AFTER_LOGIN)?;
//!         match (session.on_request(request.kind()), request) {
//!             (Verdict::Accept, Request::Run(run)) => {
//!                 assert_eq!(run.query, "RETURN $x AS x");
//!                 send.run_success(&RunAnswer {
//!                     fields: &EncodedFields::new(["x"]),
//!                     t_first_ms: 0,
//!                     qid: None,
//!                     database: None,
//!                 });
//!                 session.run_succeeded(TransactionChange::None);
//!             }
//!             (Verdict::Accept, Request::Pull(_)) => {
//!                 let mut record = send.record(1);
//!                 record.int(1);
//!                 record.finish();
//!                 session.stream_ended();
//!             }
//!             (Verdict::Ignore, _) => send.ignored(),
//!             (verdict, request) => panic!("{verdict:?} {request:?}"),
//!         }
//!     }
//!     Ok(())
//! }
//! # let format = WireFormat::new(Version::V5_8);
//! # let mut session = Session::new(Version::V5_8);
//! # session.on_request(quoit_protocol::message::RequestKind::Hello);
//! # session.hello_succeeded();
//! # session.on_request(quoit_protocol::message::RequestKind::Logon);
//! # session.logon_succeeded();
//! # let mut client = SendBuffer::new(format);
//! # client.ask_run("RETURN $x AS x", |map| map.int("x", 1), &Default::default());
//! # let mut bytes = client.as_slice().to_vec();
//! # let mut send = SendBuffer::new(format);
//! # let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
//! # received(&mut bytes, &mut dechunker, &mut session, &mut send).unwrap();
//! # assert!(!send.is_empty());
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod chunk;
pub mod handshake;
pub mod message;
pub mod packstream;
pub mod queue;
pub mod send;
pub mod sniff;
pub mod state;
pub mod structure;
pub mod version;
pub mod websocket;

pub use send::SendBuffer;
pub use version::{Version, WireFormat};
