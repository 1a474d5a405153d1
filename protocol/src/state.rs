//! The session's state: which request may come when, and what follows from its outcome.
//!
//! The server's session holds one [`Session`] for each connection. For each request, in order, it asks
//! [`Session::on_request`]; if told to accept it runs the request and reports the outcome through one of
//! the methods named for it. A RESET or GOODBYE that arrives while a request runs is reported at once
//! with [`Session::interrupt`] (the queue finds it, [`crate::queue`]): the requests in front of it are ignored
//! from then on.
//!
//! What always holds: a state is left only by the table below or by a reported outcome; nothing leaves
//! [`State::Closed`]; RESET after login is always accepted; [`State::Interrupted`] lasts until as many RESETs
//! have been done as were announced.
//!
//! Left to the server: the text of answers, rolling back on failure and on RESET, which stream a `qid`
//! means, the clock.

use crate::message::RequestKind;
use crate::version::Version;
use std::fmt;

/// Where a session stands. The names are the Bolt documentation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Before HELLO.
    Negotiation,
    /// After HELLO or LOGOFF, before LOGON (5.1).
    Authentication,
    /// Logged in, no transaction.
    Ready,
    /// An auto-commit query has rows to fetch.
    Streaming,
    /// In an explicit transaction without open streams.
    TxReady,
    /// In an explicit transaction with open streams.
    TxStreaming,
    /// A request failed; only RESET helps.
    Failed,
    /// A RESET was received whose turn has not come.
    Interrupted,
    /// Over; the connection is to be closed.
    Closed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Negotiation,
        Self::Authentication,
        Self::Ready,
        Self::Streaming,
        Self::TxReady,
        Self::TxStreaming,
        Self::Failed,
        Self::Interrupted,
        Self::Closed,
    ];

    /// The state's name in the Bolt documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negotiation => "NEGOTIATION",
            Self::Authentication => "AUTHENTICATION",
            Self::Ready => "READY",
            Self::Streaming => "STREAMING",
            Self::TxReady => "TX_READY",
            Self::TxStreaming => "TX_STREAMING",
            Self::Failed => "FAILED",
            Self::Interrupted => "INTERRUPTED",
            Self::Closed => "CLOSED",
        }
    }
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Run it, answer it, and report its outcome.
    Accept,
    /// Answer IGNORED.
    Ignore,
    /// Answer FAILURE `Neo.ClientError.Request.Invalid`, then close.
    Violation(WrongState),
    /// Close without an answer: GOODBYE, or anything after the end.
    Close,
}

/// A request that its session's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongState {
    /// The request.
    pub request: RequestKind,
    /// The state it came in.
    pub state: State,
}

impl fmt::Display for WrongState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "message {} is not allowed in state {}",
            self.request,
            self.state.name()
        )
    }
}

/// What a successful RUN did to the transaction, for queries that are transaction commands as text
/// (`BEGIN`, `COMMIT`, `ROLLBACK`), as mgclient sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionChange {
    /// Nothing: an ordinary query.
    None,
    /// It opened an explicit transaction.
    Opened,
    /// It ended the explicit transaction, and every other stream in it.
    Closed,
}

/// The state of one session.
#[derive(Clone, Debug)]
pub struct Session {
    state: State,
    has_logon: bool,
    /// Streams with rows to fetch; 0 outside of the streaming states.
    open_streams: u32,
    /// RESETs announced by [`Session::interrupt`] whose turn has not come.
    resets_ahead: u32,
}

/// What the table says about a request in a state.
fn rule(state: State, request: RequestKind) -> Verdict {
    use RequestKind as R;
    use State as S;
    let accepted = match (state, request) {
        (S::Closed, _) | (_, R::Goodbye) => return Verdict::Close,
        (S::Negotiation, R::Hello) => true,
        (S::Authentication, R::Logon) => true,
        (S::Negotiation | S::Authentication, _) => false,
        (_, R::Reset) => true,
        (_, R::Hello | R::Logon) => false,
        (S::Failed | S::Interrupted, _) => return Verdict::Ignore,
        (S::Ready, R::Logoff | R::Telemetry | R::Run | R::Begin | R::Route) => true,
        (S::Streaming, R::Pull | R::Discard) => true,
        (S::TxReady, R::Run | R::Commit | R::Rollback) => true,
        // The documentation wants streams closed before COMMIT and ROLLBACK; neo4rs does not.
        (S::TxStreaming, R::Run | R::Pull | R::Discard | R::Commit | R::Rollback) => true,
        _ => false,
    };
    if accepted {
        Verdict::Accept
    } else {
        Verdict::Violation(WrongState { request, state })
    }
}

