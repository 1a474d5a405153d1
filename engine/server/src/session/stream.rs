//! Queries and their rows: RUN, PULL, DISCARD.
//!
//! Owns the open streams of a session: each is a running query, or the finished rows of an admin statement. Called by
//! the session's loop. What always holds: an auto-commit statement commits when its last row has been produced, not
//! before; between two batches nothing borrows storage; a statement that met a conflict begins again only while none of
//! its rows has been written.

use super::intake::{Intake, Notices};
use super::load;
use super::settle::Ask;
use super::statement::AdminRun;
use super::transport::Transport;
use super::{
    NOOP_INTERVAL, Next, STALL_TIME, STREAMS_MAX, Session, TURN, TransactionOptions, UNSENT_HIGH,
    UNSENT_LOW, Work, stopped,
};
use super::{advice, answer};
use crate::admin;
use crate::dialect::Dialect;
use crate::node::DATABASE;
use crate::wire::{parameter, record};
use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::WriteStats;
use quoit_graph::value::Value;
use quoit_graph::{Access, Isolation};
use quoit_protocol::message::answer::{EncodedFields, RunAnswer};
use quoit_protocol::message::notification::Notification;
use quoit_protocol::message::plan::PlanNode;
use quoit_protocol::message::{self, AccessMode, Run, StreamRequest};
use quoit_protocol::state::TransactionChange;
use quoit_query::{Demand, Execution, Kind, Parameters, Prepared, Step, Wait};
use quoit_rt::Instant;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long after its first conflict the server begins an auto-commit statement again, with pauses that grow.
const RETRY_TIME: Duration = Duration::from_millis(500);

/// How long a statement that has met a conflict may run without giving others a turn.
const RETRY_TURN: Duration = Duration::from_millis(1);

/// A statement whose answer has not been fetched to its end.
pub(super) struct Stream {
    qid: u64,
    body: Body,
    demand: Demanded,
    pub(super) kind: Kind,
    pub(super) fields: Rc<EncodedFields>,
    pub(super) started: Instant,
    /// Rows produced so far, sent or thrown away.
    pub(super) rows: u64,
    /// What its steps have changed.
    pub(super) stats: WriteStats,
    pub(super) notices: Vec<Notification<'static>>,
    /// The plan, if it was asked for; known when the last row is out.
    pub(super) plan: Option<Box<PlanNode>>,
}

enum Body {
    Query(Box<Query>),
    /// Rows that are there already.
    Rows(VecDeque<Vec<Value>>),
}

struct Query {
    execution: Execution,
    prepared: Prepared,
    /// Files that it reads, by the names it gives them.
    files: Vec<(Arc<str>, quoit_rt::File)>,
    /// To begin again with.
    parameters: Parameters,
    options: TransactionOptions,
    /// That of its inner transactions.
    isolation: Isolation,
    retries: u32,
    /// When it met its first conflict.
    conflicted: Option<Instant>,
    /// Rows that are produced before the buffer is looked at: as many as fill it, by what rows have taken so far.
    stretch: u64,
    text: Rc<String>,
}

/// How long a statement waits for other cores before its time limit is looked at again.
const MATES_TIME: Duration = Duration::from_millis(10);

/// The first [`Query::stretch`] of a statement, whose rows may be of any size.
const FIRST_STRETCH: u64 = 32;

/// The longest [`Query::stretch`]; a step is looked at for other reasons too.
const LONGEST_STRETCH: u64 = 4096;

/// What becomes of the rows asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// PULL.
    Send,
    /// DISCARD.
    Drop,
}

/// What the client has asked for and not yet been given.
#[derive(Clone, Copy, Debug)]
struct Demanded {
    rows: Rows,
    left: u64,
}

impl Demanded {
    const NOTHING: Demanded = Demanded {
        rows: Rows::Send,
        left: 0,
    };

    /// What rows thrown away are asked of the query as, all at once.
    fn dropped(self) -> Demand {
        if self.left == u64::MAX {
            Demand::DiscardAll
        } else {
            Demand::Discard(self.left)
        }
    }
}

