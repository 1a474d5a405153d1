//! Running a prepared statement, step by step.
//!
//! The server owns the transaction and calls [`Execution::step`] until it is done or the client's demand is met. Always holds: a step enters the
//! epoch and leaves it; after an error the execution is over and its transaction must be rolled back (in auto-commit) or is doomed; rows are given out only
//! after all writes of the statement are done.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use quoit_cypher::error::{Detail, Error, ErrorKind, Phase};
use quoit_graph::ids::CommitSeq;
use quoit_graph::value::Value;
use quoit_graph::{Core, Statement, Txn, View, WriteStats};

use crate::operator::{
    Batch, Context, Counts, InnerTransaction, Pull, Running, State, Vector, Vectors, Wait, build,
    build_measured, delete_postponed, measured, now,
};
use crate::parallel::{Awaited, Crew, Team};
use crate::plan::describe::{Line, Measured, PlanTree};
use crate::planner::ParameterSource;
use crate::prepared::{Kind, Mode, Parameters, Prepared};
use crate::schema::{Notice, SchemaRun};

/// Bytes of intermediate results that one execution may hold if nothing else is said: 1 GiB.
pub const HELD_BYTES_MAX: u64 = 1 << 30;

/// Longer texts are not given to other cores, which plan them without looking up, in bytes.
const SHARED_TEXT_BYTES_MAX: usize = 8 << 10;

/// Takes rows as they are made.
pub trait RowSink {
    /// One row, in the order of the columns. Vertices and edges are ids: `view` shows what they hold, for as long as this call.
    ///
    /// # Errors
    /// The row cannot be taken; ends the execution.
    fn row(&mut self, row: &[Value], view: &View<'_>) -> Result<(), Error>;

    /// Some rows of a batch at once, by their numbers in it; `columns` are all columns, in order. As [`RowSink::row`] with each of them.
    ///
    /// # Errors
    /// As [`RowSink::row`].
    fn vectors(
        &mut self,
        columns: &[Vector],
        rows: Range<usize>,
        view: &View<'_>,
    ) -> Result<(), Error> {
        let mut row = Vec::with_capacity(columns.len());
        for at in rows {
            row.clear();
            row.extend(columns.iter().map(|column| column.value(at)));
            self.row(&row, view)?;
        }
        Ok(())
    }
}

/// How many rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Give so many more to the sink.
    Rows(u64),
    /// Give all that are left to the sink.
    All,
    /// Drop so many.
    Discard(u64),
    /// Drop all that are left.
    DiscardAll,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The demand is met and at least one more row waits.
    Rows,
    /// The time slice is over: step again.
    Yield,
    /// Something has to be done for an inner transaction first.
    Waits(Wait),
    /// All rows are out, all effects done.
    Done,
}

/// What a finished execution did.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What kind of statement it was.
    pub kind: Kind,
    /// Rows given out or dropped on demand.
    pub rows: u64,
    /// The transaction's counters at its end less those at its start.
    pub stats: WriteStats,
    /// The plan, if it was asked for.
    pub plan: Option<PlanTree>,
    /// Its text, one line an operator.
    pub plan_lines: Vec<String>,
    /// What its author should know.
    pub notices: Vec<Notice>,
}

/// One run of a statement.
pub struct Execution {
    prepared: Prepared,
    run: Box<Run>,
}

/// What a run consists of, kept with its plan when it is over so that the next run finds it ([`Execution::finish`]).
pub(crate) struct Run {
    running: Option<Running>,
    state: State,
    batch: Batch,
    /// Rows as columns, instead of those in `batch`.
    vectors: Vectors,
    /// The topmost operator is asked for columns.
    by_vectors: bool,
    /// Rows of either that are out.
    at: usize,
    wanted: u64,
    discards: bool,
    rows: u64,
    done: bool,
    /// What it sees, fixed at its first step, so that later statements of the transaction do not change its rows.
    statement: Option<Statement>,
    before: Option<WriteStats>,
    /// The schema statement that it is, while it runs.
    schema: Option<SchemaRun>,
    /// Time in it, and whether that has been told, if it is measured.
    schema_time: Duration,
    schema_is_profiled: bool,
    /// What its operators have done, if they are measured.
    counts: Counts,
    /// The transaction within it that is committed by itself.
    inner: Option<Box<InnerTransaction>>,
    /// What it sees since inner transactions have been committed.
    later: Option<Statement>,
    /// What the inner transaction that is being committed has done, and those committed before.
    inner_stats: [WriteStats; 2],
}

