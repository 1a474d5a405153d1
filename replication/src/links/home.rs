//! Core 0's part: the recorded role taken up, and the statements.
//!
//! Owns the order of a statement's steps: check, make durable, act, answer. One statement that changes something runs at
//! a time. Always: what a statement promises stands in the node record before it is answered; one that fails leaves
//! roster, record and role as they were.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quoit_log::{LogPosition, Term};
use quoit_rt::{Instant, ListenOptions};

use crate::core::{Answer, ReplicationCore, StartError, Statement};
use crate::durability::shortfall;
use crate::endpoint::Endpoint;
use crate::identity::ClusterId;
use crate::keys;
use crate::links::listener::ReplicaEnd;
use crate::links::session::{Registering, SessionState, Stage};
use crate::machine::main::{Bounds, Session};
use crate::node_record::RoleRecord;
use crate::shared::RoleWord;
use crate::statement::{
    Mode, NAME_LEN_MAX, Notice, REPLICAS_MAX, Reason, RegisterFailure, Registration, ReplicaStatus,
    StatementError,
};
use crate::words::ReplicaWords;

/// For how long REGISTER waits for a replica with little to catch up with.
const CATCH_UP_WAIT: Duration = Duration::from_millis(500);

/// Terms that a promotion may pass over: a node that is further behind is no candidate.
const TERMS_PASSED_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Home {
    pub sessions: RefCell<BTreeMap<u64, SessionState>>,
    pub replica: RefCell<Option<Rc<ReplicaEnd>>>,
    busy: Cell<bool>,
    ids: Cell<u64>,
}

/// Marks that a statement runs.
struct Busy<'a>(&'a Cell<bool>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl ReplicationCore {
    fn home(&self) -> &Home {
        self.home.as_ref().expect("statements run on core 0")
    }

    pub(crate) fn home_turn(self: &Rc<Self>) -> Option<Instant> {
        self.sessions_turn()
    }

    pub(crate) async fn start_home(self: &Rc<Self>) -> Result<(), StartError> {
        let record = self.shared.record();
        match record.role {
            RoleRecord::Main(_) if record.fenced => {
                self.log.start_as_follower().await?;
                self.shared.set_role_word(RoleWord::Fenced);
            }
            RoleRecord::Main(replicas) => {
                let position = self.log.start_as_main().await?;
                self.shared.group_formed(position.group);
                let term = self.log.log().tail().term;
                let roster: Vec<_> = replicas
                    .iter()
                    .map(|r| {
                        let words = self.new_words(r.name.clone(), r.mode, r.endpoint.clone());
                        if let Some(cluster) = record.cluster {
                            self.begin_session(
                                &words,
                                Some((r.node, r.fingerprint)),
                                cluster,
                                term,
                                None,
                            );
                        }
                        words
                    })
                    .collect();
                self.shared.set_roster(roster);
                self.shared.set_role_word(RoleWord::Main);
            }
            RoleRecord::Replica { listen, .. } => {
                self.log.start_as_follower().await?;
                self.listen(listen).map_err(|error| StartError::Listen {
                    address: listen,
                    error,
                })?;
                self.shared.set_role_word(RoleWord::Replica);
            }
        }
        Ok(())
    }

    pub(crate) fn stop_home(self: &Rc<Self>, why: &str) {
        self.stop_sessions(why, Some(Reason::RoleChanged));
        if let Some(replica) = self.home().replica.borrow_mut().take() {
            replica.stop();
        }
    }

    /// Ends every session; with a reason, commits stop waiting for good and the roster is emptied.
    pub(crate) fn stop_sessions(self: &Rc<Self>, why: &str, reason: Option<Reason>) {
        let ids: Vec<u64> = self.home().sessions.borrow().keys().copied().collect();
        for id in ids {
            self.drive(id, |machine, _, out| machine.stop(why, out));
            let Some(state) = self.home().sessions.borrow_mut().remove(&id) else {
                continue;
            };
            state
                .words
                .set_status(ReplicaStatus::Invalid, why.to_owned());
            state.words.end(reason.unwrap_or(Reason::NotCaughtUp));
            self.tell_waiters(&state.words);
        }
        if reason.is_some() {
            self.shared.set_roster(Vec::new());
        }
    }

