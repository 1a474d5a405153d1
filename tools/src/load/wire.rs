//! How a request and its answer look to each kind of server.
//!
//! A [`Wire`] is one connection's protocol state, without the socket: it appends requests to a buffer
//! and is fed whatever bytes arrive, cut anywhere. It keeps no received bytes but the few of an
//! unfinished header, so that the load tool stays cheap beside the server it measures. Called by the
//! driver loop for every connection; encoders are shared by all.
//!
//! Always holds: replies come in the order of the requests, one [`Reply`] for each.

mod bolt;
mod echo;
mod resp;

pub use bolt::BoltWire;
pub use echo::EchoWire;
pub use resp::{RespWire, cypher_prefix, write_command};

use super::workload::{Literal, Query};

/// The end of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It succeeded with so many rows.
    Done { rows: u64 },
    /// It failed; the code, or the first words where there are no codes.
    Failed { code: String },
}

/// The server sent what cannot be an answer; the connection is of no more use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct WireError(pub String);

/// One connection's protocol.
#[derive(Debug)]
pub enum Wire {
    Bolt(BoltWire),
    Resp(RespWire),
    Echo(EchoWire),
}

impl Wire {
    /// Appends one request to `out`.
    pub fn request(&mut self, query: &Query, parameters: &[Literal], out: &mut Vec<u8>) {
        match self {
            Wire::Bolt(wire) => wire.request(query, parameters, out),
            Wire::Resp(wire) => wire.request(query, parameters, out),
            Wire::Echo(wire) => wire.request(query, parameters, out),
        }
    }

    /// Takes in received bytes, pushes what has ended, appends to `out` what the protocol itself must
    /// send (RESET after a failure).
    pub fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), WireError> {
        match self {
            Wire::Bolt(wire) => wire.receive(bytes, out, replies),
            Wire::Resp(wire) => wire.receive(bytes, replies),
            Wire::Echo(wire) => wire.receive(bytes, replies),
        }
    }
}
