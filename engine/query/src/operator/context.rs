//! What operators and expressions need while a step runs: the transaction, its view, parameters, budgets.
//!
//! A [`Context`] lives for one step and borrows the epoch; what must outlive the step is in [`State`]. Always holds: the view is that of the
//! transaction's present clause; reading a vertex or edge that the view does not show is "deleted", since ids come from
//! the same transaction only.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::ids::{CommitSeq, KeyId, LabelId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{
    ConstraintDefinition, Direction, EdgeRef, Entity, Epoch, Incidence, LentSnapshot, MemoryCharge,
    MemoryLimitExceeded, MemoryOwner, Statement, Txn, VertexRef, View, WriteError,
};
use regex::Regex;

use super::in_transactions::Wait;
use super::{Batch, Running};
use crate::expression::Place;
use crate::expression::progress::{Key, Progress, Saved, Stop};
use crate::expression::regular::java_quoting;
use crate::parallel::{Awaited, Morsel, Morsels, Team};

/// Counters that one execution may have.
const COUNTERS_MAX: usize = 1 << 16;
/// Compiled regular expressions kept by one execution.
const REGEXES_MAX: usize = 64;
/// Bytes that a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Steps of loops within expressions between two looks at the clock.
const TICKS: u32 = 64;

/// Bytes of a value that is large.
const LARGE_BYTES: u64 = 1 << 16;

/// Bytes of large values in a batch at which it is cut.
const BATCH_BYTES: u64 = 4 << 20;

/// What an execution keeps between steps.
pub struct State {
    pub(crate) parameters: Rc<[Value]>,
    pub(crate) locals: Vec<Value>,
    /// Operators of subqueries within expressions, built once and started again for each row.
    subqueries: Vec<Option<Running>>,
    regexes: HashMap<Box<str>, Regex>,
    /// Relationships that may be followed, and those that have been; `None`: they are not counted.
    hops: Option<Hops>,
    random: u64,
    /// Counters by their names, with the values they give next.
    counters: HashMap<Box<str>, i64>,
    /// When the statement began, since 1970-01-01T00:00Z.
    pub(crate) statement_time: Duration,
    /// Bytes that buffering operators hold now, as estimated.
    held_bytes: u64,
    held_bytes_max: u64,
    /// The same bytes, counted with all that the graph's memory limit is for.
    charge: Option<MemoryCharge>,
    /// Vertices that a `DELETE` named while they had edges.
    postponed: Vec<(VertexId, Place)>,
    /// What it waits for to be done for its inner transaction.
    waits_for: Option<Wait>,
    /// What became of the inner transaction that was to be committed.
    committed: Option<Result<CommitSeq, Error>>,
    /// The rows of the inner transaction.
    given: Batch,
    /// The part of a file that was waited for.
    block: Option<Result<Vec<u8>, Error>>,
    shared: Shared,
}

/// How many relationships a query may follow, and has followed.
struct Hops {
    max: u64,
    made: Cell<u64>,
}

/// What an execution has to do with other cores.
#[derive(Default)]
pub(crate) struct Shared {
    /// Who may help.
    pub(crate) team: Option<Team>,
    /// Bytes that all cores hold for the statement, while several work on it.
    held: Option<Arc<AtomicU64>>,
    /// What a scan that is divided takes its vertices from.
    morsels: Option<Arc<Morsels>>,
    /// What the step has ended for, if it waits for other cores.
    pub(crate) awaited: Option<Awaited>,
}

impl State {
    /// State of an execution about to start. `statement_time`: since 1970-01-01T00:00Z, zero if nothing asks for it.
    pub fn new(
        parameters: Rc<[Value]>,
        locals: u32,
        subqueries: u32,
        seed: u64,
        statement_time: Duration,
        held_bytes_max: u64,
    ) -> State {
        State {
            parameters,
            locals: vec![Value::Null; locals as usize],
            subqueries: (0..subqueries).map(|_| None).collect(),
            regexes: HashMap::new(),
            hops: None,
            random: seed | 1,
            counters: HashMap::new(),
            statement_time,
            held_bytes: 0,
            held_bytes_max,
            charge: None,
            postponed: Vec::new(),
            waits_for: None,
            committed: None,
            given: Batch::new(),
            block: None,
            shared: Shared::default(),
        }
    }

