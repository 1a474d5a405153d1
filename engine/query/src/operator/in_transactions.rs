//! `CALL {} IN TRANSACTIONS` and `USING PERIODIC COMMIT`: some rows at a time in a transaction of their own.
//!
//! [`InTransactions`] gathers rows, has its inner plan run on them within an *inner transaction*, and gives out what that gave when it has been committed. Beginning,
//! committing and undoing is the work of whoever runs the execution: the operator says what it waits for ([`Wait`]) and yields, the
//! execution hands it up, and the outcome comes back through the context. What always holds:
//!
//! - The plan below is pulled with the view that the statement began with, whatever has been committed since; what stands above sees all
//!   that was committed.
//! - Rows leave only when their transaction is over. A transaction that met a conflict is begun again with the same rows.
//! - Held until their transaction is over: the rows, and what the inner plan gave for them.

use std::rc::Rc;

use quoit_cypher::ast::OnError;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;

use super::load::FileRead;
use super::row::row_count;
use super::update::delete_postponed;
use super::{Batch, Context, Operator, Pull, Running};
use crate::plan;

/// Rows of a transaction if nothing is said.
const ROWS: usize = 1000;

/// How often rows are tried whose transaction meets conflicts.
const ATTEMPTS_MAX: u32 = 40;

/// Estimated bytes of a value in a buffer, what it points to not counted.
const VALUE_BYTES: u64 = 24;

/// What an execution waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// An inner transaction: [`crate::Execution::begin_inner`].
    Begin {
        /// How often the same rows have met a conflict; above 0, a pause does good.
        conflicts: u32,
    },
    /// That the inner transaction is committed, or that this is refused: [`crate::Execution::take_inner`], then
    /// [`crate::Execution::inner_committed`].
    Commit,
    /// That the inner transaction is undone: [`crate::Execution::take_inner`].
    Rollback,
    /// A part of a file, from 1 byte up to as many as is convenient, none at its end: [`crate::Execution::file_read`].
    Read(FileRead),
}

/// Runs its inner plan on some rows at a time, each time in a transaction of its own.
pub struct InTransactions {
    plan: Rc<plan::InTransactions>,
    input: Running,
    inner: Running,
    size: Option<usize>,
    /// What came from the input, and how much of it has been gathered.
    pulled: Batch,
    at: usize,
    is_over: bool,
    /// The rows of the transaction at work; with the context while the inner plan runs.
    rows: Batch,
    /// What the inner plan gave for them; then what is given out.
    results: Batch,
    made: Batch,
    next: usize,
    held: u64,
    stage: Stage,
    conflicts: u32,
    /// A transaction failed and the others are not begun.
    is_broken: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Gathers,
    Begins,
    Runs,
    Commits,
    /// It is undone because of this.
    Undoes(Error),
    GivesOut,
}

/// What became of a transaction, for its rows' status.
enum Outcome<'e> {
    Committed(u64),
    Failed(&'e Error),
    NotBegun,
}

impl InTransactions {
    pub fn new(plan: Rc<plan::InTransactions>, input: Running, inner: Running) -> Self {
        InTransactions {
            plan,
            input,
            inner,
            size: None,
            pulled: Batch::new(),
            at: 0,
            is_over: false,
            rows: Batch::new(),
            results: Batch::new(),
            made: Batch::new(),
            next: 0,
            held: 0,
            stage: Stage::Gathers,
            conflicts: 0,
            is_broken: false,
        }
    }

