//! From a checked statement to a plan: clauses in order, patterns by cost, subqueries within.
//!
//! Called by [`crate::query_core`]. Knows the graph's names, indexes and counts as they are while it plans, not its data. Always holds: every variable has
//! become a slot or a local; what the engine cannot do is refused here, with the place and the name of the construct; a plan that writes gives
//! no row out before all its writes are done.

mod advice;
mod automaton;
mod closing;
mod columns;
mod conditions;
mod degree;
mod estimate;
mod expression;
mod index;
mod join;
mod limits;
mod long;
mod order;
mod parallel;
mod pattern;
mod projection;
mod reach;
mod scope;
mod start;
mod step;
mod trail_count;
mod transactions;
mod update;
mod used;
mod walk;

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use quoit_cypher::ast::{self, Clause, ClauseKind, Imports, Query, SingleQuery, UnionKind, Yield};
use quoit_cypher::check::VariableInfo;
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::span::Span;
use quoit_graph::ids::{LabelId, TypeId};
use quoit_graph::{EdgeEnds, Graph, IndexDefinition, IndexStatistics, SchemaState, Statistics};

pub use advice::{Advice, AdviceKind};
pub use expression::literal_value;
pub use parallel::{Division, divide};

use crate::expression::{Expr, Place};
use crate::plan::limits::{Count, MemoryBound};
use crate::plan::words::Names as PlanNames;
use crate::plan::{Apply, Load, Op, Plan, ProcedureCall, Project, Unwind};
use crate::procedure::Procedures;
use estimate::KnownLabels;
use index::WantedOrder;
use scope::Scope;

/// A query's plan and what an execution of it needs.
#[derive(Debug)]
pub struct PlannedQuery {
    /// The tree; its rows begin with the columns.
    pub plan: Plan,
    /// Where values of parameters come from, by their numbers.
    pub parameters: Vec<ParameterSource>,
    /// What the query calls its variables.
    pub names: PlanNames,
    /// Locals of comprehensions and subqueries.
    pub locals: u32,
    /// Subqueries within expressions.
    pub subqueries: u32,
    /// It commits transactions within itself.
    pub has_inner_transactions: bool,
    /// What its author may want to know.
    pub advice: Vec<Advice>,
    /// It asks for random numbers, so each execution needs a seed.
    pub is_volatile: bool,
    /// What its author allows it to hold; `None`: nothing was said.
    pub memory_limit: Option<MemoryBound>,
    /// How many relationships it follows at most; `None`: nothing was said.
    pub hops_limit: Option<Count>,
    /// It asks for the time, so each execution looks at the clock when it begins.
    pub is_timed: bool,
    /// Only the core that runs it can do what it does: call its procedures, read files, commit parts.
    pub is_bound: bool,
    /// `USING PARALLEL EXECUTION`, and the number of cores behind it.
    pub parallel: Option<Option<u16>>,
    /// Parts of it run on several cores.
    pub is_divided: bool,
    /// See [`PlannedQuery::fingerprint`].
    pub(crate) fingerprint: OnceCell<u64>,
}

/// Where a value comes from that is known when an execution begins.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterSource {
    /// `$name`.
    Named(Arc<str>),
    /// A literal that was taken out of the text, by its number.
    Literal(u16),
}

/// What the planner knows of the graph.
pub struct Catalog {
    /// Names.
    pub graph: Arc<Graph>,
    /// Indexes.
    pub indexes: Vec<KnownIndex>,
    /// Counts.
    pub statistics: Statistics,
    /// Edges by the labels of their ends.
    pub edge_ends: EdgeEnds,
    /// Plans keep to the plain operators on rows.
    pub plain: bool,
    /// What `USE` may name, in any case.
    pub databases: &'static [&'static str],
}

/// A way to find vertices or edges by their properties.
pub struct KnownIndex {
    /// What it is of.
    definition: IndexDefinition,
    /// For each number of first keys: about how many distinct values they have.
    distinct: Vec<u64>,
    /// What the last analysis found.
    analysed: Option<IndexStatistics>,
    /// It is that of a unique constraint: one vertex at most for values of all its keys, and no other way to read it.
    is_unique: bool,
}

