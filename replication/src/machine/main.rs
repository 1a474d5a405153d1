//! The MAIN's side of one replica.
//!
//! Owns the life of the session with it: connect, learn where the replica stands, find the last common position, have the
//! other lanes join, feed from the log until the leading cores take over at the [gate](super::gate), and say when the
//! replica has caught up. Driven by the links on one core. Always:
//!
//! 1. A group is fed only behind the common position that the replica confirmed, in order from there.
//! 2. Groups in flight from the log are bounded by [`Bounds::window_bytes`]; one group is always taken.
//! 3. "Caught up" is said only when the replica has acknowledged everything that was durable here when the last doubt
//!    about it arose (the session's beginning, or the latest demotion).
//! 4. Whatever was begun has a deadline, and every failure ends in a later attempt.
//!
//! Sending from the commit path, waiting commits and liveness of connections belong to `gate`, `waiters` and `pulse`.

use std::collections::VecDeque;
use std::time::Duration;

use quoit_log::{GroupSeq, LogPosition, Term};

use super::Time;
use super::compare::{Next, Search, same_history};
use super::gate::GateState;
use crate::durability::{Shortfall, shortfall};
use crate::identity::NodeId;
use crate::message::{Ack, Message, Purpose, RefusalCode, Welcome};
use crate::statement::{Mode, Reason, ReplicaStatus};

/// The session's bounds, with their units.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From the call to the replica's welcome: name look-up, connection, TLS, hello.
    pub connect_max: Duration,
    /// From one step of the comparison to the next.
    pub step_max: Duration,
    /// The pause after the first failure; doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// Unacknowledged bytes fed from the log.
    pub window_bytes: usize,
    /// For how long a demoted semi-sync replica that has caught up stays demoted the first time; doubles.
    pub hold_off_min: Duration,
    /// The longest hold-off.
    pub hold_off_max: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            connect_max: Duration::from_secs(5),
            step_max: Duration::from_secs(10),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            window_bytes: 16 << 20,
            hold_off_min: Duration::from_secs(1),
            hold_off_max: Duration::from_secs(60),
        }
    }
}

/// What the machine is told. Events of a session carry its number; those of an earlier one change nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The replica answered the hello. TLS has proven the key, the link has compared it with the pinned one.
    Welcomed(Welcome),
    /// No answer, or a refusal.
    NotWelcomed {
        /// In words.
        why: String,
        /// The replica's code, if it was the replica that refused.
        refused: Option<RefusalCode>,
        /// The newest term that the replica knows, if it said one.
        term: Option<Term>,
    },
    /// A message on lane 0, except acknowledgements, which reach the shared words instead.
    Said(Message),
    /// The answer to [`Action::Find`].
    Found {
        /// What was asked.
        group: GroupSeq,
        /// The position here.
        position: Option<LogPosition>,
    },
    /// Every other lane has joined.
    LanesJoined,
    /// A lane is lost, and with it the session.
    Lost {
        /// In words.
        why: String,
    },
    /// The answer to [`Action::Feed`]: groups were sent up to before `next`; `bytes` in all.
    Fed {
        /// The first group not sent.
        next: GroupSeq,
        /// Bytes sent.
        bytes: usize,
    },
    /// Look at the words again.
    Look(Look),
}

/// The shared words, as they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The last group that the replica has acknowledged.
    pub acked: GroupSeq,
    /// Who feeds.
    pub gate: GateState,
    /// The last group that is durable here.
    pub tail: GroupSeq,
    /// The last group that was formed here; read after the gate was last requested. Leaders write it before they look
    /// at the gate, so a group beyond it finds the request.
    pub formed: GroupSeq,
    /// Commits do not wait for it, though its mode says they should.
    pub demoted: bool,
}

