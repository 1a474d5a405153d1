//! The server: where the rooms meet.
//!
//! Owns start-up and shutdown, the listener, the sessions, the admin statements, and the edge where the engine's errors
//! become what clients know. Called by the `quoit` binary. What always holds: a core serves its sessions without
//! locks; whatever one session meets (a client's mistake, a lost connection, a defect that panics) ends at that session;
//! a SUCCESS for a write leaves after the write is as safe as the server promised. It leaves to others: bytes on the
//! wire (`protocol`), what a query means (`cypher`, `query`), storage (`graph`), the log (`log`), replicas
//! (`replication`), cores and sockets (`rt`).

mod admin;
mod allocator;
mod bookmark;
mod dialect;
mod housekeeping;
mod isolation;
mod listener;
mod listing;
mod mates;
mod node;
mod open;
pub mod options;
mod peers;
pub mod report;
mod session;
mod snapshot;
mod start;
mod wire;

pub use options::Options;
pub use quoit_graph::Isolation;
pub use start::{Server, StartError, run};
