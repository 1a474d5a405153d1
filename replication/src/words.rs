//! What the cores of a MAIN share about one replica: a handful of atomics, read and written by any core.
//!
//! Owns the words. The core on which an acknowledgement arrives writes them; commits, leaders and `SHOW REPLICAS` read
//! them on their own cores. Always: the acknowledged words only grow within a session (the session's beginning sets
//! them); nothing here is ever waited for. Orderings are sequentially consistent where a core decides "nobody
//! else will tell me" (acknowledged against waiting, as in the classic two-flag hand-shake); statistics are relaxed.

use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering::Relaxed, Ordering::SeqCst,
};
use std::sync::{Arc, Mutex};

use quoit_log::{CommitSeq, GroupSeq, LogPosition};

use crate::endpoint::Endpoint;
use crate::machine::effective::Effective;
use crate::machine::gate::Gate;
use crate::message::Ack;
use crate::statement::{Mode, Reason, ReplicaStatus};

/// One registered replica, as every core sees it.
#[derive(Debug)]
pub(crate) struct ReplicaWords {
    /// Tells registrations apart, also of the same name.
    pub id: u64,
    pub name: Arc<str>,
    pub mode: Mode,
    pub endpoint: Endpoint,
    pub effective: Effective,
    pub gate: Gate,
    /// Durable there.
    acked_group: AtomicU64,
    acked_commit: AtomicU64,
    /// A session has begun since this server started: the acknowledged words say something.
    heard: AtomicBool,
    visible_group: AtomicU64,
    /// When an acknowledgement last moved, in nanoseconds of the runtime's clock.
    progress_ns: AtomicU64,
    /// The newest mark that was sent to it, on whatever lane.
    pub mark_sent: AtomicU64,
    /// By core: commits of that core wait for it.
    waiting: Box<[AtomicBool]>,
    /// The session's core wants to hear of acknowledgements, and of durable groups.
    pub home_listens: AtomicBool,
    status: AtomicU8,
    bolt_port: AtomicU16,
    /// For `SHOW REPLICAS`: written when the state changes, by the session's core.
    detail: Mutex<String>,
}

impl ReplicaWords {
    pub fn new(id: u64, name: String, mode: Mode, endpoint: Endpoint, cores: u16) -> ReplicaWords {
        ReplicaWords {
            id,
            name: name.into(),
            mode,
            endpoint,
            effective: Effective::new(),
            gate: Gate::new(),
            acked_group: AtomicU64::new(0),
            acked_commit: AtomicU64::new(0),
            heard: AtomicBool::new(false),
            visible_group: AtomicU64::new(0),
            progress_ns: AtomicU64::new(0),
            mark_sent: AtomicU64::new(0),
            waiting: (0..cores).map(|_| AtomicBool::new(false)).collect(),
            home_listens: AtomicBool::new(true),
            status: AtomicU8::new(ReplicaStatus::Invalid as u8),
            bolt_port: AtomicU16::new(0),
            detail: Mutex::new(String::new()),
        }
    }

    pub fn acked_group(&self) -> GroupSeq {
        GroupSeq(self.acked_group.load(SeqCst))
    }

    pub fn acked_commit(&self) -> CommitSeq {
        CommitSeq(self.acked_commit.load(SeqCst))
    }

    /// What it is known to have on its disk; `None` until it was first heard from, since it may hold everything.
    pub fn known_commit(&self) -> Option<CommitSeq> {
        self.heard.load(SeqCst).then(|| self.acked_commit())
    }

    pub fn visible_group(&self) -> GroupSeq {
        GroupSeq(self.visible_group.load(Relaxed))
    }

    pub fn progress_ns(&self) -> u64 {
        self.progress_ns.load(SeqCst)
    }

    /// A session begins behind `after`, to which the replica may have been cut back.
    pub fn begin_session(&self, after: &LogPosition, now_ns: u64) {
        self.acked_group.store(after.group.0, SeqCst);
        self.acked_commit.store(after.commit.0, SeqCst);
        self.heard.store(true, SeqCst);
        self.mark_sent.store(0, SeqCst);
        self.progress_ns.fetch_max(now_ns, SeqCst);
    }

    /// Takes in an acknowledgement; true if the durable prefix grew.
    pub fn acknowledge(&self, ack: &Ack, now_ns: u64) -> bool {
        self.visible_group.fetch_max(ack.visible.0, Relaxed);
        self.acked_group.fetch_max(ack.durable.0, SeqCst);
        let grew = self.acked_commit.fetch_max(ack.commit.0, SeqCst) < ack.commit.0;
        if grew {
            self.progress_ns.fetch_max(now_ns, SeqCst);
        }
        grew
    }

    /// Core `core` begins or ceases to have commits that wait.
    pub fn set_waiting(&self, core: usize, waiting: bool) {
        self.waiting[core].store(waiting, SeqCst);
    }

    /// The cores that have commits waiting.
    pub fn waiting_cores(&self) -> impl Iterator<Item = usize> {
        self.waiting
            .iter()
            .enumerate()
            .filter(|(_, waiting)| waiting.load(SeqCst))
            .map(|(core, _)| core)
    }

    /// Commits stop waiting for good.
    pub fn end(&self, reason: Reason) {
        self.effective.end(reason);
        self.gate.shut();
    }

    pub fn status(&self) -> ReplicaStatus {
        ReplicaStatus::from_u8(self.status.load(SeqCst))
    }

    pub fn set_status(&self, status: ReplicaStatus, detail: String) {
        self.status.store(status as u8, SeqCst);
        *self.detail.lock().unwrap_or_else(|e| e.into_inner()) = detail;
    }

    pub fn detail(&self) -> String {
        self.detail
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clone()
    }

    pub fn bolt_port(&self) -> u16 {
        self.bolt_port.load(Relaxed)
    }

    pub fn set_bolt_port(&self, port: u16) {
        self.bolt_port.store(port, Relaxed);
    }
}
