//! A blocking Bolt client: what the console and the cluster tool talk to servers with, and what opens
//! the load tool's connections.
//!
//! [`Client`] is the connection, [`Endpoint`] says where to and how, [`Value`] is what comes back.
//! Encoding, chunks and versions are `quoit-protocol`'s; here is only what needs a socket and a clock.

mod client;
mod encode;
mod endpoint;
mod value;

pub use client::{Answer, Client, ClientError, ConnectOptions, Notification, Rows, Summary};
pub use encode::{NotAParameter, write_parameters};
pub use endpoint::{Credentials, DEFAULT_PORT, Encryption, Endpoint, EndpointError};
pub use value::{
    DateTime, Duration, Map, Node, Path, Point, Relationship, Value, Walked, Zone, lookup,
};
