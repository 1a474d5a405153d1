//! Both machines in one simulated world: seeded time, network and disks; checks that know the truth.
//!
//! A MAIN with two cores forms groups, a replica follows over two lanes; messages are delayed lane by lane, links are cut
//! (each end learns of it at its own time), either node is killed and comes back with what it had synced, strangers
//! call. Then the faults end and everything must heal. The same seed gives the same run. [`runs`] holds the runs and
//! the broken variants, each of which a check must notice.

use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use quoit_log::frame::finish_frame;
use quoit_log::group::Forming;
use quoit_log::{CommitSeq, FRAME_HEADER, Group, GroupSeq, Incarnation, LogPosition, Term};

use super::Time;
use super::effective::Effective;
use super::gate::{Admit, Gate};
use super::main::{self, Look, Session};
use super::replica::{self, Facts, Flaw, LinkId, Replica};
use super::waiters::{Outcome, Patience, Submission, Waiters, submission};
use crate::durability::DurabilityWord;
use crate::identity::{ClusterId, Fingerprint, NodeId, membership_proof};
use crate::message::{Hello, Message, Purpose, VERSIONS};
use crate::node_record::ObeyedMain;
use crate::statement::{Mode, Reason};

mod runs;

const MS: Duration = Duration::from_millis(1);
const CLUSTER: ClusterId = ClusterId(77);
const MAIN: NodeId = NodeId(1);
const REPLICA: NodeId = NodeId(2);
const MAIN_KEY: Fingerprint = Fingerprint([1; 32]);
const REPLICA_KEY: Fingerprint = Fingerprint([2; 32]);
const STRANGER_KEY: Fingerprint = Fingerprint([3; 32]);
const TERM: Term = Term { counter: 1, id: 5 };
/// Groups on a lane and not acknowledged; small, so that gates close often.
const LANE_GROUPS_MAX: usize = 2;

/// What is broken on purpose outside the replica's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum World {
    Sound,
    /// A commit is confirmed when the one before it is acknowledged.
    ConfirmEarly,
    /// The session does not ask which groups were formed before its request.
    ForgetFormed,
    /// A leader whose lane is full drops the group and says nothing.
    DropWhenFull,
    /// A waiter's deadline is never looked at.
    NeverGiveUp,
}

/// What the world is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Everything goes wrong now and then.
    Faults,
    /// Nothing does any more; commits are few.
    Healing,
    /// Many commits at once, on slow links.
    Burst,
    /// No more commits: nothing behind the last one moves anything.
    Quiet,
}

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn upto_ms(&mut self, ms: u64) -> Duration {
        Duration::from_micros(self.below(ms * 1000) + 1)
    }
}

#[derive(Debug)]
enum Happening {
    ToReplica {
        conn: u64,
        message: Message,
    },
    ToMain {
        conn: u64,
        message: Message,
    },
    ReplicaLearnsOfCut {
        conn: u64,
    },
    MainLearnsOfCut {
        conn: u64,
        life: u64,
    },
    ReplicaDid {
        life: u64,
        work: Work,
    },
    MainDid {
        life: u64,
        session: u64,
        event: main::Event,
    },
    MainFeeds {
        life: u64,
        session: u64,
        from: GroupSeq,
        until: Option<GroupSeq>,
    },
    NotReachable {
        life: u64,
        session: u64,
    },
    Synced {
        life: u64,
        count: usize,
    },
    Commit,
    Tick,
    Fault,
    ReplicaStarts,
}

#[derive(Debug)]
enum Work {
    Event(replica::Event),
    Append(Vec<Group>),
    Apply(GroupSeq),
    Cut(LogPosition),
    Store(ObeyedMain),
}

struct Conn {
    lane: usize,
    session: u64,
    key: Fingerprint,
    /// Delivery is in order: nothing arrives before this.
    to_replica_at: Time,
    to_main_at: Time,
    open_at_main: bool,
    open_at_replica: bool,
    sent: Vec<GroupSeq>,
}