    /// Forgets what it was about; whether another execution of the same plan can go on with it.
    pub(crate) fn tidy(&mut self) -> bool {
        (self.charge, self.held_bytes) = (None, 0);
        self.postponed.clear();
        if let Some(parameters) = Rc::get_mut(&mut self.parameters) {
            parameters.fill(Value::Null);
        }
        let Shared {
            team,
            held,
            morsels,
            awaited,
        } = &self.shared;
        let is_alone = team.is_none() && held.is_none() && morsels.is_none() && awaited.is_none();
        is_alone
            && self.locals.is_empty()
            && self.subqueries.is_empty()
            && self.hops.is_none()
            && self.regexes.is_empty()
            && self.counters.is_empty()
            && self.given.is_empty()
            && self.waits_for.is_none()
            && self.committed.is_none()
            && self.block.is_none()
    }

    /// Begins another execution of the same plan, after [`State::tidy`]; false if the old parameters are still in use.
    pub(crate) fn begin_again(
        &mut self,
        parameters: impl Iterator<Item = Value>,
        seed: u64,
        statement_time: Duration,
        held_bytes_max: u64,
    ) -> bool {
        let Some(known) = Rc::get_mut(&mut self.parameters) else {
            return false;
        };
        for (known, value) in known.iter_mut().zip(parameters) {
            *known = value;
        }
        (self.random, self.statement_time) = (seed | 1, statement_time);
        self.held_bytes_max = held_bytes_max;
        true
    }

    /// For work on another core's statement: what all hold for it, and what is left to be done.
    pub(crate) fn help(&mut self, held: Arc<AtomicU64>, morsels: Arc<Morsels>) {
        self.shared.held = Some(held);
        self.shared.morsels = Some(morsels);
    }

    pub(crate) fn shared(&mut self) -> &mut Shared {
        &mut self.shared
    }

    /// Counts the relationships that are followed, up to a limit.
    pub(crate) fn limit_hops(&mut self, max: Option<u64>) {
        let made = Cell::new(0);
        self.hops = max.map(|max| Hops { max, made });
    }

    /// Gives the part of a file that was waited for.
    pub(crate) fn file_read(&mut self, block: Result<Vec<u8>, Error>) {
        self.block = Some(block);
    }

    /// What it waits for, which is forgotten here.
    pub(crate) fn take_wait(&mut self) -> Option<Wait> {
        self.waits_for.take()
    }

    /// Says what became of the inner transaction.
    pub(crate) fn inner_committed(&mut self, outcome: Result<CommitSeq, Error>) {
        self.committed = Some(outcome);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(all) = &self.shared.held {
            all.fetch_sub(self.held_bytes, Ordering::Relaxed);
        }
    }
}

/// A transaction within a statement that is committed by itself.
pub(crate) struct InnerTransaction {
    pub(crate) txn: Txn,
    pub(crate) statement: Statement,
}