/// How far the streams of a transaction that commits have come.
pub(super) enum Finish {
    /// All are at their end.
    All,
    /// Other turns are needed.
    More,
    /// One waits for something.
    Waits { qid: u64, wait: Wait },
    /// One failed, which has been answered.
    Failed,
}

/// How far a step went.
enum Stepped {
    /// Something else has to have its turn.
    Yield,
    /// What was asked for is there, and there is more.
    More,
    /// The last row is out.
    Done,
    /// Something has to be done for it that waits.
    Waits(Wait),
}

impl Session {
    /// RUN.
    pub(super) fn run(&mut self, run: Run<'_>) -> Next {
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        if !explicit {
            if let Some(next) = self.refuse_unknown_database(&run.extra) {
                return next;
            }
            if let Some(next) = self.await_bookmarks(run.extra.bookmarks, run.extra.timeout_ms) {
                return next;
            }
        }
        match self.try_run(&run, explicit) {
            Ok(next) => next,
            Err(error) => {
                self.fail(&error, Some(run.query));
                Next::Go
            }
        }
    }

    fn try_run(&mut self, run: &Run<'_>, explicit: bool) -> Result<Next, Error> {
        if self.state.in_transaction() && !explicit {
            return Err(self.lost());
        }
        let started = self.now;
        #[cfg(feature = "test-procedures")]
        if let Some(statement) = super::test_procedure::TestStatement::of(run.query) {
            let parameters = parameter::parameters(run.parameters, &[], self.out.format())?;
            return self.run_test_statement(&statement, &parameters, started);
        }
        let prepared = self.node.queries.prepare(run.query, &self.node.core)?;
        let format = self.out.format();
        let parameters = parameter::parameters(run.parameters, prepared.parameters(), format)?;
        let options = match &self.transaction {
            Some(tx) => TransactionOptions {
                access: tx.access,
                timeout: None,
                filter: tx.filter,
                metadata: Value::Null,
            },
            None => self.options(&run.extra)?,
        };
        if self.streams.len() >= STREAMS_MAX {
            return Err(Error::of(
                ErrorKind::MemoryLimitExceeded,
                format!(
                    "the transaction has {STREAMS_MAX} results that are not fetched to their end; fetch or discard them"
                ),
            ));
        }
        if prepared.kind() == Kind::Admin {
            let text = Rc::new(run.query.to_owned());
            self.pending = Some(Work::Admin(AdminRun {
                prepared,
                parameters,
                options,
                started,
                text,
            }));
            return Ok(Next::Work);
        }
        // Clients of Memgraph look for these words, and send the statement again on its own.
        if explicit && prepared.kind() == Kind::Schema && self.dialect == Dialect::Memgraph {
            let what = match prepared.is_about_constraints() {
                true => "Constraint",
                false => "Index",
            };
            return Err(Error::of(
                ErrorKind::SchemaError,
                format!(
                    "{what} manipulation not allowed in multicommand transactions. Run the statement on its own."
                ),
            ));
        }
        if prepared.writes() {
            self.may_write(options.access)?;
        }
        if explicit && prepared.has_inner_transactions() {
            return Err(Error::of(
                ErrorKind::TransactionState,
                "a query that commits transactions within itself (CALL { } IN TRANSACTIONS, USING PERIODIC COMMIT) cannot run in an explicit transaction",
            )
            .hint("run it as an auto-commit query: session.run() in drivers, `:auto` in front of it in Neo4j's tools"));
        }
        let mut execution = Execution::new(prepared.clone(), &parameters)?;
        execution.on_all_cores(run.query, &self.node.crew);
        let isolation = match explicit {
            true => Isolation::default(),
            false => self.next_isolation(),
        };
        if !explicit {
            self.open_auto_commit(&prepared, options.clone(), isolation);
        }
        let fields = self.node.columns.borrow_mut().of(&prepared);
        let qid = self.next_qid;
        self.next_qid += 1;
        self.now = self.node.rt.now();
        self.out.run_success(&RunAnswer {
            fields: &fields,
            t_first_ms: self.now.saturating_since(started).as_millis() as u64,
            qid: explicit.then_some(qid),
            database: (!explicit && run.extra.database.is_none()).then_some(DATABASE),
        });
        let text = self.text(run.query);
        self.open.runs(&text);
        let kind = prepared.kind();
        let query = Query {
            execution,
            prepared,
            parameters,
            options,
            files: Vec::new(),
            isolation,
            retries: 0,
            conflicted: None,
            stretch: FIRST_STRETCH,
            text,
        };
        self.streams.push(Stream {
            qid,
            body: Body::Query(Box::new(query)),
            demand: Demanded::NOTHING,
            kind,
            fields,
            started,
            rows: 0,
            stats: WriteStats::default(),
            notices: Vec::new(),
            plan: None,
        });
        self.state.run_succeeded(TransactionChange::None);
        Ok(Next::Go)
    }

