//! The loop that keeps a server busy.
//!
//! One thread, many nonblocking connections, one epoll (through `mio`, edge-triggered): the tool must
//! cost far less than what it measures. A closed loop sends a request for each that was answered; an
//! open loop sends when its [`Schedule`] says, whatever the server does.
//!
//! Connections that a query has for itself come first and are in a closed loop, whatever the others do.
//!
//! Always holds: a connection has at most `depth` requests in flight; latency counts from the intended
//! start; a request belongs to the measurement if it was meant to start inside of the window, and is
//! waited for after the window's end.
//!
//! Left to others: opening connections ([`super::target`]), bytes ([`super::wire`]), printing
//! ([`super::report`]).

use super::measure::Measurement;
use super::random::Random;
use super::schedule::Schedule;
use super::wire::{Reply, Wire};
use super::workload::{Literal, Workload};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// What decides when a request is sent.
#[derive(Clone, Debug)]
pub enum Pace {
    /// When an earlier one was answered.
    Closed,
    /// At the times of a schedule.
    Open(Schedule),
}

/// How long and how much.
#[derive(Clone, Debug)]
pub struct Plan {
    pub pace: Pace,
    /// Requests in flight on one connection, at least 1.
    pub depth: usize,
    /// Time before the window; its requests are sent and forgotten.
    pub warmup: Duration,
    /// Length of the window.
    pub window: Duration,
    /// Stop after so many requests, even if the window is longer.
    pub requests_max: Option<u64>,
    /// How long answers are waited for after the last request.
    pub drain: Duration,
    /// Whether answers are waited for awake, so that no latency holds the time this thread takes to wake up.
    pub spin: bool,
}

/// An edge of the measured window, told to the caller so that it can read CPU times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Begin,
    End,
}

/// A connection and what it has in flight.
struct Connection {
    stream: TcpStream,
    wire: Wire,
    /// Bytes to send; those before `sent` are gone.
    out: Vec<u8>,
    sent: usize,
    in_flight: VecDeque<InFlight>,
    alive: bool,
    /// The query that this connection asks, and no other: always in a closed loop.
    own: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    query: usize,
    intended_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Warmup,
    Window,
    Drain,
}

/// Bytes read from one connection at once.
const INPUT_BYTES: usize = 256 << 10;
/// epoll waits in whole milliseconds; shorter waits are spun.
const WAIT_STEP: Duration = Duration::from_millis(1);
/// Longest wait, so that the ends of phases are seen in time.
const WAIT_MAX: Duration = Duration::from_millis(5);

/// Drives `connections` (each after its login) through `plan`. `edge` is called as the window begins
/// and ends. Fails if epoll does, if every connection is lost, or if the queries have more connections for themselves than there are.
pub fn drive(
    connections: Vec<(std::net::TcpStream, Wire)>,
    workload: &mut Workload,
    seed: u64,
    plan: Plan,
    edge: &mut dyn FnMut(Edge),
) -> io::Result<Measurement> {
    let poll = Poll::new()?;
    let owners = owners(workload, connections.len())?;
    let mut list = Vec::with_capacity(connections.len());
    for (index, (stream, wire)) in connections.into_iter().enumerate() {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(index), interest)?;
        list.push(Connection {
            stream,
            wire,
            out: Vec::new(),
            sent: 0,
            in_flight: VecDeque::new(),
            alive: true,
            own: owners.get(index).copied(),
        });
    }
    let names = workload.queries.iter().map(|q| q.name.clone()).collect();
    Driver {
        poll,
        free: (owners.len()..list.len()).collect(),
        connections: list,
        random: Random::new(seed),
        measurement: Measurement::new(names),
        start: Instant::now(),
        phase: Phase::Warmup,
        window_begin_ns: plan.warmup.as_nanos() as u64,
        window_end_ns: u64::MAX,
        plan,
        workload,
        issued: 0,
        values: Vec::new(),
        replies: Vec::new(),
        input: vec![0; INPUT_BYTES],
    }
    .run(edge)
}

