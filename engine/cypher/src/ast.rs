//! The syntax tree of one statement.
//!
//! The parser builds it, [`crate::check`] fills in what name resolution finds out (the fields documented as "filled by the
//! check"), and the planner reads it. The words are those of the language: a *node* and a *relationship* here are a vertex and an edge
//! in the rooms below.
//!
//! What always holds: every node that can be wrong carries the [`Span`] of its source text; operators of equal precedence stand in
//! one flat list (`a + b - c` is one [`ExprKind::Arithmetic`] with two steps), so a long chain is not a deep tree; the depth of the tree is bounded by
//! [`crate::parser::DEPTH_MAX`], so recursion over it (also in `Drop`, `Clone` and `Debug`) is bounded.
//!
//! Queries and clauses stand here; what they are made of in [`pattern`] and [`expression`], schema and admin statements in [`schema`] and
//! [`admin`].

pub mod admin;
pub mod expression;
pub mod pattern;
pub mod schema;
pub mod show;
pub mod value_type;

use crate::span::Span;

pub use admin::AdminStatement;
pub use expression::*;
pub use pattern::*;
pub use schema::SchemaStatement;
pub use value_type::{TypeMember, TypeName, TypeUnion};

/// A name as the text gives it, backquotes removed.
pub type Name = Box<str>;

/// A variable of a statement after name resolution: dense numbers from 0, unique in the whole statement, subqueries included. A variable that `WITH` hands on
/// under its own name keeps its number; every new binding gets a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VarId(pub u32);

impl VarId {
    /// What the parser writes before the check has resolved the name. Never seen in a checked tree.
    pub const UNRESOLVED: VarId = VarId(u32::MAX);
}

/// One occurrence (binding or use) of a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// The name as written.
    pub name: Name,
    /// Filled by the check.
    pub id: VarId,
    /// Where it stands.
    pub span: Span,
}

/// A label, type, property key, procedure part or any other name that is not a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The name, backquotes removed.
    pub name: Name,
    /// Where it stands.
    pub span: Span,
}

/// A whole statement: everything up to the end of the text or one `;`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// `EXPLAIN`, `PROFILE` or neither.
    pub mode: StatementMode,
    /// Options of a leading `CYPHER 5 planner=cost ...`, as written; they are accepted and have no meaning here.
    pub options: Vec<(Ident, Option<Name>)>,
    /// What it does.
    pub body: StatementBody,
    /// The whole text of the statement without prefix and `;`.
    pub span: Span,
}

/// How a statement is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementMode {
    /// Run it.
    Run,
    /// `EXPLAIN`: answer the plan, do not run.
    Explain,
    /// `PROFILE`: run, answer the plan with counts.
    Profile,
}

/// The three families of statements.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementBody {
    /// Reads and writes data.
    Query(Query),
    /// Indexes and constraints.
    Schema(SchemaStatement),
    /// Everything about the server.
    Admin(AdminStatement),
}

/// One or more single queries joined by `UNION`; also the body of a subquery.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `USING ...` in front of the first clause (Memgraph).
    pub hints: Vec<QueryHint>,
    /// At least one; more than one if there is a `UNION`.
    pub parts: Vec<SingleQuery>,
    /// How `parts` are joined; meaningless if there is one part. Mixing both kinds is refused.
    pub union: UnionKind,
    /// `QUERY MEMORY LIMIT`.
    pub memory_limit: Option<MemoryLimit>,
    /// Output columns; empty if no part ends in `RETURN` (or a standalone `CALL`). For a union the names are those of every part, the numbers those of the first.
    /// Filled by the check.
    pub columns: Vec<Column>,
    /// Where it stands.
    pub span: Span,
}

/// One output column of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The alias, or the source text as written.
    pub name: Name,
    /// The variable that holds the value.
    pub id: VarId,
}

/// `UNION` or `UNION ALL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnionKind {
    /// `UNION`: equal rows are given once.
    Distinct,
    /// `UNION ALL`.
    All,
}

