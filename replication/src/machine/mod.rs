//! The decisions of replication, without sockets, files, clocks or threads.
//!
//! Owns the two sides' state machines and their small parts; the links carry out what they decide, and tests drive the
//! same code with a simulated clock and network. Always: `(event, now) → actions`; `now` only grows; nothing here
//! blocks, draws a random number or knows how bytes travel.
//!
//! - [`main`]: the MAIN's side of one replica: connect, compare histories, feed, hand over to the lanes.
//! - [`replica`]: the replica's side: whom to obey, groups put in order, logged, shown up to the mark.
//! - [`gate`]: the hand-over between feeding from the log and sending from the commit path, one shared word.
//! - [`effective`]: whether commits wait for a replica now, one shared word.
//! - [`waiters`]: a core's commits that wait for one replica, first in, first out.
//! - [`pulse`]: whether a connection is alive.
//! - [`compare`]: the last position that two histories share.

pub mod compare;
pub mod effective;
pub mod gate;
pub mod main;
pub mod pulse;
pub mod replica;
pub mod waiters;

#[cfg(test)]
mod simulation;

/// A point on the caller's monotonic clock: the time since an origin of its choice.
pub type Time = std::time::Duration;
