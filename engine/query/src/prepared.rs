//! A statement ready to run, and the parameters it runs with.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::ast::{AdminStatement, Statement, StatementBody, StatementMode};
use quoit_cypher::check::Effects;
use quoit_cypher::error::Error;
use quoit_graph::Graph;
use quoit_graph::value::Value;

use crate::execution::Spare;
use crate::plan::describe::{self, Line, Measured, PlanTree};
use crate::planner::{Advice, PlannedQuery};
use crate::schema::SchemaPlan;

/// What a statement does, without running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads data.
    Read,
    /// Writes data without reading any.
    Write,
    /// Reads and writes data.
    ReadWrite,
    /// Changes indexes; needs a write transaction of its own.
    Schema,
    /// Is the server's to carry out; it cannot be executed here.
    Admin,
}

/// How a statement was asked to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Run it.
    Run,
    /// Answer the plan (column `QUERY PLAN`, one row a line) and change nothing.
    Explain,
    /// Run it, and answer what each operator did in place of the rows.
    Profile,
}

/// A checked and planned statement. Cheap to clone; belongs to the core that made it.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) inner: Rc<Inner>,
    /// Values of the literals that were taken out of the text.
    pub(crate) literals: Rc<[Value]>,
    /// The plan was made from another text with the same key, so its places may be off.
    pub(crate) borrowed: bool,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub statement: Statement,
    pub effects: Effects,
    pub mode: Mode,
    pub columns: Vec<Arc<str>>,
    /// Names of all parameters in use, sorted.
    pub parameters: Vec<Arc<str>>,
    /// For queries.
    pub planned: Option<PlannedQuery>,
    /// For schema statements.
    pub schema: Option<SchemaPlan>,
    /// What the plan rests on.
    pub schema_version: u64,
    pub vertices: u64,
    pub edges: u64,
    pub uses: Cell<u64>,
    /// What its last run consisted of.
    pub spare: Spare,
}

impl Prepared {
    /// What it does. `EXPLAIN` of a write reads.
    pub fn kind(&self) -> Kind {
        let effects = self.inner.effects;
        match (effects.admin, effects.schema, self.inner.mode) {
            (true, ..) => Kind::Admin,
            (_, _, Mode::Explain) => Kind::Read,
            (_, true, _) if self.schema().is_some_and(SchemaPlan::only_looks) => Kind::Read,
            (_, true, _) => Kind::Schema,
            _ => match (effects.reads, effects.writes) {
                (_, false) => Kind::Read,
                (false, true) => Kind::Write,
                (true, true) => Kind::ReadWrite,
            },
        }
    }

    /// Whether it needs a transaction that may write.
    pub fn writes(&self) -> bool {
        matches!(self.kind(), Kind::Write | Kind::ReadWrite | Kind::Schema)
    }

    /// Whether it commits transactions within itself, so that it cannot run within another; its own transaction only reads, and goes on to
    /// newer snapshots ([`quoit_graph::Isolation::ReadCommitted`]).
    pub fn has_inner_transactions(&self) -> bool {
        let planned = self.inner.planned.as_ref();
        self.inner.mode != Mode::Explain
            && planned.is_some_and(|planned| planned.has_inner_transactions)
    }

    /// What its author may want to know, of what still holds; nothing for nearly all queries.
    pub fn advice<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = &'a Advice> {
        let planned = self.inner.planned.iter();
        planned
            .flat_map(|planned| &planned.advice)
            .filter(|advice| advice.holds(graph))
    }

    /// Whether places in the plan are those of another text with the same key.
    pub fn is_borrowed(&self) -> bool {
        self.borrowed
    }

    /// The `type` of Bolt's summary: `r`, `w`, `rw` or `s`.
    pub fn query_type(&self) -> &'static str {
        match self.kind() {
            Kind::Read => "r",
            Kind::Write => "w",
            Kind::ReadWrite => "rw",
            Kind::Schema | Kind::Admin => "s",
        }
    }

    /// Run, or only explain.
    pub fn mode(&self) -> Mode {
        self.inner.mode
    }

    /// Names of the result's columns; empty if it gives none. Admin statements' columns are the server's.
    pub fn columns(&self) -> &[Arc<str>] {
        &self.inner.columns
    }

    /// Names of the parameters that must be given, sorted.
    pub fn parameters(&self) -> &[Arc<str>] {
        &self.inner.parameters
    }

    /// The admin statement, if it is one.
    pub fn admin(&self) -> Option<&AdminStatement> {
        match &self.inner.statement.body {
            StatementBody::Admin(admin) => Some(admin),
            _ => None,
        }
    }

    /// Whether it changes constraints; other schema statements change indexes.
    pub fn is_about_constraints(&self) -> bool {
        self.schema().is_some_and(SchemaPlan::is_about_constraints)
    }

    /// An error of its run, without the place if that is one of another text.
    pub(crate) fn placed(&self, error: Error) -> Error {
        if !self.borrowed || error.span().is_none() {
            return error;
        }
        let hint = error.hint_text().map(str::to_owned);
        Error::new(error.kind(), error.phase(), error.detail(), error.message()).hint_opt(hint)
    }

    pub(crate) fn schema(&self) -> Option<&SchemaPlan> {
        self.inner.schema.as_ref()
    }

    /// The plan that really runs, one line an operator, topmost first; a schema statement is one operator.
    pub fn plan_lines(&self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.text).collect()
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        match (&self.inner.planned, &self.inner.statement.body) {
            // Not `self.columns()`: an EXPLAIN has a column of its own.
            (Some(planned), StatementBody::Query(query)) => {
                let columns: Vec<&str> = query.columns.iter().map(|column| &*column.name).collect();
                describe::lines(planned, &columns)
            }
            _ => {
                let schema = self.schema().into_iter();
                schema.map(|plan| Line::lone(plan.describe())).collect()
            }
        }
    }

    /// The plan as a tree; `None` for what is the server's.
    pub(crate) fn plan_tree(&self, measured: &[Measured]) -> Option<PlanTree> {
        match &self.inner.planned {
            Some(planned) => Some(describe::tree(planned, measured)),
            None => self.schema().map(|plan| PlanTree {
                operator: plan.describe(),
                identifiers: Vec::new(),
                estimate: 1.0,
                measured: measured.first().copied(),
                children: Vec::new(),
            }),
        }
    }
}

pub(crate) fn mode_of(mode: StatementMode) -> Mode {
    match mode {
        StatementMode::Run => Mode::Run,
        StatementMode::Explain => Mode::Explain,
        StatementMode::Profile => Mode::Profile,
    }
}

/// Values for `$name`.
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(Arc<str>, Value)>);

impl Parameters {
    /// None.
    pub fn new() -> Self {
        Parameters::default()
    }

    /// Sets a value; a later one of the same name counts.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: Value) {
        self.0.push((name.into(), value));
    }

    /// The value of a name, without `$`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| **known == *name)
            .map(|(_, value)| value)
    }
}

impl FromIterator<(Arc<str>, Value)> for Parameters {
    fn from_iter<T: IntoIterator<Item = (Arc<str>, Value)>>(pairs: T) -> Self {
        Parameters(pairs.into_iter().collect())
    }
}