/// What the links are to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open lane 0 and say hello; report `Welcomed` or `NotWelcomed`.
    Connect {
        /// The session's number; all its events carry it.
        session: u64,
        /// For the hello.
        purpose: Purpose,
    },
    /// Look up our own position at a group; report `Found`.
    Find(GroupSeq),
    /// Send on lane 0.
    Send(Message),
    /// The replica has confirmed the common position: it obeys this MAIN. Said once for a registration; nothing else
    /// happens until [`Session::registered`].
    Register(NodeId),
    /// Reset the acknowledged words to this position, then open the other lanes; report `LanesJoined` or `Lost`.
    OpenLanes(LogPosition),
    /// Ask the next leader to open the gate.
    RequestGate,
    /// Read the log from `from` on and send what is durable on lane 0, below `until` if there is one, some megabytes at most.
    Feed {
        /// The first group to send.
        from: GroupSeq,
        /// The first group not to send.
        until: Option<GroupSeq>,
    },
    /// Close every lane of the session and shut the gate.
    End {
        /// For the log line.
        why: String,
    },
    /// Commits wait for the replica again.
    Resume,
    /// What the replica is cannot change by waiting: commits stop waiting, now.
    GiveUp(Reason),
    /// This MAIN has been superseded.
    Fence(Term),
    /// For `SHOW REPLICAS`.
    Status {
        /// The state; `Ready` stands for "in step".
        status: ReplicaStatus,
        /// What is wrong and what to do, or nothing.
        detail: String,
    },
    /// The registration failed; the machine has stopped.
    RegistrationFailed {
        /// The kind of failure.
        failure: Failure,
        /// In words.
        why: String,
    },
}

/// How a registration fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered as a replica.
    Unreachable,
    /// It answered and refused.
    Refused(RefusalCode),
    /// It holds what is not in our history.
    Diverged,
    /// Its durability cannot keep what the mode promises.
    Durability(Shortfall),
}

/// The machine.
#[derive(Debug)]
pub struct Session {
    bounds: Bounds,
    this: NodeId,
    term: Term,
    /// The replica's identity, once registered.
    replica: Option<NodeId>,
    mode: Mode,
    session: u64,
    phase: Phase,
    attempts: u32,
    look: Look,
    promotion: Promotion,
}

#[derive(Debug)]
enum Phase {
    /// Until the next attempt.
    Waiting { until: Time },
    /// Lane 0 is being opened.
    Connecting { until: Time },
    /// Looking for the last common position.
    Comparing {
        welcome: Box<Welcome>,
        comparison: Comparison,
        until: Time,
    },
    /// `Begin` was sent.
    Beginning {
        replica: NodeId,
        after: LogPosition,
        until: Time,
    },
    /// The registration is being stored.
    Registering { after: LogPosition },
    /// The other lanes are being opened.
    Joining { after: LogPosition, until: Time },
    /// Groups flow.
    Feeding(Feeding),
    /// Nothing more will happen.
    Stopped,
}

#[derive(Debug)]
enum Comparison {
    /// Is the replica's end in our history?
    End,
    /// A search; both answers to one question are awaited.
    Search {
        search: Search,
        asked: GroupSeq,
        ours: Option<Option<LogPosition>>,
        theirs: Option<Option<LogPosition>>,
    },
}

#[derive(Debug)]
struct Feeding {
    /// The first group not yet sent from the log.
    next: GroupSeq,
    /// A `Feed` is under way.
    reading: bool,
    /// Sent from the log, not acknowledged: last group and bytes of each `Feed`.
    in_flight: VecDeque<(GroupSeq, usize)>,
    in_flight_bytes: usize,
    /// The gate when it was last looked at.
    gate: GateState,
    /// Whether everything up to the gate's stamp (or to the tail) was sent.
    in_step: bool,
}

/// When a replica that does not count may count again.
#[derive(Debug)]
struct Promotion {
    /// Acknowledged up to here, it has caught up. `None`: to be set when next in step.
    target: Option<GroupSeq>,
    demoted: bool,
    hold_off: Duration,
    hold_until: Time,
    counted_since: Time,
}

