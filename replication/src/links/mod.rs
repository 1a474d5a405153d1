//! The links: how the machines' decisions become bytes on `rt` streams and calls of the log.
//!
//! Owns connections and tasks. Nothing is decided here that the machines could decide.
//!
//! - [`dial`]: from an endpoint to an authenticated stream.
//! - [`lane`]: a MAIN's connection to one replica, on one core.
//! - [`sink`]: groups from the commit path onto the lanes.
//! - [`home`]: the sessions of a MAIN, and the statements, on core 0.
//! - [`listener`]: the replica's end, on core 0.

pub(crate) mod dial;
pub(crate) mod home;
pub(crate) mod lane;
pub(crate) mod listener;
pub(crate) mod session;
pub(crate) mod sink;