struct Sim {
    world: World,
    rng: Rng,
    now: Time,
    queue: BinaryHeap<std::cmp::Reverse<(Time, u64)>>,
    happenings: BTreeMap<(Time, u64), Happening>,
    count: u64,
    conns: BTreeMap<u64, Conn>,
    next_conn: u64,
    phase: Phase,
    patience: Patience,
    // The MAIN.
    life: u64,
    incarnation: Incarnation,
    history: Vec<Group>,
    synced: usize,
    writing: bool,
    sealed: u64,
    session: Session,
    gate: Gate,
    effective: Effective,
    acked: (GroupSeq, CommitSeq),
    progress: Time,
    waiters: [Waiters<u64>; 2],
    lanes: [Option<u64>; 2],
    // The replica.
    replica: Option<Replica>,
    replica_life: u64,
    replica_log: Vec<Group>,
    replica_shows: usize,
    obeyed: Option<ObeyedMain>,
    cluster: Option<ClusterId>,
    flaw: Flaw,
    // What came of it.
    confirmed: u64,
    warned: u64,
    demotions: u64,
    kills: u64,
    cuts: u64,
}

fn position(log: &[Group]) -> LogPosition {
    log.last().map_or(LogPosition::EMPTY, Group::position)
}

impl Sim {
    fn new(seed: u64, world: World, flaw: Flaw, patience: Patience) -> Sim {
        let bounds = main::Bounds {
            window_bytes: 2000,
            ..main::Bounds::default()
        };
        let mut sim = Sim {
            world,
            rng: Rng(seed),
            now: Time::ZERO,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            count: 0,
            conns: BTreeMap::new(),
            next_conn: 0,
            phase: Phase::Faults,
            patience,
            life: 0,
            incarnation: Incarnation { number: 1, id: 1 },
            history: Vec::new(),
            synced: 0,
            writing: false,
            sealed: 0,
            session: Session::new(bounds, MAIN, TERM, None, mode(patience), 1000),
            gate: Gate::new(),
            effective: Effective::new(),
            acked: (GroupSeq::NONE, CommitSeq(0)),
            progress: Time::ZERO,
            waiters: [Waiters::new(patience), Waiters::new(patience)],
            lanes: [None, None],
            replica: None,
            replica_life: 0,
            replica_log: Vec::new(),
            replica_shows: 0,
            obeyed: None,
            cluster: None,
            flaw,
            confirmed: 0,
            warned: 0,
            demotions: 0,
            kills: 0,
            cuts: 0,
        };
        sim.start_replica();
        sim.plan(MS, Happening::Tick);
        sim.plan(MS, Happening::Commit);
        sim.plan(50 * MS, Happening::Fault);
        sim
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.count += 1;
        let key = (self.now + after, self.count);
        self.queue.push(std::cmp::Reverse(key));
        self.happenings.insert(key, happening);
    }

    fn run_until(&mut self, end: Time) {
        while let Some(std::cmp::Reverse(key)) = self.queue.peek().copied()
            && key.0 <= end
        {
            self.queue.pop();
            self.now = key.0;
            let happening = self.happenings.remove(&key).expect("planned");
            self.happen(happening);
            self.check();
        }
        self.now = end;
    }