impl Session {
    /// For a registered replica, connecting at once, or for one to be registered; `seed` is the first session's
    /// number, random.
    pub fn new(
        bounds: Bounds,
        this: NodeId,
        term: Term,
        replica: Option<NodeId>,
        mode: Mode,
        seed: u64,
    ) -> Session {
        Session {
            bounds,
            this,
            term,
            replica,
            mode,
            session: seed,
            phase: Phase::Waiting { until: Time::ZERO },
            attempts: 0,
            look: Look {
                acked: GroupSeq::NONE,
                gate: GateState::Closed {
                    from: GroupSeq::NONE,
                },
                tail: GroupSeq::NONE,
                formed: GroupSeq::NONE,
                demoted: true,
            },
            promotion: Promotion {
                target: None,
                demoted: true,
                hold_off: Duration::ZERO,
                hold_until: Time::ZERO,
                counted_since: Time::ZERO,
            },
        }
    }

    /// Semi-sync: what was demoted stays so for a while.
    fn holds_off(&self) -> bool {
        matches!(self.mode, Mode::SyncTimeout(_))
    }

    /// The session that events must carry.
    pub fn number(&self) -> u64 {
        self.session
    }

    /// When [`Session::tick`] is to be called at the latest.
    pub fn deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Waiting { until }
            | Phase::Connecting { until }
            | Phase::Comparing { until, .. }
            | Phase::Beginning { until, .. }
            | Phase::Joining { until, .. } => Some(*until),
            Phase::Feeding(_) => {
                let held = self.promotion.demoted && self.caught_up() && self.holds_off();
                held.then_some(self.promotion.hold_until)
            }
            Phase::Registering { .. } | Phase::Stopped => None,
        }
    }

    /// Whether groups flow.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Feeding(_))
    }

    /// Whether nothing but a lost lane, a closed gate or a demotion can change what is to be done: acknowledgements need
    /// not be reported meanwhile.
    pub fn is_settled(&self) -> bool {
        matches!(&self.phase, Phase::Feeding(feeding) if feeding.in_step && !self.promotion.demoted)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Action>) {
        match &self.phase {
            Phase::Waiting { until } if *until <= now => {
                self.session = self.session.wrapping_add(1);
                self.phase = Phase::Connecting {
                    until: now + self.bounds.connect_max,
                };
                let purpose = if self.replica.is_some() {
                    Purpose::Resume
                } else {
                    Purpose::Register
                };
                out.push(Action::Connect {
                    session: self.session,
                    purpose,
                });
            }
            Phase::Connecting { until } if *until <= now => {
                self.fail(Failure::Unreachable, "it does not answer".into(), now, out);
            }
            Phase::Comparing { until, .. }
            | Phase::Beginning { until, .. }
            | Phase::Joining { until, .. }
                if *until <= now =>
            {
                self.fail(
                    Failure::Unreachable,
                    "it stopped answering".into(),
                    now,
                    out,
                );
            }
            Phase::Feeding(_) => self.feed(now, out),
            _ => {}
        }
    }

    /// Something has happened in session `session`.
    pub fn handle(&mut self, session: u64, event: Event, now: Time, out: &mut Vec<Action>) {
        if let Event::Look(look) = event {
            self.look(look, now, out);
            return;
        }
        if session != self.session {
            return;
        }
        match (&mut self.phase, event) {
            (Phase::Stopped | Phase::Waiting { .. }, _) => {}
            (_, Event::Lost { why }) => self.fail(Failure::Unreachable, why, now, out),
            (Phase::Connecting { .. }, Event::NotWelcomed { why, refused, term }) => {
                self.not_welcomed(why, refused, term, now, out);
            }
            (Phase::Connecting { .. }, Event::Welcomed(welcome)) => {
                self.welcomed(welcome, now, out)
            }
            (Phase::Comparing { .. }, Event::Found { group, position }) => {
                self.found(group, position, now, out)
            }
            (
                Phase::Comparing {
                    comparison: Comparison::Search { theirs, .. },
                    ..
                },
                Event::Said(Message::Position(position)),
            ) if theirs.is_none() => {
                *theirs = Some(position);
                self.search(now, out);
            }
            (Phase::Beginning { .. }, Event::Said(Message::Started)) => self.started(now, out),
            (Phase::Joining { after, .. }, Event::LanesJoined) => {
                let after = *after;
                self.attempts = 0;
                self.promotion.target = None;
                self.phase = Phase::Feeding(Feeding {
                    next: after.group.next(),
                    reading: false,
                    in_flight: VecDeque::new(),
                    in_flight_bytes: 0,
                    gate: GateState::Closed {
                        from: GroupSeq::NONE,
                    },
                    in_step: false,
                });
                self.look.acked = after.group;
                out.push(Action::Status {
                    status: ReplicaStatus::Recovery,
                    detail: String::new(),
                });
                self.feed(now, out);
            }
            (Phase::Feeding(feeding), Event::Fed { next, bytes }) => {
                feeding.reading = false;
                if next > feeding.next {
                    feeding.next = next;
                    feeding.in_flight.push_back((next.previous(), bytes));
                    feeding.in_flight_bytes += bytes;
                }
                self.feed(now, out);
            }
            (_, Event::Said(Message::Refused { code, term, text })) => {
                self.not_welcomed(text, Some(code), Some(term), now, out);
            }
            (_, Event::Said(Message::Alive)) => {}
            (_, Event::Said(message)) => {
                let why = format!("it said {message:?} when nothing of the kind was asked");
                self.fail(Failure::Refused(RefusalCode::Protocol), why, now, out);
            }
            // The answer to a question that this session no longer asks.
            (_, Event::Found { .. } | Event::Fed { .. } | Event::LanesJoined) => {}
            (_, Event::Welcomed(_) | Event::NotWelcomed { .. } | Event::Look(_)) => {}
        }
    }

    /// The registration is stored: the replica is one of this MAIN's.
    pub fn registered(&mut self, replica: NodeId, now: Time, out: &mut Vec<Action>) {
        if let Phase::Registering { after } = self.phase {
            self.replica = Some(replica);
            self.join(after, now, out);
        }
    }

    /// The replica is dropped, or this node is no MAIN any more.
    pub fn stop(&mut self, why: &str, out: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Stopped) {
            self.phase = Phase::Stopped;
            out.push(Action::End {
                why: why.to_owned(),
            });
        }
    }

    fn welcomed(&mut self, welcome: Welcome, now: Time, out: &mut Vec<Action>) {
        if welcome.node == self.this {
            let why = "it has the identity of this instance: it is this instance, or runs on a copy of its data directory";
            return self.fail(
                Failure::Refused(RefusalCode::SameNode),
                why.into(),
                now,
                out,
            );
        }
        if self.replica.is_some_and(|replica| replica != welcome.node) {
            let why = format!(
                "another instance ({}) answers at the endpoint",
                welcome.node
            );
            return self.fail(Failure::Refused(RefusalCode::Key), why, now, out);
        }
        // Before anything is asked of it: it has taken nothing from this MAIN yet.
        if let Some(shortfall) = shortfall(self.mode, welcome.durability) {
            let failure = Failure::Durability(shortfall);
            return self.fail(failure, shortfall.of_replica(), now, out);
        }
        let until = now + self.bounds.step_max;
        if welcome.durable.is_empty() {
            self.begin(&welcome, LogPosition::EMPTY, now, out);
        } else {
            out.push(Action::Find(welcome.durable.group));
            self.phase = Phase::Comparing {
                welcome: Box::new(welcome),
                comparison: Comparison::End,
                until,
            };
        }
    }

    fn found(
        &mut self,
        group: GroupSeq,
        position: Option<LogPosition>,
        now: Time,
        out: &mut Vec<Action>,
    ) {
        let tail = self.look.tail;
        let Phase::Comparing {
            welcome,
            comparison,
            ..
        } = &mut self.phase
        else {
            return;
        };
        match comparison {
            Comparison::End if welcome.durable.group == group => match position {
                Some(ours) if same_history(&ours, &welcome.durable) => {
                    let welcome = welcome.clone();
                    self.begin(&welcome, ours, now, out);
                }
                _ => {
                    let search = Search::new(group, tail);
                    self.ask(search, true, now, out);
                }
            },
            Comparison::Search { asked, ours, .. } if *asked == group && ours.is_none() => {
                *ours = Some(position);
                self.search(now, out);
            }
            _ => {}
        }
    }

    /// One question of the search, to both sides.
    fn ask(&mut self, search: Search, first: bool, now: Time, out: &mut Vec<Action>) {
        let Phase::Comparing {
            welcome,
            comparison,
            until,
        } = &mut self.phase
        else {
            return;
        };
        match search.next(first) {
            Next::Ask(asked) => {
                out.push(Action::Send(Message::Probe(asked)));
                out.push(Action::Find(asked));
                *comparison = Comparison::Search {
                    search,
                    asked,
                    ours: None,
                    theirs: None,
                };
                *until = now + self.bounds.step_max;
            }
            Next::Common(common) => {
                let welcome = welcome.clone();
                self.begin(&welcome, common, now, out);
            }
        }
    }

    fn search(&mut self, now: Time, out: &mut Vec<Action>) {
        let Phase::Comparing {
            comparison:
                Comparison::Search {
                    search,
                    asked,
                    ours,
                    theirs,
                },
            ..
        } = &mut self.phase
        else {
            return;
        };
        if let (Some(ours), Some(theirs)) = (*ours, *theirs) {
            search.answer(*asked, ours, theirs);
            let search = search.clone();
            self.ask(search, false, now, out);
        }
    }

    /// The histories are common up to `common`.
    fn begin(&mut self, welcome: &Welcome, common: LogPosition, now: Time, out: &mut Vec<Action>) {
        if welcome.visible > common.group {
            let why = format!(
                "it shows group {} and the histories part after group {}; stop it, move its data directory away, start it \
                 empty, make it a replica again, then DROP and REGISTER it",
                welcome.visible, common.group
            );
            return self.fail(Failure::Diverged, why, now, out);
        }
        self.phase = Phase::Beginning {
            replica: welcome.node,
            after: common,
            until: now + self.bounds.step_max,
        };
        // The links put the cluster's id in: the machine does not know the secret.
        out.push(Action::Send(Message::Begin {
            cluster: crate::identity::ClusterId(0),
            after: common,
        }));
    }

    fn started(&mut self, now: Time, out: &mut Vec<Action>) {
        let Phase::Beginning { replica, after, .. } = self.phase else {
            return;
        };
        if self.replica.is_some() {
            self.join(after, now, out);
        } else {
            self.phase = Phase::Registering { after };
            out.push(Action::Register(replica));
        }
    }

    fn join(&mut self, after: LogPosition, now: Time, out: &mut Vec<Action>) {
        self.phase = Phase::Joining {
            after,
            until: now + self.bounds.step_max,
        };
        out.push(Action::OpenLanes(after));
    }

    fn look(&mut self, look: Look, now: Time, out: &mut Vec<Action>) {
        let promotion = &mut self.promotion;
        if look.demoted && !promotion.demoted {
            // Demoted again soon after it counted: it is held off for longer.
            let stayed = now.saturating_sub(promotion.counted_since);
            promotion.hold_off = if stayed > 10 * promotion.hold_off {
                self.bounds.hold_off_min
            } else {
                (2 * promotion.hold_off).clamp(self.bounds.hold_off_min, self.bounds.hold_off_max)
            };
            promotion.hold_until = now + promotion.hold_off;
            promotion.target = None;
        }
        promotion.demoted = look.demoted;
        self.look = look;
        if self.is_up() {
            self.feed(now, out);
        }
    }

    /// Does what the words ask for while groups flow.
    fn feed(&mut self, now: Time, out: &mut Vec<Action>) {
        let look = self.look;
        let Phase::Feeding(feeding) = &mut self.phase else {
            return;
        };
        while feeding
            .in_flight
            .front()
            .is_some_and(|(last, _)| *last <= look.acked)
        {
            let (_, bytes) = feeding.in_flight.pop_front().expect("looked at");
            feeding.in_flight_bytes -= bytes;
        }
        if feeding.gate != look.gate {
            if let (GateState::Open { since }, GateState::Closed { from }) =
                (feeding.gate, look.gate)
            {
                // The leaders have sent everything from the stamp to where one of them closed.
                if feeding.next >= since {
                    feeding.next = feeding.next.max(from);
                }
            }
            feeding.gate = look.gate;
        }
        let until = match look.gate {
            GateState::Open { since } => Some(since),
            GateState::Closed { .. } | GateState::Requested => None,
        };
        let due = feeding.next <= look.tail && until.is_none_or(|until| feeding.next < until);
        let room = feeding.in_flight_bytes < self.bounds.window_bytes;
        if due && room && !feeding.reading {
            feeding.reading = true;
            out.push(Action::Feed {
                from: feeding.next,
                until,
            });
        }
        if !due && !feeding.reading && matches!(look.gate, GateState::Closed { .. }) {
            out.push(Action::RequestGate);
        }
        let in_step = !feeding.reading
            && match look.gate {
                GateState::Open { since } => feeding.next >= since,
                // A group that was formed before the request and is not durable yet is still to be fed.
                GateState::Requested => feeding.next > look.tail.max(look.formed),
                GateState::Closed { .. } => false,
            };
        if in_step != feeding.in_step {
            feeding.in_step = in_step;
            let status = if in_step {
                ReplicaStatus::Ready
            } else {
                ReplicaStatus::Recovery
            };
            out.push(Action::Status {
                status,
                detail: String::new(),
            });
        }
        if in_step && self.promotion.target.is_none() {
            self.promotion.target = Some(look.tail);
        }
        if self.promotion.demoted
            && self.caught_up()
            && (!self.holds_off() || self.promotion.hold_until <= now)
        {
            self.promotion.demoted = false;
            self.promotion.counted_since = now;
            out.push(Action::Resume);
        }
    }

    fn caught_up(&self) -> bool {
        let in_step = matches!(&self.phase, Phase::Feeding(feeding) if feeding.in_step);
        in_step
            && self
                .promotion
                .target
                .is_some_and(|target| self.look.acked >= target)
    }

    fn not_welcomed(
        &mut self,
        why: String,
        refused: Option<RefusalCode>,
        term: Option<Term>,
        now: Time,
        out: &mut Vec<Action>,
    ) {
        if let (Some(RefusalCode::NewerTerm), Some(newer)) = (refused, term)
            && newer.counter > self.term.counter
        {
            out.push(Action::Fence(newer));
        }
        let failure = match refused {
            Some(RefusalCode::Ahead) => Failure::Diverged,
            Some(code) => Failure::Refused(code),
            None => Failure::Unreachable,
        };
        self.fail(failure, why, now, out);
    }

    /// Ends the attempt or the session; the next attempt comes after a pause.
    fn fail(&mut self, failure: Failure, why: String, now: Time, out: &mut Vec<Action>) {
        out.push(Action::End { why: why.clone() });
        self.promotion.target = None;
        if self.replica.is_none() {
            self.phase = Phase::Stopped;
            out.push(Action::RegistrationFailed { failure, why });
            return;
        }
        let status = match failure {
            Failure::Diverged => {
                out.push(Action::GiveUp(Reason::Diverged));
                ReplicaStatus::Diverged
            }
            Failure::Durability(_) => {
                out.push(Action::GiveUp(Reason::Durability));
                ReplicaStatus::Invalid
            }
            Failure::Unreachable | Failure::Refused(_) => ReplicaStatus::Invalid,
        };
        out.push(Action::Status {
            status,
            detail: why,
        });
        let doubled = self.bounds.backoff_min * 2u32.saturating_pow(self.attempts.min(16));
        // A refusal will not change by itself in a moment.
        let pause = match failure {
            Failure::Unreachable => doubled.min(self.bounds.backoff_max),
            Failure::Refused(_) | Failure::Diverged | Failure::Durability(_) => {
                self.bounds.backoff_max
            }
        };
        self.attempts = self.attempts.saturating_add(1);
        self.phase = Phase::Waiting { until: now + pause };
    }
}

/// Whether an acknowledgement can be believed: a replica that claims what was never sent to it is not heard.
pub fn believable(ack: &Ack, acked: GroupSeq, formed: GroupSeq) -> bool {
    ack.durable >= acked && ack.durable <= formed && ack.visible <= ack.durable
}

#[cfg(test)]
mod tests;
