//! Snapshots that a core lends to others, so that several cores read for one statement.
//!
//! Owned here: [`LentSnapshot`], the lender's side, and [`Loan`], which goes to other cores. Called by `query` (one statement over all cores),
//! `core` (what its holder gave up while others were still reading).
//! A snapshot is held by the core that took it, whoever reads at it: publishing it on a second core would not do, since who asks what is
//! needed looks at one core after the other, and could miss it on both while it moves. So others read in short uses, between which they
//! hold nothing; the lender takes the loan back, and lets go of the snapshot when the last use has ended.
//! Always holds: while a use lasts the snapshot is held; once the loan is taken back no use begins. Nobody waits for it: what is still
//! in use then goes to the core's housekeeping (model-checked).
//! Left to others: what is read, and when a use ends (`query`, at each of its turns).

use crate::core::{Core, CoreState};
use crate::ids::CommitSeq;
use crate::sync::{AtomicU64, Ordering, yield_now};
use crate::txn::{Access, Isolation, Statement, Txn};
use std::sync::Arc;

/// The loan has been taken back; below it uses are counted.
const TAKEN_BACK: u64 = 1 << 63;

/// How many uses last, and whether more may begin.
#[derive(Debug, Default)]
struct Uses(AtomicU64);

impl Uses {
    /// Begins a use; false if the loan has been taken back.
    fn begin(&self) -> bool {
        // Partner: `take_back`. Of the two, the later one in the word's order sees the other.
        if self.0.fetch_add(1, Ordering::AcqRel) & TAKEN_BACK == 0 {
            return true;
        }
        self.end();
        false
    }

    /// What was read is read: whoever finds that no use lasts comes after it.
    fn end(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }

    /// No use begins from here on; whether none lasts.
    fn take_back(&self) -> bool {
        self.0.fetch_or(TAKEN_BACK, Ordering::AcqRel) & !TAKEN_BACK == 0
    }

    /// Whether none lasts, once it was taken back.
    fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire) == TAKEN_BACK
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) & TAKEN_BACK == 0
    }
}

/// A snapshot that is lent.
#[derive(Debug)]
pub(crate) struct Lent {
    snapshot: CommitSeq,
    uses: Uses,
}

/// The lender's side. Dropping it takes the loan back.
pub struct LentSnapshot {
    core: Core,
    lent: Arc<Lent>,
}

/// The right to read at another core's snapshot, until that is taken back.
#[derive(Clone, Debug)]
pub struct Loan(Arc<Lent>);

/// A use of a [`Loan`]: while it lasts the snapshot is held. It is ended before its holder parks.
pub struct LoanUse<'l>(&'l Lent);

impl LentSnapshot {
    /// For another core.
    pub fn loan(&self) -> Loan {
        Loan(self.lent.clone())
    }
}

impl Drop for LentSnapshot {
    fn drop(&mut self) {
        let state = &self.core.0;
        if self.lent.uses.take_back() {
            state.let_go(&self.lent);
        } else {
            state.lent.borrow_mut().push(self.lent.clone());
        }
    }
}

impl Loan {
    /// Begins a use; `None` once the loan has been taken back.
    pub fn begin(&self) -> Option<LoanUse<'_>> {
        self.0.uses.begin().then(|| LoanUse(&self.0))
    }

    /// Whether it has not been taken back.
    pub fn is_open(&self) -> bool {
        self.0.uses.is_open()
    }
}

impl Drop for LoanUse<'_> {
    fn drop(&mut self) {
        self.0.uses.end();
    }
}

impl Txn {
    /// Lends what a statement of this transaction sees to other cores. They see nothing of the transaction's own writes.
    pub fn lend(&self, statement: &Statement) -> LentSnapshot {
        let core = self.core().clone();
        let snapshot = statement.snapshot();
        core.0.snapshots.hold(snapshot);
        LentSnapshot {
            core,
            lent: Arc::new(Lent {
                snapshot,
                uses: Uses::default(),
            }),
        }
    }
}

