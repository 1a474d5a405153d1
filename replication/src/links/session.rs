//! A MAIN's sessions: the machine of each replica, and its actions carried out.
//!
//! Owns the sessions' states on core 0. Called by the core's attendant (words and time), by lanes (what was said), by
//! the statements (begin, drop). Always: the machine is never entered while an action of it is being carried out
//! in the same call chain with its state borrowed; every task carries its session's number, so one that comes late
//! changes nothing.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Waker;
use std::time::Duration;

use quoit_log::{GroupSeq, LogPosition, Term};
use quoit_rt::{Instant, Priority};

use crate::core::{Mail, ReplicationCore};
use crate::identity::{ClusterId, Fingerprint, NodeId, membership_proof};
use crate::links::dial::{self, DialError};
use crate::links::lane::{GREETING_MAX, Lane};
use crate::machine::Time;
use crate::machine::main::{Action, Event, Failure, Look, Session};
use crate::message::{Admission, Decoder, Hello, Message, Purpose, RefusalCode, VERSIONS};
use crate::node_record::{RegisteredReplica, RoleRecord};
use crate::shared::{HOME, RoleWord};
use crate::statement::{RegisterFailure, ReplicaStatus};
use crate::words::ReplicaWords;

/// Read from the log at once for a replica that is behind.
const FEED_BYTES: usize = 1 << 20;
/// For finding, connecting and TLS in all.
const CALL_MAX: Duration = Duration::from_secs(5);
/// Unsent on lane 0 before more is read.
const UNSENT_MAX: usize = 1 << 20;

pub(crate) struct SessionState {
    pub machine: Session,
    pub words: Arc<ReplicaWords>,
    /// What the replica's certificate must be; none at a first contact without `WITH FINGERPRINT`.
    pub pin: Option<Fingerprint>,
    pub cluster: ClusterId,
    pub term: Term,
    lane: Option<Rc<Lane>>,
    address: Option<SocketAddr>,
    lanes_missing: u16,
    /// The REGISTER that waits for this session.
    pub registering: Option<Rc<Registering>>,
    resumed_once: bool,
}

/// How far a registration has come.
#[derive(Default)]
pub(crate) struct Registering {
    stage: RefCell<Stage>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Stage {
    #[default]
    Calling,
    /// Stored, obeyed and connected; by whom.
    Registered(Fingerprint),
    /// And in step.
    CaughtUp(Fingerprint),
    Failed(RegisterFailure),
}

impl Registering {
    fn advance(&self, stage: Stage) {
        *self.stage.borrow_mut() = stage;
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    pub fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Waits until `done` holds of the stage.
    pub async fn until(&self, done: impl Fn(&Stage) -> bool) -> Stage {
        crate::core::until(|cx| {
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            done(&self.stage.borrow())
        })
        .await;
        self.stage()
    }
}

impl SessionState {
    pub fn new(
        machine: Session,
        words: Arc<ReplicaWords>,
        pin: Option<Fingerprint>,
        cluster: ClusterId,
        term: Term,
        registering: Option<Rc<Registering>>,
    ) -> SessionState {
        SessionState {
            machine,
            words,
            pin,
            cluster,
            term,
            lane: None,
            address: None,
            lanes_missing: 0,
            registering,
            resumed_once: false,
        }
    }
}

impl ReplicationCore {
    /// Home's part of the attendant's turn: every session looks at its words and at the clock.
    pub(crate) fn sessions_turn(self: &Rc<Self>) -> Option<Instant> {
        let home = self.home.as_ref()?;
        let ids: Vec<u64> = home.sessions.borrow().keys().copied().collect();
        for &id in &ids {
            let Some(words) = home.sessions.borrow().get(&id).map(|s| s.words.clone()) else {
                continue;
            };
            // Said before looking: what comes after is reported.
            words.home_listens.store(true, SeqCst);
            let look = Look {
                // Before the gate: a group that is durable was admitted or not before.
                tail: self.log.log().tail().group,
                gate: words.gate.state(),
                formed: self.shared.formed(),
                acked: words.acked_group(),
                demoted: words.effective.spell().given_up.is_some(),
            };
            self.drive(id, |machine, now, out| {
                machine.handle(machine.number(), Event::Look(look), now, out);
                machine.tick(now, out);
            });
            if home
                .sessions
                .borrow()
                .get(&id)
                .is_some_and(|s| s.machine.is_settled())
            {
                words.home_listens.store(false, SeqCst);
            }
        }
        let sessions = home.sessions.borrow();
        let deadline = sessions
            .values()
            .filter_map(|s| s.machine.deadline())
            .min()?;
        Some(Instant::from_nanos(
            u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX),
        ))
    }