    /// The text of a statement, in the memory of an earlier one if that is free.
    fn text(&mut self, query: &str) -> Rc<String> {
        if let Some(mut text) = self.spare_text.take()
            && let Some(buffer) = Rc::get_mut(&mut text)
        {
            buffer.clear();
            buffer.push_str(query);
            return text;
        }
        Rc::new(query.to_owned())
    }

    /// Whether this transaction, on this node, may write now.
    fn may_write(&self, access: AccessMode) -> Result<(), Error> {
        if access == AccessMode::Read {
            return Err(Error::of(
                ErrorKind::AccessMode,
                "writing is not allowed in a transaction of access mode read; open it for writing",
            ));
        }
        self.node
            .replication
            .writable()
            .map_err(|refusal| Error::of(ErrorKind::NotALeader, refusal.to_string()))
    }

    fn open_auto_commit(
        &mut self,
        prepared: &Prepared,
        options: TransactionOptions,
        isolation: Isolation,
    ) {
        let txn = if prepared.has_inner_transactions() {
            // It only reads, and its later part reads what its inner transactions have committed.
            self.node.core.begin(Access::Read, Isolation::ReadCommitted)
        } else if prepared.writes() {
            let txn = self.node.core.begin_auto_commit_write(isolation);
            // What it reads may not be durable yet; nothing of it leaves before that is.
            self.hold = self.hold.max(txn.snapshot());
            txn
        } else {
            self.node.core.begin(Access::Read, isolation)
        };
        self.transaction = Some(self.transaction(txn, false, options));
        self.next_qid = 0;
    }

    /// PULL and DISCARD.
    pub(super) fn pull(&mut self, request: StreamRequest, rows: Rows) -> Next {
        let found = match request.qid {
            None => self.streams.last().map(|stream| stream.qid),
            Some(qid) => self
                .streams
                .iter()
                .find(|stream| stream.qid == qid)
                .map(|stream| stream.qid),
        };
        let Some(qid) = found else {
            // The state says that there is a stream. Where there is none, it went with its transaction.
            let error = match request.qid {
                Some(qid) if !self.streams.is_empty() => Error::of(
                    ErrorKind::ProtocolError,
                    format!("there is no open stream {qid}"),
                ),
                _ => self.lost(),
            };
            self.fail(&error, None);
            return Next::Go;
        };
        let stream = self.stream(qid).expect("it was just found");
        let left = match request.rows {
            message::Rows::All => u64::MAX,
            message::Rows::AtMost(n) => n,
        };
        stream.demand = Demanded { rows, left };
        if let (Body::Query(query), Rows::Drop) = (&mut stream.body, rows) {
            query.execution.request(stream.demand.dropped());
        }
        self.go_on(qid)
    }