/// Time since 1970-01-01T00:00Z; zero if the clock stands before that.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// One step's surroundings.
pub struct Context<'a> {
    /// The transaction, to write with.
    pub txn: &'a mut Txn,
    /// What the present clause sees.
    pub view: View<'a>,
    epoch: &'a Epoch<'a>,
    statement: &'a Statement,
    /// Values of parameters by their numbers in the plan.
    pub parameters: Rc<[Value]>,
    /// Variables of comprehensions.
    pub locals: Vec<Value>,
    state: &'a mut State,
    should_yield: &'a dyn Fn() -> bool,
    /// Depth of plans that must run to their end: within them nothing yields.
    nested: u32,
    /// Where the evaluation stands that is going on.
    progress: Progress,
    /// That evaluation may be interrupted.
    interruptible: bool,
    /// Steps of loops within expressions until the next look at the clock.
    ticks: u32,
    /// Short steps that rows have cost beyond the usual since the clock was looked at for their sake.
    spent: u64,
    /// Bytes of large values made for the row at work, which nobody has counted yet.
    made: Cell<u64>,
    /// Bytes of large values in the rows of the batch at work.
    batched: u64,
    /// What the statement saw when it began, if it sees more by now.
    first_view: Option<View<'a>>,
    /// The inner transaction and its view; the outer while within it.
    inner: Option<(&'a mut Txn, View<'a>)>,
}

impl<'a> Context<'a> {
    /// Surroundings for one step.
    pub fn new(
        txn: &'a mut Txn,
        epoch: &'a Epoch<'a>,
        state: &'a mut State,
        statement: &'a Statement,
        should_yield: &'a dyn Fn() -> bool,
    ) -> Self {
        let view = txn.view_of_statement(epoch, statement);
        let parameters = state.parameters.clone();
        let locals = std::mem::take(&mut state.locals);
        Context {
            txn,
            view,
            epoch,
            statement,
            parameters,
            locals,
            state,
            should_yield,
            nested: 0,
            progress: Progress::default(),
            interruptible: false,
            ticks: TICKS,
            spent: 0,
            made: Cell::new(0),
            batched: 0,
            first_view: None,
            inner: None,
        }
    }

    /// As it is, for a statement that has inner transactions: the present one, and what the statement saw when it began if that is not what
    /// it sees now.
    pub(crate) fn with_inner(
        mut self,
        inner: Option<&'a mut InnerTransaction>,
        first: Option<&Statement>,
    ) -> Self {
        self.first_view = first.map(|first| self.txn.view_of_statement(self.epoch, first));
        self.inner = inner.map(|inner| {
            let view = inner.txn.view_of_statement(self.epoch, &inner.statement);
            (&mut inner.txn, view)
        });
        self
    }

    /// Whether there is an inner transaction.
    pub(crate) fn has_inner(&self) -> bool {
        self.inner.is_some()
    }