    /// The truths that hold at every moment.
    fn check(&self) {
        // The replica's log is one chain, and what it shows is a prefix of what the MAIN has synced.
        assert!(
            self.replica_shows <= self.replica_log.len(),
            "it shows what it does not have"
        );
        assert!(
            self.replica_shows <= self.synced,
            "it shows what the MAIN has not made durable"
        );
        if self.replica_shows > 0 {
            let at = self.replica_shows - 1;
            assert_eq!(
                self.replica_log[at].chain(),
                self.history[at].chain(),
                "what it shows is not the MAIN's history"
            );
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToReplica { conn, message } => {
                let Some(c) = self.conns.get(&conn).filter(|c| c.open_at_replica) else {
                    return;
                };
                let event = replica::Event::Said {
                    link: LinkId(conn),
                    peer: c.key,
                    message,
                };
                self.tell_replica(event);
            }
            Happening::ToMain { conn, message } => self.main_hears(conn, message),
            Happening::ReplicaLearnsOfCut { conn } => {
                if self
                    .conns
                    .get_mut(&conn)
                    .is_some_and(|c| std::mem::take(&mut c.open_at_replica))
                {
                    self.tell_replica(replica::Event::Closed(LinkId(conn)));
                }
            }
            Happening::MainLearnsOfCut { conn, life } => {
                let Some(c) = self
                    .conns
                    .get_mut(&conn)
                    .filter(|c| c.open_at_main && c.key == MAIN_KEY)
                else {
                    return;
                };
                c.open_at_main = false;
                let session = c.session;
                if life == self.life {
                    self.tell_main(session, main::Event::Lost { why: "cut".into() });
                }
            }
            Happening::ReplicaDid { life, work } => self.replica_works(life, work),
            Happening::MainDid {
                life,
                session,
                event,
            } => {
                if life == self.life {
                    self.tell_main(session, event);
                }
            }
            Happening::NotReachable { life, session } => {
                if life == self.life {
                    let event = main::Event::NotWelcomed {
                        why: "nobody".into(),
                        refused: None,
                        term: None,
                    };
                    self.tell_main(session, event);
                }
            }
            Happening::MainFeeds {
                life,
                session,
                from,
                until,
            } => self.feed(life, session, from, until),
            Happening::Synced { life, count } => self.synced(life, count),
            Happening::Commit => self.commit(),
            Happening::Tick => {
                if self.session.deadline().is_some_and(|at| at <= self.now) {
                    self.look();
                }
                self.expire();
                self.plan(10 * MS, Happening::Tick);
            }
            Happening::Fault => self.fault(),
            Happening::ReplicaStarts => self.start_replica(),
        }
    }

    // The network.

    fn connect(&mut self, lane: usize, session: u64, key: Fingerprint) -> u64 {
        self.next_conn += 1;
        self.conns.insert(
            self.next_conn,
            Conn {
                lane,
                session,
                key,
                to_replica_at: self.now,
                to_main_at: self.now,
                open_at_main: true,
                open_at_replica: self.replica.is_some(),
                sent: Vec::new(),
            },
        );
        self.next_conn
    }

    fn send_to_replica(&mut self, conn: u64, message: Message) {
        let delay = self
            .rng
            .upto_ms(if self.phase == Phase::Healing { 3 } else { 20 });
        let now = self.now;
        let Some(c) = self.conns.get_mut(&conn).filter(|c| c.open_at_main) else {
            return;
        };
        c.to_replica_at = c.to_replica_at.max(now + delay);
        let after = c.to_replica_at - now;
        self.plan(after, Happening::ToReplica { conn, message });
    }

    fn send_to_main(&mut self, conn: u64, message: Message) {
        let delay = self
            .rng
            .upto_ms(if self.phase == Phase::Healing { 3 } else { 20 });
        let now = self.now;
        let Some(c) = self.conns.get_mut(&conn).filter(|c| c.open_at_replica) else {
            return;
        };
        c.to_main_at = c.to_main_at.max(now + delay);
        let after = c.to_main_at - now;
        self.plan(after, Happening::ToMain { conn, message });
    }

    /// Nothing more passes; each end notices at its own time, by silence at the latest.
    fn cut(&mut self, conn: u64) {
        let (a, b) = (self.rng.upto_ms(5_000), self.rng.upto_ms(10_000));
        let (a, b) = if self.rng.below(2) == 0 {
            (a / 500, b / 500)
        } else {
            (a, b)
        };
        let doomed: Vec<_> = self
            .happenings
            .iter()
            .filter(|(_, h)| match h {
                Happening::ToReplica { conn: c, .. } | Happening::ToMain { conn: c, .. } => {
                    *c == conn
                }
                _ => false,
            })
            .map(|(key, _)| *key)
            .collect();
        for key in doomed {
            // The slot stays in the queue as a look at the clock.
            self.happenings
                .insert(key, Happening::ReplicaLearnsOfCut { conn: 0 });
        }
        let life = self.life;
        self.plan(a, Happening::MainLearnsOfCut { conn, life });
        self.plan(b, Happening::ReplicaLearnsOfCut { conn });
        // What is sent from now on is lost, though neither end knows.
        if let Some(c) = self.conns.get_mut(&conn) {
            c.to_replica_at = Duration::from_secs(1 << 40);
            c.to_main_at = Duration::from_secs(1 << 40);
        }
    }

