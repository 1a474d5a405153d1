//! A lane: a MAIN's connection to one replica, on one core.
//!
//! Owns the stream, the account of what was sent on it and not acknowledged, and its pulse. The core's leader sends on it
//! from the commit path without waiting; a task reads acknowledgements. Always: what is unacknowledged is bounded
//! by the lane's share of the queue, except that the next group the replica needs is always taken; a lane that
//! fails says so to the session once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use quoit_log::{Group, GroupSeq};
use quoit_rt::{Instant, Priority, SendBuf, Stream};

use crate::core::{Mail, ReplicationCore};
use crate::identity::Fingerprint;
use crate::links::dial;
use crate::machine::main::believable;
use crate::machine::pulse::{Beat, Pulse};
use crate::message::{Admission, Decoder, Message, group_head};
use crate::shared::HOME;
use crate::words::ReplicaWords;

/// Between a lane's questions whether the replica is there.
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(1);
/// Silence after which a lane is lost.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);
/// For connecting, for TLS and for the greeting, each.
pub(crate) const GREETING_MAX: Duration = Duration::from_secs(4);

pub(crate) struct Lane {
    pub words: Arc<ReplicaWords>,
    pub session: u64,
    stream: Rc<Stream>,
    in_flight: RefCell<VecDeque<(GroupSeq, usize)>>,
    in_flight_bytes: Cell<usize>,
    share_bytes: usize,
    closed: Cell<bool>,
}

impl Lane {
    pub fn new(
        words: Arc<ReplicaWords>,
        session: u64,
        stream: Rc<Stream>,
        share_bytes: usize,
    ) -> Rc<Lane> {
        Rc::new(Lane {
            words,
            session,
            stream,
            in_flight: RefCell::default(),
            in_flight_bytes: Cell::new(0),
            share_bytes,
            closed: Cell::new(false),
        })
    }

    /// Takes a group from the commit path; false if the lane is full or gone.
    pub fn offer(&self, group: &Group, mark: GroupSeq) -> bool {
        let acked = self.words.acked_group();
        let mut in_flight = self.in_flight.borrow_mut();
        let mut bytes = self.in_flight_bytes.get();
        while in_flight.front().is_some_and(|(seq, _)| *seq <= acked) {
            let (_, len) = in_flight.pop_front().expect("looked at");
            bytes -= len;
        }
        let len = group.bytes().len();
        let next_needed = group.seq() <= acked.next();
        if self.closed.get() || !next_needed && bytes + len > self.share_bytes {
            self.in_flight_bytes.set(bytes);
            return false;
        }
        in_flight.push_back((group.seq(), len));
        self.in_flight_bytes.set(bytes + len);
        self.send_group(group, mark).is_ok()
    }

    /// Sends a group: the head of this link, then the group's shared bytes.
    pub fn send_group(&self, group: &Group, mark: GroupSeq) -> std::io::Result<()> {
        self.words.mark_sent.fetch_max(mark.0, SeqCst);
        let head = group_head(mark, group).to_vec();
        self.stream
            .send_all([SendBuf::Vec(head), SendBuf::Bytes(group.bytes().clone())])
    }