/// Hints that stand in front of a query (Memgraph).
#[derive(Clone, Debug, PartialEq)]
pub enum QueryHint {
    /// `USING INDEX :L(p, q), :L`; one entry an index.
    Index {
        /// The label; `None` for the global form `:(p)`.
        label: Option<Ident>,
        /// Property paths (`a.b` nested), possibly none.
        properties: Vec<PropertyPath>,
    },
    /// `USING HOPS LIMIT n`.
    HopsLimit(Expr),
    /// `USING PARALLEL EXECUTION [n]`.
    ParallelExecution(Option<Expr>),
    /// `USING PERIODIC COMMIT n`.
    PeriodicCommit(Expr),
}

/// A property, or a path into nested maps: `a.b.c`. At least one part.
pub type PropertyPath = Vec<Ident>;

/// A bound on memory, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum MemoryLimit {
    /// `UNLIMITED`.
    Unlimited,
    /// A number of units.
    Bytes {
        /// How many units; an integer literal or a parameter.
        amount: Expr,
        /// Bytes in one unit: 1024 (KB) or 1024 * 1024 (MB).
        unit_bytes: u64,
    },
}

/// A sequence of clauses without `UNION`.
#[derive(Clone, Debug, PartialEq)]
pub struct SingleQuery {
    /// At least one.
    pub clauses: Vec<Clause>,
    /// The variables of this part's columns in the order of [`Query::columns`]. Filled by the check.
    pub columns: Vec<Column>,
    /// Where it stands.
    pub span: Span,
}

/// One clause.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// What it does.
    pub kind: ClauseKind,
    /// Where it stands.
    pub span: Span,
}

impl Clause {
    /// Whether it writes by itself; what a subquery in it does is not asked.
    pub fn writes(&self) -> bool {
        matches!(
            self.kind,
            ClauseKind::Create(_)
                | ClauseKind::Merge(_)
                | ClauseKind::Set(_)
                | ClauseKind::Remove(_)
                | ClauseKind::Delete { .. }
                | ClauseKind::Foreach(_)
        )
    }
}

/// What a clause does.
#[derive(Clone, Debug, PartialEq)]
pub enum ClauseKind {
    /// `MATCH`, `OPTIONAL MATCH`.
    Match(Box<Match>),
    /// `UNWIND list AS variable`.
    Unwind {
        /// The list.
        list: Expr,
        /// Bound to each element.
        variable: Variable,
    },
    /// `WITH ... [WHERE]`.
    With(Box<Projection>),
    /// `RETURN ...`.
    Return(Box<Projection>),
    /// `FINISH`: no columns.
    Finish,
    /// `CREATE` (also `INSERT`).
    Create(Vec<PathPattern>),
    /// `MERGE`.
    Merge(Box<Merge>),
    /// `SET`.
    Set(Vec<SetItem>),
    /// `REMOVE`.
    Remove(Vec<RemoveItem>),
    /// `DELETE`, `DETACH DELETE`.
    Delete {
        /// `DETACH`.
        detach: bool,
        /// What to delete.
        targets: Vec<Expr>,
    },
    /// `FOREACH (v IN list | clauses)`.
    Foreach(Box<Foreach>),
    /// `LOAD CSV`, `LOAD JSONL`, `LOAD PARQUET`.
    Load(Box<Load>),
    /// `CALL name(...)`.
    CallProcedure(Box<CallProcedure>),
    /// `CALL { ... }`.
    CallSubquery(Box<CallSubquery>),
    /// `USE graph`.
    Use(Vec<Ident>),
}

/// `[OPTIONAL] MATCH patterns [hints] [WHERE]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// `OPTIONAL`.
    pub optional: bool,
    /// At least one pattern. Relationships are unique over all of them, unless `repeatable`.
    pub patterns: Vec<PathPattern>,
    /// `REPEATABLE ELEMENTS` (Neo4j): relationships need not be unique.
    pub repeatable: bool,
    /// `USING INDEX v:L(p)` and its kin, behind the patterns (Neo4j).
    pub hints: Vec<MatchHint>,
    /// `WHERE`.
    pub filter: Option<Expr>,
}