    // The MAIN.

    fn tell_main(&mut self, session: u64, event: main::Event) {
        let mut out = Vec::new();
        self.session.handle(session, event, self.now, &mut out);
        self.carry_out(out);
        self.look();
    }

    /// What a durable group or an acknowledgement does: the session looks only if it said that it listens. A stall that
    /// the next look would hide must not be hidden here.
    fn notice(&mut self) {
        if !self.session.is_settled() {
            self.look();
        }
    }

    fn look(&mut self) {
        for _ in 0..3 {
            let look = Look {
                tail: GroupSeq(self.synced as u64),
                formed: GroupSeq(if self.world == World::ForgetFormed {
                    0
                } else {
                    self.history.len() as u64
                }),
                gate: self.gate.state(),
                acked: self.acked.0,
                demoted: self.effective.spell().given_up.is_some(),
            };
            let mut out = Vec::new();
            self.session.handle(
                self.session.number(),
                main::Event::Look(look),
                self.now,
                &mut out,
            );
            self.session.tick(self.now, &mut out);
            if out.is_empty() {
                break;
            }
            self.carry_out(out);
        }
    }

    fn carry_out(&mut self, actions: Vec<main::Action>) {
        let life = self.life;
        for action in actions {
            let session = self.session.number();
            let delay = self.rng.upto_ms(3);
            match action {
                main::Action::Connect { session, purpose } => {
                    if self.replica.is_none() {
                        self.plan(delay, Happening::NotReachable { life, session });
                        continue;
                    }
                    let conn = self.connect(0, session, MAIN_KEY);
                    self.lanes[0] = Some(conn);
                    let hello = self.hello(purpose, session, MAIN, MAIN_KEY);
                    self.send_to_replica(conn, Message::Hello(hello));
                }
                main::Action::Find(group) => {
                    let index = group.0 as usize;
                    let position = match index {
                        0 => Some(LogPosition::EMPTY),
                        _ if index <= self.synced => Some(self.history[index - 1].position()),
                        _ => None,
                    };
                    self.plan(
                        delay,
                        Happening::MainDid {
                            life,
                            session,
                            event: main::Event::Found { group, position },
                        },
                    );
                }
                main::Action::Send(message) => {
                    let message = match message {
                        Message::Begin { after, .. } => Message::Begin {
                            cluster: CLUSTER,
                            after,
                        },
                        other => other,
                    };
                    if let Some(conn) = self.lanes[0] {
                        self.send_to_replica(conn, message);
                    }
                }
                main::Action::Register(node) => {
                    assert_eq!(node, REPLICA);
                    let mut out = Vec::new();
                    self.session.registered(node, self.now, &mut out);
                    self.carry_out(out);
                }
                main::Action::OpenLanes(after) => {
                    self.acked = (after.group, after.commit);
                    self.progress = self.now;
                    if let Some(conn) = self.lanes[0] {
                        self.send_to_replica(conn, Message::Mark(GroupSeq(self.synced as u64)));
                    }
                    let conn = self.connect(1, session, MAIN_KEY);
                    self.lanes[1] = Some(conn);
                    self.send_to_replica(conn, Message::Join { session, lane: 1 });
                }
                main::Action::RequestGate => self.gate.request(),
                main::Action::Feed { from, until } => {
                    self.plan(
                        delay,
                        Happening::MainFeeds {
                            life,
                            session,
                            from,
                            until,
                        },
                    );
                }
                main::Action::End { .. } => {
                    self.gate.shut();
                    for conn in std::mem::take(&mut self.lanes).into_iter().flatten() {
                        if let Some(c) = self.conns.get_mut(&conn) {
                            c.open_at_main = false;
                        }
                        self.plan(delay, Happening::ReplicaLearnsOfCut { conn });
                    }
                }
                main::Action::Resume => self.effective.resume(),
                main::Action::Status { .. } => {}
                main::Action::RegistrationFailed { .. } => {
                    // The operator repeats the statement.
                    self.session = self.new_session(None);
                }
                main::Action::GiveUp(_) => {
                    panic!("a replica of one MAIN that syncs was given up for good")
                }
                main::Action::Fence(term) => panic!("fenced by {term}"),
            }
        }
    }

