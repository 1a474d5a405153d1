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
//! Schema and admin statements live in [`schema`] and [`admin`].

pub mod admin;
pub mod schema;

use crate::functions::Function;
use crate::span::Span;

pub use admin::AdminStatement;
pub use schema::SchemaStatement;

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

// ---------------------------------------------------------------------------------------------------------------- patterns

/// One path pattern: `p = (a)-[r]->(b)`, with everything that may stand around it. A pattern that starts or ends with a parenthesised part, or
/// has two of them side by side, has an anonymous empty node there, which matches the same.
#[derive(Clone, Debug, PartialEq)]
pub struct PathPattern {
    /// `p =`.
    pub variable: Option<Variable>,
    /// Which of the matching paths are wanted.
    pub selector: PathSelector,
    /// The first node.
    pub start: NodePattern,
    /// What follows it.
    pub hops: Vec<Hop>,
    /// Where it stands.
    pub span: Span,
}

/// One step from a node to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// How to get there.
    pub step: Step,
    /// The node at the far end.
    pub node: NodePattern,
}

/// How a pattern gets from one node to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A relationship pattern, possibly of variable length.
    Relationship(Box<RelationshipPattern>),
    /// A parenthesised path pattern, possibly repeated.
    Group(Box<PathGroup>),
}

/// `((a)-[r]->(b) WHERE ...){1,3}`.
#[derive(Clone, Debug, PartialEq)]
pub struct PathGroup {
    /// The pattern that is repeated. Its variables are lists outside if there is a quantifier.
    pub pattern: PathPattern,
    /// `WHERE` inside the parentheses, looked at once a repetition.
    pub filter: Option<Expr>,
    /// How often; `None` = once, as plain parentheses.
    pub quantifier: Option<Quantifier>,
    /// The variables of `pattern` as seen outside, if there is a quantifier: (inner, outer list). Filled by the check.
    pub exports: Vec<(VarId, VarId)>,
    /// Where it stands.
    pub span: Span,
}

/// How often a group is repeated: `{n}`, `{n,m}`, `+`, `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantifier {
    /// At least.
    pub min: u64,
    /// At most; `None` = no bound.
    pub max: Option<u64>,
}

/// Which matching paths are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum PathSelector {
    /// All of them.
    All,
    /// `shortestPath(...)`: one.
    ShortestPath,
    /// `allShortestPaths(...)`: all ties.
    AllShortestPaths,
    /// `ANY [k]`: any k (an integer expression), 1 if not said.
    Any(Option<Box<Expr>>),
    /// `SHORTEST k` / `ANY SHORTEST`: the k shortest for each pair of ends.
    Shortest(Option<Box<Expr>>),
    /// `ALL SHORTEST`: all ties, for each pair of ends.
    AllShortest,
    /// `SHORTEST k GROUPS`: all paths of the k smallest lengths.
    ShortestGroups(Option<Box<Expr>>),
}

/// `(v:L {p: 1} WHERE ...)`.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePattern {
    /// The variable. In a checked tree an anonymous node has `None` here and its number in `id`.
    pub variable: Option<Variable>,
    /// The node's number, also if anonymous. Filled by the check.
    pub id: VarId,
    /// True if this occurrence binds the variable; false if it was bound before. Filled by the check.
    pub binds: bool,
    /// Labels.
    pub labels: Option<LabelExpr>,
    /// A map literal or a parameter.
    pub properties: Option<Expr>,
    /// `WHERE` inside the parentheses.
    pub filter: Option<Expr>,
    /// Where it stands; empty for a node that was not written.
    pub span: Span,
}

/// `-[v:T {p: 1}]->`.
#[derive(Clone, Debug, PartialEq)]
pub struct RelationshipPattern {
    /// The variable; a list of relationships if the length varies.
    pub variable: Option<Variable>,
    /// The relationship's number, also if anonymous. Filled by the check.
    pub id: VarId,
    /// True if this occurrence binds the variable. Filled by the check.
    pub binds: bool,
    /// The arrow.
    pub direction: Direction,
    /// Types.
    pub types: Option<LabelExpr>,
    /// One hop, or how many and how they are searched.
    pub expansion: Expansion,
    /// A map literal or a parameter.
    pub properties: Option<Expr>,
    /// `WHERE` inside the brackets.
    pub filter: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// The arrow of a relationship pattern, read from the node before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `-->`.
    Outgoing,
    /// `<--`.
    Incoming,
    /// `--` or `<-->`.
    Either,
}

