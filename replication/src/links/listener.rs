//! The replica's end: the listener, the connections, and the machine's actions carried out, all on core 0.
//!
//! Owns the replication port while this node is a replica. Always: a caller that has not said an acceptable hello costs
//! one of [`GREETINGS_MAX`] places, a TLS session and at most a kilobyte; it is refused, counted and named in one log line a
//! second at most; what is read from a lane is bounded by what its MAIN leaves unacknowledged.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Waker;
use std::time::Duration;

use quoit_rt::{Accepted, Instant, Listener, Priority, Stream, Task, tls};
use rustls::ServerConfig;

use crate::core::{ReplicationCore, until};
use crate::identity::Fingerprint;
use crate::keys;
use crate::links::dial;
use crate::machine::pulse::{Beat, Pulse};
use crate::machine::replica::{Action, Bounds, Event, Facts, LinkId, Replica};
use crate::message::{Admission, Decoder, Message, RefusalCode};
use crate::node_record::RoleRecord;

/// Callers that are being looked at, at once; more are turned away.
const GREETINGS_MAX: usize = 64;
/// For TLS, and then for the hello.
const GREETING_MAX: Duration = Duration::from_secs(4);
/// Silence of the MAIN after which a lane is closed; it asks every second.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// After a failed accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Between log lines about refused callers.
const SAY_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct ReplicaEnd {
    core: Rc<ReplicationCore>,
    machine: RefCell<Replica>,
    links: RefCell<BTreeMap<LinkId, Rc<Link>>>,
    next_link: Cell<u64>,
    greetings: Cell<usize>,
    /// Writes under way: of the log, of the record.
    working: Cell<usize>,
    idle: RefCell<Option<Waker>>,
    stopped: Cell<bool>,
    acceptor: RefCell<Option<Task<()>>>,
    said_at: Cell<Option<Instant>>,
}

struct Link {
    stream: Rc<Stream>,
    admission: Cell<Admission>,
    closed: Cell<bool>,
}

impl Link {
    fn close(&self) {
        if !self.closed.replace(true) {
            self.stream.shutdown_send();
        }
    }
}

impl ReplicaEnd {
    /// Begins to take calls on `listener`.
    pub fn start(
        core: &Rc<ReplicationCore>,
        listener: Listener,
    ) -> std::io::Result<Rc<ReplicaEnd>> {
        let shared = &core.shared;
        let record = shared.record();
        let config = keys::server_config(&record.key).map_err(std::io::Error::other)?;
        let facts = Facts {
            node: record.node,
            fingerprint: shared.fingerprint,
            cluster: record.cluster,
            term: record.term,
            main: match record.role {
                RoleRecord::Replica { main, .. } => main,
                RoleRecord::Main(_) => None,
            },
            bolt_port: shared.config.bolt_port,
            durability: shared.config.durability.into(),
        };
        let log = core.log.log();
        let machine = Replica::new(Bounds::default(), facts, log.tail(), log.visible().group);
        let end = Rc::new(ReplicaEnd {
            core: core.clone(),
            machine: RefCell::new(machine),
            links: RefCell::default(),
            next_link: Cell::new(0),
            greetings: Cell::new(0),
            working: Cell::new(0),
            idle: RefCell::new(None),
            stopped: Cell::new(false),
            acceptor: RefCell::new(None),
            said_at: Cell::new(None),
        });
        let acceptor = core
            .rt
            .spawn(Priority::Latency, end.clone().accept(listener, config));
        *end.acceptor.borrow_mut() = Some(acceptor);
        Ok(end)
    }

    /// Stops listening and closes every connection. What the log was given goes on.
    pub fn stop(&self) {
        self.stopped.set(true);
        if let Some(acceptor) = self.acceptor.borrow_mut().take() {
            acceptor.cancel();
        }
        self.links.borrow().values().for_each(|link| link.close());
    }

    /// Waits until nothing is being written any more. After [`ReplicaEnd::stop`].
    pub async fn idle(&self) {
        until(|cx| {
            *self.idle.borrow_mut() = Some(cx.waker().clone());
            self.working.get() == 0
        })
        .await;
    }