impl Run {
    /// Forgets what it was about; whether it can serve another execution.
    fn tidy(&mut self) -> bool {
        let is_plain = self.running.is_some()
            && self.schema.is_none()
            && self.inner.is_none()
            && self.later.is_none()
            && !self.by_vectors
            && self.batch.is_light()
            && self.state.tidy();
        self.batch.clear();
        (self.at, self.wanted, self.discards, self.rows) = (0, 0, false, 0);
        (self.done, self.statement, self.before) = (false, None, None);
        is_plain
    }
}

/// The last run of a plan that is over and can serve again.
#[derive(Default)]
pub(crate) struct Spare(Cell<Option<Box<Run>>>);

impl Spare {
    fn take(&self) -> Option<Box<Run>> {
        self.0.take()
    }

    fn put(&self, run: Box<Run>) {
        self.0.set(Some(run));
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spare")
    }
}

impl Execution {
    /// A run with the default limit on memory.
    ///
    /// # Errors
    /// A parameter is missing; the statement is the server's.
    pub fn new(prepared: Prepared, parameters: &Parameters) -> Result<Execution, Error> {
        Execution::with_limit(prepared, parameters, HELD_BYTES_MAX)
    }

    /// A run that may hold so many bytes of intermediate results, as estimated.
    ///
    /// # Errors
    /// A parameter is missing; the statement is the server's.
    pub fn with_limit(
        prepared: Prepared,
        parameters: &Parameters,
        held_bytes_max: u64,
    ) -> Result<Execution, Error> {
        if prepared.kind() == Kind::Admin {
            return Err(Error::internal(
                "an admin statement is the server's to carry out",
            ));
        }
        let explain = prepared.mode() == Mode::Explain;
        if !explain
            && let Some(missing) = prepared
                .parameters()
                .iter()
                .find(|name| parameters.get(name).is_none())
        {
            return Err(Error::new(
                ErrorKind::ParameterMissing,
                Phase::CompileTime,
                Detail::MissingParameter,
                format!("parameter `${missing}` was not given"),
            ));
        }
        let planned = prepared.inner.planned.as_ref();
        let value = |source: &ParameterSource| match source {
            ParameterSource::Named(name) => parameters.get(name).cloned().unwrap_or_default(),
            ParameterSource::Literal(number) => prepared.literals[usize::from(*number)].clone(),
        };
        let seed = if planned.is_some_and(|planned| planned.is_volatile) {
            RandomState::new().hash_one(0_u8)
        } else {
            1
        };
        let statement_time = match planned {
            Some(planned) if !planned.is_timed => Duration::ZERO,
            _ => now(),
        };
        if let Some(planned) = planned
            && let Some(mut run) = prepared.inner.spare.take()
        {
            let values = planned.parameters.iter().map(value);
            if run
                .state
                .begin_again(values, seed, statement_time, held_bytes_max)
            {
                return Ok(Execution { prepared, run });
            }
        }
        let values: Rc<[Value]> = planned
            .map(|planned| planned.parameters.iter().map(value).collect())
            .unwrap_or_default();
        let said = planned
            .filter(|_| !explain)
            .and_then(|planned| planned.memory_limit.as_ref());
        let held_bytes_max = match said {
            Some(limit) => limit.bytes(&values)?,
            None => held_bytes_max,
        };
        let hops_max = match planned.and_then(|planned| planned.hops_limit.as_ref()) {
            Some(limit) if !explain => Some(limit.value(&values, 0, "a limit on hops")?),
            _ => None,
        };
        let (locals, subqueries) =
            planned.map_or((0, 0), |planned| (planned.locals, planned.subqueries));
        let mut counts = Counts::new();
        let running = planned
            .filter(|_| !explain)
            .map(|planned| match prepared.mode() {
                Mode::Profile => build_measured(&planned.plan, &mut counts),
                Mode::Run | Mode::Explain => build(&planned.plan),
            });
        let mut batch = Batch::new();
        if explain {
            for line in prepared.plan_lines() {
                batch.push(&[Value::from(line)]);
            }
        }
        let mut state = State::new(
            values,
            locals,
            subqueries,
            seed,
            statement_time,
            held_bytes_max,
        );
        state.limit_hops(hops_max);
        let run = Box::new(Run {
            by_vectors: running
                .as_ref()
                .is_some_and(|running| running.gives_vectors()),
            running,
            vectors: Vectors::new(),
            state,
            batch,
            at: 0,
            wanted: 0,
            discards: false,
            rows: 0,
            done: false,
            statement: None,
            before: None,
            schema: None,
            schema_time: Duration::ZERO,
            schema_is_profiled: false,
            counts,
            inner: None,
            later: None,
            inner_stats: Default::default(),
        });
        Ok(Execution { prepared, run })
    }

