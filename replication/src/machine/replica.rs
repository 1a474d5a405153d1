//! The replica's side.
//!
//! Owns whom this node obeys, the order of what arrives on several lanes, and what is acknowledged and shown. Driven by the
//! links on one core. Always:
//!
//! 1. A hello is judged by the table at [`Replica::judge`]; whoever fails it learns why and nothing else.
//! 2. Groups are handed to the log in dense order, behind the position at which the session began.
//! 3. An acknowledgement names what the log has said is durable, and nothing beyond it.
//! 4. What is shown never passes the smaller of what is durable here and the MAIN's mark.
//! 5. A new session begins only when nothing of the one before is still being written, so that the position it
//!    announces does not move by itself.
//! 6. What waits out of order is bounded by [`Bounds::pending_bytes_max`]; the next group needed is always taken.

use std::collections::{BTreeMap, VecDeque};

use quoit_log::{Group, GroupSeq, LogPosition, Term};

use super::compare::same_history;
use crate::durability::DurabilityWord;
use crate::identity::{ClusterId, Fingerprint, NodeId, membership_proof};
use crate::message::{Ack, Hello, Message, Purpose, RefusalCode, VERSIONS, Welcome};
use crate::node_record::ObeyedMain;

/// The bounds, with their units.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Groups that wait for an earlier one.
    pub pending_bytes_max: usize,
    /// Groups handed to the log at once.
    pub append_bytes_max: usize,
    /// Lanes of one session.
    pub lanes_max: u16,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            pending_bytes_max: 128 << 20,
            append_bytes_max: 4 << 20,
            lanes_max: 64,
        }
    }
}

/// A connection, numbered by the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What the node record says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// This node.
    pub node: NodeId,
    /// Its certificate.
    pub fingerprint: Fingerprint,
    /// Its cluster.
    pub cluster: Option<ClusterId>,
    /// The newest term it knows.
    pub term: Option<Term>,
    /// Whom it obeys.
    pub main: Option<ObeyedMain>,
    /// Where it speaks Bolt.
    pub bolt_port: u16,
    /// What its log runs with.
    pub durability: DurabilityWord,
}

/// What the machine is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A message on a connection whose peer has proven to hold the key of this certificate.
    Said {
        /// Where.
        link: LinkId,
        /// Whose.
        peer: Fingerprint,
        /// What.
        message: Message,
    },
    /// A connection is gone.
    Closed(LinkId),
    /// The answer to [`Action::Store`]: what the node record says now.
    Stored(Result<(ClusterId, ObeyedMain), String>),
    /// The answer to [`Action::Cut`]: where the durable log ends now, whatever the result.
    Cut(LogPosition, Result<(), String>),
    /// The answer to [`Action::Find`].
    Found {
        /// Who asked.
        link: LinkId,
        /// The position here.
        position: Option<LogPosition>,
    },
    /// The answer to [`Action::Append`]: where the durable log ends now, whatever the result: of several groups some may
    /// have been taken.
    Appended(LogPosition, Result<(), String>),
    /// The answer to [`Action::Apply`]: what is shown now.
    Applied(Result<GroupSeq, String>),
}

/// What the links are to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send.
    Send(LinkId, Message),
    /// Groups may come on this link.
    AdmitGroups(LinkId),
    /// Send the refusal, close, count it, log one line.
    Refuse {
        /// Whom.
        link: LinkId,
        /// The message.
        code: RefusalCode,
        /// In words.
        text: String,
    },
    /// Close without a word: the session has ended.
    Close(LinkId),
    /// Store in the node record: obey this MAIN, be in this cluster. Also when it outlives its session.
    Store {
        /// The cluster.
        cluster: ClusterId,
        /// The MAIN.
        main: ObeyedMain,
    },
    /// Drop what lies above this position; report `Cut`.
    Cut(LogPosition),
    /// Look up a position; report `Found`.
    Find(LinkId, GroupSeq),
    /// Hand to the log, in order; report `Appended`.
    Append(Vec<Group>),
    /// Show up to here; report `Applied`.
    Apply(GroupSeq),
}

/// The machine.
#[derive(Debug)]
pub struct Replica {
    bounds: Bounds,
    facts: Facts,
    durable: LogPosition,
    visible: GroupSeq,
    following: Option<Following>,
    /// A hello that waits for writes of the session before to end.
    deferred: Option<(LinkId, Fingerprint, Hello)>,
    appending: bool,
    applying: bool,
    changing: bool,
    #[cfg(test)]
    pub(crate) flaw: Flaw,
}

