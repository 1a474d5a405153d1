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