    /// The end of a run. What it consists of is kept for the plan's next one, if that is worth it: a short query then allocates next to
    /// nothing.
    pub fn finish(self) {
        let Execution { prepared, mut run } = self;
        let planned = prepared.inner.planned.as_ref();
        // A limit of its author's may depend on parameters.
        let is_limited = planned.is_some_and(|planned| planned.memory_limit.is_some());
        if run.done && prepared.mode() == Mode::Run && !is_limited && run.tidy() {
            prepared.inner.spare.put(run);
        }
    }

    /// Has the other cores help, if the plan is one that is divided. `text` is what was prepared.
    pub fn on_all_cores(&mut self, text: &str, crew: &Rc<dyn Crew>) {
        let Some(planned) = &self.prepared.inner.planned else {
            return;
        };
        if planned.is_divided && crew.cores() > 1 && text.len() <= SHARED_TEXT_BYTES_MAX {
            self.run.state.shared().team = Some(Team {
                crew: crew.clone(),
                text: text.into(),
                fingerprint: planned.fingerprint(),
            });
        }
    }

    /// What the last step has yielded for, if it can do nothing before other cores have sent something.
    pub fn awaited(&mut self) -> Option<Awaited> {
        self.run.state.shared().awaited.take()
    }

    /// Says how many rows are wanted from here on.
    pub fn request(&mut self, demand: Demand) {
        (self.run.wanted, self.run.discards) = match demand {
            Demand::Rows(count) => (count, false),
            Demand::All => (u64::MAX, false),
            Demand::Discard(count) => (count, true),
            Demand::DiscardAll => (u64::MAX, true),
        };
    }

    /// The statement.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// Takes a transaction to do the next rows' work in, as [`Wait::Begin`] asks. It belongs to the execution until it is taken back, and is
    /// rolled back with it.
    pub fn begin_inner(&mut self, mut txn: Txn) {
        let statement = txn.begin_statement(false);
        self.run.inner = Some(Box::new(InnerTransaction { txn, statement }));
    }

    /// Gives the inner transaction back, to be committed or rolled back; `None` if there is none.
    pub fn take_inner(&mut self) -> Option<Txn> {
        let inner = self.run.inner.take()?;
        self.run.inner_stats[0] = inner.txn.stats();
        Some(inner.txn)
    }

    /// Gives the part of a file that [`Wait::Read`] asks for, or says why there is none.
    pub fn file_read(&mut self, block: Result<Vec<u8>, Error>) {
        self.run.state.file_read(block);
    }

    /// Says what became of the transaction that was taken: the number of its commit, which is visible now, or why there is none.
    pub fn inner_committed(&mut self, txn: &mut Txn, outcome: Result<CommitSeq, Error>) {
        if outcome.is_ok() {
            let done = std::mem::take(&mut self.run.inner_stats[0]);
            self.run.inner_stats[1] = sum(&self.run.inner_stats[1], &done);
            self.run.later = Some(txn.begin_statement(true));
        }
        self.run.state.inner_committed(outcome);
    }

    /// Runs until the demand is met, the time slice is over, or all is done.
    ///
    /// # Errors
    /// Whatever the statement meets at run time. The execution must not be stepped again then.
    pub fn step(
        &mut self,
        txn: &mut Txn,
        core: &Core,
        should_yield: &dyn Fn() -> bool,
        sink: &mut dyn RowSink,
    ) -> Result<Step, Error> {
        self.run(txn, core, should_yield, sink)
            .map_err(|error| self.prepared.placed(error))
    }

