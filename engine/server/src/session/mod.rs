//! A Bolt session: one connection from login to its end.
//!
//! Owns what a connection is to the engine: its protocol state, its transaction, its open streams, its answers not yet
//! sent. Started by the listener, one task a connection, on the core that the connection was dealt to. What always holds:
//!
//! - Requests are answered in the order of their arrival; what can be done without waiting is done while the request still
//!   lies in the receive buffer, and that buffer goes back to the ring before anything waits ([`Work`]).
//! - While something runs or waits, the socket is read: a RESET cancels what has no commit number yet, GOODBYE and the end
//!   of the stream too.
//! - After a failure nothing of its transaction is left. After the number a commit is never rolled back.
//! - Answers that rest on commits not yet durable leave when those are ([`Session::flush`]).
//!
//! Reading order: this file (the loop, what is common to all requests, transactions), `stream` (queries and their rows),
//! `statement` (admin statements), `settle` (commits), `answer` (failures and summaries), then `login`, `route`, `intake`,
//! `transport`, `greeting`.

mod advice;
mod answer;
pub(crate) mod greeting;
mod intake;
mod load;
mod login;
mod route;
mod settle;
mod statement;
mod stream;
#[cfg(feature = "test-procedures")]
mod test_procedure;
pub(crate) mod transport;

use crate::bookmark::{Bookmark, BookmarkWriter};
use crate::dialect::{self, Dialect};
use crate::isolation::Chosen;
use crate::listener::unless_stopping;
use crate::node::{Node, is_database};
use crate::open::{Open, OpenTransaction};
use crate::wire::parameter;
use crate::wire::record::SEND_BYTES;
use answer::Refused;
use intake::{Arrived, Intake, Notices};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::ids::CommitSeq;
use quoit_graph::value::Value;
use quoit_graph::{Access, Isolation, Txn};
use quoit_protocol::chunk::MESSAGE_LEN_BEFORE_LOGIN;
use quoit_protocol::handshake::Agreement;
use quoit_protocol::message::notification::NotificationFilter;
use quoit_protocol::message::{AccessMode, Bookmarks, Request, RequestError, TransactionExtra};
use quoit_protocol::packstream::Limits;
use quoit_protocol::state::{self, State, Verdict};
use quoit_protocol::{SendBuffer, WireFormat};
use quoit_query::parallel::Awaited;
use quoit_replication::Role;
use quoit_rt::Instant;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use stream::Stream;
use transport::{Received, Transport};

/// How long a client may take from LOGOFF to its next LOGON.
const LOGIN_TIME: Duration = Duration::from_secs(30);

/// A byte (a NOOP at least) goes out this often while a request is pending, from Bolt 5.0 on.
const NOOP_INTERVAL: Duration = Duration::from_secs(50);

/// What drivers are told about that, in seconds: two missed NOOPs and some patience.
const RECV_TIMEOUT_S: u32 = 120;

/// How long a transaction waits for its bookmarks; its own time limit counts if that is shorter.
const BOOKMARK_TIME: Duration = Duration::from_secs(30);

/// What runs longer asks whether others wait (design D1: long work looks at most 100 µs apart).
pub(crate) const TURN: Duration = Duration::from_micros(100);

/// Rows are not produced while more than this is unsent, in bytes...
const UNSENT_HIGH: usize = 512 << 10;
/// ... until it has fallen to this.
const UNSENT_LOW: usize = 128 << 10;

/// A client that leaves more than [`UNSENT_HIGH`] unread for so long is taken for gone.
const STALL_TIME: Duration = Duration::from_secs(15 * 60);

/// How long a client may take to read the last answers of its connection...
const LINGER: Duration = Duration::from_secs(5);
/// ... when the server stops: idle clients of a pool do not look.
const STOP_LINGER: Duration = Duration::from_millis(200);

/// The longest time limit; a client may ask for any 64-bit number of milliseconds.
const TIMEOUT_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Statements of one transaction whose rows have not been fetched to their end.
const STREAMS_MAX: usize = 1_000;

