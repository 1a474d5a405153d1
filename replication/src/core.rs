//! One core's half of replication: what the server calls.
//!
//! Owns the commits of this core that wait for replicas, this core's lanes, and the core's attendant, which drains its mail,
//! releases waiters and keeps their one timer. On core 0 ([`HOME`]) it also owns the sessions or the listener. Always:
//! no call here waits for a peer except [`ReplicationCore::confirm`], as the mode says, and `register`, within its
//! deadlines; a commit's wait ends by an acknowledgement, by its deadline, or by a change of the replica's spell.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quoit_log::{CommitSeq, GroupSeq, LogCore, LogError};
use quoit_rt::{Instant, Notified, Notifier, Priority, Rt};

use crate::identity::Fingerprint;
use crate::links::home::Home;
use crate::links::lane::Lane;
use crate::links::sink::Sink;
use crate::machine::Time;
use crate::machine::waiters::{Outcome, Patience, Submission, Waiters, submission};
use crate::message::Ack;
use crate::shared::{HOME, Replication};
use crate::statement::{
    Confirmation, DataInfo, Mode, Notice, Reason, Receipt, Receipted, Refusal, Registration,
    ReplicaRow, ReplicaStatus, Role, StatementError, Warning,
};
use crate::words::ReplicaWords;

/// What one core hands to another.
pub(crate) enum Mail {
    /// To every core but home: open your lane of this session.
    OpenLane {
        replica: Arc<ReplicaWords>,
        session: u64,
        address: SocketAddr,
        pin: Fingerprint,
    },
    /// To every core but home: the session has ended.
    CloseLane { replica: u64, session: u64 },
    /// To home: a lane has joined, or is lost.
    LaneJoined { replica: u64, session: u64 },
    /// To home.
    LaneLost {
        replica: u64,
        session: u64,
        why: String,
    },
    /// To home: a statement from a client of another core.
    Statement { statement: Statement, reply: Reply },
}

/// A statement that changes something.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    RoleReplica { port: u16, address: Option<IpAddr> },
    RoleMain,
    Register(Registration),
    Drop(String),
}

pub(crate) type Answer = Result<Vec<Notice>, StatementError>;

/// Where the answer goes: a slot and the bell of the core that waits.
pub(crate) struct Reply {
    slot: mpsc::SyncSender<Answer>,
    bell: Notifier,
}

impl Reply {
    pub fn send(self, answer: Answer) {
        // A client that has gone reads no answer.
        let _ = self.slot.try_send(answer);
        self.bell.notify();
    }
}

/// Another member of the cluster, for routing tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Its registered name.
    pub name: String,
    /// The host of its replication endpoint: an address or a name.
    pub host: String,
    /// Where it speaks Bolt; 0 while unknown.
    pub bolt_port: u16,
    /// Whether it is connected and in step.
    pub in_step: bool,
    /// The last group that its readers see, as far as is known here.
    pub visible: GroupSeq,
}

/// Where this node stands: what an operator needs to choose whom to promote.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The role.
    pub role: Role,
    /// Durable here.
    pub durable: quoit_log::LogPosition,
    /// Shown here.
    pub visible: quoit_log::LogPosition,
}

/// Why replication did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The replica's listening address.
    #[error(
        "the replication port cannot be listened on: {address}: {error}; free the port, then start again"
    )]
    Listen {
        /// The address in the node record.
        address: SocketAddr,
        /// The system's words.
        error: std::io::Error,
    },
}

/// A replica as this core sees it.
pub(crate) struct LocalReplica {
    pub words: Arc<ReplicaWords>,
    patience: Option<Patience>,
    waiters: RefCell<Waiters<Ticket>>,
    pub lane: RefCell<Option<Rc<Lane>>>,
}

/// A waiting commit, once for each replica that it waits for.
struct Ticket {
    pending: Rc<RefCell<Pending>>,
    replica: Arc<ReplicaWords>,
    since: Time,
}

#[derive(Default)]
struct Pending {
    outstanding: usize,
    confirmation: Confirmation,
    waker: Option<Waker>,
}

/// Notes what became of a commit at a replica.
fn receipt(pending: &RefCell<Pending>, words: &ReplicaWords, outcome: Receipted, took: Duration) {
    let receipt = Receipt {
        replica: words.name.clone(),
        mode: words.mode.as_str(),
        outcome,
        took,
    };
    pending.borrow_mut().confirmation.receipts.push(receipt);
}