/// What lies between the two ends of a relationship pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Expansion {
    /// Exactly one relationship; the variable is a relationship, not a list.
    Single,
    /// `*`, `*n`, `*n..m`, with an optional inline filter (Memgraph): every trail.
    Variable {
        /// Bounds.
        range: HopRange,
        /// `(r, n | predicate)`.
        filter: Option<Box<Lambda>>,
    },
    /// `*BFS n..m (r, n | predicate)` (Memgraph): one shortest trail for each end.
    BreadthFirst {
        /// Bounds.
        range: HopRange,
        /// The predicate.
        filter: Option<Box<Lambda>>,
    },
    /// `*WSHORTEST n (r, n | weight) total (r, n | predicate)` (Memgraph).
    WeightedShortest {
        /// Bounds; only the upper one can be written.
        range: HopRange,
        /// Cost of a step.
        weight: Box<Lambda>,
        /// Bound to the path's cost.
        total: Option<Variable>,
        /// The predicate.
        filter: Option<Box<Lambda>>,
    },
    /// `*ALLSHORTEST ...`: as `WSHORTEST`, all ties.
    AllShortest {
        /// Bounds.
        range: HopRange,
        /// Cost of a step.
        weight: Box<Lambda>,
        /// Bound to the path's cost.
        total: Option<Variable>,
        /// The predicate.
        filter: Option<Box<Lambda>>,
    },
    /// `*KSHORTEST n..m | k` (Memgraph) between bound ends.
    KShortest {
        /// Bounds.
        range: HopRange,
        /// How many paths; `None` = all.
        limit: Option<Expr>,
    },
}

/// Bounds on a number of hops; each a non-negative integer literal or (Memgraph) a parameter or expression. What is not
/// written is `None`: no lower bound means 1, no upper bound means none. `*3` has 3 on both sides.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HopRange {
    /// At least.
    pub min: Option<Box<Expr>>,
    /// At most.
    pub max: Option<Box<Expr>>,
}

/// `(r, n [, p [, w]] | body)`: the last relationship, the node it leads to, the path so far, its weight so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Lambda {
    /// The relationship.
    pub relationship: Variable,
    /// The node.
    pub node: Variable,
    /// The path so far.
    pub path: Option<Variable>,
    /// The weight so far.
    pub weight: Option<Variable>,
    /// What is computed.
    pub body: Expr,
    /// Where it stands.
    pub span: Span,
}

/// A label or type, or something that names one when the query runs.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelName {
    /// A name.
    Static(Ident),
    /// `$p` (Memgraph) or `$(expr)` (Neo4j): a string, or a list of strings.
    Dynamic(Box<Expr>),
}

/// A label expression: `:A:B`, `:A|B`, `:A&!B`, `:%`.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelExpr {
    /// One label or type.
    Name(LabelName),
    /// `&` or a further `:`; two or more.
    And(Vec<LabelExpr>),
    /// `|`; two or more.
    Or(Vec<LabelExpr>),
    /// `!`.
    Not(Box<LabelExpr>),
    /// `%`: any label at all.
    Wildcard(Span),
}