/// One connection.
pub(crate) struct Session {
    node: Rc<Node>,
    /// The address that the client has reached.
    local: SocketAddr,
    state: state::Session,
    /// The version was agreed by manifest.
    manifest: bool,
    /// When a client that has not logged in is turned away.
    login_deadline: Instant,
    /// When the clock was last looked at: no later than the request at work was taken up, and again where its work takes long.
    now: Instant,
    /// Whether the client may send large messages.
    large: bool,
    out: SendBuffer,
    limits: Limits,
    dialect: Dialect,
    filter: NotificationFilter,
    /// What it has open, for those who look at transactions and stop them.
    open: Rc<Open>,
    /// The isolation levels that its client has chosen.
    isolation: Chosen,
    /// The address that a `neo4j://` client dialled; absent for `bolt://`.
    dialled: Option<String>,
    transaction: Option<Transaction>,
    streams: SmallVec<[Stream; 1]>,
    next_qid: u64,
    /// What the stream that went last can do nothing without: other cores have to send it.
    awaited: Option<Awaited>,
    /// What the request that was accepted last still needs.
    pending: Option<Work>,
    /// Answers in `out` rest on commits up to this one: they leave when it is durable.
    hold: CommitSeq,
    /// Makes the texts of bookmarks.
    bookmarks: BookmarkWriter,
    /// Why the transaction that the client believes in is not there any more.
    loss: Loss,
    /// Memory of an earlier query's text, for the next one.
    spare_text: Option<Rc<String>>,
}

/// A transaction of this session: opened by BEGIN, or that of the one auto-commit stream.
struct Transaction {
    txn: Txn,
    explicit: bool,
    access: AccessMode,
    deadline: Option<Instant>,
    filter: NotificationFilter,
    open: OpenTransaction,
}

/// What became of a transaction while its client said nothing; the client is told at its next request.
#[derive(Clone, Copy)]
enum Loss {
    TimedOut,
    Stopped,
}

/// Options of a transaction, taken over from the request.
#[derive(Clone)]
struct TransactionOptions {
    access: AccessMode,
    timeout: Option<Duration>,
    filter: NotificationFilter,
    /// Shown with the transaction: a map, or null.
    metadata: Value,
}

/// What follows a request.
enum Next {
    /// The next request.
    Go,
    /// [`Session::pending`] has to be done first.
    Work,
    /// The same request again, when it has waited for a commit.
    Later(Later),
    /// The end of the connection, after what is in the send buffer.
    Close,
}

/// A request that waits for a commit to become visible here.
struct Later {
    commit: CommitSeq,
    /// How long at most.
    patience: Duration,
    /// The request; [`Session::handle`] puts it in.
    message: Box<[u8]>,
}

/// What must wait, and therefore is not done while a request lies in the receive buffer.
enum Work {
    /// Go on with a stream that was interrupted between two batches.
    Stream { qid: u64 },
    /// Begin an auto-commit statement again that met a conflict.
    Retry { qid: u64, isolation: Isolation },
    /// Do what a stream waits for.
    Wait { qid: u64, wait: quoit_query::Wait },
    /// Wait for a commit, then answer.
    Settle(settle::Settle),
    /// Wait until the log has room for the transaction, then commit it.
    Room(settle::Ask),
    /// Run the transaction's open streams to their end, then commit.
    Finish(settle::Ask),
    /// Run an admin statement, then answer RUN.
    Admin(statement::AdminRun),
}

/// Serves a connection to its end. `login_deadline`: when the client is turned away unless it has logged in.
pub(crate) async fn serve(
    node: Rc<Node>,
    mut transport: Transport,
    agreement: Agreement,
    login_deadline: Instant,
) {
    let rt = node.rt.clone();
    let mut session = Session::new(node, &transport, agreement, login_deadline);
    let mut intake = Intake::new(&rt, session.open.clone());
    session.converse(&mut intake, &mut transport).await;
    // Whatever is still open is rolled back here; then the last answers leave.
    session.rollback();
    session.flush(&mut intake, &mut transport).await;
    drop(session);
    if intake.urgent.stopping {
        let _ = rt
            .timeout(rt.now() + STOP_LINGER, greeting::close(transport))
            .await;
    } else {
        let _ = unless_stopping(
            &rt,
            rt.timeout(rt.now() + LINGER, greeting::close(transport)),
        )
        .await;
    }
}

impl Session {
    fn new(
        node: Rc<Node>,
        transport: &Transport,
        agreement: Agreement,
        login_deadline: Instant,
    ) -> Session {
        let version = agreement.version;
        Session {
            open: node.sessions.register(),
            now: node.rt.now(),
            node,
            local: transport.stream().local_addr(),
            state: state::Session::new(version),
            manifest: agreement.manifest,
            login_deadline,
            large: false,
            out: SendBuffer::new(WireFormat::new(version)),
            limits: Limits::BEFORE_LOGIN,
            dialect: if version.major() >= 5 {
                Dialect::Neo4j
            } else {
                Dialect::Memgraph
            },
            filter: NotificationFilter::default(),
            isolation: Chosen::default(),
            dialled: None,
            transaction: None,
            streams: SmallVec::new(),
            next_qid: 0,
            awaited: None,
            pending: None,
            hold: CommitSeq(0),
            bookmarks: BookmarkWriter::default(),
            loss: Loss::TimedOut,
            spare_text: None,
        }
    }