/// Replication on one core. `!Send`.
pub struct ReplicationCore {
    pub(crate) shared: Arc<Replication>,
    pub(crate) rt: Rt,
    pub(crate) log: Rc<LogCore>,
    core: usize,
    locals: RefCell<Rc<Vec<Rc<LocalReplica>>>>,
    roster_version: Cell<u64>,
    mail: mpsc::Receiver<Mail>,
    bell: Notifier,
    /// When the attendant's timer will ring.
    armed: Cell<Option<Instant>>,
    pub(crate) home: Option<Home>,
}

impl ReplicationCore {
    /// This core's half; sets the log's sink and spawns the core's attendant.
    ///
    /// # Panics
    /// When this core already has one.
    pub fn new(shared: &Arc<Replication>, rt: &Rt, log: &Rc<LogCore>) -> Rc<ReplicationCore> {
        let core = rt.core().index();
        let (send, mail) = mpsc::channel();
        let (bell, notified) = rt.notifier();
        let seat = crate::shared::Seat {
            bell: bell.clone(),
            mail: send,
        };
        assert!(
            shared.cores[core].set(seat).is_ok(),
            "core {core} has one handle of replication"
        );
        let this = Rc::new(ReplicationCore {
            shared: shared.clone(),
            rt: rt.clone(),
            log: log.clone(),
            core,
            locals: RefCell::default(),
            roster_version: Cell::new(0),
            mail,
            bell,
            armed: Cell::new(None),
            home: (core == HOME).then(Home::default),
        });
        log.set_sink(Sink::start(&this));
        rt.spawn(Priority::Latency, this.clone().attend(notified));
        this
    }

    /// Takes up the recorded role: on core 0, after the log's recovery and after `new` on every core. A MAIN opens its
    /// incarnation and begins to connect to its replicas; a replica listens. Until then writes are refused.
    ///
    /// # Errors
    /// When the log cannot take the role, or the replica's port cannot be listened on.
    pub async fn start(self: &Rc<Self>) -> Result<(), StartError> {
        assert_eq!(self.core, HOME, "replication starts on core 0");
        self.start_home().await
    }

    /// Ends sessions and the listener. Commits that wait are answered with warnings.
    pub fn stop(self: &Rc<Self>) {
        if self.home.is_some() {
            self.stop_home("this server is shutting down");
        }
    }

    /// The role; one load.
    pub fn role(&self) -> Role {
        self.shared.role()
    }

    /// Whether writes are taken; one load. Asked before a write and again before its commit.
    ///
    /// # Errors
    /// Why not, with the text for the client.
    pub fn writable(&self) -> Result<(), Refusal> {
        self.shared.writable()
    }

    /// The shared part.
    pub fn shared(&self) -> &Arc<Replication> {
        &self.shared
    }

    /// Where this node stands.
    pub fn standing(&self) -> Standing {
        let log = self.log.log();
        Standing {
            role: self.role(),
            durable: log.tail(),
            visible: log.visible(),
        }
    }

    /// Waits until every replica that a commit's answer depends on has it on its disk, or is not waited for any longer.
    ///
    /// Called in the same step as the commit, before awaiting anything: timeouts count from the call, and a core's calls
    /// come in the order of their numbers. Awaited beside or after [`LogCore::durable`]; the answer needs both. Dropping the future
    /// is fine. On a replica, and on a MAIN without replicas, it is ready at once.
    pub fn confirm(self: &Rc<Self>, commit: CommitSeq) -> Confirming {
        let pending = Rc::new(RefCell::new(Pending::default()));
        if self.shared.roster_version() != self.roster_version.get() {
            self.refresh();
        }
        let locals = self.locals.borrow().clone();
        for local in locals.iter() {
            let words = &local.words;
            match submission(
                local.patience,
                commit,
                words.acked_commit(),
                words.effective.spell(),
            ) {
                Submission::Nothing => {
                    // ASYNC, or counting as that for now; unless it has been there already.
                    let outcome = match words.acked_commit() >= commit {
                        true => Receipted::Confirmed,
                        false => Receipted::NotWaited,
                    };
                    receipt(&pending, words, outcome, Time::ZERO);
                }
                Submission::Warn(reason) => self.warn(&pending, words, reason, Time::ZERO),
                Submission::Wait(spell) => {
                    pending.borrow_mut().outstanding += 1;
                    let ticket = Ticket {
                        pending: pending.clone(),
                        replica: words.clone(),
                        since: self.now(),
                    };
                    local
                        .waiters
                        .borrow_mut()
                        .push(commit, spell, self.now(), ticket);
                    words.set_waiting(self.core, true);
                    // Said before looking: an acknowledgement that came meanwhile is seen here, a later one sees us.
                    self.release(local);
                    self.arm(local);
                }
            }
        }
        Confirming { pending }
    }