// ------------------------------------------------------------------------------------------------------------- expressions

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands. Enclosing parentheses are not part of it.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A literal.
    Literal(Literal),
    /// `$name`.
    Parameter(Name),
    /// A variable.
    Variable(Variable),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{a: 1}`; keys as written, duplicates included (the last one counts).
    Map(Vec<(Ident, Expr)>),
    /// `a OR b OR c`; two or more.
    Or(Vec<Expr>),
    /// `a XOR b`; two or more.
    Xor(Vec<Expr>),
    /// `a AND b`; two or more.
    And(Vec<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `a < b <= c`: every neighbouring pair must hold.
    Comparison(Box<Comparison>),
    /// `a + b - c`, `a * b / c % d`, or `a ^ b ^ c`, evaluated from the left; all steps have the same precedence.
    Arithmetic(Box<Arithmetic>),
    /// `-a`. A minus in front of a number has been made part of the literal.
    Negate(Box<Expr>),
    /// `+a`.
    Plus(Box<Expr>),
    /// `a STARTS WITH b` and its kin.
    StringMatch(Box<StringMatch>),
    /// `a IN b`.
    In(Box<(Expr, Expr)>),
    /// `a IS [NOT] NULL`.
    IsNull {
        /// `a`.
        operand: Box<Expr>,
        /// `NOT`.
        negated: bool,
    },
    /// `a IS [NOT] :: TYPE`.
    IsTyped(Box<IsTyped>),
    /// `a:L` or `a IS L`, as a predicate.
    HasLabels(Box<HasLabels>),
    /// `a.key`.
    Property(Box<Property>),
    /// `a[b]`: list element, or dynamic property.
    Index(Box<(Expr, Expr)>),
    /// `a[b..c]`.
    Slice(Box<Slice>),
    /// `f(a)`, aggregates included.
    Call(Box<FunctionCall>),
    /// `count(*)`.
    CountStar,
    /// `CASE`.
    Case(Box<Case>),
    /// `[x IN list WHERE p | e]`; also `extract()` and `filter()`.
    ListComprehension(Box<ListComprehension>),
    /// `[(a)-->(b) WHERE p | e]`.
    PatternComprehension(Box<PatternComprehension>),
    /// `all(x IN list WHERE p)` and its kin.
    Quantified(Box<Quantified>),
    /// `reduce(acc = init, x IN list | e)`.
    Reduce(Box<Reduce>),
    /// `v {.a, .*, b: 1, c}`.
    MapProjection(Box<MapProjection>),
    /// A pattern as a predicate, or within `exists(...)`: true if it matches.
    Pattern(Box<PathPattern>),
    /// `shortestPath(...)` as a value: a path, or a list of paths.
    PathValue(Box<PathPattern>),
    /// `EXISTS { ... }`.
    Exists(Box<Query>),
    /// `COUNT { ... }`.
    Count(Box<Query>),
    /// `COLLECT { ... }`.
    Collect(Box<Query>),
    /// `E::A`: a value of an enum (Memgraph).
    Enum(Box<(Ident, Ident)>),
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// The value in the text that was parsed.
    pub value: LiteralValue,
    /// If the plan made from this tree is cached by [`crate::normalise`]'s key: the number of the extracted value that stands
    /// here. The plan must then read that value when it runs instead of `value`.
    pub extracted: Option<u16>,
}

/// The value of a literal.
#[derive(Clone, Debug, PartialEq)]
pub enum LiteralValue {
    /// `null`.
    Null,
    /// `true`, `false`.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A string, escapes resolved.
    String(Box<str>),
}

/// A chain of comparisons.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The leftmost operand.
    pub first: Expr,
    /// At least one.
    pub rest: Vec<(ComparisonOp, Expr)>,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonOp {
    /// `=`
    Equal,
    /// `<>`, `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// A chain of arithmetic operators of one precedence.
#[derive(Clone, Debug, PartialEq)]
pub struct Arithmetic {
    /// The leftmost operand.
    pub first: Expr,
    /// At least one; the span is the operator's.
    pub rest: Vec<(ArithmeticOp, Span, Expr)>,
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOp {
    /// `+`: also joins strings and lists, adds durations
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
    /// `||` (Neo4j): joins strings or lists
    Concatenate,
}

/// `left OP right` on strings.
#[derive(Clone, Debug, PartialEq)]
pub struct StringMatch {
    /// The operator.
    pub op: StringOp,
    /// The text.
    pub left: Expr,
    /// The pattern.
    pub right: Expr,
}

/// String predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringOp {
    /// `STARTS WITH`
    StartsWith,
    /// `ENDS WITH`
    EndsWith,
    /// `CONTAINS`
    Contains,
    /// `=~`
    Regex,
}

/// `operand IS [NOT] :: TYPE`.
#[derive(Clone, Debug, PartialEq)]
pub struct IsTyped {
    /// The value.
    pub operand: Expr,
    /// `NOT`.
    pub negated: bool,
    /// The type's words in upper case, one blank between them: `LIST<INTEGER NOT NULL>`.
    pub type_name: Name,
    /// Where the type stands.
    pub type_span: Span,
}

/// `operand:L`.
#[derive(Clone, Debug, PartialEq)]
pub struct HasLabels {
    /// A node (labels) or a relationship (type).
    pub operand: Expr,
    /// The labels.
    pub labels: LabelExpr,
}

/// `object.key`.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// A node, relationship, map, temporal value or point.
    pub object: Expr,
    /// The key.
    pub key: Ident,
}

/// `object[from..to]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// A list.
    pub object: Expr,
    /// First index.
    pub from: Option<Expr>,
    /// Index behind the last.
    pub to: Option<Expr>,
}

/// A call of a function or aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// Namespace and name as written, joined with `.`.
    pub name: Name,
    /// Where the name stands.
    pub name_span: Span,
    /// The function. `Some` in a checked tree. Filled by the check.
    pub function: Option<Function>,
    /// `DISTINCT`, aggregates only.
    pub distinct: bool,
    /// The arguments.
    pub args: Vec<Expr>,
}

/// `CASE [subject] WHEN ... THEN ... [ELSE ...] END`.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// `Some` for the simple form.
    pub subject: Option<Expr>,
    /// At least one.
    pub arms: Vec<CaseArm>,
    /// `ELSE`; null if not written.
    pub otherwise: Option<Expr>,
}

/// One `WHEN`.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseArm {
    /// At least one; the arm is taken if any holds.
    pub tests: Vec<CaseTest>,
    /// The value.
    pub then: Expr,
}