    fn run(
        &mut self,
        txn: &mut Txn,
        core: &Core,
        should_yield: &dyn Fn() -> bool,
        sink: &mut dyn RowSink,
    ) -> Result<Step, Error> {
        if self.run.done {
            return Ok(Step::Done);
        }
        if self.run.before.is_none() {
            self.run.before = Some(txn.stats());
            if let (Some(schema), Mode::Run | Mode::Profile) =
                (self.prepared.schema(), self.prepared.mode())
            {
                let begun = Instant::now();
                self.run.schema = Some(SchemaRun::begin(schema, txn)?);
                self.run.schema_time += begun.elapsed();
            }
        }
        let statement = self
            .run
            .statement
            .get_or_insert_with(|| txn.begin_statement(!self.prepared.writes()));
        let epoch = core.enter();
        let (now, first) = match &self.run.later {
            Some(later) => (later, Some(&*statement)),
            None => (&*statement, None),
        };
        let mut cx = Context::new(txn, &epoch, &mut self.run.state, now, should_yield);
        if self.prepared.has_inner_transactions() {
            cx = cx.with_inner(self.run.inner.as_deref_mut(), first);
        }
        if let Some(schema) = &mut self.run.schema {
            let begun = Instant::now();
            let is_done = schema.step(&cx.view, should_yield)?;
            self.run.schema_time += begun.elapsed();
            if !is_done {
                cx.finish();
                return Ok(Step::Yield);
            }
            let rows = schema.take_rows();
            if self.prepared.mode() == Mode::Profile {
                if !self.run.schema_is_profiled {
                    self.run.schema_is_profiled = true;
                    let time = self.run.schema_time;
                    self.run.counts.push(Rc::new(Cell::new(Measured {
                        rows: rows.len() as u64,
                        time_with_inputs: time,
                        time,
                    })));
                    for row in profile_rows(&self.prepared, &self.run.counts) {
                        self.run.batch.push(&row);
                    }
                }
            } else {
                for row in rows {
                    self.run.batch.push(&row);
                }
            }
        }
        if let (Some(running), Mode::Profile) = (&mut self.run.running, self.prepared.mode()) {
            // The rows themselves are counted and dropped.
            loop {
                let pulled = match self.run.by_vectors {
                    true => running.next_vectors(&mut cx, &mut self.run.vectors)?,
                    false => running.next(&mut cx, &mut self.run.batch)?,
                };
                if pulled != Pull::Yield {
                    delete_postponed(&mut cx)?;
                }
                self.run.batch.clear();
                self.run.vectors.clear();
                if pulled == Pull::End {
                    break;
                }
                if pulled == Pull::Yield || cx.should_yield() {
                    cx.finish();
                    return Ok(self.run.state.take_wait().map_or(Step::Yield, Step::Waits));
                }
            }
            self.run.running = None;
            for row in profile_rows(&self.prepared, &self.run.counts) {
                self.run.batch.push(&row);
            }
        }
        let columns = self.prepared.inner.columns.len();
        let result = loop {
            // One of the two is empty.
            let ready = self.run.batch.len() + self.run.vectors.len();
            let until = usize::try_from(self.run.wanted).map_or(ready, |wanted| {
                ready.min(self.run.at.saturating_add(wanted))
            });
            if !self.run.discards && self.run.vectors.len() > 0 {
                let given = self.run.vectors.columns();
                sink.vectors(&given[..columns], self.run.at..until, &cx.view)?;
            } else if !self.run.discards {
                for at in self.run.at..until {
                    sink.row(&self.run.batch.row(at)[..columns], &cx.view)?;
                }
            }
            let given = (until - self.run.at) as u64;
            self.run.at = until;
            self.run.rows += given;
            self.run.wanted -= given;
            if self.run.at < ready {
                break Step::Rows;
            }
            let Some(running) = &mut self.run.running else {
                self.run.done = true;
                break Step::Done;
            };
            if self.run.at > 0 && cx.should_yield() {
                self.run.batch.clear();
                self.run.vectors.clear();
                self.run.at = 0;
                break Step::Yield;
            }
            self.run.at = 0;
            let pulled = match self.run.by_vectors {
                true => running.next_vectors(&mut cx, &mut self.run.vectors)?,
                false => running.next(&mut cx, &mut self.run.batch)?,
            };
            if pulled != Pull::Yield {
                delete_postponed(&mut cx)?;
            }
            match pulled {
                Pull::Rows => {}
                Pull::Yield => {
                    self.run.batch.clear();
                    self.run.vectors.clear();
                    break Step::Yield;
                }
                Pull::End => {
                    self.run.batch.clear();
                    self.run.vectors.clear();
                    self.run.done = true;
                    // What holds much lets go of it here, before the client has read the rows.
                    self.run.running.take_if(|running| !running.keep());
                    break Step::Done;
                }
            }
        };
        cx.finish();
        Ok(match (result, self.run.state.take_wait()) {
            (Step::Yield, Some(wait)) => Step::Waits(wait),
            (result, _) => result,
        })
    }