    fn new_words(&self, name: String, mode: Mode, endpoint: Endpoint) -> Arc<ReplicaWords> {
        let ids = &self.home().ids;
        ids.set(ids.get() + 1);
        Arc::new(ReplicaWords::new(
            ids.get(),
            name,
            mode,
            endpoint,
            self.shared.config.cores,
        ))
    }

    fn begin_session(
        &self,
        words: &Arc<ReplicaWords>,
        replica: Option<(crate::identity::NodeId, crate::identity::Fingerprint)>,
        cluster: ClusterId,
        term: Term,
        registering: Option<(Rc<Registering>, Option<crate::identity::Fingerprint>)>,
    ) {
        let this = self.shared.identity().node;
        let node = replica.map(|(node, _)| node);
        let machine = Session::new(
            Bounds::default(),
            this,
            term,
            node,
            words.mode,
            self.rt.random(),
        );
        let (registering, asked_pin) = registering.unzip();
        let pin = replica
            .map(|(_, fingerprint)| fingerprint)
            .or(asked_pin.flatten());
        let state = SessionState::new(machine, words.clone(), pin, cluster, term, registering);
        self.home().sessions.borrow_mut().insert(words.id, state);
        self.shared.ring_home();
    }

    fn busy(&self) -> Option<Busy<'_>> {
        let busy = &self.home().busy;
        (!busy.replace(true)).then_some(Busy(busy))
    }

    pub(crate) async fn execute(self: &Rc<Self>, statement: Statement) -> Answer {
        const RUNNING: &str = "Another replication statement is running; try again.";
        let busy = self.busy();
        match statement {
            Statement::RoleReplica { .. } if busy.is_none() => {
                Err(StatementError::RoleReplica(RUNNING.into()))
            }
            Statement::RoleReplica { port, address } => self.role_replica(port, address).await,
            Statement::RoleMain if busy.is_none() => Err(StatementError::RoleMain(RUNNING.into())),
            Statement::RoleMain => self.role_main().await,
            Statement::Register(registration) if busy.is_none() => Err(StatementError::Register {
                name: registration.name,
                failure: RegisterFailure::Busy,
            }),
            Statement::Register(registration) => self.register_replica(registration).await,
            // DROP waits for nobody, not even for a REGISTER.
            Statement::Drop(name) => self.drop_registered(name).await,
        }
    }

    async fn register_replica(self: &Rc<Self>, registration: Registration) -> Answer {
        let Registration {
            name,
            mode,
            endpoint,
            fingerprint,
        } = registration;
        match self.shared.role_word() {
            RoleWord::Replica | RoleWord::ChangingReplica => {
                return Err(StatementError::RegisterOnReplica);
            }
            RoleWord::Main | RoleWord::Fenced | RoleWord::ChangingMain => {}
        }
        if name.is_empty() || name.len() > NAME_LEN_MAX {
            return Err(StatementError::NameInvalid);
        }
        let endpoint: Endpoint = endpoint.parse()?;
        let refuse = |failure| StatementError::Register {
            name: name.clone(),
            failure,
        };
        match self.shared.role_word() {
            RoleWord::Fenced => {
                return Err(refuse(RegisterFailure::Refused(
                    "this main is fenced: another was promoted after it".into(),
                )));
            }
            RoleWord::Main => {}
            _ => return Err(refuse(RegisterFailure::Busy)),
        }
        if let Some(lacks) = shortfall(mode, self.shared.config.durability.into()) {
            return Err(refuse(RegisterFailure::Durability {
                mode: lacks.mode,
                needed: lacks.needed,
                running: lacks.running.as_str(),
            }));
        }
        let (_, roster) = self.shared.roster();
        if roster.iter().any(|words| *words.name == *name) {
            return Err(refuse(RegisterFailure::NameExists));
        }
        if let Some(words) = roster.iter().find(|words| words.endpoint == endpoint) {
            return Err(refuse(RegisterFailure::EndpointExists(
                words.name.to_string(),
            )));
        }
        if roster.len() >= REPLICAS_MAX {
            return Err(refuse(RegisterFailure::TooMany));
        }
        let founded = self
            .log
            .found()
            .await
            .map_err(|e| refuse(RegisterFailure::NotStored(e.to_string())))?;
        self.shared.group_formed(founded.group);
        let term = founded.term;
        let fresh = ClusterId(u128::from_le_bytes(keys::random_bytes()));
        self.store(move |record| {
            record.cluster.get_or_insert(fresh);
            record.term = Some(term);
        })
        .await
        .map_err(|why| refuse(RegisterFailure::NotStored(why)))?;
        let cluster = self.shared.record().cluster.unwrap_or(fresh);

        let words = self.new_words(name.clone(), mode, endpoint);
        let registering = Rc::new(Registering::default());
        self.begin_session(
            &words,
            None,
            cluster,
            term,
            Some((registering.clone(), fingerprint)),
        );
        let stage = registering
            .until(|stage| !matches!(stage, Stage::Calling))
            .await;
        let stage = match stage {
            Stage::Registered(_) => {
                let caught_up = registering.until(|stage| !matches!(stage, Stage::Registered(_)));
                self.rt
                    .timeout(self.rt.now() + CATCH_UP_WAIT, caught_up)
                    .await
                    .unwrap_or(stage)
            }
            stage => stage,
        };
        match stage {
            Stage::Failed(failure) => Err(refuse(failure)),
            Stage::CaughtUp(fingerprint) => Ok(Notice::registered(
                &name,
                format!("It has caught up. Its fingerprint is {fingerprint}."),
            )),
            Stage::Registered(fingerprint) => Ok(Notice::registered(
                &name,
                format!("It is catching up. Its fingerprint is {fingerprint}."),
            )),
            Stage::Calling => unreachable!("waited until it was over"),
        }
    }

    async fn drop_registered(self: &Rc<Self>, name: String) -> Answer {
        if matches!(
            self.shared.role_word(),
            RoleWord::Replica | RoleWord::ChangingReplica
        ) {
            return Err(StatementError::DropOnReplica);
        }
        let (_, roster) = self.shared.roster();
        let Some(words) = roster.iter().find(|words| *words.name == *name).cloned() else {
            return Err(StatementError::DropUnknown(name));
        };
        let dropped = name.clone();
        self.store(move |record| {
            if let RoleRecord::Main(replicas) = &mut record.role {
                replicas.retain(|replica| replica.name != dropped);
            }
        })
        .await
        .map_err(StatementError::NotStored)?;
        self.drive(words.id, |machine, _, out| {
            machine.stop("it was dropped", out)
        });
        self.home().sessions.borrow_mut().remove(&words.id);
        words.end(Reason::Dropped);
        let (_, roster) = self.shared.roster();
        self.shared.set_roster(
            roster
                .iter()
                .filter(|other| other.id != words.id)
                .cloned()
                .collect(),
        );
        self.tell_waiters(&words);
        Ok(Notice::dropped(&name))
    }

    async fn role_replica(self: &Rc<Self>, port: u16, address: Option<IpAddr>) -> Answer {
        let before = self.shared.role_word();
        match before {
            RoleWord::Replica | RoleWord::ChangingReplica => {
                return Err(StatementError::AlreadyReplica);
            }
            RoleWord::ChangingMain => {
                return Err(StatementError::RoleReplica(
                    "This server is starting.".into(),
                ));
            }
            RoleWord::Main | RoleWord::Fenced => {}
        }
        if port == 0 {
            return Err(StatementError::PortInvalid);
        }
        let listen = SocketAddr::new(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port);
        // The port first: a statement that fails for it changes nothing. Nobody is answered before the role is taken.
        let listener = self
            .rt
            .listen(
                listen,
                ListenOptions {
                    backlog: 64,
                    reuse_port: false,
                },
            )
            .map_err(|e| {
                StatementError::RoleReplica(format!("The port {port} cannot be listened on: {e}."))
            })?;
        self.shared.set_role_word(RoleWord::ChangingMain);
        let term = self.log.log().tail().term;
        let stored = self
            .store(move |record| {
                record.role = RoleRecord::Replica { listen, main: None };
                record.fenced = false;
                if !term.is_none() && record.term.is_none_or(|known| known.counter < term.counter) {
                    record.term = Some(term);
                }
            })
            .await;
        if let Err(why) = stored {
            self.shared.set_role_word(before);
            return Err(StatementError::RoleReplica(why));
        }
        self.shared.set_role_word(RoleWord::ChangingReplica);
        self.stop_sessions("this instance became a replica", Some(Reason::RoleChanged));
        if let Err(e) = self.log.start_as_follower().await {
            return Err(StatementError::RoleReplica(e.to_string()));
        }
        let end = ReplicaEnd::start(self, listener)
            .map_err(|e| StatementError::RoleReplica(e.to_string()))?;
        *self.home().replica.borrow_mut() = Some(end);
        self.shared.set_role_word(RoleWord::Replica);
        Ok(Notice::role_replica(port, self.shared.config.bolt_port))
    }

    async fn role_main(self: &Rc<Self>) -> Answer {
        match self.shared.role_word() {
            RoleWord::Main | RoleWord::Fenced => return Err(StatementError::AlreadyMain),
            RoleWord::ChangingMain | RoleWord::ChangingReplica => {
                return Err(StatementError::RoleMain("This server is starting.".into()));
            }
            RoleWord::Replica => {}
        }
        self.shared.set_role_word(RoleWord::ChangingReplica);
        let end = self.home().replica.borrow_mut().take();
        if let Some(end) = &end {
            end.stop();
            // What was handed to the log is in it before the prefix is published.
            end.idle().await;
        }
        let position = match self.promote_past(self.shared.record().term).await {
            Ok(position) => position,
            Err(e) => {
                let listen = self.shared.record().role;
                if let RoleRecord::Replica { listen, .. } = listen
                    && self.listen(listen).is_ok()
                {
                    self.shared.set_role_word(RoleWord::Replica);
                }
                return Err(StatementError::RoleMain(e));
            }
        };
        self.shared.group_formed(position.group);
        let stored = self
            .store(move |record| {
                record.role = RoleRecord::Main(Vec::new());
                record.fenced = false;
                if !position.term.is_none() {
                    record.term = Some(position.term);
                }
            })
            .await;
        self.shared.set_role_word(RoleWord::Main);
        match stored {
            Ok(()) => Ok(Notice::role_main()),
            Err(why) => Err(StatementError::RoleMain(format!(
                "It is main until it restarts, since {why}"
            ))),
        }
    }

    /// Opens a term above every one that this node knows of. The log counts on from the groups it holds; a MAIN that was
    /// obeyed and never sent any has a term too, and two terms with one counter would refuse each other.
    async fn promote_past(&self, known: Option<Term>) -> Result<LogPosition, String> {
        let mut position = self.log.promote().await.map_err(|e| e.to_string())?;
        let known = known.map_or(0, |term| term.counter);
        for _ in 0..TERMS_PASSED_MAX {
            if position.term.is_none() || position.term.counter > known {
                return Ok(position);
            }
            self.log
                .start_as_follower()
                .await
                .map_err(|e| e.to_string())?;
            position = self.log.promote().await.map_err(|e| e.to_string())?;
        }
        Err(format!(
            "Term {known} is known here, and this node's own data end in term {}.",
            position.term
        ))
    }

    fn listen(self: &Rc<Self>, address: SocketAddr) -> std::io::Result<()> {
        let listener = self.rt.listen(
            address,
            ListenOptions {
                backlog: 64,
                reuse_port: false,
            },
        )?;
        let end = ReplicaEnd::start(self, listener)?;
        *self.home().replica.borrow_mut() = Some(end);
        Ok(())
    }
}
