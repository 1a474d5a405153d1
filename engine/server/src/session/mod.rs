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
//! Reading order: this file (the loop and the requests without a query), `stream` (queries and their rows), `settle`
//! (commits), `answer` (failures and summaries), `intake`, `transport`, `greeting`, `route`.

mod answer;
pub(crate) mod greeting;
mod intake;
mod route;
mod settle;
mod stream;
pub(crate) mod transport;

use crate::bookmark::Bookmark;
use crate::dialect::{self, Dialect};
use crate::node::{Node, is_database};
use answer::Refused;
use intake::Intake;
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::ids::CommitSeq;
use quoit_graph::{Access, Isolation, Txn};
use quoit_protocol::message::answer::{HelloAnswer, Hints};
use quoit_protocol::message::notification::NotificationFilter;
use quoit_protocol::message::{
    AccessMode, Auth, Bookmarks, Credentials, Hello, Request, RequestError, TransactionExtra,
};
use quoit_protocol::packstream::Limits;
use quoit_protocol::state::{self, State, Verdict};
use quoit_protocol::{SendBuffer, Version, WireFormat};
use quoit_rt::Instant;
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stream::Stream;
use transport::Transport;

/// How long a peer may take until it has logged in.
const LOGIN_TIME: Duration = Duration::from_secs(30);

/// A byte (a NOOP at least) goes out this often while a request is pending, from Bolt 5.0 on.
const NOOP_INTERVAL: Duration = Duration::from_secs(50);

/// What drivers are told about that, in seconds: two missed NOOPs and some patience.
const RECV_TIMEOUT_S: u32 = 120;

/// How long a transaction waits for its bookmarks.
const BOOKMARK_TIME: Duration = Duration::from_secs(30);

/// Rows are not produced while more than this is unsent, in bytes...
const UNSENT_HIGH: usize = 512 << 10;
/// ... until it has fallen to this.
const UNSENT_LOW: usize = 128 << 10;

/// One connection.
pub(crate) struct Session {
    node: Rc<Node>,
    state: state::Session,
    /// The version was agreed by manifest.
    manifest: bool,
    out: SendBuffer,
    limits: Limits,
    dialect: Dialect,
    filter: NotificationFilter,
    /// The address that a `neo4j://` client dialled; absent for `bolt://`.
    dialled: Option<String>,
    transaction: Option<Transaction>,
    streams: SmallVec<[Stream; 1]>,
    next_qid: u64,
    /// What the request that was accepted last still needs.
    pending: Option<Work>,
    /// Answers in `out` rest on commits up to this one: they leave when it is durable.
    hold: CommitSeq,
    /// When something was last sent.
    sent_at: Instant,
}

/// A transaction of this session: opened by BEGIN, or that of the one auto-commit stream.
struct Transaction {
    txn: Txn,
    explicit: bool,
    access: AccessMode,
    deadline: Option<Instant>,
    filter: NotificationFilter,
}

/// Options of a transaction, taken over from the request.
#[derive(Clone, Copy)]
struct TransactionOptions {
    access: AccessMode,
    timeout: Option<Duration>,
    filter: NotificationFilter,
}

/// What follows a request.
enum Next {
    /// The next request.
    Go,
    /// [`Session::pending`] has to be done first.
    Work,
    /// The same request again, once this commit is visible here.
    Later(CommitSeq),
    /// The end of the connection, after what is in the send buffer.
    Close,
}

/// What must wait, and therefore is not done while a request lies in the receive buffer.
enum Work {
    /// Go on with a stream that was interrupted between two batches.
    Stream { qid: u64 },
    /// Begin an auto-commit statement again that met a conflict.
    Retry { qid: u64 },
    /// Wait for a commit, then answer.
    Settle(settle::Settle),
    /// Run an admin statement, then answer RUN.
    Admin(stream::AdminRun),
}

/// Serves a connection to its end.
pub(crate) async fn serve(node: Rc<Node>, mut transport: Transport, version: Version, manifest: bool) {
    let mut session = Session::new(node, version, manifest);
    let mut intake = Intake::new();
    session.converse(&mut intake, &mut transport).await;
    // Whatever is still open is rolled back here; then the last answers leave.
    session.transaction = None;
    session.streams.clear();
    session.flush(&mut intake, &mut transport).await;
    let deadline = session.node.rt.now() + Duration::from_secs(5);
    let rt = session.node.rt.clone();
    drop(session);
    let _ = rt.timeout(deadline, greeting::close(transport)).await;
}