/// What a broken machine does; the simulation's checks must notice each.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// Acknowledges what has arrived and is not yet durable.
    AcknowledgeEarly,
    /// Acknowledges the highest group that has arrived, whatever is missing before it.
    AcknowledgePastGap,
    /// Hands groups to the log as they come.
    AppendPastGap,
    /// Shows what is durable here without waiting for the mark.
    ShowPastMark,
    /// Obeys whoever calls last.
    ObeyAnyone,
}

#[derive(Debug)]
struct Following {
    session: u64,
    main: ObeyedMain,
    stage: Stage,
    lanes: Vec<Option<LinkId>>,
    /// The next group to hand over.
    next: GroupSeq,
    pending: BTreeMap<GroupSeq, Group>,
    pending_bytes: usize,
    ready: VecDeque<Group>,
    mark: GroupSeq,
    /// Where the newest group came: its lane's core most likely waits for it.
    ack_on: LinkId,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Welcomed; the MAIN compares.
    Greeted,
    /// The new allegiance is being stored.
    Storing { after: LogPosition },
    /// What is not common is being dropped.
    Cutting { after: LogPosition },
    /// Groups come.
    Running,
}

impl Replica {
    /// A replica whose log ends at `durable` and shows `visible`.
    pub fn new(bounds: Bounds, facts: Facts, durable: LogPosition, visible: GroupSeq) -> Replica {
        Replica {
            bounds,
            facts,
            durable,
            visible,
            following: None,
            deferred: None,
            appending: false,
            applying: false,
            changing: false,
            #[cfg(test)]
            flaw: Flaw::None,
        }
    }

    /// Durable here.
    pub fn durable(&self) -> LogPosition {
        self.durable
    }

    /// Shown here.
    pub fn visible(&self) -> GroupSeq {
        self.visible
    }

    /// The MAIN whose session runs.
    pub fn following(&self) -> Option<ObeyedMain> {
        self.following
            .as_ref()
            .filter(|f| f.stage == Stage::Running)
            .map(|f| f.main)
    }