    /// What it did so far; called when it is done.
    pub fn summary(&self, txn: &Txn) -> Summary {
        let (now, before) = (txn.stats(), self.run.before.unwrap_or_default());
        let own = WriteStats {
            vertices_created: now.vertices_created - before.vertices_created,
            vertices_deleted: now.vertices_deleted - before.vertices_deleted,
            edges_created: now.edges_created - before.edges_created,
            edges_deleted: now.edges_deleted - before.edges_deleted,
            properties_set: now.properties_set - before.properties_set,
            labels_added: now.labels_added - before.labels_added,
            labels_removed: now.labels_removed - before.labels_removed,
            indexes_added: now.indexes_added - before.indexes_added,
            indexes_removed: now.indexes_removed - before.indexes_removed,
            constraints_added: now.constraints_added - before.constraints_added,
            constraints_removed: now.constraints_removed - before.constraints_removed,
        };
        let stats = sum(&own, &self.run.inner_stats[1]);
        let (plan, plan_lines) = match self.prepared.mode() {
            Mode::Run => (None, Vec::new()),
            Mode::Explain | Mode::Profile => (
                self.prepared
                    .plan_tree(&all_measured(&self.prepared, &self.run.counts)),
                self.prepared.plan_lines(),
            ),
        };
        Summary {
            kind: self.prepared.kind(),
            rows: self.run.rows,
            stats,
            plan,
            plan_lines,
            notices: self
                .run
                .schema
                .as_ref()
                .map_or_else(Vec::new, |schema| schema.notices().to_vec()),
        }
    }
}

fn sum(a: &WriteStats, b: &WriteStats) -> WriteStats {
    WriteStats {
        vertices_created: a.vertices_created + b.vertices_created,
        vertices_deleted: a.vertices_deleted + b.vertices_deleted,
        edges_created: a.edges_created + b.edges_created,
        edges_deleted: a.edges_deleted + b.edges_deleted,
        properties_set: a.properties_set + b.properties_set,
        labels_added: a.labels_added + b.labels_added,
        labels_removed: a.labels_removed + b.labels_removed,
        indexes_added: a.indexes_added + b.indexes_added,
        indexes_removed: a.indexes_removed + b.indexes_removed,
        constraints_added: a.constraints_added + b.constraints_added,
        constraints_removed: a.constraints_removed + b.constraints_removed,
    }
}

/// What each operator did; nothing if none was measured.
fn all_measured(prepared: &Prepared, counts: &Counts) -> Vec<Measured> {
    match &prepared.inner.planned {
        Some(planned) if !counts.is_empty() => measured(&planned.plan, counts),
        _ => counts.iter().map(|count| count.get()).collect(),
    }
}

/// The rows of `PROFILE`: an operator's text, the rows it gave, and the time in it alone, of all and by itself.
fn profile_rows(prepared: &Prepared, counts: &Counts) -> Vec<[Value; 4]> {
    let measured = all_measured(prepared, counts);
    let whole = measured
        .first()
        .map_or(0.0, |topmost| topmost.time_with_inputs.as_secs_f64());
    let row = |line: Line| {
        let Some(count) = line.operator.and_then(|number| measured.get(number)) else {
            return [
                Value::from(line.text),
                Value::Null,
                Value::Null,
                Value::Null,
            ];
        };
        let time = count.time.as_secs_f64();
        let share = if whole > 0.0 {
            time / whole * 100.0
        } else {
            0.0
        };
        [
            Value::from(line.text),
            Value::Int(count.rows as i64),
            Value::from(format!("{share:.6} %")),
            Value::from(format!("{:.6} ms", time * 1e3)),
        ]
    };
    prepared.lines().into_iter().map(row).collect()
}