    fn stream(&mut self, qid: u64) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.qid == qid)
    }

    /// Runs a stream until its demand is met or something else must have its turn.
    fn go_on(&mut self, qid: u64) -> Next {
        match self.step(qid) {
            Ok(Stepped::Yield) => self.pending = Some(Work::Stream { qid }),
            Ok(Stepped::More) => self.out.more_success(),
            Ok(Stepped::Done) => self.ended(qid),
            Ok(Stepped::Waits(wait)) => self.pending = Some(Work::Wait { qid, wait }),
            Err(error) => self.failed_stream(qid, error),
        }
        self.next()
    }

    /// One step of a stream's query, which begins at [`Session::now`].
    fn step(&mut self, qid: u64) -> Result<Stepped, Error> {
        let position = self.streams.iter().position(|stream| stream.qid == qid);
        let stream = &mut self.streams[position.expect("a stream goes on only while it is open")];
        let demand = &mut stream.demand;
        let query = match &mut stream.body {
            Body::Query(query) => query,
            Body::Rows(rows) => {
                while demand.left > 0 {
                    let Some(row) = rows.pop_front() else { break };
                    if demand.rows == Rows::Send {
                        record::plain_row(&mut self.out, &row)?;
                    }
                    stream.rows += 1;
                    demand.left -= 1;
                }
                return Ok(if rows.is_empty() {
                    Stepped::Done
                } else {
                    Stepped::More
                });
            }
        };
        let transaction = self
            .transaction
            .as_mut()
            .expect("a query's stream has its transaction");
        let rt = &self.node.rt;
        let now = self.now;
        if self.open.is_stopped() {
            return Err(stopped());
        }
        if transaction.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Error::of(
                ErrorKind::TransactionTimedOut,
                "the query ran longer than its time limit and was stopped; nothing of its transaction remains",
            ));
        }
        // Who yields between its reading and its commit at a row that all want meets the next one's update there.
        let turn = if query.conflicted.is_some() {
            RETRY_TURN
        } else {
            TURN
        };
        let turn_ends = now + turn;
        loop {
            let bytes_before = self.out.len();
            let full = Cell::new(bytes_before >= record::SEND_BYTES);
            // Something nearly always waits on a busy core, so it is asked only now and then: a short query runs to
            // its end in one turn and answers in one send.
            let should_yield = || full.get() || (rt.now() >= turn_ends && rt.need_preempt());
            let mut records = record::Records {
                out: &mut self.out,
                full: &full,
                rows: 0,
            };
            if demand.rows == Rows::Send {
                // A batch of the query's may hold many large rows; it is asked for as many as there is room for.
                query
                    .execution
                    .request(Demand::Rows(demand.left.min(query.stretch)));
            }
            let before = transaction.txn.stats();
            let step = query.execution.step(
                &mut transaction.txn,
                &self.node.core,
                &should_yield,
                &mut records,
            );
            let rows = records.rows;
            add_difference(&mut stream.stats, &transaction.txn.stats(), &before);
            stream.rows += rows;
            demand.left = demand.left.saturating_sub(rows);
            match step? {
                Step::Done => return Ok(Stepped::Done),
                Step::Waits(Wait::Begin { conflicts: 0 }) => {
                    let txn = self.node.core.begin_auto_commit_write(query.isolation);
                    self.hold = self.hold.max(txn.snapshot());
                    query.execution.begin_inner(txn);
                }
                Step::Waits(wait) => return Ok(Stepped::Waits(wait)),
                Step::Yield => {
                    self.awaited = query.execution.awaited();
                    return Ok(Stepped::Yield);
                }
                Step::Rows if demand.left == 0 || demand.rows == Rows::Drop => {
                    return Ok(Stepped::More);
                }
                Step::Rows => {
                    let row_bytes = (self.out.len() - bytes_before) as u64 / rows.max(1);
                    query.stretch =
                        (record::SEND_BYTES as u64 / row_bytes.max(1)).clamp(1, LONGEST_STRETCH);
                    if should_yield() {
                        return Ok(Stepped::Yield);
                    }
                }
            }
        }
    }

    /// The last row of a stream is out: commits an auto-commit statement, answers any other.
    fn ended(&mut self, qid: u64) {
        let position = self.streams.iter().position(|stream| stream.qid == qid);
        let mut stream = self
            .streams
            .remove(position.expect("the stream that ended was open"));
        let auto_commit = self.transaction.as_ref().is_some_and(|tx| !tx.explicit);
        let filter = self
            .transaction
            .as_ref()
            .map_or(self.filter, |tx| tx.filter);
        if let (Body::Query(query), Some(tx)) = (&stream.body, &self.transaction) {
            let summary = query.execution.summary(&tx.txn);
            stream.rows = stream.rows.max(summary.rows);
            let plan = summary.plan.as_ref();
            stream.plan = plan.map(|plan| Box::new(admin::plan_node(plan, &summary.plan_lines)));
            let notices = summary.notices.into_iter();
            stream
                .notices
                .extend(notices.map(answer::schema_notification));
            let prepared = &query.prepared;
            let text = (!prepared.is_borrowed()).then_some(query.text.as_str());
            let advice = prepared.advice(self.node.core.graph());
            stream
                .notices
                .extend(advice.filter_map(|advice| advice::notification(advice, text, &filter)));
        }
        let read_only = match &self.transaction {
            Some(tx) => {
                !tx.txn.wrote() && tx.txn.snapshot() <= self.node.core.graph().door().visible()
            }
            None => true,
        };
        if auto_commit && !read_only {
            self.settle(Ask::Stream(Box::new(stream)));
            return;
        }
        // What only read has nothing to commit and nothing to wait for.
        let seen = auto_commit
            .then(|| self.transaction.take())
            .flatten()
            .map(|tx| tx.txn.snapshot());
        self.summarise(&stream, seen, filter, &[]);
        self.spare_text = stream.into_text();
    }

    fn failed_stream(&mut self, qid: u64, error: Error) {
        let auto_commit = self.transaction.as_ref().is_some_and(|tx| !tx.explicit);
        let position = self.streams.iter().position(|stream| stream.qid == qid);
        let Some(stream) = position.map(|at| &mut self.streams[at]) else {
            self.fail(&error, None);
            return;
        };
        let nothing_left = stream.rows == 0;
        let now = self.now;
        let Body::Query(query) = &mut stream.body else {
            self.fail(&error, None);
            return;
        };
        if error.kind() == ErrorKind::TransactionConflict
            && !query.prepared.has_inner_transactions()
            && auto_commit
            && nothing_left
            && now.saturating_since(*query.conflicted.get_or_insert(now)) < RETRY_TIME
            && let Some(transaction) = self.transaction.take()
        {
            query.retries += 1;
            stream.stats = WriteStats::default();
            let isolation = transaction.txn.isolation();
            transaction.txn.rollback();
            self.pending = Some(Work::Retry { qid, isolation });
            return;
        }
        let text = query.text.clone();
        self.fail(&error, Some(&text));
    }

    /// Does what must wait.
    pub(super) async fn perform(
        &mut self,
        work: Work,
        intake: &mut Intake,
        transport: &mut Transport,
    ) {
        match work {
            Work::Stream { qid } => self.stream_on(qid, intake, transport).await,
            Work::Wait { qid, wait } => {
                if self.wait_on(qid, wait, intake, transport).await {
                    self.pending = Some(Work::Stream { qid });
                }
            }
            Work::Retry { qid, isolation } => {
                self.begin_again(qid, isolation, intake, transport).await
            }
            Work::Settle(settle) => self.await_settled(settle, intake, transport).await,
            Work::Room(ask) => self.await_room(ask, intake, transport).await,
            Work::Finish(ask) => self.finish_on(ask, intake, transport).await,
            Work::Admin(run) => self.run_admin(run, intake, transport).await,
        }
    }

    /// Goes on with a stream, batch by batch, with everybody else's turns in between.
    async fn stream_on(&mut self, qid: u64, intake: &mut Intake, transport: &mut Transport) {
        let mut quiet_since = self.node.rt.now();
        loop {
            if !self.take_a_turn(&mut quiet_since, intake, transport).await {
                return;
            }
            self.now = self.node.rt.now();
            if !matches!(self.go_on(qid), Next::Work) {
                return;
            }
            match self.pending.take() {
                Some(Work::Stream { qid: same }) if same == qid => {}
                other => {
                    self.pending = other;
                    return;
                }
            }
        }
    }

    /// Does what a stream waits for. False: it was given up, which has been answered.
    pub(super) async fn wait_on(
        &mut self,
        qid: u64,
        wait: Wait,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> bool {
        let rt = self.node.rt.clone();
        match wait {
            Wait::Begin { conflicts } => {
                let pause_us = (50u64 << conflicts.min(8)) + rt.random() % 200;
                let pause = rt.sleep(Duration::from_micros(pause_us));
                let paused = intake.attend_until(transport, Notices::interrupt, pause);
                if paused.await.is_none() {
                    self.interrupted(intake);
                    return false;
                }
                let Some(query) = self.query(qid) else {
                    return false;
                };
                let isolation = query.isolation;
                let txn = self.node.core.begin_auto_commit_write(isolation);
                self.hold = self.hold.max(txn.snapshot());
                if let Some(query) = self.query(qid) {
                    query.execution.begin_inner(txn);
                }
            }
            Wait::Rollback => {
                if let Some(txn) = self
                    .query(qid)
                    .and_then(|query| query.execution.take_inner())
                {
                    // It may have been refused for something that is not durable yet.
                    self.hold = self.hold.max(txn.rests_on());
                    txn.rollback();
                }
            }
            Wait::Commit => {
                let Some(txn) = self
                    .query(qid)
                    .and_then(|query| query.execution.take_inner())
                else {
                    return false;
                };
                let done = txn.stats();
                let Some(outcome) = self.commit_inner(txn, intake, transport).await else {
                    self.interrupted(intake);
                    return false;
                };
                let position = self.streams.iter().position(|stream| stream.qid == qid);
                let (Some(at), Some(transaction)) = (position, &mut self.transaction) else {
                    return false;
                };
                let stream = &mut self.streams[at];
                let outcome = outcome.map(|(seq, notices)| {
                    stream.notices.extend(notices);
                    add_difference(&mut stream.stats, &done, &WriteStats::default());
                    seq
                });
                if let Body::Query(query) = &mut stream.body {
                    query
                        .execution
                        .inner_committed(&mut transaction.txn, outcome);
                }
            }
            Wait::Read(read) => {
                let known = self.query(qid).and_then(|query| {
                    let found = query.files.iter().find(|(name, _)| *name == read.name);
                    found.map(|(_, file)| file.clone())
                });
                let node = self.node.clone();
                let block = load::read(&node, &read, known);
                let Some(block) = intake
                    .attend_until(transport, Notices::interrupt, block)
                    .await
                else {
                    self.interrupted(intake);
                    return false;
                };
                if let Some(query) = self.query(qid) {
                    let block = block.map(|(file, block)| {
                        query.files.retain(|(name, _)| *name != read.name);
                        // At its end it is closed.
                        if !block.is_empty() {
                            query.files.push((read.name, file));
                        }
                        block
                    });
                    query.execution.file_read(block);
                }
            }
        }
        true
    }

    /// The query of a stream.
    fn query(&mut self, qid: u64) -> Option<&mut Query> {
        match &mut self.stream(qid)?.body {
            Body::Query(query) => Some(query),
            Body::Rows(_) => None,
        }
    }

    /// Between two turns of something long: sends what is ready, waits for a client that does not read, takes in what has
    /// arrived, lets everybody else have a turn. False when the long thing was given up, which has been answered then.
    pub(super) async fn take_a_turn(
        &mut self,
        quiet_since: &mut Instant,
        intake: &mut Intake,
        transport: &mut Transport,
    ) -> bool {
        let rt = self.node.rt.clone();
        if !self.out.is_empty() {
            *quiet_since = rt.now();
            self.flush(intake, transport).await;
        }
        let socket = transport.stream();
        if socket.unsent() > UNSENT_HIGH {
            // The client does not read: no rows until it does, or gives up, or its time is up (which the next step finds).
            let stalled = rt.now() + STALL_TIME;
            let deadline = self
                .transaction
                .as_ref()
                .and_then(|tx| tx.deadline)
                .map_or(stalled, |end| end.min(stalled));
            let drained = rt.timeout(deadline, socket.send_drained(UNSENT_LOW));
            match intake
                .attend_until(transport, Notices::interrupt, drained)
                .await
            {
                None | Some(Ok(Ok(()))) => {}
                Some(Ok(Err(_))) => intake.urgent.gone = true,
                Some(Err(_)) => intake.urgent.gone |= rt.now() >= stalled,
            }
        } else {
            intake.listen(transport).await;
        }
        if intake.urgent.interrupt() {
            self.interrupted(intake);
            return false;
        }
        if rt.now().saturating_since(*quiet_since) > NOOP_INTERVAL {
            self.say_alive(intake, transport);
            *quiet_since = rt.now();
        }
        match self.awaited.take() {
            None => rt.yield_now().await,
            Some(awaited) => {
                let come = self.node.mates.until(|| awaited.has_come());
                let come = rt.timeout(rt.now() + MATES_TIME, come);
                // Whatever ends it is looked at by whoever takes the next turn.
                let _ = intake
                    .attend_until(transport, Notices::interrupt, come)
                    .await;
            }
        }
        true
    }

    /// What runs is given up: RESET, GOODBYE, a client that has left, a server that stops.
    pub(super) fn interrupted(&mut self, intake: &mut Intake) {
        self.take_notice(intake);
        let error = if self.node.rt.shutting_down() {
            Error::of(
                ErrorKind::Unavailable,
                "the server is shutting down; nothing of the transaction remains",
            )
        } else if self.open.is_stopped() {
            stopped()
        } else {
            Error::of(
                ErrorKind::TransactionTerminated,
                "the query was stopped at the client's request",
            )
        };
        self.fail(&error, None);
    }

    /// Begins a statement again that met a conflict, after a pause that grows and varies.
    async fn begin_again(
        &mut self,
        qid: u64,
        isolation: Isolation,
        intake: &mut Intake,
        transport: &mut Transport,
    ) {
        let rt = self.node.rt.clone();
        let Some(Body::Query(query)) = self.stream(qid).map(|stream| &mut stream.body) else {
            return;
        };
        let pause_us = (50u64 << query.retries.min(8)) + rt.random() % 200;
        let (options, text) = (query.options.clone(), query.text.clone());
        let pause = rt.sleep(Duration::from_micros(pause_us));
        if intake
            .attend_until(transport, Notices::interrupt, pause)
            .await
            .is_none()
        {
            self.interrupted(intake);
            return;
        }
        self.now = rt.now();
        match self.prepare_again(qid) {
            Ok(prepared) => {
                self.open_auto_commit(&prepared, options, isolation);
                self.open.runs(&text);
            }
            Err(error) => {
                self.fail(&error, None);
                return;
            }
        }
        self.go_on(qid);
    }

    /// A statement's beginning, from its text: an index that its plan needs may have gone meanwhile.
    fn prepare_again(&mut self, qid: u64) -> Result<Prepared, Error> {
        let node = self.node.clone();
        let stream = self
            .stream(qid)
            .expect("a stream that begins again is open");
        let demand = stream.demand;
        let Body::Query(query) = &mut stream.body else {
            unreachable!("only queries begin again")
        };
        let prepared = node.queries.prepare(&query.text, &node.core)?;
        let mut execution = Execution::new(prepared.clone(), &query.parameters)?;
        execution.on_all_cores(&query.text, &node.crew);
        if demand.rows == Rows::Drop {
            execution.request(demand.dropped());
        }
        query.execution = execution;
        query.prepared = prepared.clone();
        let access = query.options.access;
        if prepared.writes() {
            self.may_write(access)?;
        }
        Ok(prepared)
    }

    /// Runs every open stream of the transaction to its end without sending rows, as COMMIT asks of streams that were
    /// left half read; the oldest first, as their statements were sent.
    pub(super) fn finish_streams(&mut self) -> Finish {
        loop {
            self.now = self.node.rt.now();
            let Some(stream) = self.streams.first_mut() else {
                return Finish::All;
            };
            let qid = stream.qid;
            match &mut stream.body {
                Body::Rows(_) => {
                    self.streams.remove(0);
                    continue;
                }
                Body::Query(query) => {
                    stream.demand = Demanded {
                        rows: Rows::Drop,
                        left: u64::MAX,
                    };
                    query.execution.request(stream.demand.dropped());
                }
            }
            match self.step(qid) {
                Ok(Stepped::Yield) => return Finish::More,
                Ok(Stepped::Waits(wait)) => return Finish::Waits { qid, wait },
                Ok(Stepped::More | Stepped::Done) => {
                    self.streams.remove(0);
                }
                Err(error) => {
                    self.failed_stream(qid, error);
                    return Finish::Failed;
                }
            }
        }
    }
}