    fn new_session(&mut self, replica: Option<NodeId>) -> Session {
        let bounds = main::Bounds {
            window_bytes: 2000,
            ..main::Bounds::default()
        };
        let seed = self.rng.next() >> 1;
        Session::new(bounds, MAIN, TERM, replica, mode(self.patience), seed)
    }

    fn hello(&self, purpose: Purpose, session: u64, node: NodeId, key: Fingerprint) -> Hello {
        let cluster = if key == MAIN_KEY {
            CLUSTER
        } else {
            ClusterId(666)
        };
        Hello {
            versions: VERSIONS,
            purpose,
            proof: membership_proof(cluster, key, REPLICA_KEY),
            node,
            term: if key == MAIN_KEY {
                TERM
            } else {
                Term { counter: 9, id: 9 }
            },
            incarnation: self.incarnation,
            session,
            lanes: 2,
        }
    }

    fn main_hears(&mut self, conn: u64, message: Message) {
        let Some(c) = self.conns.get(&conn) else {
            return;
        };
        if c.key == STRANGER_KEY {
            assert!(
                matches!(message, Message::Refused { .. }),
                "a stranger was told {message:?}"
            );
            return;
        }
        if !c.open_at_main {
            return;
        }
        let session = c.session;
        match message {
            Message::Welcome(welcome) => self.tell_main(session, main::Event::Welcomed(welcome)),
            Message::Refused { code, term, text } => {
                let event = main::Event::NotWelcomed {
                    why: text,
                    refused: Some(code),
                    term: Some(term),
                };
                self.tell_main(session, event);
            }
            Message::Joined => self.tell_main(session, main::Event::LanesJoined),
            Message::Ack(ack) => {
                if self.lanes[c.lane] != Some(conn) {
                    return;
                }
                assert!(main::believable(
                    &ack,
                    GroupSeq::NONE,
                    GroupSeq(self.history.len() as u64)
                ));
                if ack.commit > self.acked.1 {
                    self.progress = self.now;
                }
                self.acked = (self.acked.0.max(ack.durable), self.acked.1.max(ack.commit));
                self.release();
                self.notice();
            }
            other => self.tell_main(session, main::Event::Said(other)),
        }
    }

    fn feed(&mut self, life: u64, session: u64, from: GroupSeq, until: Option<GroupSeq>) {
        if life != self.life || session != self.session.number() {
            return;
        }
        let Some(conn) = self.lanes[0] else { return };
        let mark = GroupSeq(self.synced as u64);
        let (mut next, mut bytes) = (from, 0);
        while next.0 as usize <= self.synced
            && bytes < 600
            && until.is_none_or(|until| next < until)
        {
            let group = self.history[next.0 as usize - 1].clone();
            bytes += group.bytes().len();
            self.send_to_replica(conn, Message::Group { mark, group });
            next = next.next();
        }
        self.tell_main(session, main::Event::Fed { next, bytes });
    }