    /// Lets a session's machine decide, then carries out what it decided.
    pub(crate) fn drive(
        self: &Rc<Self>,
        id: u64,
        decide: impl FnOnce(&mut Session, Time, &mut Vec<Action>),
    ) {
        let Some(home) = &self.home else { return };
        let mut out = Vec::new();
        {
            let mut sessions = home.sessions.borrow_mut();
            let Some(state) = sessions.get_mut(&id) else {
                return;
            };
            decide(&mut state.machine, self.now(), &mut out);
        }
        for action in out {
            self.perform(id, action);
        }
    }

    fn event(self: &Rc<Self>, id: u64, session: u64, event: Event) {
        self.drive(id, |machine, now, out| {
            machine.handle(session, event, now, out)
        });
        // What was decided may have moved a deadline or a word.
        self.shared.ring_home();
    }

    pub(crate) fn said(self: &Rc<Self>, replica: u64, session: u64, message: Message) {
        self.event(replica, session, Event::Said(message));
    }

    pub(crate) fn lane_lost(self: &Rc<Self>, replica: u64, session: u64, why: String) {
        self.event(replica, session, Event::Lost { why });
    }

    pub(crate) fn lane_joined(self: &Rc<Self>, replica: u64, session: u64) {
        let joined = self.with_session(replica, |state| {
            if state.machine.number() == session {
                state.lanes_missing = state.lanes_missing.saturating_sub(1);
            }
            state.lanes_missing == 0
        });
        if joined == Some(true) {
            self.event(replica, session, Event::LanesJoined);
        }
    }

    pub(crate) fn with_session<R>(
        &self,
        id: u64,
        f: impl FnOnce(&mut SessionState) -> R,
    ) -> Option<R> {
        self.home
            .as_ref()?
            .sessions
            .borrow_mut()
            .get_mut(&id)
            .map(f)
    }