    /// Something has happened.
    pub fn handle(&mut self, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Said {
                link,
                peer,
                message,
            } => self.said(link, peer, message, out),
            Event::Closed(link) => self.closed(link, out),
            Event::Stored(result) => {
                self.changing = false;
                self.stored(result, out);
            }
            Event::Cut(tail, result) => {
                self.changing = false;
                self.durable = tail;
                self.cut(result, out);
            }
            Event::Found { link, position } => {
                if self.greeted(link) {
                    out.push(Action::Send(link, Message::Position(position)));
                }
            }
            Event::Appended(tail, result) => {
                self.appending = false;
                self.durable = tail;
                match result {
                    Ok(()) => self.acknowledge(out),
                    Err(why) => self.broken(why, out),
                }
            }
            Event::Applied(Ok(visible)) => {
                self.applying = false;
                self.visible = self.visible.max(visible);
                if !self.appending {
                    self.acknowledge(out);
                }
            }
            Event::Applied(Err(why)) => {
                self.applying = false;
                self.broken(why, out);
            }
        }
        self.proceed(out);
        self.hello_deferred(out);
    }

    fn said(&mut self, link: LinkId, peer: Fingerprint, message: Message, out: &mut Vec<Action>) {
        let is_lane = self
            .following
            .as_ref()
            .is_some_and(|f| f.lanes.contains(&Some(link)));
        match message {
            Message::Hello(hello) if !is_lane => match self.judge(&hello, peer) {
                Err((code, text)) => out.push(Action::Refuse { link, code, text }),
                Ok(()) => {
                    // The newest call of the MAIN is the one it means: what came before is half open at best.
                    self.end(out);
                    if let Some((old, ..)) = self.deferred.replace((link, peer, hello)) {
                        out.push(Action::Close(old));
                    }
                }
            },
            Message::Join { session, lane } if !is_lane => {
                self.join(link, peer, session, lane, out)
            }
            Message::Ping if is_lane => out.push(Action::Send(link, Message::Alive)),
            Message::Probe(group) if self.greeted(link) => out.push(Action::Find(link, group)),
            Message::Begin { cluster, after } if self.greeted(link) => {
                self.begin(link, cluster, after, out)
            }
            Message::Group { mark, group } if is_lane => self.group(link, mark, group, out),
            Message::Mark(mark) if is_lane => {
                if let Some(following) = &mut self.following {
                    following.mark = following.mark.max(mark);
                }
            }
            _ => self.misbehaved(link, "it said something that cannot be said now", out),
        }
    }

    /// Whether a MAIN is obeyed. The first row that fits decides.
    ///
    /// | the hello | the answer |
    /// | --- | --- |
    /// | speaks no common version | `Version` |
    /// | names this node | `SameNode` |
    /// | has no term, or no or too many lanes | `Protocol` |
    /// | does not know this node's cluster; or this node has data and no cluster | `Foreign` |
    /// | has a lower term counter than is known here, or the same with another id | `NewerTerm` |
    /// | comes from the MAIN obeyed, with its key | yes |
    /// | comes from the MAIN obeyed, with another key | `Key` |
    /// | registers, and no MAIN is obeyed | yes |
    /// | registers, with a higher counter than the MAIN obeyed had | yes |
    /// | anything else | `OtherMain` |
    fn judge(&self, hello: &Hello, peer: Fingerprint) -> Result<(), (RefusalCode, String)> {
        let facts = &self.facts;
        #[cfg(test)]
        if self.flaw == Flaw::ObeyAnyone {
            return Ok(());
        }
        let no = |code, text: &str| Err((code, text.to_owned()));
        if VERSIONS.common(hello.versions).is_none() {
            let text = format!(
                "it speaks link versions {} to {}, the replica {} to {}",
                hello.versions.min, hello.versions.max, VERSIONS.min, VERSIONS.max
            );
            return Err((RefusalCode::Version, text));
        }
        if hello.node == facts.node {
            return no(
                RefusalCode::SameNode,
                "the replica has the identity of the main: a copied data directory",
            );
        }
        if hello.term.is_none() || hello.lanes == 0 || hello.lanes > self.bounds.lanes_max {
            return no(
                RefusalCode::Protocol,
                "the hello has no term, or an impossible number of lanes",
            );
        }
        match facts.cluster {
            Some(cluster) if membership_proof(cluster, peer, facts.fingerprint) != hello.proof => {
                return no(
                    RefusalCode::Foreign,
                    "the replica belongs to another cluster; start it with an empty data directory",
                );
            }
            None if !self.durable.is_empty() => {
                return no(
                    RefusalCode::Foreign,
                    "the replica has data of its own and belongs to no cluster; start it with an empty data directory",
                );
            }
            _ => {}
        }
        if let Some(known) = facts.term
            && (hello.term.counter < known.counter
                || hello.term.counter == known.counter && hello.term.id != known.id)
        {
            let text = format!(
                "the replica knows term {known}, the main has term {}",
                hello.term
            );
            return Err((RefusalCode::NewerTerm, text));
        }
        match (&facts.main, hello.purpose) {
            (Some(main), _) if main.node == hello.node => {
                if main.fingerprint == peer {
                    Ok(())
                } else {
                    no(
                        RefusalCode::Key,
                        "the main's key is not the one it registered the replica with",
                    )
                }
            }
            (None, Purpose::Register) => Ok(()),
            (Some(main), Purpose::Register) if hello.term.counter > main.term.counter => Ok(()),
            (Some(_), _) => no(
                RefusalCode::OtherMain,
                "the replica obeys another main; promote this one, then REGISTER it again",
            ),
            (None, Purpose::Resume) => no(
                RefusalCode::OtherMain,
                "the replica obeys no main; DROP and REGISTER it again",
            ),
        }
    }

    /// Welcomes the MAIN once nothing of an earlier session is being written.
    fn hello_deferred(&mut self, out: &mut Vec<Action>) {
        if self.appending || self.applying || self.changing {
            return;
        }
        let Some((link, peer, hello)) = self.deferred.take() else {
            return;
        };
        let main = ObeyedMain {
            node: hello.node,
            fingerprint: peer,
            term: hello.term,
        };
        let mut lanes = vec![None; hello.lanes as usize];
        lanes[0] = Some(link);
        self.following = Some(Following {
            session: hello.session,
            main,
            stage: Stage::Greeted,
            lanes,
            next: GroupSeq::NONE,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            ready: VecDeque::new(),
            mark: GroupSeq::NONE,
            ack_on: link,
        });
        let version = VERSIONS.common(hello.versions).unwrap_or(VERSIONS.max);
        let welcome = Welcome {
            version,
            node: self.facts.node,
            empty: self.facts.cluster.is_none() && self.durable.is_empty(),
            durable: self.durable,
            visible: self.visible,
            bolt_port: self.facts.bolt_port,
            durability: self.facts.durability,
        };
        out.push(Action::Send(link, Message::Welcome(welcome)));
    }

    fn greeted(&self, link: LinkId) -> bool {
        self.following
            .as_ref()
            .is_some_and(|f| f.stage == Stage::Greeted && f.lanes[0] == Some(link))
    }

    fn join(
        &mut self,
        link: LinkId,
        peer: Fingerprint,
        session: u64,
        lane: u16,
        out: &mut Vec<Action>,
    ) {
        match &mut self.following {
            Some(f)
                if f.stage == Stage::Running
                    && f.session == session
                    && f.main.fingerprint == peer =>
            {
                match f.lanes.get_mut(lane as usize) {
                    Some(place @ None) => {
                        *place = Some(link);
                        out.push(Action::AdmitGroups(link));
                        out.push(Action::Send(link, Message::Joined));
                    }
                    _ => {
                        let text = "the lane is taken or was not announced".to_owned();
                        out.push(Action::Refuse {
                            link,
                            code: RefusalCode::Session,
                            text,
                        });
                    }
                }
            }
            _ => {
                let text = "no such session".to_owned();
                out.push(Action::Refuse {
                    link,
                    code: RefusalCode::Session,
                    text,
                });
            }
        }
    }

    fn begin(
        &mut self,
        link: LinkId,
        cluster: ClusterId,
        after: LogPosition,
        out: &mut Vec<Action>,
    ) {
        if self.facts.cluster.is_some_and(|ours| ours != cluster) {
            return self.misbehaved(link, "it knew the cluster and now names another", out);
        }
        if after.group > self.durable.group {
            return self.misbehaved(link, "it begins above the end of this log", out);
        }
        if after.group < self.visible {
            let text = format!(
                "the replica shows group {} and the main would begin after group {}",
                self.visible, after.group
            );
            self.end_refusing(link, RefusalCode::Ahead, text, out);
            return;
        }
        let following = self.following.as_mut().expect("begin comes from its lane");
        following.stage = Stage::Storing { after };
        let main = following.main;
        if self.facts.main == Some(main)
            && self.facts.cluster == Some(cluster)
            && self.facts.term == Some(main.term)
        {
            self.stored(Ok((cluster, main)), out);
        } else {
            self.changing = true;
            out.push(Action::Store { cluster, main });
        }
    }

    fn stored(&mut self, result: Result<(ClusterId, ObeyedMain), String>, out: &mut Vec<Action>) {
        // What is on disk holds, whether or not the session that asked for it still runs.
        if let Ok((cluster, main)) = &result {
            self.facts.cluster = Some(*cluster);
            self.facts.term = Some(main.term);
            self.facts.main = Some(*main);
        }
        let Some(following) = &mut self.following else {
            return;
        };
        let Stage::Storing { after } = following.stage else {
            return;
        };
        if let Err(why) = result {
            return self.broken(why, out);
        }
        if after.group < self.durable.group {
            following.stage = Stage::Cutting { after };
            self.changing = true;
            out.push(Action::Cut(after));
        } else {
            self.run(after, out);
        }
    }

    fn cut(&mut self, result: Result<(), String>, out: &mut Vec<Action>) {
        let Some(Following {
            stage: Stage::Cutting { after },
            ..
        }) = self.following
        else {
            return;
        };
        match result {
            Err(why) => self.broken(why, out),
            Ok(()) if same_history(&self.durable, &after) => self.run(after, out),
            Ok(()) => {
                let why = format!("the log was cut back to {}, not to {after}", self.durable);
                self.broken(why, out);
            }
        }
    }

    fn run(&mut self, after: LogPosition, out: &mut Vec<Action>) {
        let following = self.following.as_mut().expect("a session begins to run");
        following.stage = Stage::Running;
        following.next = after.group.next();
        let link = following.ack_on;
        out.push(Action::AdmitGroups(link));
        out.push(Action::Send(link, Message::Started));
    }

    fn group(&mut self, link: LinkId, mark: GroupSeq, group: Group, out: &mut Vec<Action>) {
        let pending_bytes_max = self.bounds.pending_bytes_max;
        let Some(following) = &mut self.following else {
            return;
        };
        if following.stage != Stage::Running || group.term().counter > following.main.term.counter {
            return self.misbehaved(link, "a group that it cannot have", out);
        }
        following.mark = following.mark.max(mark);
        #[cfg(test)]
        {
            let (term, incarnation, seq) = (group.term(), group.incarnation(), group.seq());
            let commit = group.last_commit();
            if self.flaw == Flaw::AcknowledgePastGap && seq >= following.next {
                let ack = Ack {
                    term,
                    incarnation,
                    durable: seq,
                    commit,
                    visible: self.visible,
                };
                out.push(Action::Send(link, Message::Ack(ack)));
            }
            if self.flaw == Flaw::AppendPastGap && seq > following.next {
                following.next = seq;
            }
            if self.flaw == Flaw::AcknowledgeEarly && seq == following.next {
                let ack = Ack {
                    term,
                    incarnation,
                    durable: seq,
                    commit,
                    visible: self.visible,
                };
                out.push(Action::Send(link, Message::Ack(ack)));
            }
        }
        let seq = group.seq();
        // The hand-over between the log's feed and the lanes may bring a group twice.
        if seq < following.next || following.pending.contains_key(&seq) {
            return;
        }
        let len = group.bytes().len();
        if seq > following.next && following.pending_bytes + len > pending_bytes_max {
            return self.misbehaved(
                link,
                "it sent more groups out of order than a session may",
                out,
            );
        }
        following.pending.insert(seq, group);
        following.pending_bytes += len;
        following.ack_on = link;
        while let Some(entry) = following.pending.first_entry()
            && *entry.key() == following.next
        {
            let group = entry.remove();
            following.pending_bytes -= group.bytes().len();
            following.next = following.next.next();
            following.ready.push_back(group);
        }
    }

    fn acknowledge(&mut self, out: &mut Vec<Action>) {
        let Some(following) = self
            .following
            .as_ref()
            .filter(|f| f.stage == Stage::Running)
        else {
            return;
        };
        let ack = Ack {
            term: self.durable.term,
            incarnation: self.durable.incarnation,
            durable: self.durable.group,
            commit: self.durable.commit,
            visible: self.visible,
        };
        out.push(Action::Send(following.ack_on, Message::Ack(ack)));
    }

    /// Starts what can be started: one append and one application at a time.
    fn proceed(&mut self, out: &mut Vec<Action>) {
        let Some(following) = self
            .following
            .as_mut()
            .filter(|f| f.stage == Stage::Running)
        else {
            return;
        };
        if !self.appending && !following.ready.is_empty() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            while let Some(group) = following.ready.front()
                && (batch.is_empty() || bytes + group.bytes().len() <= self.bounds.append_bytes_max)
            {
                bytes += group.bytes().len();
                batch.extend(following.ready.pop_front());
            }
            self.appending = true;
            out.push(Action::Append(batch));
        }
        let shown_max = self.durable.group.min(following.mark);
        #[cfg(test)]
        let shown_max = if self.flaw == Flaw::ShowPastMark {
            self.durable.group
        } else {
            shown_max
        };
        if !self.applying && shown_max > self.visible {
            self.applying = true;
            out.push(Action::Apply(shown_max));
        }
    }

    fn closed(&mut self, link: LinkId, out: &mut Vec<Action>) {
        if self
            .deferred
            .as_ref()
            .is_some_and(|(deferred, ..)| *deferred == link)
        {
            self.deferred = None;
        }
        if let Some(following) = &mut self.following
            && let Some(place) = following
                .lanes
                .iter_mut()
                .find(|place| **place == Some(link))
        {
            *place = None;
            self.end(out);
        }
    }

    /// Ends the session and closes its lanes.
    fn end(&mut self, out: &mut Vec<Action>) {
        if let Some(following) = self.following.take() {
            out.extend(following.lanes.into_iter().flatten().map(Action::Close));
        }
    }

    fn end_refusing(
        &mut self,
        link: LinkId,
        code: RefusalCode,
        text: String,
        out: &mut Vec<Action>,
    ) {
        if let Some(following) = &mut self.following {
            following
                .lanes
                .iter_mut()
                .filter(|place| **place == Some(link))
                .for_each(|place| *place = None);
        }
        out.push(Action::Refuse { link, code, text });
        self.end(out);
    }

    fn misbehaved(&mut self, link: LinkId, why: &str, out: &mut Vec<Action>) {
        let is_lane = self
            .following
            .as_ref()
            .is_some_and(|f| f.lanes.contains(&Some(link)));
        if is_lane {
            self.end_refusing(link, RefusalCode::Protocol, why.to_owned(), out);
        } else {
            out.push(Action::Refuse {
                link,
                code: RefusalCode::Protocol,
                text: why.to_owned(),
            });
        }
    }

    /// This node cannot go on with the session; the MAIN hears why and tries again later.
    fn broken(&mut self, why: String, out: &mut Vec<Action>) {
        if let Some(link) = self.following.as_ref().and_then(|f| f.lanes[0]) {
            self.end_refusing(link, RefusalCode::Broken, why, out);
        } else {
            self.end(out);
        }
    }
}

#[cfg(test)]
mod tests;