    fn commit(&mut self) {
        self.sealed += 1;
        let core = self.rng.below(2) as usize;
        let commit = CommitSeq(self.sealed);
        let acked = self.acked_for_waiters();
        match submission(Some(self.patience), commit, acked, self.effective.spell()) {
            Submission::Wait(spell) => {
                self.waiters[core].push(commit, spell, self.now, commit.0);
                self.release();
            }
            Submission::Warn(_) => self.warned += 1,
            Submission::Nothing => {}
        }
        self.form();
        let pause = match self.phase {
            Phase::Faults | Phase::Burst => self.rng.upto_ms(12),
            Phase::Healing => 40 * MS,
            Phase::Quiet => return,
        };
        self.plan(pause, Happening::Commit);
    }

    /// The leader's step: one group of everything sealed, unless a write is in flight.
    fn form(&mut self) {
        let after = position(&self.history);
        let first = after.commit.0 + 1;
        if self.writing || first > self.sealed {
            return;
        }
        let frames: Vec<_> = (first..=self.sealed)
            .map(|commit| {
                let mut buffer = vec![0; FRAME_HEADER];
                buffer.extend_from_slice(&commit.to_le_bytes());
                finish_frame(buffer)
            })
            .collect();
        let forming = Forming {
            after,
            term: TERM,
            incarnation: self.incarnation,
        };
        let group = Group::form(&forming, &frames, frames.len() as u32);
        self.history.push(group.clone());
        self.writing = true;
        let core = self.rng.below(2) as usize;
        let admit = self.gate.admit(group.seq());
        let mut ring = admit == Admit::Opened;
        if admit != Admit::No {
            let acked = self.acked.0;
            let conn = self.lanes[core];
            let room = conn
                .and_then(|conn| self.conns.get_mut(&conn))
                .is_some_and(|c| {
                    c.sent.retain(|seq| *seq > acked);
                    let room = c.sent.len() < LANE_GROUPS_MAX || group.seq() <= acked.next();
                    if room {
                        c.sent.push(group.seq());
                    }
                    room
                });
            if room {
                let mark = GroupSeq(self.synced as u64);
                self.send_to_replica(conn.expect("it has room"), Message::Group { mark, group });
            } else if self.world != World::DropWhenFull {
                self.gate.close_at(group.seq());
                ring = true;
            }
        }
        let (life, count) = (self.life, self.history.len());
        let pause = self.rng.upto_ms(6);
        self.plan(pause, Happening::Synced { life, count });
        if ring {
            self.look();
        }
    }

    fn synced(&mut self, life: u64, count: usize) {
        if life != self.life {
            return;
        }
        self.synced = count;
        self.writing = false;
        let core = self.rng.below(2) as usize;
        if let Some(conn) = self.lanes[core] {
            self.send_to_replica(conn, Message::Mark(GroupSeq(count as u64)));
        }
        self.notice();
        self.form();
    }

    fn acked_for_waiters(&self) -> CommitSeq {
        let early = u64::from(self.world == World::ConfirmEarly);
        CommitSeq(self.acked.1.0 + early)
    }

    fn release(&mut self) {
        let (acked, spell) = (self.acked_for_waiters(), self.effective.spell());
        let mut out = Vec::new();
        for waiters in &mut self.waiters {
            waiters.release(acked, spell, |ticket, outcome| out.push((ticket, outcome)));
        }
        let on_disk = position(&self.replica_log);
        for (commit, outcome) in out {
            match outcome {
                Outcome::Confirmed => {
                    self.confirmed += 1;
                    assert!(
                        on_disk.commit.0 >= commit,
                        "commit {commit} was confirmed and is not on the replica's disk"
                    );
                    let group = self
                        .history
                        .iter()
                        .position(|g| g.last_commit().0 >= commit)
                        .expect("it was formed");
                    assert_eq!(
                        self.history[group].chain(),
                        self.replica_log[group].chain(),
                        "confirmed by another history"
                    );
                }
                Outcome::GivenUp(reason) => {
                    self.warned += 1;
                    assert!(matches!(reason, Reason::NoProgress | Reason::Timeout));
                }
            }
        }
        if let Patience::Total(patience) = self.patience {
            // A turn of the attendant is 10 ms here.
            let late = self
                .waiters
                .iter()
                .filter_map(|w| w.deadline(self.progress))
                .min();
            assert!(
                late.is_none_or(|at| at + 30 * MS > self.now),
                "a commit waits longer than {patience:?}"
            );
        }
    }