    pub fn send(&self, message: &Message) -> std::io::Result<()> {
        if self.closed.get() {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        self.stream.send(message.encode())
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Ends it: the reader stops at its next turn, the peer sees the end of the stream.
    pub fn close(&self) {
        if !self.closed.replace(true) {
            self.stream.shutdown_send();
        }
    }

    /// Reads the lane until it is lost or closed.
    pub async fn run(self: Rc<Self>, core: Rc<ReplicationCore>, mut decoder: Decoder) {
        let mut pulse = Pulse::new(ASK_EVERY, SILENCE_MAX, core.now());
        let why = loop {
            if self.closed.get() {
                return;
            }
            let until = match pulse.beat(core.now()) {
                Beat::Dead => break "it has been silent for too long".to_owned(),
                Beat::Ask => {
                    pulse.asked(core.now());
                    if let Err(e) = self.send(&Message::Ping) {
                        break e.to_string();
                    }
                    continue;
                }
                Beat::Until(until) => {
                    Instant::from_nanos(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX))
                }
            };
            match core
                .rt
                .timeout(until, dial::next_message(&self.stream, &mut decoder))
                .await
            {
                Err(_) => {}
                Ok(Err(why)) => break why,
                Ok(Ok(message)) => {
                    pulse.heard(core.now());
                    match message {
                        Message::Alive => {}
                        Message::Ack(ack) => {
                            if believable(&ack, GroupSeq::NONE, core.shared.formed()) {
                                core.acknowledged(&self.words, &ack);
                            } else {
                                break format!(
                                    "it acknowledged group {}, which it was never sent",
                                    ack.durable
                                );
                            }
                        }
                        message if core.home.is_some() => {
                            core.said(self.words.id, self.session, message)
                        }
                        _ => break "it said on a lane what belongs to the session".to_owned(),
                    }
                }
            }
        };
        if !self.closed.get() {
            self.close();
            let lost = Mail::LaneLost {
                replica: self.words.id,
                session: self.session,
                why,
            };
            core.shared.send(HOME, lost);
        }
    }
}

impl ReplicationCore {
    /// On a core other than home: opens this core's lane of a session.
    pub(crate) fn open_lane(
        self: &Rc<Self>,
        words: Arc<ReplicaWords>,
        session: u64,
        address: SocketAddr,
        pin: Fingerprint,
    ) {
        let core = self.clone();
        self.rt.spawn(Priority::Latency, async move {
            let replica = words.id;
            if let Err(why) = core.clone().join(words, session, address, pin).await {
                core.shared.send(
                    HOME,
                    Mail::LaneLost {
                        replica,
                        session,
                        why,
                    },
                );
            }
        });
    }

    async fn join(
        self: Rc<Self>,
        words: Arc<ReplicaWords>,
        session: u64,
        address: SocketAddr,
        pin: Fingerprint,
    ) -> Result<(), String> {
        let key = self.shared.record().key;
        let config = &self.shared.config;
        let dialled = match dial::address(
            &self.rt,
            address,
            &key,
            Some(pin),
            config.bolt_port,
            GREETING_MAX,
        )
        .await
        {
            Ok(dialled) => dialled,
            Err(dial::DialError::Own) => return Err("the endpoint is this instance".into()),
            Err(dial::DialError::Failed(why)) => return Err(why),
        };
        let lane = self.rt.core().0;
        dialled
            .stream
            .send(Message::Join { session, lane }.encode())
            .map_err(|e| e.to_string())?;
        let mut decoder = Decoder::new(Admission::Plain);
        let answer = dial::next_message(&dialled.stream, &mut decoder);
        match self.rt.timeout(self.rt.now() + GREETING_MAX, answer).await {
            Ok(Ok(Message::Joined)) => {}
            Ok(Ok(Message::Refused { text, .. })) => return Err(text),
            Ok(Ok(other)) => return Err(format!("it answered a join with {other:?}")),
            Ok(Err(why)) => return Err(why),
            Err(_) => return Err("it did not answer a join".into()),
        }
        let local = self.local(words.id).ok_or("the replica was dropped")?;
        let lane = Lane::new(words, session, dialled.stream, self.lane_share());
        if let Some(old) = local.lane.borrow_mut().replace(lane.clone()) {
            old.close();
        }
        let joined = Mail::LaneJoined {
            replica: lane.words.id,
            session,
        };
        self.rt
            .spawn(Priority::Latency, lane.run(self.clone(), decoder));
        self.shared.send(HOME, joined);
        Ok(())
    }

    /// A lane's share of the replica's queue.
    pub(crate) fn lane_share(&self) -> usize {
        self.shared.config.queue_bytes / usize::from(self.rt.cores())
    }

    /// The session has ended.
    pub(crate) fn close_lane(&self, replica: u64, session: u64) {
        if let Some(local) = self.local(replica) {
            let mut lane = local.lane.borrow_mut();
            if lane.as_ref().is_some_and(|lane| lane.session == session) {
                lane.take().expect("looked at").close();
            }
        }
    }
}