    fn perform(self: &Rc<Self>, id: u64, action: Action) {
        let Some((words, number)) =
            self.with_session(id, |s| (s.words.clone(), s.machine.number()))
        else {
            return;
        };
        match action {
            Action::Connect { session, purpose } => {
                let core = self.clone();
                self.rt.spawn(Priority::Latency, async move {
                    core.call(id, session, purpose).await
                });
            }
            Action::Find(group) => {
                let core = self.clone();
                self.rt.spawn(Priority::Latency, async move {
                    // A position that cannot be read is one that cannot be shown to be common.
                    let position = core.log.find(group).await.unwrap_or(None);
                    core.event(id, number, Event::Found { group, position });
                });
            }
            Action::Send(message) => {
                let cluster = self.with_session(id, |s| s.cluster);
                let message = match (message, cluster) {
                    (Message::Begin { after, .. }, Some(cluster)) => {
                        Message::Begin { cluster, after }
                    }
                    (message, _) => message,
                };
                if let Some(lane) = self.with_session(id, |s| s.lane.clone()).flatten() {
                    // A lane that fails says so by itself.
                    let _ = lane.send(&message);
                }
            }
            Action::Register(node) => self.store_registration(id, node),
            Action::OpenLanes(after) => self.open_lanes(id, number, &words, after),
            Action::RequestGate => {
                words.gate.request();
                self.shared.ring_home();
            }
            Action::Feed { from, until } => {
                let core = self.clone();
                self.rt.spawn(Priority::Latency, async move {
                    match core.feed(id, from, until).await {
                        Ok((next, bytes)) => core.event(id, number, Event::Fed { next, bytes }),
                        Err(why) => core.event(id, number, Event::Lost { why }),
                    }
                });
            }
            Action::End { why } => self.end_session(id, number, &words, &why),
            Action::Resume => {
                words.effective.resume();
                let again = self.with_session(id, |s| {
                    if let Some(registering) = &s.registering
                        && let Stage::Registered(fingerprint) = registering.stage()
                    {
                        registering.advance(Stage::CaughtUp(fingerprint));
                    }
                    std::mem::replace(&mut s.resumed_once, true)
                });
                if again == Some(true) {
                    (self.shared.config.say)(&format!(
                        "replica {} has caught up and counts again",
                        words.name
                    ));
                }
            }
            Action::GiveUp(reason) => {
                let spell = words.effective.spell();
                if spell.given_up != Some(reason) {
                    words.effective.end(reason);
                    self.tell_waiters(&words);
                }
            }
            Action::Fence(term) => {
                let core = self.clone();
                self.rt
                    .spawn(Priority::Latency, async move { core.fence(term).await });
            }
            Action::Status { status, detail } => {
                if (words.status(), words.detail()) != (status, detail.clone()) {
                    if !detail.is_empty() {
                        (self.shared.config.say)(&format!(
                            "replica {}: {}: {detail}",
                            words.name,
                            status.as_str()
                        ));
                    }
                    words.set_status(status, detail);
                }
            }
            Action::RegistrationFailed { failure, why } => {
                let failure = match failure {
                    Failure::Unreachable => RegisterFailure::Unreachable(why),
                    Failure::Refused(RefusalCode::SameNode) => RegisterFailure::OwnEndpoint,
                    Failure::Refused(_) => RegisterFailure::Refused(why),
                    Failure::Diverged => RegisterFailure::Diverged(why),
                    Failure::Durability(lacks) => RegisterFailure::ReplicaDurability(lacks),
                };
                self.registration_failed(id, failure);
            }
        }
    }

    fn registered_twice(self: &Rc<Self>, id: u64, name: &str) {
        self.drive(id, |machine, _, out| {
            machine.stop("the instance is registered under another name", out)
        });
        self.registration_failed(id, RegisterFailure::InstanceExists(name.to_owned()));
    }

    fn registration_failed(&self, id: u64, failure: RegisterFailure) {
        let Some(home) = &self.home else { return };
        let state = home.sessions.borrow_mut().remove(&id);
        if let Some(registering) = state.and_then(|s| s.registering) {
            registering.advance(Stage::Failed(failure));
        }
    }