    /// Takes requests until the connection is over.
    async fn converse(&mut self, intake: &mut Intake, transport: &mut Transport) {
        let rt = self.node.rt.clone();
        loop {
            let mut turn_ends = None;
            loop {
                // Before the next request: it may have been queued in front of a RESET.
                self.take_notice(intake);
                let Some(message) = intake.queue.pop() else {
                    break;
                };
                self.now = rt.now();
                // A long pipeline of short requests is long work too.
                let end = *turn_ends.get_or_insert(self.now + TURN);
                let next = self.handle(message);
                self.adjust_limits(intake, transport);
                if !self.follow(next, intake, transport).await {
                    return;
                }
                if self.now >= end {
                    rt.yield_if_needed().await;
                    turn_ends = None;
                }
            }
            if let Some(error) = intake.urgent.too_large {
                self.violate(&error.to_string(), "08N11");
                return;
            }
            if intake.urgent.is_over() {
                return;
            }
            self.flush(intake, transport).await;
            self.make_room(intake, transport).await;
            // Requests may have been queued while the answers waited.
            if intake.has_news() {
                continue;
            }
            let Some(received) = self.wait_for_input(intake, transport).await else {
                return;
            };
            if !self.take_in(received, intake, transport).await {
                return;
            }
        }
    }

