//! What stands on the other side of the log: the commit door, and a graph that frames are applied to.
//!
//! Owns the one trait through which the log sees the graph, so that frames and their order can be
//! tested without vertices. Implemented for the graph's per-core handle by [`GraphLedger`].

use std::rc::Rc;

use quoit_graph::door::Door;
use quoit_graph::{AppliedSetting, Core};

use crate::CommitSeq;

/// One core's view of what is behind the log.
pub trait Ledger {
    /// The door whose journal the log is.
    fn door(&self) -> &Door;

    /// Applies the deltas of commit `seq`. Not visible until the door publishes it. Called in order of
    /// numbers, by recovery and by a replica.
    ///
    /// # Errors
    /// In words: the deltas do not fit the graph. The log stops the server then.
    fn apply(&self, seq: CommitSeq, deltas: &[u8]) -> Result<(), String>;
}

/// The graph as a ledger.
pub struct GraphLedger {
    core: Core,
    on_setting: Rc<dyn Fn(AppliedSetting)>,
}

impl GraphLedger {
    /// The graph seen from `core`; settings found in frames go to `on_setting`.
    pub fn new(core: Core, on_setting: Rc<dyn Fn(AppliedSetting)>) -> GraphLedger {
        GraphLedger { core, on_setting }
    }
}

impl Ledger for GraphLedger {
    fn door(&self) -> &Door {
        self.core.graph().door()
    }

    fn apply(&self, seq: CommitSeq, deltas: &[u8]) -> Result<(), String> {
        let settings = self
            .core
            .apply(seq, deltas)
            .map_err(|error| error.to_string())?;
        for setting in settings {
            (self.on_setting)(setting);
        }
        Ok(())
    }
}