impl Catalog {
    /// The graph as it is now.
    pub fn of(graph: &Arc<Graph>) -> Catalog {
        let indexes = graph.indexes().into_iter();
        let indexes = indexes.filter(|index| index.state == SchemaState::Online);
        let mut known: Vec<KnownIndex> = indexes
            .map(|index| KnownIndex {
                definition: index.definition,
                distinct: index.distinct,
                analysed: index.analysed,
                is_unique: false,
            })
            .collect();
        let constraints = graph.constraints().into_iter();
        for constraint in constraints.filter(|known| known.state == SchemaState::Online) {
            let definition = &constraint.definition;
            if definition.is_unique() {
                known.push(KnownIndex {
                    definition: IndexDefinition::on_label(definition.label(), definition.keys()),
                    distinct: Vec::new(),
                    analysed: None,
                    is_unique: true,
                });
            }
        }
        Catalog {
            graph: graph.clone(),
            indexes: known,
            statistics: graph.statistics(),
            edge_ends: graph.edge_ends(),
            plain: false,
            databases: &[],
        }
    }

    /// Vertices with a label.
    fn vertices_with(&self, label: LabelId) -> f64 {
        let counts = &self.statistics.vertices_by_label;
        let found = counts.iter().find(|(known, _)| *known == label);
        found.map_or(0.0, |(_, count)| *count as f64)
    }

    /// Edges of a type.
    fn edges_of(&self, type_: TypeId) -> f64 {
        let counts = &self.statistics.edges_by_type;
        let found = counts.iter().find(|(known, _)| *known == type_);
        found.map_or(0.0, |(_, count)| *count as f64)
    }
}

/// Plans a checked query.
///
/// # Errors
/// Constructs that the engine does not have yet, at compile time.
pub fn plan_query(
    query: &Query,
    variables: &[VariableInfo],
    catalog: &Catalog,
    procedures: &Procedures,
) -> Result<PlannedQuery, Error> {
    let mut planner = Planner {
        catalog,
        procedures,
        parameters: Vec::new(),
        locals: 0,
        subqueries: 0,
        is_volatile: false,
        is_timed: false,
        is_bound: false,
        parallel: None,
        subquery_depth: 0,
        hidden_variables: 0,
        wanted_order: WantedOrder::default(),
        hinted: Vec::new(),
        scanned: Vec::new(),
        labels: HashMap::new(),
        advice: Vec::new(),
        matched: HashSet::new(),
        nested: 0,
        nested_in_expressions: 0,
        transactions: None,
        periodic: None,
        memory_limit: None,
        hops_limit: None,
        loaded: None,
    };
    let outermost = Scope::new();
    let (mut plan, columns) = planner.query(query, &outermost)?;
    if columns == 0 {
        plan = Plan::over(Op::Consume, plan);
    } else if plan.writes() && matches!(plan.op, Op::Union) {
        plan = Plan::over(Op::Eager, plan);
    }
    if !planner.is_volatile && !catalog.plain {
        plan = reach::improve(plan);
    }
    Ok(PlannedQuery {
        plan,
        parameters: planner.parameters,
        names: PlanNames::new(variables, outermost.called().into_iter()),
        locals: planner.locals,
        subqueries: planner.subqueries,
        advice: planner.advice,
        has_inner_transactions: planner.transactions.is_some(),
        is_volatile: planner.is_volatile,
        is_timed: planner.is_timed,
        is_bound: planner.is_bound,
        parallel: planner.parallel,
        is_divided: false,
        memory_limit: planner.memory_limit,
        hops_limit: planner.hops_limit,
        fingerprint: OnceCell::new(),
    })
}

struct Planner<'c> {
    catalog: &'c Catalog,
    procedures: &'c Procedures,
    parameters: Vec<ParameterSource>,
    locals: u32,
    subqueries: u32,
    is_volatile: bool,
    is_timed: bool,
    is_bound: bool,
    parallel: Option<Option<u16>>,
    /// Depths of the subqueries within expressions, added up: any of them may run at the end of the deepest pull.
    subquery_depth: u32,
    hidden_variables: u32,
    /// What the clause behind the `MATCH` at work sorts by.
    wanted_order: WantedOrder,
    /// Labels or types, and properties, of indexes that the query's author asks for.
    hinted: Vec<(Box<str>, Vec<Box<str>>)>,
    /// Nodes of which the author asks that all of a label are gone through.
    scanned: Vec<(ast::VarId, Box<str>)>,
    /// What the query's author may want to know.
    advice: Vec<Advice>,
    /// Variables that a pattern has found for sure, as nodes or relationships.
    matched: HashSet<ast::VarId>,
    /// Queries around the one at work, and those of them that stand in expressions.
    nested: u32,
    nested_in_expressions: u32,
    /// Where the query commits transactions within itself.
    transactions: Option<Span>,
    /// `USING PERIODIC COMMIT`: rows of a transaction.
    periodic: Option<(Expr, Place)>,
    /// Labels that variables have for sure.
    labels: HashMap<ast::VarId, KnownLabels>,
    /// What the last `LOAD CSV` binds for `linenumber()` and `file()`.
    loaded: Option<(ast::VarId, ast::VarId)>,
    /// `USING HOPS LIMIT`.
    hops_limit: Option<Count>,
    /// `QUERY MEMORY`.
    memory_limit: Option<MemoryBound>,
}

