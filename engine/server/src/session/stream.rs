//! Queries and their rows: RUN, PULL, DISCARD.
//!
//! Owns the open streams of a session: each is a running query, or the finished rows of an admin statement. Called by
//! the session's loop. What always holds: an auto-commit statement commits when its last row has been produced, not
//! before; between two batches nothing borrows storage; a statement that met a conflict begins again only while none of
//! its rows has been written.

use super::settle::Ask;
use super::{Next, NOOP_INTERVAL, Session, TransactionOptions, UNSENT_HIGH, UNSENT_LOW, Work};
use super::intake::Intake;
use super::transport::Transport;
use crate::admin;
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
use quoit_query::{Demand, Execution, Kind, Parameters, Prepared, Step};
use quoit_rt::Instant;
use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

/// How often the server begins an auto-commit statement again that met a conflict.
const RETRIES_MAX: u32 = 10;

/// A statement whose answer has not been fetched to its end.
pub(super) struct Stream {
    qid: u64,
    body: Body,
    pub(super) kind: Kind,
    pub(super) fields: EncodedFields,
    pub(super) started: Instant,
    /// Rows produced so far, sent or thrown away.
    pub(super) rows: u64,
    pub(super) notices: Vec<Notification<'static>>,
    /// What is known when the last row is out.
    pub(super) finished: Option<Finished>,
}

/// The end of a stream.
pub(super) struct Finished {
    pub(super) plan: Option<PlanNode>,
}

enum Body {
    Query(Box<Query>),
    /// Rows that are there already.
    Rows { rows: VecDeque<Vec<Value>>, demand: RowsDemand },
}

struct Query {
    execution: Execution,
    prepared: Prepared,
    /// To begin again with.
    parameters: Parameters,
    options: TransactionOptions,
    demand: Demand,
    retries: u32,
    /// What transaction statistics were when the statement began.
    before: WriteStats,
    text: Box<str>,
}

/// What becomes of the rows asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// PULL.
    Send,
    /// DISCARD.
    Drop,
}

#[derive(Clone, Copy, Debug)]
struct RowsDemand {
    rows: Rows,
    left: u64,
}

/// An admin statement that is to be run.
pub(super) struct AdminRun {
    prepared: Prepared,
    parameters: Parameters,
    started: Instant,
}

/// How far a step went.
enum Stepped {
    /// Something else has to have its turn.
    Yield,
    /// What was asked for is there, and there is more.
    More,
    /// The last row is out.
    Done,
}

