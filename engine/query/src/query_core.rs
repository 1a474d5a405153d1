//! One core's query engine: plan cache and procedures.
//!
//! Always holds: a cached plan gives the right rows; it is made anew when indexes or constraints have changed, and soon after the
//! size of the graph has. The cache is bounded and forgets the oldest entry first.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use quoit_cypher::ast::{QueryHint, Statement, StatementBody};
use quoit_cypher::check::{ProcedureSignature, Procedures as Signatures, ValueType, check};
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::normalise::{Normalised, normalise};
use quoit_cypher::parser::{parse, parse_with_extracted};
use quoit_graph::Core;
use quoit_graph::value::Value;

use crate::execution::Spare;
use crate::planner::{Catalog, Division, divide, literal_value, plan_query};
use crate::prepared::{Inner, Mode, Prepared, mode_of};
use crate::procedure::{FieldType, Procedure, Procedures};
use crate::schema::SchemaPlan;

/// Texts longer than this are planned each time, in bytes.
const CACHED_TEXT_BYTES_MAX: usize = 64 << 10;
/// Vertices or edges have to grow or shrink by this factor before a plan is made anew for their sake.
const SIZE_FACTOR: u64 = 8;
/// What `PROFILE` answers, in Memgraph's words.
const PROFILE_COLUMNS: [&str; 4] = ["OPERATOR", "ACTUAL HITS", "RELATIVE TIME", "ABSOLUTE TIME"];
/// Uses of a cached plan between two looks at the size of the graph.
const USES_PER_LOOK: u64 = 32;

/// Bounds of a core's query engine.
#[derive(Clone, Copy, Debug)]
pub struct QueryOptions {
    /// Plans kept.
    pub plans_max: usize,
    /// Plans keep to the plain operators on rows: for tests that compare what others give with what these do.
    pub plain: bool,
    /// Which statements are divided between the cores.
    pub division: Division,
    /// Names of the one database, for `USE`; in any case.
    pub databases: &'static [&'static str],
}

impl Default for QueryOptions {
    fn default() -> Self {
        QueryOptions {
            plans_max: 1024,
            plain: false,
            division: Division::default(),
            databases: &["memgraph", "neo4j"],
        }
    }
}

/// One core's query engine.
pub struct QueryCore {
    options: QueryOptions,
    callable: RefCell<Callable>,
    plans: RefCell<Plans>,
    normalised: RefCell<Normalised>,
}

/// What `CALL` finds.
struct Callable {
    procedures: Procedures,
    signatures: Vec<ProcedureSignature>,
}

impl Callable {
    fn new(procedures: Procedures) -> Callable {
        let signatures = procedures
            .iter()
            .map(|procedure| signature(procedure))
            .collect();
        Callable {
            procedures,
            signatures,
        }
    }
}

/// Plans by text or by key; the two cannot be mistaken for each other, since a key with literals taken out is no valid text.
#[derive(Default)]
struct Plans {
    by_text: HashMap<Rc<str>, Prepared>,
    oldest_first: VecDeque<Rc<str>>,
    hits: u64,
}

impl Plans {
    fn find(&mut self, text: &str, core: &Core) -> Option<Prepared> {
        let prepared = self.by_text.get(text)?;
        if is_fresh(prepared, core) {
            self.hits += 1;
            return Some(prepared.clone());
        }
        self.by_text.remove(text);
        self.oldest_first.retain(|known| **known != *text);
        None
    }

    fn keep(&mut self, text: &str, prepared: &Prepared, plans_max: usize) {
        while self.oldest_first.len() >= plans_max.max(1) {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.by_text.remove(&oldest);
            }
        }
        let key: Rc<str> = Rc::from(text);
        self.by_text.insert(key.clone(), prepared.clone());
        self.oldest_first.push_back(key);
    }
}

impl QueryCore {
    /// An engine with the built-in procedures and an empty cache.
    pub fn new(options: QueryOptions) -> QueryCore {
        QueryCore {
            options,
            callable: RefCell::new(Callable::new(Procedures::built_in())),
            plans: RefCell::default(),
            normalised: RefCell::default(),
        }
    }

    /// Makes a procedure callable, in place of one of the same name. Cached plans are dropped.
    pub fn register(&self, procedure: Procedure) {
        let callable = &mut *self.callable.borrow_mut();
        let mut procedures = std::mem::take(&mut callable.procedures);
        procedures.add(procedure);
        *callable = Callable::new(procedures);
        *self.plans.borrow_mut() = Plans::default();
    }

    /// Leaves the built-in procedures only. Cached plans are dropped.
    pub fn unregister_all(&self) {
        *self.callable.borrow_mut() = Callable::new(Procedures::built_in());
        *self.plans.borrow_mut() = Plans::default();
    }

    /// Statements answered from the cache so far.
    pub fn cache_hits(&self) -> u64 {
        self.plans.borrow().hits
    }

    /// A statement ready to run: from the cache by its exact text, then by its text without literals, else parsed, checked and planned.
    ///
    /// # Errors
    /// Everything that can be wrong with a text before it runs, with places; constructs that are not available yet.
    pub fn prepare(&self, text: &str, core: &Core) -> Result<Prepared, Error> {
        let plans = &mut *self.plans.borrow_mut();
        if let Some(prepared) = plans.find(text, core) {
            return Ok(prepared);
        }
        let normalised = &mut *self.normalised.borrow_mut();
        if normalise(text, normalised) && !normalised.positions().is_empty() {
            let literals: Rc<[Value]> = normalised
                .values(text)
                .map(|value| literal_value(&value))
                .collect();
            if let Some(found) = plans.find(normalised.key(), core) {
                return Ok(Prepared {
                    literals,
                    borrowed: true,
                    ..found
                });
            }
            // What is refused with literals taken out may be right with them in place.
            let parsed = parse_with_extracted(text, normalised.positions());
            if let Ok(planned) = parsed.and_then(|statement| self.plan(statement, literals, core)) {
                if planned.inner.planned.is_some() && planned.mode() == Mode::Run {
                    plans.keep(normalised.key(), &planned, self.options.plans_max);
                }
                return Ok(planned);
            }
        }
        let prepared = self.plan(parse(text)?, Rc::default(), core)?;
        let is_cached = prepared.inner.planned.is_some() && prepared.mode() == Mode::Run;
        if text.len() <= CACHED_TEXT_BYTES_MAX && is_cached {
            plans.keep(text, &prepared, self.options.plans_max);
        }
        Ok(prepared)
    }

