//! The other cores as a statement reaches them that is divided between all.
//!
//! Owned here: [`Mates`], one core's way to the others, and the tasks of this core that help them. Called by sessions (whose statements
//! offer work and wait for what comes back) and by `start`. What always holds: helpers run in the queue that gets a core's spare time, and
//! look at least every [`TURN`] whether something else wants the core; no more than [`HELPERS_MAX`] run at once on a core, what is
//! offered beyond that is left to those that have begun.
//! Left to others: what is divided, and what helpers do (`query`).

use crate::node::Node;
use crate::session::TURN;
use quoit_query::parallel::{Crew, Helper, Offer, Turn};
use quoit_rt::mesh::{MeshReceiver, MeshSender};
use quoit_rt::{CoreId, Notified, Notifier, Priority, Rt};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Statements of other cores that a core helps with at once.
const HELPERS_MAX: usize = 32;

/// See the module.
pub(crate) struct Mates {
    core: CoreId,
    cores: u16,
    sender: MeshSender<Offer>,
    waker: Waker,
    changed: Notified,
    helpers: Cell<usize>,
}

/// A notifier as wakers are made of.
struct Bell(Notifier);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}

impl Mates {
    /// Of this core.
    pub(crate) fn new(rt: &Rt, sender: MeshSender<Offer>) -> Mates {
        let (notifier, changed) = rt.notifier();
        Mates {
            core: rt.core(),
            cores: rt.cores(),
            sender,
            waker: Waker::from(Arc::new(Bell(notifier))),
            changed,
            helpers: Cell::new(0),
        }
    }

    /// Waits until a condition holds that other cores bring about.
    pub(crate) async fn until(&self, condition: impl Fn() -> bool) {
        self.changed.wait_until(|| condition().then_some(())).await;
    }
}

impl Crew for Mates {
    fn core(&self) -> u16 {
        self.core.0
    }

    fn cores(&self) -> u16 {
        self.cores
    }

    fn offer(&self, core: u16, offer: Offer) {
        // A core that has no room, or has ended, does not help.
        let _ = self.sender.try_send(CoreId(core), offer);
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

/// Takes up what other cores offer, for ever.
pub(crate) async fn help(node: Rc<Node>, mut offers: MeshReceiver<Offer>) {
    loop {
        let (_, offer) = offers.recv().await;
        if node.mates.helpers.get() < HELPERS_MAX {
            let counted = Counted::new(node.clone());
            node.rt
                .spawn(Priority::Background, help_with(offer, counted));
        }
    }
}

/// One helper among those that run.
struct Counted(Rc<Node>);

impl Counted {
    fn new(node: Rc<Node>) -> Counted {
        node.mates.helpers.set(node.mates.helpers.get() + 1);
        Counted(node)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.mates.helpers.set(self.0.mates.helpers.get() - 1);
    }
}

async fn help_with(offer: Offer, counted: Counted) {
    let node = &*counted.0;
    let rt = &node.rt;
    let waker = node.mates.waker();
    let Some(mut helper) = Helper::begin(offer, &node.queries, &node.core, waker) else {
        return;
    };
    loop {
        let turn_ends = rt.now() + TURN;
        let should_yield = || rt.now() >= turn_ends && rt.need_preempt();
        match helper.turn(&node.core, &should_yield) {
            Turn::Yield => rt.yield_now().await,
            Turn::Wait => node.mates.until(|| helper.may_go_on()).await,
            Turn::Done => return,
        }
    }
}