/// Operators that may stand below one another, subqueries added: bounds the stack that planning, a pull and dropping take. A core's thread
/// has 256 MiB (`rt`), so 64 KiB for each; `tests/depth.rs` gets along with a quarter of it.
const PLAN_DEPTH_MAX: u32 = 4_000;

/// A construct that is valid and not to be had yet.
fn unsupported(what: &str, span: Span) -> Error {
    Error::unsupported(format!("{what} is not available yet")).at(span)
}

impl Planner<'_> {
    fn new_local(&mut self) -> u32 {
        self.locals += 1;
        self.locals - 1
    }

    /// A variable that no text names.
    fn new_variable(&mut self) -> ast::VarId {
        self.hidden_variables += 1;
        ast::VarId(ast::VarId::UNRESOLVED.0 - self.hidden_variables)
    }

    fn new_subquery(&mut self) -> u32 {
        self.subqueries += 1;
        self.subqueries - 1
    }

    fn parameter(&mut self, source: ParameterSource) -> u32 {
        let known = self.parameters.iter().position(|known| *known == source);
        known.unwrap_or_else(|| {
            self.parameters.push(source);
            self.parameters.len() - 1
        }) as u32
    }

    /// Plans a query or the body of a subquery; its rows begin with the columns, whose number is the second result.
    fn query(&mut self, query: &Query, outer: &Scope) -> Result<(Plan, usize), Error> {
        for hint in &query.hints {
            match hint {
                ast::QueryHint::Index { label, properties } => {
                    let owner = label.iter().map(|label| label.name.clone());
                    let keys = properties.iter().filter_map(|path| path.first());
                    let keys: Vec<_> = keys.map(|key| key.name.clone()).collect();
                    if let (Some(label), false) = (label, keys.is_empty()) {
                        let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
                        self.mention_index(&label.name, &keys, label.span);
                    }
                    self.hinted.extend(owner.map(|owner| (owner, keys.clone())));
                }
                ast::QueryHint::HopsLimit(limit) => {
                    self.hops_limit = Some(self.count(limit, "a limit on hops")?);
                    // Hops are counted where the query's own core makes them.
                    self.is_bound = true;
                }
                ast::QueryHint::PeriodicCommit(rows) => {
                    let place = Place(rows.span);
                    self.periodic = Some((self.expr(rows, &mut outer.subquery())?, place));
                }
                ast::QueryHint::ParallelExecution(cores) => {
                    let cores = cores.as_ref().map(parallel::cores).transpose()?;
                    self.parallel = Some(cores);
                }
            }
        }
        self.limit_memory(query)?;
        if self.periodic.is_some() && query.parts.len() > 1 {
            return Err(transactions::refused(query.span, "within a UNION"));
        }
        let mut parts = Vec::with_capacity(query.parts.len());
        let is_union = query.parts.len() > 1;
        self.nested += u32::from(is_union);
        for part in &query.parts {
            parts.push(self.single_query(part, outer)?);
        }
        self.nested -= u32::from(is_union);
        if let Some((_, place)) = &self.periodic {
            return Err(transactions::refused(
                place.0,
                "without a clause that writes",
            ));
        }
        let columns = query.columns.len();
        if parts.len() == 1 {
            return Ok((parts.remove(0), columns));
        }
        let estimate = parts.iter().map(|part| part.estimate).sum();
        let mut plan = Plan::joining(Op::Union, parts, estimate);
        if query.union == UnionKind::Distinct && columns > 0 {
            if plan.writes() {
                plan = Plan::over(Op::Eager, plan);
            }
            plan = Plan::over(Op::Distinct(columns as u32), plan);
        }
        Ok((plan, columns))
    }

    fn single_query(&mut self, query: &SingleQuery, outer: &Scope) -> Result<Plan, Error> {
        let mut scope = outer.next_frame();
        let mut plan = Plan::leaf(Op::Unit(scope.width()));
        let mut at = 0;
        while let Some(clause) = query.clauses.get(at) {
            let behind = &query.clauses[at + 1..];
            self.wanted_order = order::wanted_by(behind);
            let is_first_write = self.nested == 0 && clause.writes();
            plan = match &self.periodic {
                Some(_) if is_first_write => {
                    let end = transactions::last_write(&query.clauses);
                    let clauses = &query.clauses[at..=end];
                    at = end;
                    self.periodic_commit(plan, clauses, &mut scope)?
                }
                _ => self.clause(plan, clause, &mut scope)?,
            };
            at += 1;
            if plan.depth + self.subquery_depth > PLAN_DEPTH_MAX {
                return Err(Error::syntax(
                    Detail::QueryTooLarge,
                    clause.span,
                    format!(
                        "the query needs more than {PLAN_DEPTH_MAX} operators on top of each other"
                    ),
                )
                .hint("split it into several statements"));
            }
        }
        if query.columns.is_empty() {
            plan = transactions::without_waiting(plan);
        }
        // `RETURN` has put the columns first; other ends (a standalone CALL, parts of a union in another order) have not.
        let in_place = query
            .columns
            .iter()
            .enumerate()
            .all(|(at, column)| scope.slot(column.id) == Some(at as u32));
        if !in_place {
            let mut items = Vec::with_capacity(query.columns.len());
            for column in &query.columns {
                items.push(
                    scope
                        .resolve(column.id)
                        .ok_or_else(|| Error::internal("a column has no value"))?,
                );
            }
            let next = scope.next_frame();
            next.width().set(items.len() as u32);
            plan = Plan::over(
                Op::Project(Rc::new(Project {
                    items,
                    width: next.width(),
                })),
                plan,
            );
        }
        Ok(plan)
    }

    fn clause(&mut self, plan: Plan, clause: &Clause, scope: &mut Scope) -> Result<Plan, Error> {
        if clause.writes() {
            self.may_write(clause.span)?;
        }
        match &clause.kind {
            ClauseKind::Match(matching) => self.match_clause(plan, matching, clause.span, scope),
            ClauseKind::Unwind { list, variable } => {
                let place = Place(list.span);
                let mut list = self.expr(list, scope)?;
                let plan = self.with_long(plan, [&mut list], scope);
                let slot = scope.bind(variable.id);
                let estimate = plan.estimate * 10.0;
                Ok(
                    Plan::over(Op::Unwind(Rc::new(Unwind { slot, list, place })), plan)
                        .expecting(estimate),
                )
            }
            ClauseKind::With(projection) | ClauseKind::Return(projection) => {
                self.projection(plan, projection, scope)
            }
            ClauseKind::Finish => Ok(Plan::over(Op::Consume, plan)),
            ClauseKind::Create(patterns) => self.create_clause(plan, patterns, scope),
            ClauseKind::Merge(merge) => self.merge_clause(plan, merge, scope),
            ClauseKind::Set(items) => {
                let items = self.set_items(items, scope)?;
                Ok(Plan::over(Op::Set(Rc::new(items)), plan))
            }
            ClauseKind::Remove(items) => {
                let items = self.remove_items(items, scope)?;
                Ok(Plan::over(Op::Set(Rc::new(items)), plan))
            }
            ClauseKind::Delete { detach, targets } => {
                self.delete_clause(plan, *detach, targets, scope)
            }
            ClauseKind::Foreach(foreach) => self.foreach_clause(plan, foreach, scope),
            ClauseKind::CallProcedure(call) => self.call_procedure(plan, call, scope),
            ClauseKind::CallSubquery(call) => self.call_subquery(plan, call, clause.span, scope),
            ClauseKind::Load(load) => self.load_clause(plan, load, clause.span, scope),
            ClauseKind::Use(name) => self.use_clause(plan, name, clause.span),
        }
    }

    fn load_clause(
        &mut self,
        plan: Plan,
        load: &ast::Load,
        span: Span,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        match load.format {
            ast::LoadFormat::Csv => {}
            ast::LoadFormat::JsonLines => return Err(unsupported("LOAD JSONL", span)),
            ast::LoadFormat::Parquet => return Err(unsupported("LOAD PARQUET", span)),
        }
        if self.nested_in_expressions > 0 {
            return Err(unsupported("LOAD CSV within an expression", span));
        }
        if let Some(config) = &load.config {
            return Err(unsupported("LOAD CSV ... WITH CONFIG", config.span));
        }
        let (line, file) = (self.new_variable(), self.new_variable());
        let mut part = |part: &Option<ast::Expr>| {
            let expr = part.as_ref().map(|part| self.expr(part, scope));
            expr.transpose()
        };
        let (delimiter, quote, null_if) = (
            part(&load.delimiter)?,
            part(&load.quote)?,
            part(&load.null_if)?,
        );
        let node = Load {
            source: self.expr(&load.source, scope)?,
            header: load.header == Some(true),
            ignore_bad: load.ignore_bad,
            empty_is_null: load.empty_is_null,
            delimiter,
            quote,
            null_if,
            slot: scope.bind(load.variable.id),
            line: scope.bind(line),
            file: scope.bind(file),
            place: Place(span),
        };
        self.loaded = Some((line, file));
        let estimate = plan.estimate * 1000.0;
        self.is_bound = true;
        Ok(Plan::over(Op::Load(Rc::new(node)), plan).expecting(estimate))
    }

    fn filter(
        &mut self,
        plan: Plan,
        predicate: &ast::Expr,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let predicate = self.expr(predicate, scope)?;
        let estimate = plan.estimate * 0.5;
        Ok(self.filtered(plan, vec![predicate], estimate, scope))
    }

    fn call_procedure(
        &mut self,
        plan: Plan,
        call: &ast::CallProcedure,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let memory_limit = match &call.memory_limit {
            Some(limit) => Some(self.memory_bound(limit)?),
            None => None,
        };
        self.is_bound = true;
        let procedure =
            self.procedures.find(&call.name).cloned().ok_or_else(|| {
                Error::internal("a procedure is gone since the query was checked")
            })?;
        let mut args = match &call.args {
            Some(args) => self.exprs(args, scope)?,
            None => Vec::new(),
        };
        let plan = self.with_long(plan, &mut args, scope);
        let mut outputs = Vec::new();
        if let Yield::Items(items) = &call.yields {
            for (output, variable) in items {
                let number = procedure
                    .outputs
                    .iter()
                    .position(|field| *field.name == *output.name);
                let number = number.ok_or_else(|| {
                    Error::internal("a procedure's output is gone since the query was checked")
                })?;
                outputs.push((number, scope.bind(variable.id)));
            }
        }
        let place = Place(call.name_span);
        let node = ProcedureCall {
            procedure,
            args,
            outputs,
            optional: call.optional,
            memory_limit,
            place,
        };
        let estimate = plan.estimate * 10.0;
        let plan = Plan::over(Op::Procedure(Rc::new(node)), plan).expecting(estimate);
        match &call.filter {
            Some(filter) => self.filter(plan, filter, scope),
            None => Ok(plan),
        }
    }

    fn call_subquery(
        &mut self,
        plan: Plan,
        call: &ast::CallSubquery,
        span: Span,
        scope: &mut Scope,
    ) -> Result<Plan, Error> {
        let mut mentioned = used::Variables::new();
        if !matches!(call.imports, Imports::None) {
            used::in_query(&call.query, &mut mentioned);
            if let Imports::List(variables) = &call.imports {
                mentioned.extend(variables.iter().map(|variable| variable.id));
            }
        }
        let (inner_scope, imports) = self.enter(&mentioned, scope);
        self.nested += 1;
        let (inner, columns) = self.query(&call.query, &inner_scope)?;
        self.nested -= 1;
        if inner.writes() {
            self.may_write(span)?;
        }
        let mut outputs = Vec::with_capacity(columns);
        for (at, column) in call.query.columns.iter().enumerate() {
            outputs.push((at as u32, scope.bind(column.id)));
        }
        let unit = columns == 0;
        let writes = inner.writes();
        let estimate = plan.estimate * if unit { 1.0 } else { inner.estimate.max(1.0) };
        let slots = outputs.iter().map(|(_, slot)| *slot).collect();
        let apply = Op::Apply(Rc::new(Apply {
            imports,
            outputs,
            unit,
            optional: call.optional,
        }));
        if let Some(transactions) = &call.transactions {
            let rows = Plan::leaf(Op::Given);
            let inner = Plan::joining(apply, vec![rows, inner], estimate);
            return self.in_transactions(plan, inner, transactions, slots, span, scope);
        }
        let plan = if writes {
            Plan::over(Op::Eager, plan)
        } else {
            plan
        };
        let plan = Plan::joining(apply, vec![plan, inner], estimate);
        Ok(if writes {
            Plan::over(Op::Eager, plan)
        } else {
            plan
        })
    }

    /// A variable's slot; one that is known as a local only is copied into a slot of the row first.
    fn slot_of(&mut self, plan: Plan, id: ast::VarId, scope: &mut Scope) -> Plan {
        match (scope.slot(id), scope.local(id)) {
            (None, Some(local)) => {
                let slot = scope.bind(id);
                Plan::over(Op::Extend(Rc::new(vec![(slot, Expr::Local(local))])), plan)
            }
            _ => plan,
        }
    }
}
