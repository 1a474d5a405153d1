//! Bolt messages: what a client asks, what a server answers.
//!
//! Owns the tags, fields and metadata keys of every message and how they differ by version. The server
//! reads [`Request`]s and writes answers ([`answer`], [`summary`], [`failure`], [`notification`],
//! [`plan`], [`routing`]); the console and the load tool write requests ([`ask`]) and read
//! [`Response`]s. Whether a request may come now is not asked here but in [`crate::state`].

pub mod answer;
pub mod ask;
mod extra;
pub mod failure;
pub mod notification;
pub mod plan;
mod request;
mod response;
pub mod routing;
pub mod summary;

pub use extra::{
    AccessMode, Auth, BoltAgent, Bookmarks, Credentials, Hello, Route, Rows, StreamRequest,
    TelemetryApi, TransactionExtra,
};
pub use request::{FieldError, Request, RequestError, RequestKind, Run, Violation};
pub use response::{Response, ResponseError};

/// Structure tags of requests and responses.
pub mod tag {
    /// First message: who the client is.
    pub const HELLO: u8 = 0x01;
    /// The client is leaving.
    pub const GOODBYE: u8 = 0x02;
    /// Back to a clean session.
    pub const RESET: u8 = 0x0F;
    /// Run a query.
    pub const RUN: u8 = 0x10;
    /// Open a transaction.
    pub const BEGIN: u8 = 0x11;
    /// Commit it.
    pub const COMMIT: u8 = 0x12;
    /// Roll it back.
    pub const ROLLBACK: u8 = 0x13;
    /// Throw rows away.
    pub const DISCARD: u8 = 0x2F;
    /// Fetch rows.
    pub const PULL: u8 = 0x3F;
    /// Which driver interface is in use.
    pub const TELEMETRY: u8 = 0x54;
    /// Ask for the routing table.
    pub const ROUTE: u8 = 0x66;
    /// Credentials.
    pub const LOGON: u8 = 0x6A;
    /// Forget the user.
    pub const LOGOFF: u8 = 0x6B;
    /// A request succeeded.
    pub const SUCCESS: u8 = 0x70;
    /// One row.
    pub const RECORD: u8 = 0x71;
    /// A request was not looked at.
    pub const IGNORED: u8 = 0x7E;
    /// A request failed.
    pub const FAILURE: u8 = 0x7F;
}
