//! Notifiers: "something changed, look again", from any thread to one task of one core.
//!
//! A [`Notifier`] is the sending half (`Send + Sync + Clone`), a [`Notified`] the receiving half, which stays on its
//! core. Notifications are level-triggered and coalesce: any number of them between two looks is one. A look may be
//! spurious (slots are shared beyond 4,096 notifiers a core), so the receiver checks its condition after each.
//! Whatever the notifier wrote before `notify` is visible after `notified().await` returns.
//!
//! Cost: a busy core sees it at its next driver turn for one or two atomic operations of the sender; a sleeping core
//! costs the sender one eventfd write.

use crate::{doorbell::Doorbell, wake::WakeBoard};
use smallvec::SmallVec;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// What other cores may touch of one core.
pub(crate) struct CoreShared {
    pub(crate) board: WakeBoard,
    pub(crate) doorbell: Doorbell,
}

impl CoreShared {
    /// Raises a slot and rings if the core sleeps.
    pub(crate) fn notify(&self, slot: usize) {
        if self.board.raise(slot) {
            self.doorbell.ring();
        }
    }
}

/// The sending half: tells one core's task to look again. Cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Notifier {
    core: Arc<CoreShared>,
    slot: usize,
}

impl Notifier {
    /// Notifies. Never blocks, never allocates; a second call before the receiver looked does nothing more.
    pub fn notify(&self) {
        self.core.notify(self.slot);
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notifier({})", self.slot)
    }
}

/// The receiving half, of the core that made it.
pub struct Notified {
    cell: Rc<NotifiedCell>,
    slots: Rc<NotifySlots>,
    slot: usize,
}

#[derive(Default)]
struct NotifiedCell {
    raised: Cell<bool>,
    waiters: RefCell<SmallVec<[Waker; 1]>>,
}

impl Notified {
    /// Waits until notified since the last time this returned; at once if that has already happened.
    pub async fn notified(&self) {
        poll_fn(|cx| self.poll_notified(cx)).await
    }

    /// The polling form of [`notified`](Self::notified). All tasks that wait are woken; the first of them to look
    /// takes the notification, so tasks that share a `Notified` use [`watch`](Self::watch).
    pub fn poll_notified(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cell.raised.replace(false) {
            return Poll::Ready(());
        }
        self.watch(cx);
        Poll::Pending
    }

    /// Has `cx` woken at the next notification, without taking one: for several tasks that each look at a condition
    /// of their own. Register, then look at the condition, then wait.
    pub fn watch(&self, cx: &mut Context<'_>) {
        let mut waiters = self.cell.waiters.borrow_mut();
        if !waiters.iter().any(|w| w.will_wake(cx.waker())) {
            waiters.push(cx.waker().clone());
        }
    }

    /// Waits until `condition` gives a value; looks at it now and after every notification. Any number of tasks may
    /// wait so, each for its own condition.
    pub async fn wait_until<T>(&self, mut condition: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| {
            self.watch(cx);
            condition().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Takes a notification that the driver has already delivered, without waiting.
    pub fn take(&self) -> bool {
        self.cell.raised.replace(false)
    }
}

impl Drop for Notified {
    fn drop(&mut self) {
        self.slots.remove(self.slot, &self.cell);
    }
}

/// The receiving halves of one core, by slot.
#[derive(Default)]
pub(crate) struct NotifySlots {
    cells: RefCell<Vec<Vec<Rc<NotifiedCell>>>>,
    free: RefCell<Vec<usize>>,
}

impl NotifySlots {
    /// A new pair on this core.
    pub(crate) fn pair(self: &Rc<Self>, core: &Arc<CoreShared>) -> (Notifier, Notified) {
        let cell = Rc::new(NotifiedCell::default());
        let mut cells = self.cells.borrow_mut();
        let slot = match self.free.borrow_mut().pop() {
            Some(slot) => slot,
            None if cells.len() < crate::wake::SLOTS => {
                cells.push(Vec::new());
                cells.len() - 1
            }
            // Every slot has an owner: share the least crowded one.
            None => (0..cells.len())
                .min_by_key(|&s| cells[s].len())
                .unwrap_or(0),
        };
        cells[slot].push(cell.clone());
        (
            Notifier {
                core: core.clone(),
                slot,
            },
            Notified {
                cell,
                slots: self.clone(),
                slot,
            },
        )
    }

    fn remove(&self, slot: usize, cell: &Rc<NotifiedCell>) {
        let mut cells = self.cells.borrow_mut();
        cells[slot].retain(|c| !Rc::ptr_eq(c, cell));
        if cells[slot].is_empty() {
            // A stale notifier of the old owner can wake the new one; that is a spurious look, which is allowed.
            self.free.borrow_mut().push(slot);
        }
    }

    /// Delivers what was raised. Called by the driver at each turn.
    pub(crate) fn deliver(&self, board: &WakeBoard) -> bool {
        let mut any = false;
        board.take(|slot| {
            any = true;
            // Wakers are called outside the borrow of the table: a waker may drop or create a notifier.
            let count = self.cells.borrow().get(slot).map_or(0, Vec::len);
            for i in 0..count {
                let cell = self
                    .cells
                    .borrow()
                    .get(slot)
                    .and_then(|c| c.get(i).cloned());
                if let Some(cell) = cell {
                    cell.raised.set(true);
                    let waiters = std::mem::take(&mut *cell.waiters.borrow_mut());
                    waiters.into_iter().for_each(Waker::wake);
                }
            }
        });
        any
    }
}