    /// Opens lane 0 and says hello.
    async fn call(self: Rc<Self>, id: u64, session: u64, purpose: Purpose) {
        let Some((words, pin, cluster, term)) =
            self.with_session(id, |s| (s.words.clone(), s.pin, s.cluster, s.term))
        else {
            return;
        };
        let not_welcomed = |why: String, refused, term| Event::NotWelcomed { why, refused, term };
        let record = self.shared.record();
        let bolt_port = self.shared.config.bolt_port;
        let dialling = dial::endpoint(
            &self.rt,
            &words.endpoint,
            &record.key,
            pin,
            bolt_port,
            GREETING_MAX,
        );
        // A name service that hangs must not keep an attempt for ever.
        let dialled = match self.rt.timeout(self.rt.now() + CALL_MAX, dialling).await {
            Ok(dialled) => dialled,
            Err(_) => Err(DialError::Failed("it does not answer".into())),
        };
        let dialled = match dialled {
            Ok(dialled) => dialled,
            Err(DialError::Own) => {
                let event = not_welcomed(
                    "the endpoint is this instance".into(),
                    Some(RefusalCode::SameNode),
                    None,
                );
                return self.event(id, session, event);
            }
            Err(DialError::Failed(why)) => {
                return self.event(id, session, not_welcomed(why, None, None));
            }
        };
        // Before the hello: a second one would end the session that it already has.
        if purpose == Purpose::Register
            && let Some(name) = record.registered_as(None, dialled.peer)
        {
            return self.registered_twice(id, name);
        }
        let hello = Hello {
            versions: VERSIONS,
            purpose,
            proof: membership_proof(cluster, self.shared.fingerprint, dialled.peer),
            node: record.node,
            term,
            incarnation: self.log.log().tail().incarnation,
            session,
            lanes: self.rt.cores(),
        };
        let mut decoder = Decoder::new(Admission::Plain);
        let answer = match dialled.stream.send(Message::Hello(hello).encode()) {
            Err(e) => Err(e.to_string()),
            Ok(()) => {
                let answer = dial::next_message(&dialled.stream, &mut decoder);
                match self.rt.timeout(self.rt.now() + GREETING_MAX, answer).await {
                    Ok(answer) => answer,
                    Err(_) => Err("it did not answer the hello".into()),
                }
            }
        };
        let event = match answer {
            Ok(Message::Welcome(welcome)) => {
                if purpose == Purpose::Register
                    && let Some(name) = record.registered_as(Some(welcome.node), dialled.peer)
                {
                    return self.registered_twice(id, name);
                }
                let lane = Lane::new(words.clone(), session, dialled.stream, self.lane_share());
                let kept = self.with_session(id, |s| {
                    let current = s.machine.number() == session;
                    if current {
                        s.lane = Some(lane.clone());
                        s.address = Some(dialled.address);
                        s.pin = Some(dialled.peer);
                    }
                    current
                });
                if kept != Some(true) {
                    return lane.close();
                }
                words.set_bolt_port(welcome.bolt_port);
                self.rt
                    .spawn(Priority::Latency, lane.run(self.clone(), decoder));
                Event::Welcomed(welcome)
            }
            Ok(Message::Refused { code, term, text }) => not_welcomed(text, Some(code), Some(term)),
            Ok(other) => not_welcomed(format!("it answered the hello with {other:?}"), None, None),
            Err(why) => not_welcomed(why, None, None),
        };
        self.event(id, session, event);
    }

    /// The replica obeys; remember it before anything is built on it.
    fn store_registration(self: &Rc<Self>, id: u64, node: NodeId) {
        let core = self.clone();
        self.rt.spawn(Priority::Latency, async move {
            let Some((words, pin)) = core.with_session(id, |s| (s.words.clone(), s.pin)) else {
                return;
            };
            let Some(fingerprint) = pin else { return };
            let registered = RegisteredReplica {
                name: words.name.to_string(),
                mode: words.mode,
                endpoint: words.endpoint.clone(),
                node,
                fingerprint,
            };
            let stored = core
                .store(move |record| {
                    if let RoleRecord::Main(replicas) = &mut record.role {
                        replicas.push(registered);
                    }
                })
                .await;
            if let Err(why) = stored {
                core.drive(id, |machine, _, out| {
                    machine.stop("the registration could not be stored", out)
                });
                return core.registration_failed(id, RegisterFailure::NotStored(why));
            }
            let (_, roster) = core.shared.roster();
            core.shared
                .set_roster(roster.iter().cloned().chain([words]).collect());
            if let Some(Some(registering)) = core.with_session(id, |s| s.registering.clone()) {
                registering.advance(Stage::Registered(fingerprint));
            }
            core.drive(id, |machine, now, out| machine.registered(node, now, out));
            core.shared.ring_home();
        });
    }