    /// The rows of `SHOW REPLICAS`, from this node's memory.
    ///
    /// # Errors
    /// On a replica.
    pub fn show_replicas(&self) -> Result<Vec<ReplicaRow>, StatementError> {
        if self.role() == Role::Replica {
            return Err(StatementError::ShowOnReplica);
        }
        let durable = self.log.log().tail().commit;
        let now_ns = self.rt.now().as_nanos();
        let (_, roster) = self.shared.roster();
        Ok(roster
            .iter()
            .map(|words| self.row(words, durable, now_ns))
            .collect())
    }

    fn row(&self, words: &ReplicaWords, durable: CommitSeq, now_ns: u64) -> ReplicaRow {
        let acked = words.known_commit();
        let lag = acked.map(|acked| durable.0.saturating_sub(acked.0));
        let status = match words.status() {
            ReplicaStatus::Ready if lag.is_some_and(|lag| lag > 0) => ReplicaStatus::Replicating,
            status => status,
        };
        let given_up = words.effective.spell().given_up.is_some();
        let lag_ns = acked.zip(lag).map(|(acked, lag)| match lag {
            0 => 0,
            _ => self.shared.lag.age_ns(acked, now_ns),
        });
        ReplicaRow {
            name: words.name.to_string(),
            socket_address: words.endpoint.to_string(),
            sync_mode: words.mode.as_str(),
            data_info: DataInfo {
                ts: acked.map(|acked| acked.0),
                behind: lag.map(|lag| -i64::try_from(lag).unwrap_or(i64::MAX)),
                status: status.as_str(),
            },
            timeout: words.mode.timeout().map(|t| t.as_secs_f64()),
            effective_mode: if given_up {
                Mode::Async.as_str()
            } else {
                words.mode.as_str()
            },
            lag_transactions: lag,
            lag_seconds: lag_ns.map(|ns| ns as f64 / 1e9),
            detail: words.detail(),
        }
    }

    /// The registered replicas, for routing tables; none on a replica.
    pub fn peers(&self) -> Vec<Peer> {
        let (_, roster) = self.shared.roster();
        let peer = |words: &Arc<ReplicaWords>| Peer {
            name: words.name.to_string(),
            host: match words.endpoint.host() {
                crate::endpoint::Host::Address(ip) => ip.to_string(),
                crate::endpoint::Host::Name(name) => name.clone(),
            },
            bolt_port: words.bolt_port(),
            in_step: words.status() == ReplicaStatus::Ready,
            visible: words.visible_group(),
        };
        roster.iter().map(peer).collect()
    }

    /// `SET REPLICATION ROLE TO REPLICA WITH PORT port`, listening on `address`, on all interfaces if none is given.
    /// On a MAIN: writes are refused from the call on, running commits finish, registrations are dropped, data stay.
    ///
    /// # Errors
    /// With the text for the client; nothing has changed then.
    pub async fn set_role_replica(self: &Rc<Self>, port: u16, address: Option<IpAddr>) -> Answer {
        self.statement(Statement::RoleReplica { port, address })
            .await
    }

    /// `SET REPLICATION ROLE TO MAIN`: publishes everything durable here, opens the next term, takes writes.
    ///
    /// # Errors
    /// With the text for the client.
    pub async fn set_role_main(self: &Rc<Self>) -> Answer {
        self.statement(Statement::RoleMain).await
    }

    /// `REGISTER REPLICA`. Returns once the replica obeys this MAIN and its session runs; a replica that has little to
    /// catch up with has done so by then.
    ///
    /// # Errors
    /// With the text for the client; nothing is registered then.
    pub async fn register(self: &Rc<Self>, registration: Registration) -> Answer {
        self.statement(Statement::Register(registration)).await
    }