    fn expire(&mut self) {
        self.release();
        if self.world == World::NeverGiveUp {
            return;
        }
        for core in 0..2 {
            if let Some(reason) = self.waiters[core].expired(self.progress, self.now, true) {
                let spell = self.effective.spell();
                if spell.given_up.is_none() && self.effective.give_up(spell, reason) {
                    self.demotions += 1;
                }
                self.release();
                assert!(
                    self.waiters.iter().all(Waiters::is_empty),
                    "everyone who waited is answered"
                );
                self.look();
            }
        }
    }

    fn kill_main(&mut self) {
        self.kills += 1;
        self.life += 1;
        for conn in std::mem::take(&mut self.lanes).into_iter().flatten() {
            if let Some(c) = self.conns.get_mut(&conn) {
                c.open_at_main = false;
            }
            let notice = self.rng.upto_ms(200);
            self.plan(notice, Happening::ReplicaLearnsOfCut { conn });
        }
        // What was not synced is gone, with its commits; a new incarnation begins with a group of its own.
        self.history.truncate(self.synced);
        self.sealed = position(&self.history).commit.0;
        self.writing = false;
        self.gate = Gate::new();
        self.effective = Effective::new();
        self.waiters = [Waiters::new(self.patience), Waiters::new(self.patience)];
        self.incarnation = Incarnation {
            number: self.incarnation.number + 1,
            id: self.rng.next(),
        };
        // Registered before: the record says so.
        let registered = self.obeyed.map(|_| REPLICA);
        self.session = self.new_session(registered);
        self.sealed += 1;
        self.form();
    }

    fn fault(&mut self) {
        if self.phase != Phase::Faults {
            return;
        }
        match self.rng.below(10) {
            0 => self.kill_main(),
            1 if self.replica.is_some() => {
                self.kills += 1;
                self.replica = None;
                self.replica_life += 1;
                for c in self.conns.values_mut() {
                    c.open_at_replica = false;
                }
                let open: Vec<u64> = self
                    .conns
                    .iter()
                    .filter(|(_, c)| c.open_at_main)
                    .map(|(id, _)| *id)
                    .collect();
                for conn in open {
                    let (notice, life) = (self.rng.upto_ms(3000), self.life);
                    self.plan(notice, Happening::MainLearnsOfCut { conn, life });
                }
                let pause = self.rng.upto_ms(2000);
                self.plan(pause, Happening::ReplicaStarts);
            }
            2..=4 => {
                let lane = self.rng.below(2) as usize;
                if let Some(conn) = self.lanes[lane] {
                    self.cuts += 1;
                    self.cut(conn);
                }
            }
            5 if self.replica.is_some() && self.cluster.is_some() => {
                let conn = self.connect(0, 1, STRANGER_KEY);
                let purpose = if self.rng.below(2) == 0 {
                    Purpose::Register
                } else {
                    Purpose::Resume
                };
                let hello = self.hello(purpose, 1, NodeId(99), STRANGER_KEY);
                self.send_to_replica(conn, Message::Hello(hello));
            }
            _ => {}
        }
        let pause = self.rng.upto_ms(1500);
        self.plan(pause, Happening::Fault);
    }

    // The replica.

    fn start_replica(&mut self) {
        let facts = Facts {
            node: REPLICA,
            fingerprint: REPLICA_KEY,
            cluster: self.cluster,
            term: self.obeyed.map(|main| main.term),
            main: self.obeyed,
            bolt_port: 0,
            durability: DurabilityWord::Commit,
        };
        // After a restart it shows what its log says was shown; here: everything that had been.
        let mut replica = Replica::new(
            replica::Bounds {
                pending_bytes_max: 20_000,
                append_bytes_max: 400,
                lanes_max: 4,
            },
            facts,
            position(&self.replica_log),
            GroupSeq(self.replica_shows as u64),
        );
        replica.flaw = self.flaw;
        self.replica = Some(replica);
    }