    fn open_lanes(
        self: &Rc<Self>,
        id: u64,
        session: u64,
        words: &Arc<ReplicaWords>,
        after: LogPosition,
    ) {
        words.begin_session(&after, self.rt.now().as_nanos());
        let lanes_missing = self.rt.cores() - 1;
        let opened = self.with_session(id, |s| {
            s.lanes_missing = lanes_missing;
            Some((s.lane.clone()?, s.address?, s.pin?))
        });
        let (Some(Some((lane, address, pin))), Some(local)) = (opened, self.local(id)) else {
            return self.event(
                id,
                session,
                Event::Lost {
                    why: "lane 0 is gone".into(),
                },
            );
        };
        // Everything published so far; later marks ride on groups or come alone.
        let mark = self.log.log().visible().group;
        words.mark_sent.fetch_max(mark.0, SeqCst);
        let _ = lane.send(&Message::Mark(mark));
        *local.lane.borrow_mut() = Some(lane);
        for core in 1..usize::from(self.rt.cores()) {
            self.shared.send(
                core,
                Mail::OpenLane {
                    replica: words.clone(),
                    session,
                    address,
                    pin,
                },
            );
        }
        if lanes_missing == 0 {
            self.event(id, session, Event::LanesJoined);
        }
    }

    /// Sends durable groups from the log on lane 0.
    async fn feed(
        &self,
        id: u64,
        from: GroupSeq,
        until: Option<GroupSeq>,
    ) -> Result<(GroupSeq, usize), String> {
        let lane = self
            .with_session(id, |s| s.lane.clone())
            .flatten()
            .ok_or("lane 0 is gone")?;
        let groups = self
            .log
            .read_groups(from, FEED_BYTES)
            .await
            .map_err(|e| e.to_string())?;
        if groups.is_empty() {
            // The tail was seen to reach `from`; if it cannot be read now, not at once again.
            self.rt.sleep(Duration::from_millis(10)).await;
        }
        let mark = self.log.log().visible().group;
        let (mut next, mut bytes) = (from, 0);
        for group in groups
            .iter()
            .take_while(|group| until.is_none_or(|until| group.seq() < until))
        {
            lane.send_group(group, mark).map_err(|e| e.to_string())?;
            next = group.seq().next();
            bytes += group.bytes().len();
        }
        lane.stream()
            .send_drained(UNSENT_MAX)
            .await
            .map_err(|e| e.to_string())?;
        Ok((next, bytes))
    }

    fn end_session(self: &Rc<Self>, id: u64, session: u64, words: &Arc<ReplicaWords>, why: &str) {
        words.gate.shut();
        let lane = self.with_session(id, |s| s.lane.take()).flatten();
        if let Some(lane) = lane {
            lane.close();
            self.shared.counts.lost.fetch_add(1, SeqCst);
            if words.status() == ReplicaStatus::Ready {
                (self.shared.config.say)(&format!(
                    "the session with replica {} has ended: {why}",
                    words.name
                ));
            }
        }
        self.close_lane(id, session);
        for core in (0..usize::from(self.rt.cores())).filter(|core| *core != HOME) {
            self.shared.send(
                core,
                Mail::CloseLane {
                    replica: id,
                    session,
                },
            );
        }
    }

    /// Another node was promoted after this one: no write is taken any more.
    async fn fence(self: Rc<Self>, term: Term) {
        if self.shared.role_word() != RoleWord::Main {
            return;
        }
        self.shared.set_role_word(RoleWord::Fenced);
        (self.shared.config.say)(&format!(
            "this main is fenced: term {term} began after its own; make it a replica with SET REPLICATION ROLE TO REPLICA"
        ));
        if let Err(why) = self.store(|record| record.fenced = true).await {
            (self.shared.config.say)(&format!("the fence could not be stored: {why}"));
        }
        self.stop_sessions("this main is fenced", None);
    }

    /// Changes the node record on a helper thread, synced on return.
    pub(crate) async fn store(
        &self,
        change: impl FnOnce(&mut crate::node_record::NodeRecord) + Send + 'static,
    ) -> Result<(), String> {
        let shared = self.shared.clone();
        self.rt
            .block_on_helper(move || shared.change_record(change))
            .await
    }
}