    /// `DROP REPLICA name`: forgets it, without telling it or waiting for it.
    ///
    /// # Errors
    /// With the text for the client.
    pub async fn drop_replica(self: &Rc<Self>, name: &str) -> Answer {
        self.statement(Statement::Drop(name.to_owned())).await
    }

    async fn statement(self: &Rc<Self>, statement: Statement) -> Answer {
        if self.core == HOME {
            return self.execute(statement).await;
        }
        let (slot, answer) = mpsc::sync_channel(1);
        let (bell, notified) = self.rt.notifier();
        self.shared.send(
            HOME,
            Mail::Statement {
                statement,
                reply: Reply { slot, bell },
            },
        );
        loop {
            match answer.try_recv() {
                Ok(answer) => return answer,
                Err(mpsc::TryRecvError::Empty) => notified.notified().await,
                Err(mpsc::TryRecvError::Disconnected) => {
                    return Err(StatementError::NotStored(
                        "this server is shutting down".into(),
                    ));
                }
            }
        }
    }

    /// The machines' clock.
    pub(crate) fn now(&self) -> Time {
        Duration::from_nanos(self.rt.now().as_nanos())
    }

    /// This core's replicas, by the newest roster.
    pub(crate) fn locals(&self) -> Rc<Vec<Rc<LocalReplica>>> {
        if self.shared.roster_version() != self.roster_version.get() {
            self.refresh();
        }
        self.locals.borrow().clone()
    }

    pub(crate) fn local(&self, replica: u64) -> Option<Rc<LocalReplica>> {
        self.locals()
            .iter()
            .find(|local| local.words.id == replica)
            .cloned()
    }

    fn refresh(&self) {
        let (version, roster) = self.shared.roster();
        let old = self.locals.borrow().clone();
        let known = |words: &Arc<ReplicaWords>| {
            old.iter()
                .find(|local| local.words.id == words.id)
                .cloned()
                .unwrap_or_else(|| {
                    let patience = Patience::of(words.mode, self.shared.config.replica_timeout);
                    Rc::new(LocalReplica {
                        words: words.clone(),
                        patience,
                        // An ASYNC replica has no waiters; the queue stays empty.
                        waiters: RefCell::new(Waiters::new(
                            patience.unwrap_or(Patience::Total(Duration::ZERO)),
                        )),
                        lane: RefCell::new(None),
                    })
                })
        };
        *self.locals.borrow_mut() = Rc::new(roster.iter().map(known).collect());
        self.roster_version.set(version);
        // Whoever left the roster did so after its spell was ended: nobody waits for it any longer.
        for gone in old
            .iter()
            .filter(|local| !roster.iter().any(|words| words.id == local.words.id))
        {
            self.release(gone);
            if let Some(lane) = gone.lane.borrow_mut().take() {
                lane.close();
            }
        }
    }

    /// An acknowledgement has arrived on a lane of this core.
    pub(crate) fn acknowledged(&self, words: &Arc<ReplicaWords>, ack: &Ack) {
        let grew = words.acknowledge(ack, self.rt.now().as_nanos());
        if words.home_listens.load(SeqCst) {
            self.shared.ring_home();
        }
        if grew {
            self.tell_waiters(words);
        }
    }

    /// The words of a replica have changed in a way that may release waiters, here and on other cores.
    pub(crate) fn tell_waiters(&self, words: &Arc<ReplicaWords>) {
        for core in words.waiting_cores().filter(|core| *core != self.core) {
            self.shared.ring(core);
        }
        if let Some(local) = self
            .locals
            .borrow()
            .iter()
            .find(|local| local.words.id == words.id)
        {
            self.release(local);
        }
    }

    fn release(&self, local: &LocalReplica) {
        let mut waiters = local.waiters.borrow_mut();
        if waiters.is_empty() {
            return;
        }
        let words = &local.words;
        waiters.release(
            words.acked_commit(),
            words.effective.spell(),
            |ticket, outcome| {
                let took = self.now().saturating_sub(ticket.since);
                match outcome {
                    Outcome::Confirmed => {
                        receipt(&ticket.pending, &ticket.replica, Receipted::Confirmed, took)
                    }
                    Outcome::GivenUp(reason) => {
                        self.warn(&ticket.pending, &ticket.replica, reason, took)
                    }
                }
                let mut pending = ticket.pending.borrow_mut();
                pending.outstanding -= 1;
                if pending.outstanding == 0
                    && let Some(waker) = pending.waker.take()
                {
                    waker.wake();
                }
            },
        );
        if waiters.is_empty() {
            words.set_waiting(self.core, false);
        }
    }