    fn size(&mut self, cx: &mut Context<'_>) -> Result<usize, Error> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let size = match &self.plan.rows {
            None => ROWS,
            Some(rows) => match row_count(rows, cx, "OF ... ROWS")? {
                0 => {
                    return Err(Error::argument(
                        Detail::NumberOutOfRange,
                        "a transaction cannot be of 0 rows",
                    )
                    .at(self.plan.place.0));
                }
                rows => usize::try_from(rows).unwrap_or(usize::MAX),
            },
        };
        self.size = Some(size);
        Ok(size)
    }

    /// Takes in the rows of the next transaction; false: the time slice is over.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let size = self.size(cx)?;
        while self.rows.len() < size {
            if self.at < self.pulled.len() {
                let row = self.pulled.row(self.at);
                self.at += 1;
                let bytes = row.len() as u64 * VALUE_BYTES;
                cx.hold(bytes)?;
                self.held += bytes;
                self.rows.push(row);
                continue;
            }
            if self.is_over {
                break;
            }
            self.at = 0;
            let (input, pulled) = (&mut self.input, &mut self.pulled);
            match cx.seeing_first(|cx| input.next(cx, pulled))? {
                Pull::Rows => {}
                Pull::Yield => {
                    self.pulled.clear();
                    return Ok(false);
                }
                Pull::End => {
                    self.pulled.clear();
                    self.is_over = true;
                }
            }
            if cx.should_yield() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs the inner plan; false: the time slice is over.
    fn run(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        loop {
            match self.inner.next(cx, &mut self.made)? {
                Pull::Yield => return Ok(false),
                Pull::End => {
                    delete_postponed(cx)?;
                    return Ok(true);
                }
                Pull::Rows => {
                    let bytes = (self.made.len() * self.made.width()) as u64 * VALUE_BYTES;
                    cx.hold(bytes)?;
                    self.held += bytes;
                    self.results.append(&mut self.made);
                    if cx.should_yield() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// The rows as they leave where the inner plan gave nothing that stands.
    fn without_results(&mut self) {
        self.results.clear();
        self.results.append(&mut self.rows);
        for at in 0..self.results.len() {
            let row = self.results.row_mut(at);
            for slot in &self.plan.outputs {
                row[*slot as usize] = Value::Null;
            }
        }
    }

    fn give_out(&mut self, outcome: Outcome<'_>) {
        if let Some(slot) = self.plan.status {
            let status = status(&outcome);
            for at in 0..self.results.len() {
                self.results.row_mut(at)[slot as usize] = status.clone();
            }
        }
        self.next = 0;
        self.conflicts = 0;
        self.stage = Stage::GivesOut;
    }

    /// A transaction has failed and nothing of it remains.
    fn failed(&mut self, error: Error) -> Result<(), Error> {
        match self.plan.on_error {
            _ if error.is_transient() && self.conflicts < ATTEMPTS_MAX => {
                self.conflicts += 1;
                self.results.clear();
                self.stage = Stage::Begins;
                return Ok(());
            }
            OnError::Fail => return Err(error),
            OnError::Continue => {}
            OnError::Break => self.is_broken = true,
        }
        self.without_results();
        self.give_out(Outcome::Failed(&error));
        Ok(())
    }
}

/// What `REPORT STATUS` says.
fn status(outcome: &Outcome<'_>) -> Value {
    let (started, id, message) = match outcome {
        Outcome::Committed(number) => (true, Value::from(number.to_string()), Value::Null),
        Outcome::Failed(error) => (true, Value::Null, Value::from(error.message().to_owned())),
        Outcome::NotBegun => (false, Value::Null, Value::Null),
    };
    let committed = matches!(outcome, Outcome::Committed(_));
    Value::map(vec![
        ("started".into(), Value::Bool(started)),
        ("committed".into(), Value::Bool(committed)),
        ("transactionId".into(), id),
        ("errorMessage".into(), message),
    ])
}

impl Operator for InTransactions {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.pulled.clear();
        self.rows.clear();
        self.results.clear();
        (self.at, self.next, self.conflicts) = (0, 0, 0);
        (self.is_over, self.is_broken) = (false, false);
        self.stage = Stage::Gathers;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            match self.stage.clone() {
                Stage::Gathers => {
                    if !self.gather(cx)? {
                        return Ok(Pull::Yield);
                    }
                    if self.rows.is_empty() {
                        return Ok(Pull::End);
                    }
                    if self.is_broken {
                        self.without_results();
                        self.give_out(Outcome::NotBegun);
                    } else {
                        self.stage = Stage::Begins;
                    }
                }
                Stage::Begins => {
                    if !cx.has_inner() {
                        cx.wait_for(Wait::Begin {
                            conflicts: self.conflicts,
                        });
                        return Ok(Pull::Yield);
                    }
                    cx.give(std::mem::take(&mut self.rows));
                    self.inner.reset(&[]);
                    self.stage = Stage::Runs;
                }
                Stage::Runs => match cx.within_inner(|cx| self.run(cx)) {
                    Ok(false) => return Ok(Pull::Yield),
                    Ok(true) => {
                        self.rows = cx.take_given();
                        self.stage = Stage::Commits;
                        cx.wait_for(Wait::Commit);
                        return Ok(Pull::Yield);
                    }
                    Err(error) => {
                        self.rows = cx.take_given();
                        let _ = cx.take_postponed();
                        self.stage = Stage::Undoes(error);
                        cx.wait_for(Wait::Rollback);
                        return Ok(Pull::Yield);
                    }
                },
                Stage::Commits => match cx.take_committed() {
                    None => {
                        cx.wait_for(Wait::Commit);
                        return Ok(Pull::Yield);
                    }
                    Some(Ok(number)) => {
                        self.rows.clear();
                        self.give_out(Outcome::Committed(number.0));
                    }
                    Some(Err(error)) => self.failed(error)?,
                },
                Stage::Undoes(error) => {
                    if cx.has_inner() {
                        cx.wait_for(Wait::Rollback);
                        return Ok(Pull::Yield);
                    }
                    self.failed(error)?;
                }
                Stage::GivesOut => {
                    while self.next < self.results.len() && !out.is_full() {
                        out.push(self.results.row(self.next));
                        self.next += 1;
                    }
                    if !out.is_empty() {
                        return Ok(Pull::Rows);
                    }
                    self.results.clear();
                    cx.release(std::mem::take(&mut self.held));
                    self.stage = Stage::Gathers;
                    if cx.should_yield() {
                        return Ok(Pull::Yield);
                    }
                }
            }
        }
    }
}

/// The rows of the transaction at work, as they were gathered.
#[derive(Default)]
pub struct Given {
    next: usize,
}

impl Operator for Given {
    fn reset(&mut self, _: &[Value]) {
        self.next = 0;
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        while !out.is_full() {
            let Some(row) = cx.given_row(self.next) else {
                break;
            };
            out.push(row);
            self.next += 1;
        }
        Ok(match out.is_empty() {
            true => Pull::End,
            false => Pull::Rows,
        })
    }
}