impl Session {
    /// RUN.
    pub(super) fn run(&mut self, run: Run<'_>) -> Next {
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        if !explicit {
            match self.await_bookmarks(run.extra.bookmarks) {
                Ok(None) => {}
                Ok(Some(seq)) => return Next::Later(seq),
                Err(next) => return next,
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
            return Err(Error::of(
                ErrorKind::TransactionTimedOut,
                "the transaction was rolled back because its time was up; begin it again, with a longer timeout if it needs one",
            ));
        }
        let started = self.node.rt.now();
        let prepared = self.node.queries.prepare(run.query, &self.node.core)?;
        let parameters = parameter::parameters(run.parameters, self.out.format())?;
        if prepared.kind() == Kind::Admin {
            self.pending = Some(Work::Admin(AdminRun { prepared, parameters, started }));
            return Ok(Next::Work);
        }
        if explicit && prepared.kind() == Kind::Schema {
            return Err(Error::of(
                ErrorKind::TransactionState,
                "Index manipulation not allowed in multicommand transactions. Run the statement on its own.",
            ));
        }
        let options = match &self.transaction {
            Some(tx) => TransactionOptions { access: tx.access, timeout: None, filter: tx.filter },
            None => self.options(&run.extra)?,
        };
        if prepared.writes() {
            self.may_write(options.access)?;
        }
        let execution = Execution::new(prepared.clone(), &parameters)?;
        if !explicit {
            self.open_auto_commit(&prepared, options);
        }
        let fields = EncodedFields::new(prepared.columns().iter().map(|name| &**name));
        let qid = self.next_qid;
        self.next_qid += 1;
        self.out.run_success(&RunAnswer {
            fields: &fields,
            t_first_ms: self.node.rt.now().saturating_since(started).as_millis() as u64,
            qid: explicit.then_some(qid),
            database: (!explicit && run.extra.database.is_none()).then_some(DATABASE),
        });
        let before = self.transaction.as_ref().map_or_else(WriteStats::default, |tx| tx.txn.stats());
        let kind = prepared.kind();
        let query = Query {
            execution,
            prepared,
            parameters,
            options,
            demand: Demand::All,
            retries: 0,
            before,
            text: run.query.into(),
        };
        self.streams.push(Stream {
            qid,
            body: Body::Query(Box::new(query)),
            kind,
            fields,
            started,
            rows: 0,
            notices: Vec::new(),
            finished: None,
        });
        self.state.run_succeeded(TransactionChange::None);
        Ok(Next::Go)
    }

    /// Whether this transaction, on this node, may write now.
    fn may_write(&self, access: AccessMode) -> Result<(), Error> {
        if access == AccessMode::Read {
            return Err(Error::of(
                ErrorKind::AccessMode,
                "writing is not allowed in a transaction of access mode read; open it for writing",
            ));
        }
        self.node.replication.writable().map_err(|refusal| Error::of(ErrorKind::NotALeader, refusal.to_string()))
    }

    fn open_auto_commit(&mut self, prepared: &Prepared, options: TransactionOptions) {
        let txn = if prepared.writes() {
            let txn = self.node.core.begin_auto_commit_write();
            // What it reads may not be durable yet; nothing of it leaves before that is.
            self.hold = self.hold.max(txn.snapshot());
            txn
        } else {
            self.node.core.begin(Access::Read, Isolation::default())
        };
        self.transaction = Some(self.transaction(txn, false, options));
        self.next_qid = 0;
    }

    /// PULL and DISCARD.
    pub(super) fn pull(&mut self, request: StreamRequest, rows: Rows) -> Next {
        let found = match request.qid {
            None => self.streams.last().map(|stream| stream.qid),
            Some(qid) => self.streams.iter().find(|stream| stream.qid == qid).map(|stream| stream.qid),
        };
        let Some(qid) = found else {
            let error = match (&self.transaction, request.qid) {
                (None, _) => Error::of(ErrorKind::TransactionTimedOut, "the transaction was rolled back because its time was up"),
                (_, qid) => Error::of(
                    ErrorKind::ProtocolError,
                    format!("there is no open stream {}", qid.map_or_else(|| "to fetch from".to_owned(), |qid| qid.to_string())),
                ),
            };
            self.fail(&error, None);
            return Next::Go;
        };
        let stream = self.stream(qid).expect("it was just found");
        match &mut stream.body {
            Body::Query(query) => {
                query.demand = match (request.rows, rows) {
                    (message::Rows::All, Rows::Send) => Demand::All,
                    (message::Rows::All, Rows::Drop) => Demand::DiscardAll,
                    (message::Rows::AtMost(n), Rows::Send) => Demand::Rows(n),
                    (message::Rows::AtMost(n), Rows::Drop) => Demand::Discard(n),
                };
                query.execution.request(query.demand);
            }
            Body::Rows { demand, .. } => {
                let left = match request.rows {
                    message::Rows::All => u64::MAX,
                    message::Rows::AtMost(n) => n,
                };
                *demand = RowsDemand { rows, left };
            }
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
            Err(error) => self.failed_stream(qid, error),
        }
        self.next()
    }

    /// One step of a stream's query.
    fn step(&mut self, qid: u64) -> Result<Stepped, Error> {
        let position = self.streams.iter().position(|stream| stream.qid == qid);
        let stream = &mut self.streams[position.expect("a stream goes on only while it is open")];
        match &mut stream.body {
            Body::Rows { rows, demand } => {
                while demand.left > 0 {
                    let Some(row) = rows.pop_front() else { break };
                    if demand.rows == Rows::Send {
                        record::plain_row(&mut self.out, &row)?;
                    }
                    stream.rows += 1;
                    demand.left -= 1;
                }
                Ok(if rows.is_empty() { Stepped::Done } else { Stepped::More })
            }
            Body::Query(query) => {
                let transaction = self.transaction.as_mut().expect("a query's stream has its transaction");
                let rt = &self.node.rt;
                if transaction.deadline.is_some_and(|deadline| rt.now() > deadline) {
                    return Err(Error::of(
                        ErrorKind::TransactionTimedOut,
                        "the query ran longer than its time limit and was stopped; nothing of its transaction remains",
                    ));
                }
                let full = Cell::new(self.out.len() >= record::SEND_BYTES);
                let should_yield = || full.get() || rt.need_preempt();
                let mut records = record::Records { out: &mut self.out, full: &full, rows: 0 };
                let step = query.execution.step(&mut transaction.txn, &self.node.core, &should_yield, &mut records);
                stream.rows += records.rows;
                Ok(match step? {
                    Step::Yield => Stepped::Yield,
                    Step::Rows => Stepped::More,
                    Step::Done => Stepped::Done,
                })
            }
        }
    }

    /// The last row of a stream is out: commits an auto-commit statement, answers any other.
    fn ended(&mut self, qid: u64) {
        let position = self.streams.iter().position(|stream| stream.qid == qid);
        let mut stream = self.streams.remove(position.expect("the stream that ended was open"));
        let mut stats = WriteStats::default();
        if let (Body::Query(query), Some(tx)) = (&stream.body, &self.transaction) {
            let summary = query.execution.summary(&tx.txn);
            stats = difference(&summary.stats, &query.before);
            stream.rows = stream.rows.max(summary.rows);
            stream.finished = Some(Finished { plan: admin::plan_node(&summary.plan) });
        }
        match &self.transaction {
            Some(tx) if !tx.explicit && matches!(stream.body, Body::Query(_)) => {
                self.settle(Ask::Stream { stream: Box::new(stream), stats });
            }
            Some(tx) => {
                let filter = tx.filter;
                self.summarise(&stream, stats, None, filter);
            }
            None => {
                let filter = self.filter;
                self.summarise(&stream, stats, None, filter);
            }
        }
    }

    fn failed_stream(&mut self, qid: u64, error: Error) {
        let auto_commit = self.transaction.as_ref().is_some_and(|tx| !tx.explicit);
        let Some(stream) = self.stream(qid) else {
            self.fail(&error, None);
            return;
        };
        let nothing_left = stream.rows == 0;
        let Body::Query(query) = &mut stream.body else {
            self.fail(&error, None);
            return;
        };
        if error.kind() == ErrorKind::TransactionConflict && auto_commit && nothing_left && query.retries < RETRIES_MAX {
            query.retries += 1;
            if let Some(transaction) = self.transaction.take() {
                transaction.txn.rollback();
            }
            self.pending = Some(Work::Retry { qid });
            return;
        }
        let text = std::mem::take(&mut query.text);
        self.fail(&error, Some(&text));
    }

    /// Does what must wait.
    pub(super) async fn perform(&mut self, work: Work, intake: &mut Intake, transport: &mut Transport) {
        match work {
            Work::Stream { qid } => self.stream_on(qid, intake, transport).await,
            Work::Retry { qid } => self.begin_again(qid, intake, transport).await,
            Work::Settle(settle) => self.await_settled(settle, intake, transport).await,
            Work::Admin(run) => self.run_admin(run, intake, transport).await,
        }
    }

    /// Goes on with a stream, batch by batch, with everybody else's turns in between.
    async fn stream_on(&mut self, qid: u64, intake: &mut Intake, transport: &mut Transport) {
        let rt = self.node.rt.clone();
        loop {
            self.flush(intake, transport).await;
            let socket = transport.stream();
            if socket.unsent() > UNSENT_HIGH {
                // The client does not read: no rows until it does, or gives up.
                intake.attend_until_urgent(transport, socket.send_drained(UNSENT_LOW)).await;
            } else {
                intake.listen(transport).await;
            }
            if intake.urgent.interrupt() || rt.shutting_down() {
                self.interrupted(intake);
                return;
            }
            if self.out.format().version().server_may_send_noop() && rt.now().saturating_since(self.sent_at) > NOOP_INTERVAL {
                self.out.noop();
            }
            rt.yield_now().await;
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

    /// What runs is given up: RESET, GOODBYE, a client that has left, a server that stops.
    fn interrupted(&mut self, intake: &mut Intake) {
        self.take_notice(intake);
        let error = if self.node.rt.shutting_down() {
            Error::of(ErrorKind::Unavailable, "the server is shutting down; nothing of the transaction remains")
        } else {
            Error::of(ErrorKind::TransactionTerminated, "the query was stopped at the client's request")
        };
        self.fail(&error, None);
    }

    /// Begins a statement again that met a conflict, after a pause that grows and varies.
    async fn begin_again(&mut self, qid: u64, intake: &mut Intake, transport: &mut Transport) {
        let rt = self.node.rt.clone();
        let Some(Body::Query(query)) = self.stream(qid).map(|stream| &mut stream.body) else { return };
        let pause_us = (50u64 << query.retries.min(8)) + rt.random() % 200;
        let (prepared, options, demand) = (query.prepared.clone(), query.options, query.demand);
        let pause = rt.sleep(Duration::from_micros(pause_us));
        if intake.attend_until_urgent(transport, pause).await.is_none() || rt.shutting_down() {
            self.interrupted(intake);
            return;
        }
        if let Err(error) = self.may_write(options.access) {
            self.fail(&error, None);
            return;
        }
        self.open_auto_commit(&prepared, options);
        let Some(Body::Query(query)) = self.stream(qid).map(|stream| &mut stream.body) else { return };
        match Execution::new(prepared, &query.parameters) {
            Ok(mut execution) => {
                execution.request(demand);
                query.execution = execution;
            }
            Err(error) => {
                self.fail(&error, None);
                return;
            }
        }
        self.go_on(qid);
    }

    /// Runs an admin statement and opens a stream of its rows.
    async fn run_admin(&mut self, run: AdminRun, intake: &mut Intake, transport: &mut Transport) {
        let statement = run.prepared.admin().expect("an admin statement was prepared");
        if let Some(word) = admin::TransactionWord::of(statement) {
            self.run_transaction_word(word, run.started);
            return;
        }
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        self.flush(intake, transport).await;
        let node = self.node.clone();
        let answer = intake.attend(transport, admin::run(&node, statement, &run.parameters, explicit)).await;
        match answer {
            Ok(answer) => {
                let notices = answer.notices.into_iter().map(super::answer::notification).collect();
                self.open_rows(answer.columns.iter().map(|c| &**c), answer.rows, notices, run.started, TransactionChange::None);
            }
            Err(error) => self.fail(&error, None),
        }
    }

    /// Answers RUN and opens a stream of rows that are there already.
    pub(super) fn open_rows<'n>(
        &mut self,
        columns: impl Iterator<Item = &'n str>,
        rows: Vec<Vec<Value>>,
        notices: Vec<Notification<'static>>,
        started: Instant,
        change: TransactionChange,
    ) {
        let fields = EncodedFields::new(columns);
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        let qid = self.next_qid;
        self.next_qid += 1;
        self.out.run_success(&RunAnswer {
            fields: &fields,
            t_first_ms: self.node.rt.now().saturating_since(started).as_millis() as u64,
            qid: explicit.then_some(qid),
            database: None,
        });
        self.streams.push(Stream {
            qid,
            body: Body::Rows { rows: rows.into(), demand: RowsDemand { rows: Rows::Send, left: 0 } },
            kind: Kind::Admin,
            fields,
            started,
            rows: 0,
            notices,
            finished: None,
        });
        self.state.run_succeeded(change);
    }

    /// `BEGIN`, `COMMIT`, `ROLLBACK` sent as queries, as mgclient does.
    fn run_transaction_word(&mut self, word: admin::TransactionWord, started: Instant) {
        let explicit = self.transaction.as_ref().is_some_and(|tx| tx.explicit);
        match (word, explicit) {
            (admin::TransactionWord::Begin, true) => {
                self.fail(&Error::of(ErrorKind::TransactionState, "Nested transactions are not supported."), None);
            }
            (admin::TransactionWord::Begin, false) => {
                let timeout = self.node.options.query_timeout;
                self.open_explicit(TransactionOptions {
                    access: AccessMode::Write,
                    timeout: (!timeout.is_zero()).then_some(timeout),
                    filter: self.filter,
                });
                self.open_rows(std::iter::empty(), Vec::new(), Vec::new(), started, TransactionChange::Opened);
            }
            (admin::TransactionWord::Commit | admin::TransactionWord::Rollback, false) => {
                self.fail(&Error::of(ErrorKind::TransactionState, "No current transaction to commit or roll back."), None);
            }
            (admin::TransactionWord::Commit, true) => {
                self.commit(Ask::Text { started });
            }
            (admin::TransactionWord::Rollback, true) => {
                self.rollback();
                self.next_qid = 0;
                self.open_rows(std::iter::empty(), Vec::new(), Vec::new(), started, TransactionChange::Closed);
            }
        }
    }

    /// Runs every open stream of the transaction to its end without sending rows, as COMMIT asks of streams that were
    /// left half read; false when one failed (which has been answered) or needs more turns than this one.
    pub(super) fn finish_streams(&mut self) -> Result<bool, Error> {
        while let Some(stream) = self.streams.last_mut() {
            let qid = stream.qid;
            match &mut stream.body {
                Body::Rows { .. } => {
                    self.streams.pop();
                    continue;
                }
                Body::Query(query) => query.execution.request(Demand::DiscardAll),
            }
            match self.step(qid)? {
                Stepped::Yield => return Ok(false),
                Stepped::More | Stepped::Done => {
                    self.streams.pop();
                }
            }
        }
        Ok(true)
    }
}

/// What happened between two counts of one transaction.
fn difference(after: &WriteStats, before: &WriteStats) -> WriteStats {
    WriteStats {
        vertices_created: after.vertices_created - before.vertices_created,
        vertices_deleted: after.vertices_deleted - before.vertices_deleted,
        edges_created: after.edges_created - before.edges_created,
        edges_deleted: after.edges_deleted - before.edges_deleted,
        properties_set: after.properties_set - before.properties_set,
        labels_added: after.labels_added - before.labels_added,
        labels_removed: after.labels_removed - before.labels_removed,
        indexes_added: after.indexes_added - before.indexes_added,
        indexes_removed: after.indexes_removed - before.indexes_removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_counts_what_happened_since_it_began() {
        let before = WriteStats { vertices_created: 2, properties_set: 5, ..WriteStats::default() };
        let after = WriteStats { vertices_created: 3, properties_set: 5, edges_created: 1, ..WriteStats::default() };
        assert_eq!(
            difference(&after, &before),
            WriteStats { vertices_created: 1, edges_created: 1, ..WriteStats::default() }
        );
    }
}