impl Core {
    /// A transaction that reads at a snapshot lent by another core. Its views may be used only while a use of the same loan lasts.
    pub fn begin_lent(&self, in_use: &LoanUse<'_>) -> Txn {
        let snapshot = in_use.0.snapshot;
        let snapshot = self
            .0
            .snapshots
            .begin(&self.0.graph.horizon, self.slot(), || snapshot.0);
        Txn::new(self.clone(), Access::Read, Isolation::Snapshot, snapshot)
    }
}

impl CoreState {
    fn let_go(&self, lent: &Lent) {
        self.snapshots
            .end(&self.graph.horizon, usize::from(self.number), lent.snapshot);
    }

    /// Lets go of snapshots whose last use has ended since they were taken back.
    pub(crate) fn let_go_of_lent(&self) {
        self.lent.borrow_mut().retain(|lent| {
            let is_over = lent.uses.is_over();
            if is_over {
                self.let_go(lent);
            }
            !is_over
        });
    }

    /// Waits for the last uses, which are short: nobody may find the core gone and its snapshots in use.
    pub(crate) fn end_lending(&self) {
        while !self.lent.borrow().is_empty() {
            self.let_go_of_lent();
            yield_now();
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A core reads twice at a lent snapshot while the lender takes it back; `held` stands for what pruning would look at.
    fn read_and_take_back(heeds_uses: bool) {
        loom::model(move || {
            let uses = Arc::new(Uses::default());
            let held = Arc::new(AtomicU64::new(1));
            let reader = {
                let (uses, held) = (uses.clone(), held.clone());
                thread::spawn(move || {
                    for _ in 0..2 {
                        if uses.begin() {
                            assert_eq!(held.load(Ordering::Relaxed), 1, "what is read is pruned");
                            uses.end();
                        }
                    }
                })
            };
            if uses.take_back() || uses.is_over() || !heeds_uses {
                held.store(0, Ordering::Relaxed);
            }
            reader.join().unwrap();
            assert!(uses.is_over() && !uses.begin());
        });
    }

    #[test]
    fn loom_a_lent_snapshot_is_held_while_it_is_used() {
        read_and_take_back(true);
    }

    #[test]
    #[should_panic(expected = "what is read is pruned")]
    fn loom_a_lent_snapshot_that_goes_with_its_lender_is_pruned_under_its_reader() {
        read_and_take_back(false);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::door::NullJournal;
    use crate::graph::{Graph, GraphConfig};

    #[test]
    fn a_snapshot_that_others_read_is_held_until_they_have_read() {
        let graph = Graph::new(GraphConfig {
            shards: 1,
            cores: 2,
            journal: Arc::new(NullJournal::default()),
        });
        let (lender, reader) = (graph.core(0), graph.core(1));
        let write = || {
            let mut txn = lender.begin(Access::Write, Isolation::Snapshot);
            txn.create_vertex(&[], &[]).unwrap();
            txn.commit().unwrap().seq
        };
        let first = write();
        let mut txn = lender.begin(Access::Read, Isolation::Snapshot);
        let statement = txn.begin_statement(true);
        let lent = txn.lend(&statement);
        drop((statement, txn));
        let horizon = || graph.active_snapshots().horizon();
        let loan = lent.loan();
        let in_use = loan.begin().expect("it is lent");
        let read = reader.begin_lent(&in_use);
        assert_eq!(read.snapshot(), first);
        let last = write();
        drop(read);
        assert_eq!(horizon(), first, "the lender holds it");
        drop(lent);
        lender.maintain(0);
        assert_eq!(horizon(), first, "it is in use");
        assert!(!loan.is_open() && loan.begin().is_none());
        drop(in_use);
        lender.maintain(0);
        assert_eq!(horizon(), last, "nobody needs it");
    }
}