impl Stream {
    /// Rows that are there already.
    pub(super) fn of_rows(
        qid: u64,
        fields: Rc<EncodedFields>,
        rows: Vec<Vec<Value>>,
        notices: Vec<Notification<'static>>,
        started: Instant,
    ) -> Stream {
        Stream {
            qid,
            body: Body::Rows(rows.into()),
            demand: Demanded::NOTHING,
            kind: Kind::Admin,
            fields,
            started,
            rows: 0,
            stats: WriteStats::default(),
            notices,
            plan: None,
        }
    }

    /// Its end: what its query ran with is kept for the next run. The memory of its text, for another's.
    pub(super) fn into_text(self) -> Option<Rc<String>> {
        let Body::Query(query) = self.body else {
            return None;
        };
        let Query {
            execution, text, ..
        } = *query;
        execution.finish();
        (text.capacity() <= SPARE_TEXT_BYTES_MAX).then_some(text)
    }
}

/// A query's text whose memory is kept for the next query takes this much at most, in bytes.
const SPARE_TEXT_BYTES_MAX: usize = 4 << 10;

/// Adds what happened between two counts of one transaction.
fn add_difference(sum: &mut WriteStats, after: &WriteStats, before: &WriteStats) {
    sum.vertices_created += after.vertices_created - before.vertices_created;
    sum.vertices_deleted += after.vertices_deleted - before.vertices_deleted;
    sum.edges_created += after.edges_created - before.edges_created;
    sum.edges_deleted += after.edges_deleted - before.edges_deleted;
    sum.properties_set += after.properties_set - before.properties_set;
    sum.labels_added += after.labels_added - before.labels_added;
    sum.labels_removed += after.labels_removed - before.labels_removed;
    sum.indexes_added += after.indexes_added - before.indexes_added;
    sum.indexes_removed += after.indexes_removed - before.indexes_removed;
    sum.constraints_added += after.constraints_added - before.constraints_added;
    sum.constraints_removed += after.constraints_removed - before.constraints_removed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_counts_what_its_own_steps_have_changed() {
        let first = WriteStats {
            vertices_created: 2,
            properties_set: 5,
            ..WriteStats::default()
        };
        let second = WriteStats {
            vertices_created: 3,
            properties_set: 5,
            edges_created: 1,
            ..WriteStats::default()
        };
        let third = WriteStats {
            vertices_created: 4,
            ..second
        };
        let mut counted = WriteStats::default();
        add_difference(&mut counted, &second, &first);
        add_difference(&mut counted, &third, &second);
        assert_eq!(
            counted,
            WriteStats {
                vertices_created: 2,
                edges_created: 1,
                ..WriteStats::default()
            }
        );
    }
}