    /// Runs `body` in the inner transaction.
    pub(crate) fn within_inner<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.exchange_inner()?;
        let result = body(self);
        self.exchange_inner()?;
        result
    }

    fn exchange_inner(&mut self) -> Result<(), Error> {
        let (txn, view) = self
            .inner
            .take()
            .ok_or_else(|| Error::internal("an inner transaction has gone"))?;
        let other = std::mem::replace(&mut self.txn, txn);
        self.inner = Some((other, std::mem::replace(&mut self.view, view)));
        Ok(())
    }

    /// Runs `body` with the view that the statement began with.
    pub(crate) fn seeing_first<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> T {
        let now = self.view;
        self.view = self.first_view.unwrap_or(now);
        let result = body(self);
        self.view = now;
        result
    }

    /// Says what is waited for; the operator yields then.
    pub(crate) fn wait_for(&mut self, wait: Wait) {
        self.state.waits_for = Some(wait);
    }

    /// What became of the inner transaction, once it is known.
    pub(crate) fn take_committed(&mut self) -> Option<Result<CommitSeq, Error>> {
        self.state.committed.take()
    }

    /// The part of a file that was waited for, once it is there.
    pub(crate) fn take_block(&mut self) -> Option<Result<Vec<u8>, Error>> {
        self.state.block.take()
    }

    /// Gives rows to the inner transaction's plan.
    pub(crate) fn give(&mut self, rows: Batch) {
        self.state.given = rows;
    }

    /// The rows given, taken back.
    pub(crate) fn take_given(&mut self) -> Batch {
        std::mem::take(&mut self.state.given)
    }

    /// One of the rows given.
    pub(crate) fn given_row(&self, at: usize) -> Option<&[Value]> {
        (at < self.state.given.len()).then(|| self.state.given.row(at))
    }

    /// Puts back what the next step needs.
    pub fn finish(self) {
        self.state.locals = self.locals;
    }

    /// Whether the time slice is over and the operator may hand control up.
    pub fn should_yield(&self) -> bool {
        self.forget_made();
        self.nested == 0 && (self.should_yield)()
    }

    /// Whether yields are not held back: what runs now may be of any length.
    pub fn may_yield(&self) -> bool {
        self.nested == 0
    }

    /// Runs `body` with yields held back.
    pub fn without_yield<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> T {
        self.nested += 1;
        let result = body(self);
        self.nested -= 1;
        result
    }

    /// Goes on with an evaluation that can be interrupted; `None`: the time slice is over, and the operator is to ask for the same again
    /// before it hands its progress to another.
    ///
    /// # Errors
    /// Those of the evaluation.
    pub fn advance<T>(
        &mut self,
        progress: &mut Progress,
        evaluation: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<Option<T>, Error> {
        let outer = std::mem::replace(&mut self.progress, std::mem::take(progress));
        let was_interruptible = std::mem::replace(&mut self.interruptible, true);
        let result = evaluation(self);
        self.interruptible = was_interruptible;
        let reached = std::mem::replace(&mut self.progress, outer);
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Interrupted) => {
                *progress = reached;
                Ok(None)
            }
        }
    }

    /// Runs operators within an evaluation: what they evaluate is theirs to interrupt.
    pub(crate) fn apart<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::take(&mut self.progress);
        let was_interruptible = std::mem::replace(&mut self.interruptible, false);
        let result = body(self);
        self.interruptible = was_interruptible;
        self.progress = outer;
        result
    }

    /// Whether the evaluation that is going on can be interrupted.
    pub(crate) fn is_interruptible(&self) -> bool {
        self.interruptible && self.nested == 0
    }

    /// A step of a loop within an expression is done; whether it is interrupted here.
    #[inline]
    pub(crate) fn tick(&mut self) -> bool {
        self.ticks -= 1;
        if self.ticks > 0 {
            return false;
        }
        self.ticks = TICKS;
        self.is_interruptible() && (self.should_yield)()
    }

    /// A row of a batch is done; whether what is left of the batch is to wait: the time slice is over, or the rows are large. A batch of rows costs
    /// little unless [`Context::spend`] says otherwise, so the clock is looked at only then.
    #[inline]
    pub(crate) fn is_row_the_last(&mut self) -> bool {
        if self.is_batch_large() {
            return true;
        }
        if self.spent < u64::from(TICKS) {
            return false;
        }
        self.spent = 0;
        self.should_yield()
    }

    /// A row of a batch is done; whether the values made for the rows since this was last so are large together, and those behind are to wait.
    #[inline]
    pub(crate) fn is_batch_large(&mut self) -> bool {
        self.batched += self.made.take();
        if self.batched < BATCH_BYTES {
            return false;
        }
        self.batched = 0;
        true
    }

    /// What was made for the row at work is gone, or is counted by now.
    #[inline]
    pub(crate) fn forget_made(&self) {
        self.made.set(0);
    }

    /// An evaluation makes a value of so many bytes. Large ones are looked at beside what the query holds; who keeps them counts them.
    ///
    /// # Errors
    /// A limit on memory would be passed.
    #[inline]
    pub(crate) fn make(&mut self, bytes: u64) -> Result<(), Error> {
        if bytes < LARGE_BYTES {
            return Ok(());
        }
        let all = self.made.get() + bytes;
        self.hold(all)?;
        self.release(all);
        self.made.set(all);
        Ok(())
    }

    /// What was done since the last [`Context::tick`] took as long as this many short steps.
    pub(crate) fn spend(&mut self, steps: u64) {
        self.ticks -= steps.min(u64::from(self.ticks - 1)) as u32;
        self.spent = self.spent.saturating_add(steps);
    }

    /// What a part of the evaluation goes on with.
    pub(crate) fn resume(&mut self, key: Key) -> Option<Saved> {
        match self.progress.len() {
            0 => None,
            _ => self.progress.resume(key),
        }
    }

    /// Keeps where a part of the evaluation stands.
    pub(crate) fn save(&mut self, key: Key, saved: Saved) {
        self.progress.push(key, saved);
    }

    /// Keeps the value of a part that is done, for the case that the evaluation is interrupted behind it.
    pub(crate) fn keep_value(&mut self, key: Key, value: &Value) {
        if self.is_interruptible() {
            self.progress.push(key, Saved::Done(value.clone()));
        }
    }

    /// Entries of the evaluation's progress.
    pub(crate) fn progress_len(&self) -> usize {
        self.progress.len()
    }

    /// Forgets all but the first entries of the evaluation's progress.
    pub(crate) fn forget_progress(&mut self, mark: usize) {
        if self.progress.len() > mark {
            self.progress.truncate(mark);
        }
    }

    /// Ends the clause: what was written is seen from here on.
    pub fn next_clause(&mut self) {
        self.txn.next_clause();
        self.view = self.txn.view(self.epoch);
    }

    /// Runs `body` with a view that shows the writes of the present clause too.
    pub fn seeing_own_writes<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.view;
        self.view = self.txn.view_including_current_clause(self.epoch);
        let result = body(self);
        self.view = before;
        result
    }

    /// Runs `body` with a view of the newest state of everything that is not undone, whoever wrote it.
    pub fn seeing_newest<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.view;
        self.view = self.txn.newest_view(self.epoch);
        let result = body(self);
        self.view = before;
        result
    }

    /// Counts bytes that an operator keeps.
    ///
    /// # Errors
    /// The execution's limit is passed, or that of the server's memory.
    pub fn hold(&mut self, bytes: u64) -> Result<(), Error> {
        let charge = self.state.charge.get_or_insert_with(|| {
            MemoryCharge::new(self.txn.core().clone(), MemoryOwner::Queries)
        });
        charge.grow(bytes).map_err(memory_limit)?;
        self.state.held_bytes += bytes;
        let held = match &self.state.shared.held {
            None => self.state.held_bytes,
            Some(all) => all.fetch_add(bytes, Ordering::Relaxed) + bytes,
        };
        if held > self.state.held_bytes_max {
            return Err(Error::of(
                ErrorKind::MemoryLimitExceeded,
                format!(
                    "the query holds more than {} bytes of intermediate results",
                    self.state.held_bytes_max
                ),
            ));
        }
        Ok(())
    }

    /// Bytes that are held now, as counted.
    pub(crate) fn held(&self) -> u64 {
        self.state.held_bytes
    }

    /// Runs `body`, which may hold so many bytes more at most.
    pub(crate) fn holding_at_most<T>(
        &mut self,
        bytes: u64,
        body: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let max = self.state.held_bytes_max;
        let held = match &self.state.shared.held {
            None => self.state.held_bytes,
            Some(all) => all.load(Ordering::Relaxed),
        };
        self.state.held_bytes_max = max.min(held.saturating_add(bytes));
        let result = body(self);
        self.state.held_bytes_max = max;
        result
    }

    /// Takes back what [`Context::hold`] counted.
    pub fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.state.held_bytes);
        self.state.held_bytes -= bytes;
        if let Some(all) = &self.state.shared.held {
            all.fetch_sub(bytes, Ordering::Relaxed);
        }
        if let Some(charge) = &mut self.state.charge {
            charge.shrink(bytes);
        }
    }

    /// Those that may help with what the transaction sees; none if that is not the same for all, since it has written or sees
    /// what is not committed.
    pub(crate) fn team(&self) -> Option<Team> {
        let is_common = !self.txn.wrote() && !self.view.shows_uncommitted();
        self.state.shared.team.clone().filter(|_| is_common)
    }

    /// From here on the bytes of all cores are counted together.
    pub(crate) fn share_held(&mut self) -> Arc<AtomicU64> {
        let all = Arc::new(AtomicU64::new(self.state.held_bytes));
        self.state.shared.held = Some(all.clone());
        all
    }

    /// Bytes that the execution may hold.
    pub(crate) fn held_max(&self) -> u64 {
        self.state.held_bytes_max
    }

    /// What the statement sees, for other cores.
    pub(crate) fn lend(&self) -> LentSnapshot {
        self.txn.lend(self.statement)
    }

    /// Sets what [`Context::next_morsel`] takes from.
    pub(crate) fn deal(&mut self, morsels: Arc<Morsels>) {
        self.state.shared.morsels = Some(morsels);
    }

    /// Vertices that this core is to look at; none when all are taken.
    ///
    /// # Errors
    /// Nothing is dealt out: a scan that is divided stands outside of what is gathered.
    pub(crate) fn next_morsel(&self) -> Result<Option<Morsel>, Error> {
        let morsels = self.state.shared.morsels.as_ref();
        let morsels = morsels.ok_or_else(|| Error::internal("nothing is dealt out"))?;
        Ok(morsels.take())
    }

    /// The step ends here because of what other cores have not sent yet.
    pub(crate) fn wait_for_cores(&mut self, awaited: Awaited) {
        self.state.shared.awaited = Some(awaited);
    }

    /// The other cores are done.
    pub(crate) fn end_sharing(&mut self) {
        (self.state.shared.held, self.state.shared.morsels) = (None, None);
    }

    /// Remembers a vertex that cannot be deleted while it has edges.
    pub(crate) fn postpone_delete(&mut self, vertex: VertexId, place: Place) {
        self.state.postponed.push((vertex, place));
    }

    /// What was postponed so far, which is forgotten here.
    pub(crate) fn take_postponed(&mut self) -> Vec<(VertexId, Place)> {
        std::mem::take(&mut self.state.postponed)
    }

    /// The value of a local.
    pub(crate) fn local(&self, local: u32) -> Value {
        self.locals[local as usize].clone()
    }

    /// Sets a local.
    pub fn set_local(&mut self, local: u32, value: Value) {
        self.locals[local as usize] = value;
    }

    /// The operators of a subquery, if it has run before. They are put back when it is done.
    pub(crate) fn take_subquery(&mut self, number: u32) -> Option<Running> {
        self.state.subqueries[number as usize].take()
    }

    pub(crate) fn put_subquery(&mut self, number: u32, running: Running) {
        self.state.subqueries[number as usize] = Some(running);
    }

    /// A compiled regular expression that must match the whole text.
    ///
    /// # Errors
    /// The pattern is invalid or too large.
    pub fn regex(&mut self, pattern: &str) -> Result<&Regex, Error> {
        let regexes = &mut self.state.regexes;
        if !regexes.contains_key(pattern) {
            let build = |pattern: &str| {
                regex::RegexBuilder::new(pattern)
                    .size_limit(REGEX_BYTES_MAX)
                    .build()
                    .map_err(|error| {
                        Error::argument(
                            Detail::InvalidArgumentValue,
                            format!("invalid regular expression: {error}"),
                        )
                    })
            };
            // By itself first, so that its brackets close before ours do.
            let unquoted = java_quoting(pattern);
            build(&unquoted)?;
            let compiled = build(&format!("^(?:{unquoted})$"))?;
            if regexes.len() >= REGEXES_MAX {
                regexes.clear();
            }
            regexes.insert(pattern.into(), compiled);
        }
        Ok(&regexes[pattern])
    }

    /// A number from 0 (included) to 1 (excluded), and the raw 64 bits (xorshift64*, seeded once an execution).
    pub fn random_bits(&mut self) -> u64 {
        let mut x = self.state.random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.state.random = x;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The value that a counter gives next; `first` for a new one.
    ///
    /// # Errors
    /// There are too many.
    pub fn counter(&mut self, name: &str, first: i64) -> Result<&mut i64, Error> {
        let counters = &mut self.state.counters;
        if counters.len() >= COUNTERS_MAX && !counters.contains_key(name) {
            return Err(Error::argument(
                Detail::NumberOutOfRange,
                format!("a query has {COUNTERS_MAX} counters at most"),
            ));
        }
        Ok(counters.entry(name.into()).or_insert(first))
    }

    /// When the statement began, since 1970-01-01T00:00Z.
    pub fn statement_time(&self) -> Duration {
        self.state.statement_time
    }

    /// The interned label of a name.
    pub fn label_id(&self, name: &str) -> Option<u32> {
        self.view.graph().names().label(name).map(|id| id.0)
    }

    /// The interned type of a name.
    pub fn type_id(&self, name: &str) -> Option<u32> {
        self.view.graph().names().edge_type(name).map(|id| id.0)
    }

    /// The interned key of a name.
    pub fn key_id(&self, name: &str) -> Option<u32> {
        self.view.graph().names().key(name).map(|id| id.0)
    }

    /// A vertex.
    ///
    /// # Errors
    /// It was deleted.
    pub fn vertex(&self, vertex: VertexId) -> Result<VertexRef<'a>, Error> {
        self.view
            .vertex(vertex)
            .ok_or_else(|| Error::entity_deleted(format!("node {} has been deleted", vertex.0)))
    }

    /// An edge.
    ///
    /// # Errors
    /// It was deleted.
    pub fn edge(&self, edge: &Edge) -> Result<EdgeRef<'a>, Error> {
        self.view.edge_at(*edge).ok_or_else(|| {
            Error::entity_deleted(format!("relationship {} has been deleted", edge.id.0))
        })
    }

    /// A property of a vertex, null if it has none of that key (or the key has no id), or if it was seen uncommitted and has been
    /// undone since.
    ///
    /// # Errors
    /// It was deleted.
    pub fn vertex_property(&self, vertex: VertexId, key: Option<u32>) -> Result<Value, Error> {
        if self.view.shows_uncommitted() && self.view.vertex(vertex).is_none() {
            return Ok(Value::Null);
        }
        let vertex = self.vertex(vertex)?;
        Ok(key
            .and_then(|key| vertex.property(KeyId(key)))
            .map(|value| value.to_value())
            .unwrap_or_default())
    }

    /// A property of an edge; as [`Context::vertex_property`].
    ///
    /// # Errors
    /// It was deleted.
    pub fn edge_property(&self, edge: &Edge, key: Option<u32>) -> Result<Value, Error> {
        if self.view.shows_uncommitted() && self.view.edge_at(*edge).is_none() {
            return Ok(Value::Null);
        }
        let edge = self.edge(edge)?;
        Ok(key
            .and_then(|key| edge.property(KeyId(key)))
            .map(|value| value.to_value())
            .unwrap_or_default())
    }

    /// Labels of a vertex.
    ///
    /// # Errors
    /// It was deleted.
    pub fn labels(&self, vertex: VertexId) -> Result<&'a [LabelId], Error> {
        if self.view.shows_uncommitted() {
            return Ok(self
                .view
                .vertex(vertex)
                .map_or(&[], |vertex| vertex.labels()));
        }
        self.vertex(vertex).map(|vertex| vertex.labels())
    }

    /// Whether the relationships that are followed are counted.
    pub(crate) fn counts_hops(&self) -> bool {
        self.state.hops.is_some()
    }

    /// Relationships followed so far, if they are counted.
    pub(crate) fn hops_made(&self) -> u64 {
        let hops = self.state.hops.as_ref();
        hops.map_or(0, |hops| hops.made.get())
    }

    /// Counts the relationships from `first` on as followed; those beyond the limit are taken away.
    pub(crate) fn count_hops(&self, first: usize, edges: &mut Vec<Incidence>) {
        if let Some(hops) = &self.state.hops {
            let left = hops.max - hops.made.get();
            let new = ((edges.len() - first) as u64).min(left);
            edges.truncate(first + new as usize);
            hops.made.set(hops.made.get() + new);
        }
    }

    /// Appends the incident edges of a vertex, as many as may be followed. A deleted vertex has none.
    pub fn incidences(
        &self,
        vertex: VertexId,
        direction: Direction,
        types: &[quoit_graph::ids::TypeId],
        out: &mut Vec<Incidence>,
    ) {
        let first = out.len();
        out.extend(self.view.edges(vertex, direction, types));
        self.count_hops(first, out);
    }
}