impl Session {
    /// A session that has just agreed on a version.
    pub fn new(version: Version) -> Self {
        Self {
            state: State::Negotiation,
            has_logon: version.has_logon(),
            open_streams: 0,
            resets_ahead: 0,
        }
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the peer has logged in, so that it may send large messages. After LOGOFF it has not.
    pub fn is_logged_in(&self) -> bool {
        !matches!(
            self.state,
            State::Negotiation | State::Authentication | State::Closed
        )
    }

    /// Whether an explicit transaction is open as far as the client knows.
    pub fn in_transaction(&self) -> bool {
        matches!(self.state, State::TxReady | State::TxStreaming)
    }

    /// What to do with the next request. A violation and GOODBYE close the session.
    pub fn on_request(&mut self, request: RequestKind) -> Verdict {
        let verdict = rule(self.state, request);
        if matches!(verdict, Verdict::Violation(_) | Verdict::Close) {
            self.close();
        }
        verdict
    }

    /// A RESET was received and waits behind other requests. To be called once for each RESET that is put
    /// into the queue, never for one that is handled as it arrives. Whatever runs is to be
    /// cancelled; its outcome is still to be answered and reported, and changes the state no more.
    pub fn interrupt(&mut self) {
        if self.is_logged_in() {
            self.state = State::Interrupted;
            self.open_streams = 0;
            self.resets_ahead += 1;
        }
    }

    /// HELLO succeeded.
    pub fn hello_succeeded(&mut self) {
        self.leave(State::Negotiation, |session| {
            session.state = if session.has_logon {
                State::Authentication
            } else {
                State::Ready
            };
        });
    }

    /// LOGON succeeded.
    pub fn logon_succeeded(&mut self) {
        self.leave(State::Authentication, |session| {
            session.state = State::Ready
        });
    }

    /// LOGOFF succeeded.
    pub fn logoff_succeeded(&mut self) {
        self.leave(State::Ready, |session| {
            session.state = State::Authentication
        });
    }

    /// RUN succeeded: it has a stream, perhaps an empty one, that a PULL or DISCARD will end.
    pub fn run_succeeded(&mut self, change: TransactionChange) {
        self.advance(|session| {
            (session.state, session.open_streams) = match (change, session.state) {
                (TransactionChange::None, State::Ready) => (State::Streaming, 1),
                (TransactionChange::None, State::TxReady | State::TxStreaming) => {
                    (State::TxStreaming, session.open_streams + 1)
                }
                (TransactionChange::Opened, State::Ready) => (State::TxStreaming, 1),
                (TransactionChange::Closed, State::TxReady | State::TxStreaming) => {
                    (State::Streaming, 1)
                }
                (change, state) => unreachable!("a RUN with {change:?} ran in {state:?}"),
            };
        });
    }

    /// BEGIN succeeded.
    pub fn begin_succeeded(&mut self) {
        self.leave(State::Ready, |session| session.state = State::TxReady);
    }

    /// A PULL or DISCARD reached the end of its stream. (One after which there are more rows changes
    /// nothing and is not reported.)
    pub fn stream_ended(&mut self) {
        self.advance(|session| {
            session.open_streams = session
                .open_streams
                .checked_sub(1)
                .expect("only an open stream ends");
            session.state = match (session.state, session.open_streams) {
                (State::Streaming, 0) => State::Ready,
                (State::TxStreaming, 0) => State::TxReady,
                (State::TxStreaming, _) => State::TxStreaming,
                (state, open) => unreachable!("a stream ended in {state:?}, leaving {open}"),
            };
        });
    }

    /// COMMIT or ROLLBACK succeeded; open streams are gone.
    pub fn transaction_ended(&mut self) {
        self.advance(|session| {
            assert!(session.in_transaction(), "only an open transaction ends");
            session.state = State::Ready;
            session.open_streams = 0;
        });
    }

    /// RESET was done and is answered with SUCCESS.
    pub fn reset_succeeded(&mut self) {
        assert!(
            self.is_logged_in() || self.state == State::Closed,
            "RESET is accepted after login only"
        );
        self.resets_ahead = self.resets_ahead.saturating_sub(1);
        self.open_streams = 0;
        if self.state != State::Closed {
            self.state = match self.resets_ahead {
                0 => State::Ready,
                _ => State::Interrupted,
            };
        }
    }

    /// The request failed and is answered with FAILURE. A login that fails ends the session.
    pub fn failed(&mut self) {
        self.open_streams = 0;
        self.state = match self.state {
            State::Negotiation | State::Authentication | State::Closed => State::Closed,
            State::Interrupted => State::Interrupted,
            _ => State::Failed,
        };
    }

    /// The connection is over: the peer has left, the server stops, bytes cannot be trusted.
    pub fn close(&mut self) {
        self.state = State::Closed;
        self.open_streams = 0;
        self.resets_ahead = 0;
    }

    /// Moves on unless the session was interrupted or closed while the request ran.
    fn advance(&mut self, step: impl FnOnce(&mut Self)) {
        if !matches!(self.state, State::Interrupted | State::Closed) {
            step(self);
        }
    }

    fn leave(&mut self, from: State, step: impl FnOnce(&mut Self)) {
        self.advance(|session| {
            assert_eq!(session.state, from, "an outcome of a request not accepted");
            step(session);
        });
    }
}
