//! Where the engine's values meet the wire.
//!
//! Owns both directions: parameters as a client sends them become [`Value`](quoit_graph::value::Value)s, copied once;
//! rows become records, encoded from storage straight into the send buffer; columns are encoded once. Called by the session. It leaves bytes to
//! `protocol` and meaning to `query`.

pub(crate) mod columns;
pub(crate) mod parameter;
pub(crate) mod record;