    fn warn(
        &self,
        pending: &RefCell<Pending>,
        words: &ReplicaWords,
        reason: Reason,
        took: Duration,
    ) {
        receipt(pending, words, Receipted::Unconfirmed(reason), took);
        self.shared.counts.warned.fetch_add(1, SeqCst);
        let warning = Warning {
            replica: words.name.to_string(),
            reason,
        };
        pending.borrow_mut().confirmation.warnings.push(warning);
    }

    /// Sees to it that the attendant's timer rings in time for this replica's first waiter.
    fn arm(&self, local: &LocalReplica) {
        let deadline = self.waiters_deadline(local);
        if let Some(deadline) = deadline
            && self.armed.get().is_none_or(|armed| armed > deadline)
        {
            self.bell.notify();
        }
    }

    fn waiters_deadline(&self, local: &LocalReplica) -> Option<Instant> {
        let progress = Duration::from_nanos(local.words.progress_ns());
        let deadline = local.waiters.borrow().deadline(progress)?;
        Some(Instant::from_nanos(
            u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX),
        ))
    }

    /// The core's attendant.
    async fn attend(self: Rc<Self>, bell: Notified) {
        loop {
            let deadline = self.turn();
            self.armed.set(deadline);
            match deadline {
                None => bell.notified().await,
                Some(deadline) => {
                    if self.rt.timeout(deadline, bell.notified()).await.is_err() {
                        // A deadline is judged only after what has arrived was taken in: two turns let every lane
                        // of this core read its socket and write the words.
                        self.rt.yield_now().await;
                        self.rt.yield_now().await;
                        self.expire();
                    }
                }
            }
        }
    }

    /// One look at everything; when to look again at the latest.
    fn turn(self: &Rc<Self>) -> Option<Instant> {
        while let Ok(mail) = self.mail.try_recv() {
            self.take_mail(mail);
        }
        let locals = self.locals();
        for local in locals.iter() {
            self.release(local);
        }
        let waiters = locals
            .iter()
            .filter_map(|local| self.waiters_deadline(local))
            .min();
        let home = self.home_turn();
        waiters.into_iter().chain(home).min()
    }

    fn take_mail(self: &Rc<Self>, mail: Mail) {
        match mail {
            Mail::OpenLane {
                replica,
                session,
                address,
                pin,
            } => self.open_lane(replica, session, address, pin),
            Mail::CloseLane { replica, session } => self.close_lane(replica, session),
            Mail::LaneJoined { replica, session } => self.lane_joined(replica, session),
            Mail::LaneLost {
                replica,
                session,
                why,
            } => self.lane_lost(replica, session, why),
            Mail::Statement { statement, reply } => {
                let this = self.clone();
                self.rt.spawn(Priority::Latency, async move {
                    reply.send(this.execute(statement).await)
                });
            }
        }
    }

    /// Gives up the replicas that a waiter of this core has waited for long enough.
    fn expire(&self) {
        for local in self.locals().iter() {
            self.release(local);
            let words = &local.words;
            let progress = Duration::from_nanos(words.progress_ns());
            let reachable = words.status() != ReplicaStatus::Invalid;
            let Some(reason) = local
                .waiters
                .borrow()
                .expired(progress, self.now(), reachable)
            else {
                continue;
            };
            let spell = words.effective.spell();
            if spell.given_up.is_none() && words.effective.give_up(spell, reason) {
                (self.shared.config.say)(&format!(
                    "replica {} counts as async until it has caught up: {reason}",
                    words.name
                ));
            }
            self.tell_waiters(words);
            self.shared.ring_home();
        }
    }
}

/// The wait of one commit for its replicas.
pub struct Confirming {
    pending: Rc<RefCell<Pending>>,
}

impl Future for Confirming {
    type Output = Confirmation;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Confirmation> {
        let mut pending = self.pending.borrow_mut();
        if pending.outstanding == 0 {
            return Poll::Ready(std::mem::take(&mut pending.confirmation));
        }
        pending.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Waits until `done` says so, looked at whenever this task is woken.
pub(crate) async fn until(mut done: impl FnMut(&mut Context<'_>) -> bool) {
    poll_fn(|cx| {
        if done(cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