    async fn accept(self: Rc<Self>, listener: Listener, config: Arc<ServerConfig>) {
        let rt = self.core.rt.clone();
        loop {
            match listener.accept().await {
                Ok(accepted) if self.greetings.get() < GREETINGS_MAX => {
                    self.greetings.set(self.greetings.get() + 1);
                    rt.spawn(
                        Priority::Latency,
                        self.clone().serve(accepted, config.clone()),
                    );
                }
                Ok(accepted) => self.refused(&format!(
                    "{} (too many callers at once)",
                    accepted.peer_addr()
                )),
                Err(_) => rt.sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn serve(self: Rc<Self>, accepted: Accepted, config: Arc<ServerConfig>) {
        let rt = &self.core.rt;
        let address = accepted.peer_addr();
        let greeted = Greeting {
            end: &self,
            over: Cell::new(false),
        };
        let shaken = match rt.adopt(accepted) {
            Ok(stream) => {
                rt.timeout(rt.now() + GREETING_MAX, tls::accept(stream, config))
                    .await
            }
            Err(e) => Ok(Err(e)),
        };
        let (stream, peer) = match shaken {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(e)) => return self.refused(&format!("{address}: {e}")),
            Err(_) => return self.refused(&format!("{address}: no TLS in time")),
        };
        let Some(certificate) = peer.certificates.first() else {
            return self.refused(&format!("{address}: no certificate"));
        };
        let peer = Fingerprint::of_certificate(certificate);
        let link = Rc::new(Link {
            stream: Rc::new(stream),
            admission: Cell::new(Admission::Greeting),
            closed: Cell::new(false),
        });
        let id = LinkId(self.next_link.replace(self.next_link.get() + 1));
        self.links.borrow_mut().insert(id, link.clone());
        if let Err(why) = self.clone().read(id, &link, peer, &greeted).await {
            match link.admission.get() {
                Admission::Greeting => self.refused(&format!("{address} (key {peer}): {why}")),
                _ => (self.core.shared.config.say)(&format!(
                    "the connection of {address} (key {peer}) was closed: {why}"
                )),
            }
        }
        link.close();
        self.links.borrow_mut().remove(&id);
        self.drive(Event::Closed(id));
    }

    /// Hands what arrives on a connection to the machine, until it ends.
    async fn read(
        self: Rc<Self>,
        id: LinkId,
        link: &Link,
        peer: Fingerprint,
        greeted: &Greeting<'_>,
    ) -> Result<(), String> {
        let core = &self.core;
        let mut decoder = Decoder::new(Admission::Greeting);
        let mut pulse = Pulse::new(SILENCE_MAX, GREETING_MAX, core.now());
        while !link.closed.get() {
            let until = match pulse.beat(core.now()) {
                Beat::Dead => return Err("silent for too long".into()),
                Beat::Ask => unreachable!("silence is noticed before a question is due"),
                Beat::Until(until) => {
                    Instant::from_nanos(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX))
                }
            };
            decoder.admit(link.admission.get());
            let Ok(message) = core
                .rt
                .timeout(until, dial::next_message(&link.stream, &mut decoder))
                .await
            else {
                continue;
            };
            let message = message?;
            if link.closed.get() || self.stopped.get() {
                break;
            }
            if link.admission.get() == Admission::Greeting {
                // The first message is a greeting or the decoder refuses it; from now on the machine judges.
                link.admission.set(Admission::Plain);
                greeted.over();
                pulse = Pulse::new(2 * SILENCE_MAX, SILENCE_MAX, core.now());
            }
            pulse.heard(core.now());
            pulse.asked(core.now());
            self.drive(Event::Said {
                link: id,
                peer,
                message,
            });
        }
        Ok(())
    }

    fn drive(self: &Rc<Self>, event: Event) {
        let mut out = Vec::new();
        self.machine.borrow_mut().handle(event, &mut out);
        for action in out {
            self.perform(action);
        }
    }

    fn link(&self, id: LinkId) -> Option<Rc<Link>> {
        self.links.borrow().get(&id).cloned()
    }

    fn perform(self: &Rc<Self>, action: Action) {
        match action {
            Action::Send(id, message) => {
                if let Some(link) = self.link(id) {
                    // A connection that fails ends its reader.
                    let _ = link.stream.send(message.encode());
                }
            }
            Action::AdmitGroups(id) => {
                if let Some(link) = self.link(id) {
                    link.admission.set(Admission::Groups);
                }
            }
            Action::Refuse {
                link: id,
                code,
                text,
            } => {
                if let Some(link) = self.link(id) {
                    let term = self
                        .core
                        .shared
                        .record()
                        .term
                        .unwrap_or(quoit_log::Term::NONE);
                    // A stranger learns that it was refused, not what is here.
                    let term = if code == RefusalCode::NewerTerm {
                        term
                    } else {
                        quoit_log::Term::NONE
                    };
                    self.refused(&format!("{}: {text}", link.stream.peer_addr()));
                    let _ = link
                        .stream
                        .send(Message::Refused { code, term, text }.encode());
                    link.close();
                }
            }
            Action::Close(id) => {
                if let Some(link) = self.link(id) {
                    link.close();
                }
            }
            Action::Store { cluster, main } => self.work(async move |end| {
                let stored = end
                    .core
                    .store(move |record| {
                        record.cluster = Some(cluster);
                        record.term = Some(main.term);
                        if let RoleRecord::Replica { main: obeyed, .. } = &mut record.role {
                            *obeyed = Some(main);
                        }
                    })
                    .await;
                if stored.is_ok() {
                    (end.core.shared.config.say)(&format!(
                        "this replica obeys main {} in term {}; its fingerprint is {}",
                        main.node, main.term, main.fingerprint
                    ));
                }
                Event::Stored(stored.map(|()| (cluster, main)))
            }),
            Action::Cut(to) => self.work(async move |end| {
                let result = end.core.log.cut_back(&to).await;
                let result = result.map(|_| ()).map_err(|e| e.to_string());
                Event::Cut(end.core.log.log().tail(), result)
            }),
            Action::Find(link, group) => self.work(async move |end| {
                let position = end.core.log.find(group).await.unwrap_or(None);
                Event::Found { link, position }
            }),
            Action::Append(groups) => self.work(async move |end| {
                let result = end.core.log.append(groups).await;
                let result = result.map(|_| ()).map_err(|e| e.to_string());
                Event::Appended(end.core.log.log().tail(), result)
            }),
            Action::Apply(mark) => self.work(async move |end| {
                let applied = end.core.log.apply_to(mark).await;
                Event::Applied(applied.map(|p| p.group).map_err(|e| e.to_string()))
            }),
        }
    }

    /// Does something that takes time, then tells the machine; after a stop nobody is told.
    fn work<F>(self: &Rc<Self>, work: F)
    where
        F: AsyncFnOnce(Rc<ReplicaEnd>) -> Event + 'static,
    {
        self.working.set(self.working.get() + 1);
        let end = self.clone();
        self.core.rt.spawn(Priority::Latency, async move {
            let event = work(end.clone()).await;
            end.working.set(end.working.get() - 1);
            if end.working.get() == 0
                && let Some(waker) = end.idle.borrow_mut().take()
            {
                waker.wake();
            }
            if !end.stopped.get() {
                end.drive(event);
            }
        });
    }

    fn refused(&self, whom: &str) {
        let shared = &self.core.shared;
        let count = shared.counts.refused.fetch_add(1, SeqCst) + 1;
        let now = self.core.rt.now();
        if self
            .said_at
            .get()
            .is_none_or(|at| now.saturating_since(at) >= SAY_EVERY)
        {
            self.said_at.set(Some(now));
            (shared.config.say)(&format!(
                "a caller on the replication port was refused ({count} so far): {whom}"
            ));
        }
    }
}

/// One of the places for callers that are not yet known; given back when the first greeting was read, or at the end.
struct Greeting<'a> {
    end: &'a ReplicaEnd,
    over: Cell<bool>,
}

impl Greeting<'_> {
    fn over(&self) {
        if !self.over.replace(true) {
            self.end.greetings.set(self.end.greetings.get() - 1);
        }
    }
}

impl Drop for Greeting<'_> {
    fn drop(&mut self) {
        self.over();
    }
}