    fn plan(
        &self,
        statement: Statement,
        literals: Rc<[Value]>,
        core: &Core,
    ) -> Result<Prepared, Error> {
        let callable = self.callable.borrow();
        let checked = check(statement, &Known(&callable.signatures))?;
        let mode = mode_of(checked.statement.mode);
        // Read before what it is the version of: a change in between makes the plan stale, never the other way round.
        let schema_version = core.graph().schema_version();
        let catalog = Catalog {
            plain: self.options.plain || limits_hops(&checked.statement.body),
            databases: self.options.databases,
            ..Catalog::of(core.graph())
        };
        let mut columns: Vec<Arc<str>> = checked
            .columns()
            .iter()
            .map(|column| Arc::from(&*column.name))
            .collect();
        let (planned, schema) = match &checked.statement.body {
            StatementBody::Query(query) => (
                Some(divide(
                    plan_query(query, &checked.variables, &catalog, &callable.procedures)?,
                    &self.options.division,
                    &catalog,
                )),
                None,
            ),
            StatementBody::Schema(schema) => {
                let plan = SchemaPlan::of(schema, checked.statement.span)?;
                columns = plan.columns().iter().copied().map(Arc::from).collect();
                (None, Some(plan))
            }
            StatementBody::Admin(_) => (None, None),
        };
        if mode != Mode::Run && planned.is_none() && schema.is_none() {
            return Err(Error::syntax(
                Detail::InvalidClauseComposition,
                checked.statement.span,
                "EXPLAIN and PROFILE are for queries and for what changes indexes and constraints",
            ));
        }
        match mode {
            Mode::Run => {}
            Mode::Explain => columns = vec![Arc::from("QUERY PLAN")],
            Mode::Profile => columns = PROFILE_COLUMNS.map(Arc::from).to_vec(),
        }
        let inner = Rc::new(Inner {
            effects: checked.effects,
            parameters: checked
                .parameters
                .iter()
                .map(|name| Arc::from(&**name))
                .collect(),
            statement: checked.statement,
            mode,
            columns,
            planned,
            schema,
            schema_version,
            vertices: catalog.statistics.vertices,
            edges: catalog.statistics.edges,
            uses: Cell::new(0),
            spare: Spare::default(),
        });
        Ok(Prepared {
            inner,
            literals,
            borrowed: false,
        })
    }
}

/// Whether the graph is still what the plan was made for: its schema, which is one load, and about its size, which is looked at once in
/// [`USES_PER_LOOK`] uses, since a plan for another size is at worst not the best one.
fn is_fresh(prepared: &Prepared, core: &Core) -> bool {
    let inner = &*prepared.inner;
    if inner.schema_version != core.graph().schema_version() {
        return false;
    }
    let uses = inner.uses.get() + 1;
    inner.uses.set(uses);
    if !uses.is_multiple_of(USES_PER_LOOK) {
        return true;
    }
    let is_alike = |then: u64, now: u64| {
        let (then, now) = (then.max(64), now.max(64));
        now / then < SIZE_FACTOR && then / now < SIZE_FACTOR
    };
    let graph = core.graph();
    is_alike(inner.vertices, graph.vertex_count()) && is_alike(inner.edges, graph.edge_count())
}

/// Whether hops are limited: then each is made by itself, and counted.
fn limits_hops(body: &StatementBody) -> bool {
    match body {
        StatementBody::Query(query) => {
            let mut hints = query.hints.iter();
            hints.any(|hint| matches!(hint, QueryHint::HopsLimit(_)))
        }
        StatementBody::Schema(_) | StatementBody::Admin(_) => false,
    }
}

struct Known<'a>(&'a [ProcedureSignature]);

impl Signatures for Known<'_> {
    fn find(&self, name: &str) -> Option<&ProcedureSignature> {
        self.0
            .iter()
            .find(|signature| signature.name.eq_ignore_ascii_case(name))
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|signature| &*signature.name).collect()
    }
}

fn signature(procedure: &Procedure) -> ProcedureSignature {
    let fields = |fields: &[crate::procedure::Field]| {
        fields
            .iter()
            .map(|field| (Box::from(&*field.name), value_type(field.field_type)))
            .collect()
    };
    ProcedureSignature {
        name: Box::from(&*procedure.name),
        inputs: fields(&procedure.inputs),
        optional: procedure.optional,
        outputs: fields(&procedure.outputs),
        writes: false,
    }
}

fn value_type(field_type: FieldType) -> ValueType {
    match field_type {
        FieldType::Any => ValueType::ANY,
        FieldType::Boolean => ValueType::BOOLEAN,
        FieldType::String => ValueType::STRING,
        FieldType::Integer => ValueType::INTEGER,
        FieldType::Float => ValueType::FLOAT,
        FieldType::Number => ValueType::NUMBER,
        FieldType::List => ValueType::ANY.list(),
        FieldType::Map => ValueType::MAP,
    }
}
