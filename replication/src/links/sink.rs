//! Groups from the commit path onto this core's lanes.
//!
//! Owns the core's [`GroupSink`]. Called by the log on the core that leads a group, between forming it and its disk
//! write's completion. Always: a call costs a few loads and a queued send a replica, and never waits; a group that a
//! lane cannot take closes the replica's gate at that group, so that the session feeds it from the log. The mark
//! rides on the next group; when none follows in the same turn, a task sends it alone.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::atomic::Ordering::SeqCst;
use std::task::Waker;

use quoit_log::{Group, GroupSeq, GroupSink, LogPosition};
use quoit_rt::Priority;

use crate::core::{ReplicationCore, until};
use crate::machine::gate::Admit;
use crate::message::Message;

pub(crate) struct Sink {
    core: Weak<ReplicationCore>,
    mark_due: Cell<bool>,
    mark_waker: RefCell<Option<Waker>>,
}

impl Sink {
    /// The core's sink, with its task for lone marks.
    pub fn start(core: &Rc<ReplicationCore>) -> Rc<Sink> {
        let sink = Rc::new(Sink {
            core: Rc::downgrade(core),
            mark_due: Cell::new(false),
            mark_waker: RefCell::new(None),
        });
        core.rt
            .spawn(Priority::Latency, sink.clone().send_lone_marks());
        sink
    }

    async fn send_lone_marks(self: Rc<Self>) {
        loop {
            until(|cx| {
                let due = self.mark_due.replace(false);
                if !due {
                    *self.mark_waker.borrow_mut() = Some(cx.waker().clone());
                }
                due
            })
            .await;
            let Some(core) = self.core.upgrade() else {
                return;
            };
            let mark = core.log.log().visible().group;
            for local in core.locals().iter() {
                if local.words.mark_sent.load(SeqCst) < mark.0
                    && let Some(lane) = &*local.lane.borrow()
                    && local.words.mark_sent.fetch_max(mark.0, SeqCst) < mark.0
                {
                    // A lane that fails says so by itself.
                    let _ = lane.send(&Message::Mark(mark));
                }
            }
        }
    }

    fn mark(&self) -> GroupSeq {
        self.core
            .upgrade()
            .map_or(GroupSeq::NONE, |core| core.log.log().visible().group)
    }
}

impl GroupSink for Sink {
    fn group(&self, group: &Group) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        core.shared.group_formed(group.seq());
        for local in core.locals().iter() {
            let gate = &local.words.gate;
            let admit = gate.admit(group.seq());
            if admit == Admit::No {
                continue;
            }
            let taken = local
                .lane
                .borrow()
                .as_ref()
                .is_some_and(|lane| lane.offer(group, self.mark()));
            if !taken {
                gate.close_at(group.seq());
            }
            if !taken || admit == Admit::Opened {
                core.shared.ring_home();
            }
        }
    }

    fn durable(&self, position: &LogPosition) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        core.shared
            .lag
            .durable(position.commit, core.rt.now().as_nanos());
        let locals = core.locals();
        if locals.is_empty() {
            return;
        }
        if locals
            .iter()
            .any(|local| local.words.home_listens.load(SeqCst))
        {
            core.shared.ring_home();
        }
        if !self.mark_due.replace(true)
            && let Some(waker) = self.mark_waker.borrow_mut().take()
        {
            waker.wake();
        }
    }
}
