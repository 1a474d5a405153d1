//! A door and a memory in place of the graph.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use quoit_graph::door::{Door, Journal, ReserveError};

use crate::frame::FRAME_HEADER;
use crate::{CommitSeq, Ledger, Log};

/// Remembers what was applied; shares its door with the ledgers of other cores.
pub(crate) struct TestLedger {
    door: Arc<Door>,
    pub(crate) applied: RefCell<Vec<(u64, Vec<u8>)>>,
    /// A commit number whose frame does not fit.
    pub(crate) refuses: Option<u64>,
}

impl TestLedger {
    pub(crate) fn new(log: &Arc<Log>) -> Rc<TestLedger> {
        TestLedger::with_door(Arc::new(Door::new(log.clone(), 1)))
    }

    pub(crate) fn with_door(door: Arc<Door>) -> Rc<TestLedger> {
        Rc::new(TestLedger {
            door,
            applied: RefCell::new(Vec::new()),
            refuses: None,
        })
    }

    /// The bodies applied so far.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.applied
            .borrow()
            .iter()
            .map(|(_, body)| body.clone())
            .collect()
    }
}

impl Ledger for TestLedger {
    fn door(&self) -> &Door {
        &self.door
    }

    fn apply(&self, seq: CommitSeq, deltas: &[u8]) -> Result<(), String> {
        if self.refuses == Some(seq.0) {
            return Err("it does not fit".into());
        }
        let expected = self
            .applied
            .borrow()
            .last()
            .map_or(seq.0, |(last, _)| last + 1);
        assert_eq!(
            seq.0, expected,
            "frames are applied in the order of their numbers"
        );
        self.applied.borrow_mut().push((seq.0, deltas.to_vec()));
        Ok(())
    }
}

/// What a transaction does at its end: room, frame, number.
pub(crate) fn commit(
    log: &Log,
    door: &Door,
    core: u16,
    body: &[u8],
) -> Result<CommitSeq, ReserveError> {
    let mut buffer = vec![0; FRAME_HEADER];
    buffer.extend_from_slice(body);
    let room = door.reserve(buffer.len(), core)?;
    let frame = log.finish_frame(buffer);
    Ok(door.seal(room, frame, |_| {}))
}