    fn tell_replica(&mut self, event: replica::Event) {
        let Some(machine) = &mut self.replica else {
            return;
        };
        let mut out = Vec::new();
        machine.handle(event, &mut out);
        for action in out {
            self.replica_acts(action);
        }
    }

    fn replica_acts(&mut self, action: replica::Action) {
        let life = self.replica_life;
        let delay = self.rng.upto_ms(8);
        let later = |sim: &mut Sim, work| sim.plan(delay, Happening::ReplicaDid { life, work });
        match action {
            replica::Action::Send(link, message) => {
                if let Message::Ack(ack) = &message {
                    let on_disk = position(&self.replica_log);
                    assert!(
                        ack.durable <= on_disk.group,
                        "acknowledged {} of {on_disk}",
                        ack.durable
                    );
                    assert!(
                        ack.commit <= on_disk.commit
                            && ack.visible.0 as usize <= self.replica_shows
                    );
                }
                self.send_to_main(link.0, message);
            }
            replica::Action::Refuse { link, code, text } => {
                self.send_to_main(
                    link.0,
                    Message::Refused {
                        code,
                        term: TERM,
                        text,
                    },
                );
                self.close_at_replica(link);
            }
            replica::Action::Close(link) => self.close_at_replica(link),
            replica::Action::AdmitGroups(_) => {}
            replica::Action::Store { main, .. } => later(self, Work::Store(main)),
            replica::Action::Cut(to) => later(self, Work::Cut(to)),
            replica::Action::Find(link, group) => {
                let index = group.0 as usize;
                let position = match index {
                    0 => Some(LogPosition::EMPTY),
                    _ => self.replica_log.get(index - 1).map(Group::position),
                };
                later(self, Work::Event(replica::Event::Found { link, position }));
            }
            replica::Action::Append(groups) => later(self, Work::Append(groups)),
            replica::Action::Apply(mark) => later(self, Work::Apply(mark)),
        }
    }

    fn close_at_replica(&mut self, link: LinkId) {
        let (notice, life) = (self.rng.upto_ms(3), self.life);
        if let Some(c) = self.conns.get_mut(&link.0) {
            let last = c.to_main_at.saturating_sub(self.now).min(10_000 * MS);
            self.plan(
                last + notice,
                Happening::MainLearnsOfCut { conn: link.0, life },
            );
            self.plan(notice, Happening::ReplicaLearnsOfCut { conn: link.0 });
        }
    }

    fn replica_works(&mut self, life: u64, work: Work) {
        if life != self.replica_life {
            return;
        }
        let event = match work {
            Work::Event(event) => event,
            Work::Store(main) => {
                self.obeyed = Some(main);
                self.cluster = Some(CLUSTER);
                replica::Event::Stored(Ok((CLUSTER, main)))
            }
            Work::Cut(to) => {
                assert!(
                    to.group.0 as usize >= self.replica_shows,
                    "what readers have seen is never cut"
                );
                self.replica_log.truncate(to.group.0 as usize);
                replica::Event::Cut(position(&self.replica_log), Ok(()))
            }
            Work::Append(groups) => {
                for group in groups {
                    let end = position(&self.replica_log);
                    group
                        .follows(&end)
                        .unwrap_or_else(|e| panic!("the log was handed a group past a gap: {e}"));
                    self.replica_log.push(group);
                }
                replica::Event::Appended(position(&self.replica_log), Ok(()))
            }
            Work::Apply(mark) => {
                self.replica_shows = self.replica_shows.max(mark.0 as usize);
                replica::Event::Applied(Ok(GroupSeq(self.replica_shows as u64)))
            }
        };
        self.check();
        self.tell_replica(event);
    }
}

fn mode(patience: Patience) -> Mode {
    match patience {
        Patience::Progress(_) => Mode::Sync,
        Patience::Total(timeout) => Mode::SyncTimeout(timeout),
    }
}