/// What a `WHEN` asks.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseTest {
    /// Simple form: equal to the subject. Searched form: true.
    Value(Expr),
    /// `WHEN < 3`: the subject compared (simple form only).
    Compare(ComparisonOp, Expr),
    /// `WHEN STARTS WITH 'a'` (simple form only).
    StringMatch(StringOp, Expr),
    /// `WHEN IN [..]` (simple form only).
    In(Expr),
    /// `WHEN IS [NOT] NULL` (simple form only).
    IsNull {
        /// `NOT`.
        negated: bool,
    },
}

/// `[variable IN list WHERE filter | body]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ListComprehension {
    /// Bound to each element, visible in `filter` and `body`.
    pub variable: Variable,
    /// The list.
    pub list: Expr,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// Behind `|`; the element itself if not written.
    pub body: Option<Expr>,
}

/// `[p = (a)-->(b) WHERE filter | body]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternComprehension {
    /// The pattern; its new variables are visible in `filter` and `body`.
    pub pattern: PathPattern,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// Behind `|`.
    pub body: Expr,
}

/// `all(variable IN list WHERE predicate)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantified {
    /// Which.
    pub kind: QuantifierKind,
    /// Bound to each element, visible in `predicate`.
    pub variable: Variable,
    /// The list.
    pub list: Expr,
    /// The predicate. Memgraph lets it be left out for `any`, `none`, `single`, `all` over booleans; here it is required.
    pub predicate: Expr,
}

/// The quantifiers over lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantifierKind {
    /// `all`
    All,
    /// `any`
    Any,
    /// `none`
    None,
    /// `single`
    Single,
}

/// `reduce(accumulator = init, variable IN list | body)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// The accumulator.
    pub accumulator: Variable,
    /// Its first value.
    pub init: Expr,
    /// Bound to each element.
    pub variable: Variable,
    /// The list.
    pub list: Expr,
    /// The next value; sees both variables.
    pub body: Expr,
}

/// `variable {items}`.
#[derive(Clone, Debug, PartialEq)]
pub struct MapProjection {
    /// A node, relationship or map.
    pub subject: Variable,
    /// What the new map holds.
    pub items: Vec<MapProjectionItem>,
}

/// One entry of a map projection.
#[derive(Clone, Debug, PartialEq)]
pub enum MapProjectionItem {
    /// `.key`.
    Property(Ident),
    /// `.*`.
    AllProperties(Span),
    /// `key: value`.
    Entry(Ident, Expr),
    /// `v`: the variable's value under its own name.
    Variable(Variable),
}

impl Expr {
    /// An expression at a place.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// The literal's value, if this is a literal.
    pub fn as_literal(&self) -> Option<&LiteralValue> {
        match &self.kind {
            ExprKind::Literal(literal) => Some(&literal.value),
            _ => None,
        }
    }
}

impl PathPattern {
    /// The plain relationship patterns with the nodes they lead to; a parenthesised group is skipped.
    pub fn relationships(&self) -> impl Iterator<Item = (&RelationshipPattern, &NodePattern)> {
        self.hops.iter().filter_map(|hop| match &hop.step {
            Step::Relationship(relationship) => Some((&**relationship, &hop.node)),
            Step::Group(_) => None,
        })
    }

    /// All nodes written at this level, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &NodePattern> {
        std::iter::once(&self.start).chain(self.hops.iter().map(|hop| &hop.node))
    }
}

impl LabelName {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            LabelName::Static(ident) => ident.span,
            LabelName::Dynamic(expr) => expr.span,
        }
    }
}

impl LabelExpr {
    /// The labels if this is a plain conjunction of names (`:A`, `:A:B`, `:A&B`), else `None`.
    pub fn conjunction(&self) -> Option<Vec<&LabelName>> {
        match self {
            LabelExpr::Name(name) => Some(vec![name]),
            LabelExpr::And(parts) => parts.iter().map(LabelExpr::name).collect(),
            _ => None,
        }
    }

    /// The labels if this is a plain alternative of names (`:A`, `:A|B`), else `None`.
    pub fn alternatives(&self) -> Option<Vec<&LabelName>> {
        match self {
            LabelExpr::Name(name) => Some(vec![name]),
            LabelExpr::Or(parts) => parts.iter().map(LabelExpr::name).collect(),
            _ => None,
        }
    }

    fn name(&self) -> Option<&LabelName> {
        match self {
            LabelExpr::Name(name) => Some(name),
            _ => None,
        }
    }
}

const _: () = assert!(
    size_of::<Expr>() <= 48,
    "expressions are moved often; keep large variants boxed"
);
