//! One statement over all cores: what is dealt out, to whom, and how results come back.
//!
//! A plan may contain one or more [`Gather`](crate::plan::Gather) operators. The core that runs the statement, its *leader*, deals out the
//! *morsels* of the scan below (pages of vertices, or parts of them) from one counter, and offers the other cores to help: an [`Offer`] names
//! the statement by its text, and each core plans that by itself, since plans stay on their core; a fingerprint says whether it came to the
//! same plan. Whoever helps takes morsels, runs the same operators on them as the leader does, at the leader's snapshot, and sends back
//! rows, or what its aggregates came to. The leader works on morsels itself, so a core that has no time to help costs nothing.
//!
//! What always holds: each morsel is taken once, and the leader ends only when each core that took one has said what it found; a core
//! that has not begun when all are taken is not waited for. Nothing here blocks or spawns: the server carries offers, gives helpers
//! their turns ([`Helper::turn`]) behind everything else, and wakes who waits. When the leader goes, whatever the reason, the snapshot is
//! taken back and every helper ends at its next look. The first error ends all.
//! Left to others: what may be divided (`planner::parallel`), how rows and groups are put together (`operator::gather`), queues between
//! cores and the order of tasks on a core (`server`).
//!
//! Reading order: this file, `deal` (who takes what), `job` (what the cores share), `leader`, `helper`.

mod deal;
mod helper;
mod job;
mod leader;

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

pub(crate) use deal::{Morsel, Morsels};
pub use helper::{Helper, Turn};
pub use job::{Awaited, Offer};
pub(crate) use leader::{Leader, News};

/// What a helper's operator came to: as [`Divided`](crate::operator::Divided) gives it.
pub type Part = Box<dyn Any + Send>;

/// The cores of a server, as one of them reaches the others. Made by whoever runs them.
pub trait Crew {
    /// The number of this core.
    fn core(&self) -> u16;

    /// How many there are.
    fn cores(&self) -> u16;

    /// Offers another core to help; an offer that it has no room for is dropped.
    fn offer(&self, core: u16, offer: Offer);

    /// Has the executions and helpers of this core that wait for another core look again. Called on other cores.
    fn waker(&self) -> Waker;
}

/// What an execution needs to have others help.
#[derive(Clone)]
pub(crate) struct Team {
    pub(crate) crew: Rc<dyn Crew>,
    /// The statement.
    pub(crate) text: Arc<str>,
    /// Of its plan.
    pub(crate) fingerprint: u64,
}