    /// Handles what has arrived where it lies, as far as that goes without waiting; queues the rest, and goes on with what
    /// must wait. False at the end of the connection.
    async fn take_in(
        &mut self,
        mut received: Received,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> bool {
        self.now = self.node.rt.now();
        let turn_ends = self.now + TURN;
        let mut input = &mut received[..];
        loop {
            let message = match intake.dechunker.next(&mut input) {
                Ok(Some(message)) => message,
                Ok(None) => return true,
                Err(error) => {
                    intake.urgent.too_large = Some(error);
                    return true;
                }
            };
            let taken_up = self.now;
            let next = self.handle(message);
            self.adjust_limits(intake, transport);
            let goes_on = matches!(next, Next::Go) && self.out.len() < SEND_BYTES;
            // Most requests have looked at the clock themselves.
            if goes_on && !input.is_empty() && self.now == taken_up {
                self.now = self.node.rt.now();
            }
            if !goes_on || (!input.is_empty() && self.now >= turn_ends) {
                // The rest waits in the queue, so that the buffer goes back to the ring before we do.
                intake.enqueue(input);
                drop(received);
                return self.follow(next, intake, transport).await;
            }
        }
    }

    /// Lets a client send large messages while it is logged in, and only then.
    fn adjust_limits(&mut self, intake: &mut Intake, transport: &mut Transport) {
        let large = self.state.is_logged_in();
        if large == self.large || self.state.state() == State::Closed {
            return;
        }
        self.large = large;
        let bytes_max = if large {
            self.node.options.message_bytes_max
        } else {
            MESSAGE_LEN_BEFORE_LOGIN
        };
        self.limits = if large {
            Limits::AFTER_LOGIN.with_uuid(self.out.format().version().has_uuid())
        } else {
            Limits::BEFORE_LOGIN
        };
        intake.dechunker.set_limit(bytes_max);
        transport.set_limit(bytes_max);
    }

    /// Does what a request asked for besides its immediate answer; false at the end of the connection.
    async fn follow(
        &mut self,
        mut next: Next,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> bool {
        while let Next::Later(later) = next {
            let reached = self.await_visible(&later, intake, transport).await;
            self.take_notice(intake);
            if intake.urgent.gone {
                return false;
            }
            self.now = self.node.rt.now();
            next = if reached || self.state.state() == State::Interrupted {
                self.handle(&later.message)
            } else if intake.urgent.stopping {
                self.fail(
                    &Error::of(ErrorKind::Unavailable, "the server is shutting down"),
                    None,
                );
                Next::Go
            } else {
                self.refuse(
                    Refused::BOOKMARK_TIMEOUT,
                    "the bookmarked commit has not arrived here in time",
                );
                Next::Go
            };
        }
        match next {
            Next::Close => return false,
            Next::Go | Next::Later(_) => {}
            Next::Work => {
                while let Some(work) = self.pending.take() {
                    self.perform(work, intake, transport).await;
                    if intake.urgent.gone {
                        return false;
                    }
                }
                self.take_notice(intake);
            }
        }
        if self.out.len() >= SEND_BYTES {
            self.flush(intake, transport).await;
            self.make_room(intake, transport).await;
        }
        !self.node.rt.shutting_down() && self.state.state() != State::Closed
    }

    /// Waits until a commit is visible here, as long as the request allows and until something urgent arrives.
    async fn await_visible(
        &mut self,
        later: &Later,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> bool {
        self.flush(intake, transport).await;
        let node = self.node.clone();
        let visible = async {
            // A replica's watermark moves by itself; a poll a millisecond is far below a round trip's worth of work.
            while node.core.graph().door().visible() < later.commit {
                node.rt.sleep(Duration::from_millis(1)).await;
            }
        };
        let limited = node.rt.timeout(node.rt.now() + later.patience, visible);
        matches!(
            intake
                .attend_until(transport, Notices::interrupt, limited)
                .await,
            Some(Ok(()))
        )
    }

    /// Waits while the client leaves too much unread. One that does so for [`STALL_TIME`] is taken for gone.
    async fn make_room(&mut self, intake: &mut Intake, transport: &mut Transport) {
        let socket = transport.stream();
        if socket.unsent() <= UNSENT_HIGH {
            return;
        }
        let rt = self.node.rt.clone();
        let drained = rt.timeout(rt.now() + STALL_TIME, socket.send_drained(UNSENT_LOW));
        match intake
            .attend_until(transport, Notices::is_over, drained)
            .await
        {
            Some(Ok(Ok(()))) | None => {}
            Some(Ok(Err(_)) | Err(_)) => intake.urgent.gone = true,
        }
    }

    /// Runs `work`, which cannot be given up, to its end, with a sign of life to the client when it takes long.
    async fn attend<F: Future>(
        &mut self,
        intake: &mut Intake,
        transport: &mut Transport,
        work: F,
    ) -> F::Output {
        let rt = self.node.rt.clone();
        let mut work = pin!(work);
        loop {
            let deadline = rt.now() + NOOP_INTERVAL;
            if let Ok(output) = rt
                .timeout(deadline, intake.attend(transport, work.as_mut()))
                .await
            {
                return output;
            }
            self.say_alive(intake, transport);
        }
    }

    /// Sends a NOOP, ahead of answers that wait for their commits.
    fn say_alive(&mut self, intake: &mut Intake, transport: &mut Transport) {
        if self.out.format().version().server_may_send_noop() && transport.send(vec![0, 0]).is_err()
        {
            intake.urgent.gone = true;
        }
    }

    /// The next bytes; `None` at the end of the stream, when the login takes too long, and at shutdown.
    async fn wait_for_input(
        &mut self,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> Option<Received> {
        let rt = self.node.rt.clone();
        loop {
            let logged_in = self.state.is_logged_in();
            let deadline = match &self.transaction {
                _ if !logged_in => Some(self.login_deadline),
                Some(transaction) => transaction.deadline,
                None => None,
            };
            let input = intake.input(transport);
            let arrived = match deadline {
                None => Ok(input.await),
                // Bytes that keep coming would win over it for ever.
                Some(deadline) if !logged_in && deadline <= rt.now() => return None,
                Some(deadline) => rt.timeout(deadline, input).await,
            };
            // Where the time is up, or an operator stops it, while the client says nothing, the transaction goes now, and the client is
            // told at its next request.
            self.loss = match arrived {
                Ok(Arrived::Bytes(received)) => return Some(received),
                Ok(Arrived::Over) => return None,
                Err(_) if !logged_in => return None,
                Err(_) => Loss::TimedOut,
                Ok(Arrived::Stop) => Loss::Stopped,
            };
            self.rollback();
        }
    }

    /// Sends what was answered, after the commits it rests on are durable.
    async fn flush(&mut self, intake: &mut Intake, transport: &mut Transport) {
        if self.out.is_empty() {
            return;
        }
        if self.hold > self.node.core.graph().door().visible() {
            let node = self.node.clone();
            let hold = self.hold;
            if intake
                .attend(transport, node.log_core.durable(hold))
                .await
                .is_err()
            {
                // The log has stopped: what rests on it may never have happened, so nobody is told.
                self.out.clear();
                intake.urgent.gone = true;
                return;
            }
        }
        let bytes = self.out.replace(self.node.rt.send_vec());
        if transport.send(bytes).is_err() {
            intake.urgent.gone = true;
        }
    }

    /// Tells the protocol state of RESETs that were queued.
    fn take_notice(&mut self, intake: &mut Intake) {
        for _ in 0..std::mem::take(&mut intake.urgent.resets) {
            self.state.interrupt();
        }
    }

    /// Handles one request as far as it goes without waiting.
    fn handle(&mut self, message: &[u8]) -> Next {
        let version = self.out.format().version();
        let request = match Request::decode(message, version, &self.limits) {
            Ok(request) => request,
            Err(RequestError::Violation(violation)) => {
                self.violate(&violation.to_string(), "08N11");
                return Next::Close;
            }
            Err(RequestError::Field(error)) => {
                return match self.state.on_request(error.request) {
                    Verdict::Accept => {
                        self.fail(
                            &Error::of(ErrorKind::ProtocolError, error.to_string()),
                            None,
                        );
                        if self.state.state() == State::Closed {
                            Next::Close
                        } else {
                            Next::Go
                        }
                    }
                    other => self.unaccepted(other),
                };
            }
        };
        match self.state.on_request(request.kind()) {
            Verdict::Accept => {}
            other => return self.unaccepted(other),
        }
        let mut next = match request {
            Request::Hello(hello) => self.hello(hello),
            Request::Logon(auth) => self.logon(auth),
            Request::Logoff => {
                self.state.logoff_succeeded();
                // Whoever logs in next has chosen nothing.
                self.isolation = Chosen::default();
                self.open.logged_off();
                self.login_deadline = self.node.rt.now() + LOGIN_TIME;
                self.out.plain_success();
                Next::Go
            }
            Request::Telemetry(_) => {
                self.out.plain_success();
                Next::Go
            }
            Request::Run(run) => self.run(run),
            Request::Begin(extra) => self.begin(extra),
            Request::Pull(request) => self.pull(request, stream::Rows::Send),
            Request::Discard(request) => self.pull(request, stream::Rows::Drop),
            Request::Commit => self.commit(settle::Ask::Message),
            Request::Rollback => {
                self.rollback();
                self.state.transaction_ended();
                self.out.plain_success();
                Next::Go
            }
            Request::Route(route) => self.route(route),
            Request::Reset => {
                self.rollback();
                self.state.reset_succeeded();
                self.out.plain_success();
                Next::Go
            }
            Request::Goodbye => Next::Close,
        };
        if let Next::Later(later) = &mut next {
            later.message = message.into();
        }
        next
    }

    fn unaccepted(&mut self, verdict: Verdict) -> Next {
        match verdict {
            Verdict::Ignore => {
                self.out.ignored();
                Next::Go
            }
            Verdict::Violation(wrong) => {
                self.violate(&wrong.to_string(), "08N06");
                Next::Close
            }
            Verdict::Accept | Verdict::Close => Next::Close,
        }
    }

    fn begin(&mut self, extra: TransactionExtra<'_>) -> Next {
        if let Some(next) = self.refuse_unknown_database(&extra) {
            return next;
        }
        if let Some(next) = self.await_bookmarks(extra.bookmarks, extra.timeout_ms) {
            return next;
        }
        let options = match self.options(&extra) {
            Ok(options) => options,
            Err(error) => {
                self.fail(&error, None);
                return Next::Go;
            }
        };
        self.open_explicit(options);
        self.state.begin_succeeded();
        self.out
            .begin_success(extra.database.is_none().then_some(crate::node::DATABASE));
        Next::Go
    }

    fn open_explicit(&mut self, options: TransactionOptions) {
        let access = match options.access {
            AccessMode::Read => Access::Read,
            AccessMode::Write => Access::Write,
        };
        let isolation = self.next_isolation();
        let txn = self.node.core.begin(access, isolation);
        self.transaction = Some(self.transaction(txn, true, options));
        self.next_qid = 0;
    }

    /// The isolation of the transaction that begins now. On a node that is no main what is not committed is not yet to
    /// be shown, not even to those who would read it.
    fn next_isolation(&mut self) -> Isolation {
        match self.isolation.take(&self.node.shared.isolation) {
            Isolation::ReadUncommitted if self.node.replication.role() == Role::Replica => {
                Isolation::ReadCommitted
            }
            level => level,
        }
    }

    fn transaction(&self, txn: Txn, explicit: bool, options: TransactionOptions) -> Transaction {
        let now = self.now;
        Transaction {
            open: self.open.begin(now, Some(txn.snapshot()), options.metadata),
            txn,
            explicit,
            access: options.access,
            deadline: options
                .timeout
                .map(|timeout| now + timeout.min(TIMEOUT_MAX)),
            filter: options.filter,
        }
    }

    /// What a request says about its transaction, checked.
    fn options(&self, extra: &TransactionExtra<'_>) -> Result<TransactionOptions, Error> {
        if let Some(user) = extra.impersonated_user {
            let user = excerpt(user);
            return Err(Error::of(
                ErrorKind::Forbidden,
                format!("impersonating `{user}` is not possible: there are no users"),
            ));
        }
        let server_limit = self.node.options.query_timeout;
        let metadata = match extra.metadata {
            Some(map) if !map.is_empty() => parameter::metadata(map, self.out.format())?,
            _ => Value::Null,
        };
        Ok(TransactionOptions {
            metadata,
            access: extra.mode,
            timeout: match extra.timeout_ms {
                Some(0) => None,
                Some(ms) => Some(Duration::from_millis(ms)),
                None => (!server_limit.is_zero()).then_some(server_limit),
            },
            filter: extra.notifications.over(self.filter),
        })
    }

    /// The failure of a request that names a database which does not exist.
    fn refuse_unknown_database(&mut self, extra: &TransactionExtra<'_>) -> Option<Next> {
        let name = extra.database.filter(|name| !is_database(name))?;
        self.refuse_database(name);
        Some(Next::Go)
    }

    /// What comes before a request with these bookmarks: waiting for their commits, or nothing more after a failure was
    /// answered. `None`: all is here.
    fn await_bookmarks(
        &mut self,
        bookmarks: Bookmarks<'_>,
        timeout_ms: Option<u64>,
    ) -> Option<Next> {
        let mut wanted = CommitSeq(0);
        for text in bookmarks.iter() {
            match Bookmark::parse(text) {
                Ok(bookmark) => {
                    let own = self.node.cluster();
                    if bookmark.cluster != 0 && own != 0 && bookmark.cluster != own {
                        self.refuse(
                            Refused::INVALID_BOOKMARK,
                            &format!("bookmark `{text}` is of another cluster"),
                        );
                        return Some(Next::Go);
                    }
                    wanted = wanted.max(CommitSeq(bookmark.commit));
                }
                Err(error) => {
                    self.refuse(Refused::INVALID_BOOKMARK, &error.to_string());
                    return Some(Next::Go);
                }
            }
        }
        if wanted <= self.node.core.graph().door().visible() {
            return None;
        }
        let limit = timeout_ms
            .filter(|ms| *ms > 0)
            .map_or(BOOKMARK_TIME, Duration::from_millis);
        Some(Next::Later(Later {
            commit: wanted,
            patience: limit.min(BOOKMARK_TIME),
            message: Box::default(),
        }))
    }

    /// What a request is told whose transaction has gone.
    fn lost(&self) -> Error {
        match self.loss {
            Loss::TimedOut => Error::of(
                ErrorKind::TransactionTimedOut,
                "the transaction was rolled back because its time was up; begin it again, with a longer timeout if it needs one",
            ),
            Loss::Stopped => stopped(),
        }
    }

    /// Ends the transaction and every stream; nothing of it is left.
    fn rollback(&mut self) {
        self.streams.clear();
        self.awaited = None;
        self.pending = None;
        if let Some(transaction) = self.transaction.take() {
            // It may have been refused for something that is not durable yet.
            self.hold = self.hold.max(transaction.txn.rests_on());
            transaction.txn.rollback();
        }
    }
}

/// What the client of a transaction is told that an operator has stopped.
fn stopped() -> Error {
    Error::of(
        ErrorKind::TransactionTerminated,
        "the transaction was stopped by TERMINATE TRANSACTIONS; nothing of it remains",
    )
}

/// The beginning of a client's text, for a message.
fn excerpt(text: &str) -> &str {
    const EXCERPT_BYTES: usize = 80;
    text.get(..text.floor_char_boundary(EXCERPT_BYTES))
        .unwrap_or(text)
}

/// Whose fault an error with this code is.
fn classification(code: &str) -> quoit_protocol::message::failure::Classification {
    use quoit_protocol::message::failure::Classification;
    match dialect::classification(code) {
        "TRANSIENT_ERROR" => Classification::Transient,
        "DATABASE_ERROR" => Classification::Database,
        _ => Classification::Client,
    }
}