/// A planner hint behind `MATCH` (Neo4j).
#[derive(Clone, Debug, PartialEq)]
pub enum MatchHint {
    /// `USING [RANGE|TEXT|POINT] INDEX [SEEK] v:L(p, ...)`.
    Index {
        /// The variable.
        variable: Variable,
        /// Its label or type.
        label: Ident,
        /// The properties.
        properties: Vec<Ident>,
    },
    /// `USING SCAN v:L`.
    Scan {
        /// The variable.
        variable: Variable,
        /// Its label or type.
        label: Ident,
    },
    /// `USING JOIN ON v, ...`.
    Join(Vec<Variable>),
}

/// The body of `WITH` and `RETURN`.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// `DISTINCT`.
    pub distinct: bool,
    /// A `*` was written. The check puts one item for each variable in scope, by name, in front of the written items.
    pub star: bool,
    /// The columns. In a checked tree never empty except for `WITH *` and `RETURN *` over an empty scope.
    pub items: Vec<ProjectionItem>,
    /// True if some item aggregates; then the items that do not are the grouping keys. Filled by the check.
    pub aggregates: bool,
    /// `ORDER BY`.
    pub order: Vec<SortItem>,
    /// `SKIP` or `OFFSET`.
    pub skip: Option<Expr>,
    /// `LIMIT`.
    pub limit: Option<Expr>,
    /// `WHERE`, behind `WITH` only.
    pub filter: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// One column of a projection.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectionItem {
    /// The value.
    pub expr: Expr,
    /// The alias or, without one, the source text as written.
    pub name: Name,
    /// True if `AS` was written.
    pub aliased: bool,
    /// True if the expression holds an aggregate (outside subqueries). Filled by the check.
    pub aggregates: bool,
    /// The variable that holds the value from here on. Filled by the check.
    pub id: VarId,
    /// Where expression and alias stand.
    pub span: Span,
}

/// One key of `ORDER BY`.
#[derive(Clone, Debug, PartialEq)]
pub struct SortItem {
    /// The key. Variables in it are those of the projection where it shows them, else those before the projection.
    pub expr: Expr,
    /// `DESC`.
    pub descending: bool,
}

/// `MERGE pattern [ON CREATE SET ...] [ON MATCH SET ...]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// The pattern.
    pub pattern: PathPattern,
    /// All `ON CREATE SET` items in order.
    pub on_create: Vec<SetItem>,
    /// All `ON MATCH SET` items in order.
    pub on_match: Vec<SetItem>,
}

/// One assignment of `SET`.
#[derive(Clone, Debug, PartialEq)]
pub enum SetItem {
    /// `target.key = value`; the target may itself be a property (nested maps) or any expression in parentheses.
    Property {
        /// The left side: [`ExprKind::Property`], or [`ExprKind::Index`] for a dynamic key.
        target: Expr,
        /// The right side.
        value: Expr,
    },
    /// `v = map`: replaces all properties.
    Replace {
        /// The node or relationship.
        variable: Variable,
        /// A map, node or relationship.
        value: Expr,
    },
    /// `v += map`: sets the given properties. The target may be a nested property in Memgraph.
    Merge {
        /// The node or relationship (or nested map).
        target: Expr,
        /// A map, node or relationship.
        value: Expr,
    },
    /// `v:A:B`.
    Labels {
        /// The node.
        variable: Variable,
        /// At least one.
        labels: Vec<LabelName>,
    },
}

/// One target of `REMOVE`.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoveItem {
    /// `target.key`, as in [`SetItem::Property`].
    Property(Expr),
    /// `v:A:B`.
    Labels {
        /// The node.
        variable: Variable,
        /// At least one.
        labels: Vec<LabelName>,
    },
}