/// The memory limit as an error of the language.
fn memory_limit(error: MemoryLimitExceeded) -> Error {
    Error::of(ErrorKind::MemoryLimitExceeded, error.to_string()).hint(
        "do the work in smaller transactions, end transactions that hold memory back (SHOW MEMORY INFO names them), or raise --memory-limit",
    )
}

/// A refused write as an error of the language.
pub fn write_error(error: WriteError) -> Error {
    match error {
        WriteError::Conflict { entity } => Error::conflict(match entity {
            Entity::Vertex(id) => format!("node {} is being changed by another transaction", id.0),
            Entity::Edge(id) => format!(
                "relationship {} is being changed by another transaction",
                id.0
            ),
            Entity::Key(key) => format!("{key} is being taken or let go by another transaction"),
            Entity::Schema => {
                "the index or constraint is being dropped by another transaction".to_owned()
            }
        }),
        WriteError::VertexDeleted(id) => {
            Error::entity_deleted(format!("node {} has been deleted", id.0))
        }
        WriteError::EdgeDeleted(id) => {
            Error::entity_deleted(format!("relationship {} has been deleted", id.0))
        }
        WriteError::DeleteConnectedVertex(id) => Error::runtime(
            ErrorKind::ConstraintVerificationFailed,
            Detail::DeleteConnectedNode,
            format!("node {} still has relationships", id.0),
        )
        .hint("delete them first, or use DETACH DELETE"),
        WriteError::NotStorable(error) => {
            Error::type_error(Detail::InvalidPropertyType, error.to_string())
        }
        WriteError::MemoryLimit(error) => memory_limit(error),
        WriteError::ReadOnly => Error::of(ErrorKind::AccessMode, "the transaction is read-only"),
        WriteError::Constraint { violation, .. } => {
            let detail = match violation.definition {
                _ if violation.holder.is_some() => Detail::UniqueConstraintViolation,
                ConstraintDefinition::Unique { .. } => Detail::UniqueConstraintViolation,
                ConstraintDefinition::Exists { .. } | ConstraintDefinition::Key { .. } => {
                    Detail::ExistenceConstraintViolation
                }
                ConstraintDefinition::Type { .. } => Detail::TypeConstraintViolation,
            };
            Error::constraint(detail, violation.to_string())
        }
        WriteError::Doomed => Error::of(ErrorKind::TransactionState, error.to_string()),
        WriteError::Schema(message) => Error::of(ErrorKind::SchemaError, message),
        WriteError::SchemaInTheMaking => Error::conflict(error.to_string()),
        WriteError::SchemaExists(message) => {
            Error::runtime(ErrorKind::SchemaError, Detail::AlreadyExists, message)
        }
        WriteError::UnknownName { .. } => Error::internal(error.to_string()),
        WriteError::LimitExceeded(_) | WriteError::Name(_) => {
            Error::argument(Detail::NumberOutOfRange, error.to_string())
        }
    }
}