/// The query of each connection that asks only one, those connections first.
fn owners(workload: &Workload, connections: usize) -> io::Result<Vec<usize>> {
    let owners: Vec<usize> = workload
        .queries
        .iter()
        .enumerate()
        .flat_map(|(index, query)| std::iter::repeat_n(index, query.connections as usize))
        .collect();
    let reason = match owners.len() {
        own if own > connections => "fewer connections than queries have for themselves",
        own if own < connections && !workload.has_mix() => {
            "more connections than queries have for themselves"
        }
        _ => return Ok(owners),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

struct Driver<'w> {
    poll: Poll,
    connections: Vec<Connection>,
    /// Connections with room for a request, those waiting longest first (open loop).
    free: VecDeque<usize>,
    workload: &'w mut Workload,
    random: Random,
    plan: Plan,
    phase: Phase,
    start: Instant,
    window_begin_ns: u64,
    window_end_ns: u64,
    issued: u64,
    measurement: Measurement,
    values: Vec<Literal>,
    replies: Vec<Reply>,
    input: Vec<u8>,
}

impl Driver<'_> {
    fn run(mut self, edge: &mut dyn FnMut(Edge)) -> io::Result<Measurement> {
        let mut events = Events::with_capacity(1024);
        self.begin_window_if_due(edge);
        let now_ns = self.now_ns();
        for index in 0..self.connections.len() {
            if self.is_closed_loop(index) {
                self.fill(index, now_ns);
                self.flush(index);
            }
        }
        let mut drain_deadline = None;
        loop {
            self.begin_window_if_due(edge);
            let now_ns = self.now_ns();
            let exhausted = self.plan.requests_max.is_some_and(|max| self.issued >= max);
            if self.phase == Phase::Window && (now_ns >= self.window_end_ns || exhausted) {
                // A counted run is measured up to its last answer.
                if !exhausted || self.in_flight() == 0 {
                    self.end_window(now_ns, edge);
                }
                if self.phase == Phase::Drain {
                    drain_deadline = Some(Instant::now() + self.plan.drain);
                }
            }
            if self.phase == Phase::Drain {
                let in_flight = self.in_flight();
                if in_flight == 0 {
                    break;
                }
                if drain_deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    self.measurement.unanswered = in_flight as u64;
                    break;
                }
            } else {
                if self.connections.iter().all(|connection| !connection.alive) {
                    return Err(io::Error::new(
                        io::ErrorKind::ConnectionReset,
                        format!("every connection is lost{}", self.measurement.first_error()),
                    ));
                }
                self.send_what_is_due(now_ns);
            }
            self.poll_once(&mut events)?;
        }
        Ok(self.measurement)
    }

    fn begin_window_if_due(&mut self, edge: &mut dyn FnMut(Edge)) {
        let now_ns = self.now_ns();
        if self.phase == Phase::Warmup && now_ns >= self.window_begin_ns {
            self.phase = Phase::Window;
            self.window_begin_ns = now_ns;
            self.window_end_ns = now_ns.saturating_add(self.plan.window.as_nanos() as u64);
            edge(Edge::Begin);
        }
    }

    fn end_window(&mut self, now_ns: u64, edge: &mut dyn FnMut(Edge)) {
        edge(Edge::End);
        self.phase = Phase::Drain;
        self.window_end_ns = now_ns;
        self.measurement.window = Duration::from_nanos(now_ns - self.window_begin_ns);
        if let Pace::Open(schedule) = &self.plan.pace {
            self.measurement.unsent = schedule.overdue(now_ns);
        }
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn in_flight(&self) -> usize {
        self.connections.iter().map(|c| c.in_flight.len()).sum()
    }

    fn is_closed_loop(&self, index: usize) -> bool {
        matches!(self.plan.pace, Pace::Closed) || self.connections[index].own.is_some()
    }

    /// Open loop: gives every request whose time has come to a connection with room.
    fn send_what_is_due(&mut self, now_ns: u64) {
        while let Some(&index) = self.free.front() {
            let Pace::Open(schedule) = &mut self.plan.pace else {
                return;
            };
            if !self.connections[index].alive {
                self.free.pop_front();
                continue;
            }
            if self.plan.requests_max.is_some_and(|max| self.issued >= max) {
                return;
            }
            let Some(intended_ns) = schedule.due(now_ns) else {
                return;
            };
            self.free.pop_front();
            self.issue(index, intended_ns);
            self.flush(index);
            if self.connections[index].in_flight.len() < self.plan.depth {
                self.free.push_back(index);
            }
        }
    }

    /// Closed loop: brings a connection up to its depth.
    fn fill(&mut self, index: usize, now_ns: u64) {
        while self.phase != Phase::Drain
            && self.connections[index].alive
            && self.connections[index].in_flight.len() < self.plan.depth
            && self.plan.requests_max.is_none_or(|max| self.issued < max)
        {
            self.issue(index, now_ns);
        }
    }

    fn issue(&mut self, index: usize, intended_ns: u64) {
        let query = match self.connections[index].own {
            Some(query) => query,
            None => self.workload.choose(&mut self.random),
        };
        self.workload
            .next_parameters(query, &mut self.random, &mut self.values);
        let connection = &mut self.connections[index];
        connection.wire.request(
            &self.workload.queries[query],
            &self.values,
            &mut connection.out,
        );
        connection
            .in_flight
            .push_back(InFlight { query, intended_ns });
        self.issued += 1;
    }

    fn poll_once(&mut self, events: &mut Events) -> io::Result<()> {
        let timeout = match (&self.plan.pace, self.phase) {
            _ if self.plan.spin => Duration::ZERO,
            (Pace::Open(schedule), Phase::Warmup | Phase::Window) if !self.free.is_empty() => {
                let ahead_ns = schedule.next_ns().saturating_sub(self.now_ns());
                let ahead = Duration::from_nanos(ahead_ns);
                match ahead.checked_sub(WAIT_STEP) {
                    Some(wait) if wait >= WAIT_STEP => wait.min(WAIT_MAX),
                    _ => Duration::ZERO,
                }
            }
            _ => WAIT_MAX,
        };
        match self.poll.poll(events, Some(timeout)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        for event in events.iter() {
            let index = event.token().0;
            if event.is_readable() {
                self.read(index);
            }
            self.flush(index);
        }
        Ok(())
    }

    fn read(&mut self, index: usize) {
        loop {
            let connection = &mut self.connections[index];
            if !connection.alive {
                return;
            }
            let read = match connection.stream.read(&mut self.input) {
                Ok(0) => return self.lose(index, "the server closed the connection"),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.lose(index, &error.to_string()),
            };
            let received = connection.wire.receive(
                &self.input[..read],
                &mut connection.out,
                &mut self.replies,
            );
            self.count_replies(index);
            if let Err(error) = received {
                return self.lose(index, &error.to_string());
            }
            // A short read has emptied a stream's receive queue (epoll(7)); a new edge will come.
            if read < self.input.len() {
                return;
            }
        }
    }

    fn count_replies(&mut self, index: usize) {
        let now_ns = self.now_ns();
        let mut replies = std::mem::take(&mut self.replies);
        for reply in replies.drain(..) {
            let connection = &mut self.connections[index];
            let full = connection.in_flight.len() == self.plan.depth;
            let Some(request) = connection.in_flight.pop_front() else {
                return self.lose(index, "an answer to nothing");
            };
            let closed_loop = matches!(self.plan.pace, Pace::Closed) || connection.own.is_some();
            if full && !closed_loop {
                self.free.push_back(index);
            }
            let in_window = self.phase != Phase::Warmup
                && (self.window_begin_ns..self.window_end_ns).contains(&request.intended_ns);
            let rows = self.workload.queries[request.query].rows;
            self.measurement.record(
                request.query,
                &reply,
                rows,
                in_window.then(|| now_ns.saturating_sub(request.intended_ns)),
                self.phase == Phase::Window,
            );
        }
        self.replies = replies;
        if self.is_closed_loop(index) {
            self.fill(index, now_ns);
        }
    }

    fn flush(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        while connection.alive && connection.sent < connection.out.len() {
            match connection.stream.write(&connection.out[connection.sent..]) {
                Ok(0) => return self.lose(index, "the server takes no more"),
                Ok(written) => connection.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.lose(index, &error.to_string()),
            }
        }
        connection.out.clear();
        connection.sent = 0;
    }

    /// Gives a connection up; what it had in flight has failed.
    fn lose(&mut self, index: usize, reason: &str) {
        let connection = &mut self.connections[index];
        connection.alive = false;
        let lost = std::mem::take(&mut connection.in_flight);
        let reply = Reply::Failed {
            code: format!("connection lost: {reason}"),
        };
        for request in lost {
            self.measurement
                .record(request.query, &reply, None, None, true);
        }
        self.measurement.connections_lost += 1;
        let _ = self
            .poll
            .registry()
            .deregister(&mut self.connections[index].stream);
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::EchoWire;
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// An echo server of `count` connections; answers each read at once, or closes after
    /// `bytes_max` bytes.
    fn echo(count: usize, bytes_max: usize) -> Vec<(std::net::TcpStream, Wire)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (0..count)
            .map(|_| {
                let client = std::net::TcpStream::connect(address).unwrap();
                let (mut server, _) = listener.accept().unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    let mut total = 0;
                    while let Ok(read @ 1..) = server.read(&mut buffer) {
                        total += read;
                        if total > bytes_max || server.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                });
                (client, Wire::Echo(EchoWire::new(Some(16))))
            })
            .collect()
    }

    fn plan(pace: Pace, requests_max: Option<u64>) -> Plan {
        Plan {
            pace,
            depth: 4,
            warmup: Duration::ZERO,
            window: Duration::from_millis(300),
            requests_max,
            drain: Duration::from_secs(5),
            spin: false,
        }
    }

    #[test]
    fn a_closed_loop_answers_exactly_the_requests_it_was_given() {
        let mut edges = Vec::new();
        let measured = drive(
            echo(3, usize::MAX),
            &mut Workload::single("x"),
            1,
            plan(Pace::Closed, Some(1000)),
            &mut |edge| edges.push(edge),
        )
        .unwrap();
        let total = measured.total();
        assert_eq!((total.completed, total.failed), (1000, 0));
        assert_eq!(total.latency_ns.len(), 1000);
        assert_eq!(edges, [Edge::Begin, Edge::End]);
    }

    #[test]
    fn an_open_loop_sends_what_its_schedule_says_and_no_more() {
        let measured = drive(
            echo(2, usize::MAX),
            &mut Workload::single("x"),
            1,
            plan(Pace::Open(Schedule::even(1000.0)), None),
            &mut |_| {},
        )
        .unwrap();
        let total = measured.total();
        // 300 ms at 1,000 a second, whatever the machine's speed; those that found no room are said.
        let sent = total.latency_ns.len() + measured.unsent;
        assert!((299..=320).contains(&sent), "{sent}");
        assert_eq!(total.failed, 0);
    }

    #[test]
    fn waiting_awake_answers_the_same_requests() {
        let plan = Plan {
            spin: true,
            ..plan(Pace::Closed, Some(100))
        };
        let connections = echo(2, usize::MAX);
        let mut workload = Workload::single("x");
        let measured = drive(connections, &mut workload, 1, plan, &mut |_| {}).unwrap();
        assert_eq!(measured.total().completed, 100);
    }

    #[test]
    fn a_query_with_connections_of_its_own_leaves_the_others_their_pace() {
        let workload = "[[query]]\nname = 'own'\ntext = 'x'\nconnections = 1\n[[query]]\nname = 'mix'\ntext = 'y'";
        let mut workload = Workload::parse(workload).unwrap();
        let pace = || Pace::Open(Schedule::even(1000.0));
        let measured = drive(
            echo(3, usize::MAX),
            &mut workload,
            1,
            plan(pace(), None),
            &mut |_| {},
        )
        .unwrap();
        let [own, mix] = measured.queries.as_slice() else {
            panic!()
        };
        assert!((299..=320).contains(&(mix.latency_ns.len() + measured.unsent)));
        assert!(own.completed > 0 && own.failed == 0);
        workload.queries[0].connections = 4;
        let few = drive(
            echo(3, 0),
            &mut workload,
            1,
            plan(pace(), None),
            &mut |_| {},
        );
        assert_eq!(few.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_lost_connection_fails_its_requests_and_the_others_go_on() {
        let mut connections = echo(1, 160);
        connections.extend(echo(1, usize::MAX));
        let measured = drive(
            connections,
            &mut Workload::single("x"),
            1,
            plan(Pace::Closed, None),
            &mut |_| {},
        )
        .unwrap();
        assert_eq!(measured.connections_lost, 1);
        let total = measured.total();
        assert!(total.failed > 0 && total.completed > 10);
    }

    #[test]
    fn when_every_connection_is_lost_the_run_ends_with_the_reason() {
        let error = drive(
            echo(2, 0),
            &mut Workload::single("x"),
            1,
            plan(Pace::Closed, None),
            &mut |_| {},
        )
        .unwrap_err();
        assert!(error.to_string().contains("every connection is lost"));
    }
}