/// `FOREACH (variable IN list | clauses)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreach {
    /// Bound to each element, visible in `body` only.
    pub variable: Variable,
    /// The list.
    pub list: Expr,
    /// Updating clauses, at least one.
    pub body: Vec<Clause>,
}

/// `LOAD CSV FROM ...` in Memgraph's and Neo4j's forms, `LOAD JSONL`, `LOAD PARQUET`.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The format.
    pub format: LoadFormat,
    /// Path or URL.
    pub source: Expr,
    /// `WITH HEADER(S)` / `NO HEADER`; `None` where nothing was said.
    pub header: Option<bool>,
    /// Neo4j's form: empty fields are null, and records need not have as many fields as the first.
    pub empty_is_null: bool,
    /// `IGNORE BAD`.
    pub ignore_bad: bool,
    /// `DELIMITER` or `FIELDTERMINATOR`.
    pub delimiter: Option<Expr>,
    /// `QUOTE`.
    pub quote: Option<Expr>,
    /// `NULLIF`.
    pub null_if: Option<Expr>,
    /// `WITH CONFIG {...}`.
    pub config: Option<Expr>,
    /// Bound to each row.
    pub variable: Variable,
}

/// What `LOAD` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadFormat {
    /// `CSV`.
    Csv,
    /// `JSONL`.
    JsonLines,
    /// `PARQUET`.
    Parquet,
}

/// `[OPTIONAL] CALL ns.name(args) [YIELD ...] [WHERE ...]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CallProcedure {
    /// `OPTIONAL`.
    pub optional: bool,
    /// Namespace and name, joined with `.`.
    pub name: Name,
    /// Where the name stands.
    pub name_span: Span,
    /// `None` if no parentheses were written: the arguments are the parameters of the inputs' names (standalone calls only).
    pub args: Option<Vec<Expr>>,
    /// What is taken from the procedure's outputs.
    pub yields: Yield,
    /// `WHERE` behind `YIELD`.
    pub filter: Option<Expr>,
    /// True if this call is the whole query. Filled by the check.
    pub standalone: bool,
    /// `PROCEDURE MEMORY LIMIT`.
    pub memory_limit: Option<MemoryLimit>,
}

/// What a procedure call takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Yield {
    /// No `YIELD` written: a standalone call gives all outputs, a call within a query must have none.
    Unstated,
    /// `YIELD *`.
    All,
    /// `YIELD -` or an empty list: nothing.
    Nothing,
    /// `YIELD a, b AS c`: output name, and the variable it is bound to.
    Items(Vec<(Ident, Variable)>),
}

/// `CALL [(imports)] { query } [IN TRANSACTIONS ...]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSubquery {
    /// `OPTIONAL`.
    pub optional: bool,
    /// What the body sees of the outer scope.
    pub imports: Imports,
    /// The body. A leading `WITH a, b` that imports (the form without parentheses) has been moved to `imports` by the check and is no clause any more.
    pub query: Query,
    /// `IN TRANSACTIONS`.
    pub transactions: Option<InTransactions>,
}

/// Variables that a `CALL` subquery takes from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Imports {
    /// Nothing.
    None,
    /// `CALL (*)`: all of the outer scope.
    All,
    /// `CALL (a, b)`, or the leading `WITH a, b` after the check.
    List(Vec<Variable>),
}

/// `IN [n CONCURRENT] TRANSACTIONS [OF n ROWS] [ON ERROR ...] [REPORT STATUS AS v]`.
#[derive(Clone, Debug, PartialEq)]
pub struct InTransactions {
    /// `n CONCURRENT`; `Some(None)` if no number was given.
    pub concurrent: Option<Option<Expr>>,
    /// `OF n ROWS`.
    pub rows: Option<Expr>,
    /// `ON ERROR`.
    pub on_error: OnError,
    /// `REPORT STATUS AS v`.
    pub status: Option<Variable>,
}

/// What an inner transaction's failure does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// `FAIL`, also when nothing was said.
    Fail,
    /// `CONTINUE`.
    Continue,
    /// `BREAK`.
    Break,
}