impl Session {
    fn new(node: Rc<Node>, version: Version, manifest: bool) -> Session {
        let sent_at = node.rt.now();
        Session {
            node,
            state: state::Session::new(version),
            manifest,
            out: SendBuffer::new(WireFormat::new(version)),
            limits: Limits::BEFORE_LOGIN,
            dialect: if version.major() >= 5 { Dialect::Neo4j } else { Dialect::Memgraph },
            filter: NotificationFilter::default(),
            dialled: None,
            transaction: None,
            streams: SmallVec::new(),
            next_qid: 0,
            pending: None,
            hold: CommitSeq(0),
            sent_at,
        }
    }

    /// Takes requests until the connection is over.
    async fn converse(&mut self, intake: &mut Intake, transport: &mut Transport) {
        let login_deadline = self.node.rt.now() + LOGIN_TIME;
        let mut raised = false;
        'requests: loop {
            while let Some(message) = intake.queue.pop() {
                let next = self.handle(message);
                let again = matches!(next, Next::Later(_)).then(|| message.to_vec());
                if !self.follow(next, again, intake, transport).await {
                    return;
                }
            }
            if let Some(error) = intake.urgent.too_large {
                self.violate(&error.to_string(), "08N11");
                return;
            }
            if intake.urgent.gone {
                return;
            }
            self.flush(intake, transport).await;
            let Some(mut received) = self.wait_for_input(transport, login_deadline).await else {
                return;
            };
            let mut input = &mut received[..];
            loop {
                let message = match intake.dechunker.next(&mut input) {
                    Ok(Some(message)) => message,
                    Ok(None) => break,
                    Err(error) => {
                        intake.urgent.too_large = Some(error);
                        continue 'requests;
                    }
                };
                let next = self.handle(message);
                match next {
                    Next::Go => {
                        if !raised && self.state.is_logged_in() {
                            raised = true;
                            let bytes_max = self.node.options.message_bytes_max;
                            intake.dechunker.set_limit(bytes_max);
                            transport.raise_limit(bytes_max);
                        }
                    }
                    // The rest waits in the queue, so that the buffer goes back to the ring before we do.
                    next => {
                        let again = matches!(next, Next::Later(_)).then(|| message.to_vec());
                        intake.enqueue(input);
                        drop(received);
                        if !self.follow(next, again, intake, transport).await {
                            return;
                        }
                        continue 'requests;
                    }
                }
            }
        }
    }

    /// Does what a request asked for besides its immediate answer; false at the end of the connection.
    async fn follow(
        &mut self,
        mut next: Next,
        again: Option<Vec<u8>>,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> bool {
        if let Next::Later(seq) = next {
            let reached = self.await_visible(seq, intake, transport).await;
            self.take_notice(intake);
            next = match (reached, again) {
                (true, Some(message)) => match self.handle(&message) {
                    Next::Later(_) => Next::Go,
                    other => other,
                },
                _ if self.state.state() == State::Interrupted => {
                    self.out.ignored();
                    Next::Go
                }
                _ => {
                    self.refuse(Refused::BOOKMARK_TIMEOUT, "the bookmarked commit has not arrived here in time");
                    Next::Go
                }
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
        !self.node.rt.shutting_down() && self.state.state() != State::Closed
    }

    /// Waits until a commit is visible here, at most [`BOOKMARK_TIME`] and until something urgent arrives.
    async fn await_visible(&mut self, seq: CommitSeq, intake: &mut Intake, transport: &mut Transport) -> bool {
        self.flush(intake, transport).await;
        let node = self.node.clone();
        let deadline = node.rt.now() + BOOKMARK_TIME;
        let visible = async {
            // A replica's watermark moves by itself; a poll a millisecond is far below a round trip's worth of work.
            while node.core.graph().door().visible() < seq {
                node.rt.sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = intake.attend_until_urgent(transport, node.rt.timeout(deadline, visible)).await;
        matches!(waited, Some(Ok(())))
    }

    /// The next bytes; `None` at the end of the stream, when the login takes too long, and at shutdown.
    async fn wait_for_input(
        &mut self,
        transport: &mut Transport,
        login_deadline: Instant,
    ) -> Option<transport::Received> {
        let rt = self.node.rt.clone();
        loop {
            let deadline = match self.transaction.as_ref().and_then(|tx| tx.deadline) {
                _ if !self.state.is_logged_in() => Some(login_deadline),
                deadline => deadline,
            };
            let received = {
                let input = async {
                    let mut stop = std::pin::pin!(rt.shutdown_requested());
                    std::future::poll_fn(|cx| {
                        use std::task::Poll;
                        if let Poll::Ready(received) = transport.poll_recv(cx) {
                            return Poll::Ready(received.ok());
                        }
                        stop.as_mut().poll(cx).map(|()| None)
                    })
                    .await
                };
                match deadline {
                    Some(deadline) => rt.timeout(deadline, input).await,
                    None => Ok(input.await),
                }
            };
            match received {
                Ok(received) => return received.filter(|bytes| !bytes.is_empty()),
                Err(_) if !self.state.is_logged_in() => return None,
                Err(_) => {
                    // The client's time is up while it says nothing: the transaction goes now, the client is told at
                    // its next request.
                    self.transaction = None;
                    self.streams.clear();
                }
            }
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
            // Fails only when the log has stopped the server.
            let _ = intake.attend(transport, node.log_core.durable(hold)).await;
        }
        let bytes = self.out.replace(self.node.rt.send_vec());
        self.sent_at = self.node.rt.now();
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
                        self.fail(&Error::of(ErrorKind::ProtocolError, error.to_string()), None);
                        if self.state.state() == State::Closed { Next::Close } else { Next::Go }
                    }
                    other => self.unaccepted(other),
                };
            }
        };
        match self.state.on_request(request.kind()) {
            Verdict::Accept => {}
            other => return self.unaccepted(other),
        }
        match request {
            Request::Hello(hello) => self.hello(hello),
            Request::Logon(auth) => self.logon(auth),
            Request::Logoff => {
                self.state.logoff_succeeded();
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
        }
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

    // -- login ------------------------------------------------------------------------------------------------------

    fn hello(&mut self, hello: Hello<'_>) -> Next {
        let version = self.out.format().version();
        if hello.utc_patch {
            self.out.set_format(self.out.format().with_utc_patch());
        }
        self.filter = hello.notifications;
        if let Some(routing) = hello.routing {
            let address = routing.get("address").and_then(|value| value.as_str()).unwrap_or_default();
            self.dialled = Some(address.to_owned());
            match routing.get("errors").and_then(|value| value.as_str()) {
                Some("memgraph") => self.dialect = Dialect::Memgraph,
                Some("neo4j") => self.dialect = Dialect::Neo4j,
                _ => {}
            }
        }
        // Its code compares error codes with Memgraph's.
        if hello.user_agent.is_some_and(|agent| agent.starts_with("langchain-memgraph")) {
            self.dialect = Dialect::Memgraph;
        }
        if let Some(auth) = hello.auth
            && let Err(error) = authenticate(auth)
        {
            return self.refuse_login(&error);
        }
        let number = self.node.shared.connection_id.fetch_add(1, Ordering::Relaxed) + 1;
        self.out.hello_success(&HelloAnswer {
            server: &self.node.options.server_name,
            connection_id: &format!("bolt-{number}"),
            hints: Hints { recv_timeout_s: Some(RECV_TIMEOUT_S), telemetry: false, server_side_routing: false },
            utc_patch: hello.utc_patch,
            manifest: self.manifest,
        });
        self.state.hello_succeeded();
        self.raise_limits(version);
        Next::Go
    }

    fn logon(&mut self, auth: Auth<'_>) -> Next {
        if let Err(error) = authenticate(auth) {
            return self.refuse_login(&error);
        }
        self.out.logon_success(self.node.options.advertised_address.as_deref());
        self.state.logon_succeeded();
        self.raise_limits(self.out.format().version());
        Next::Go
    }

    fn raise_limits(&mut self, version: Version) {
        if self.state.is_logged_in() {
            self.limits = Limits::AFTER_LOGIN.with_uuid(version.has_uuid());
        }
    }

    fn refuse_login(&mut self, error: &Error) -> Next {
        self.fail(error, None);
        Next::Close
    }

    // -- transactions -----------------------------------------------------------------------------------------------

    fn begin(&mut self, extra: TransactionExtra<'_>) -> Next {
        match self.await_bookmarks(extra.bookmarks) {
            Ok(None) => {}
            Ok(Some(seq)) => return Next::Later(seq),
            Err(next) => return next,
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
        self.out.begin_success(extra.database.is_none().then_some(crate::node::DATABASE));
        Next::Go
    }

    fn open_explicit(&mut self, options: TransactionOptions) {
        let access = match options.access {
            AccessMode::Read => Access::Read,
            AccessMode::Write => Access::Write,
        };
        let txn = self.node.core.begin(access, Isolation::default());
        self.transaction = Some(self.transaction(txn, true, options));
        self.next_qid = 0;
    }

    fn transaction(&self, txn: Txn, explicit: bool, options: TransactionOptions) -> Transaction {
        Transaction {
            txn,
            explicit,
            access: options.access,
            deadline: options.timeout.map(|timeout| self.node.rt.now() + timeout),
            filter: options.filter,
        }
    }

    /// What a request says about its transaction, checked.
    fn options(&self, extra: &TransactionExtra<'_>) -> Result<TransactionOptions, Error> {
        if let Some(name) = extra.database
            && !is_database(name)
        {
            return Err(Error::of(ErrorKind::SchemaError, format!("database `{name}` does not exist")));
        }
        if let Some(user) = extra.impersonated_user {
            return Err(Error::of(ErrorKind::Forbidden, format!("impersonating `{user}` is not possible: there are no users")));
        }
        let server_limit = self.node.options.query_timeout;
        Ok(TransactionOptions {
            access: extra.mode,
            timeout: match extra.timeout_ms {
                Some(0) => None,
                Some(ms) => Some(Duration::from_millis(ms)),
                None => (!server_limit.is_zero()).then_some(server_limit),
            },
            filter: extra.notifications.over(self.filter),
        })
    }

    /// The commit to wait for before a transaction with these bookmarks may begin; `Err` after a failure was answered.
    fn await_bookmarks(&mut self, bookmarks: Bookmarks<'_>) -> Result<Option<CommitSeq>, Next> {
        let mut wanted = CommitSeq(0);
        for text in bookmarks.iter() {
            match Bookmark::parse(text) {
                Ok(bookmark) => {
                    let own = self.node.cluster();
                    if bookmark.cluster != 0 && own != 0 && bookmark.cluster != own {
                        self.refuse(Refused::INVALID_BOOKMARK, &format!("bookmark `{text}` is of another cluster"));
                        return Err(Next::Go);
                    }
                    wanted = wanted.max(CommitSeq(bookmark.commit));
                }
                Err(error) => {
                    self.refuse(Refused::INVALID_BOOKMARK, &error.to_string());
                    return Err(Next::Go);
                }
            }
        }
        Ok((wanted > self.node.core.graph().door().visible()).then_some(wanted))
    }

    /// Ends the transaction and every stream; nothing of it is left.
    fn rollback(&mut self) {
        self.streams.clear();
        self.pending = None;
        if let Some(transaction) = self.transaction.take() {
            transaction.txn.rollback();
        }
    }
}

/// Whether these credentials open the server. There are no users yet, so any name does; a scheme that would need a
/// module to check it is refused rather than waved through.
fn authenticate(auth: Auth<'_>) -> Result<(), Error> {
    match auth.credentials() {
        Some(Credentials::None | Credentials::Basic { .. }) => Ok(()),
        Some(_) => Err(Error::of(
            ErrorKind::Unauthenticated,
            format!("authentication scheme `{}` is not available here; use `basic` or `none`", auth.scheme),
        )),
        None => Err(Error::of(
            ErrorKind::Unauthenticated,
            format!("credentials of scheme `{}` are incomplete", auth.scheme),
        )),
    }
}

/// The text of a position for people, where an error has one.
fn classification(code: &str) -> quoit_protocol::message::failure::Classification {
    use quoit_protocol::message::failure::Classification;
    match dialect::classification(code) {
        "TRANSIENT_ERROR" => Classification::Transient,
        "DATABASE_ERROR" => Classification::Database,
        _ => Classification::Client,
    }
}
