//! One step of a search: which edges it may take, and what it costs.
//!
//! Called by the searches for each edge they come to. What always holds: a cost is never negative, so the least one found is the least there is.

use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Path, Value};
use quoit_graph::{Direction, Incidence};

use super::super::Context;
use super::super::expand::{Types, Wanted, bounds, is_used, type_ids};
use crate::expression::evaluate::evaluate;
use crate::plan;

/// What a path costs: a sum that is an integer as long as all of its parts are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cost {
    Integer(i64),
    Float(f64),
}

impl Cost {
    pub(super) const ZERO: Cost = Cost::Integer(0);

    fn float(self) -> f64 {
        match self {
            Cost::Integer(value) => value as f64,
            Cost::Float(value) => value,
        }
    }

    /// The value that a query sees.
    pub(super) fn value(self) -> Value {
        match self {
            Cost::Integer(value) => Value::Int(value),
            Cost::Float(value) => Value::Float(value),
        }
    }

    fn plus(self, other: Cost) -> Result<Cost, Error> {
        match (self, other) {
            (Cost::Integer(a), Cost::Integer(b)) => {
                a.checked_add(b).map(Cost::Integer).ok_or_else(|| {
                    Error::runtime(
                        ErrorKind::ArithmeticError,
                        Detail::IntegerOverflow,
                        "the weight of a path is larger than an integer can be",
                    )
                })
            }
            (a, b) => Ok(Cost::Float(a.float() + b.float())),
        }
    }
}

impl PartialEq for Cost {
    fn eq(&self, other: &Cost) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Cost {}

impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Cost) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cost {
    fn cmp(&self, other: &Cost) -> Ordering {
        match (self, other) {
            (Cost::Integer(a), Cost::Integer(b)) => a.cmp(b),
            (a, b) => a.float().total_cmp(&b.float()),
        }
    }
}

/// What the searches of one operator ask at each edge.
pub(super) struct Steps {
    pub(super) plan: Rc<plan::Search>,
    /// `None`: types of which none exists.
    types: Option<Types>,
    wanted: Wanted,
    /// Fewest edges of a path, for the row at work.
    pub(super) min: u64,
    /// Most.
    pub(super) max: u64,
    /// The row at work, with room for the variables of filter and weight.
    row: Vec<Value>,
    edges: Vec<Incidence>,
}

impl Steps {
    pub(super) fn new(plan: Rc<plan::Search>) -> Steps {
        Steps {
            plan,
            types: None,
            wanted: Wanted::default(),
            min: 0,
            max: 0,
            row: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// Begins a search for a row.
    pub(super) fn begin(&mut self, row: &[Value], cx: &mut Context<'_>) -> Result<(), Error> {
        self.types = type_ids(&self.plan.types, cx);
        self.row.clear();
        self.row.extend_from_slice(row);
        let plan = &*self.plan;
        (self.min, self.max) = bounds((plan.min, plan.max), &plan.computed, cx, row)?;
        self.wanted.begin(&self.plan.properties, cx, row)
    }

    /// The edges of a vertex; given back with [`Steps::put_back`] for their memory.
    pub(super) fn edges(
        &mut self,
        vertex: VertexId,
        backwards: bool,
        cx: &Context<'_>,
    ) -> Vec<Incidence> {
        let mut edges = std::mem::take(&mut self.edges);
        let direction = match (self.plan.direction, backwards) {
            (Direction::Out, true) => Direction::In,
            (Direction::In, true) => Direction::Out,
            (direction, _) => direction,
        };
        if let Some(types) = &self.types {
            cx.incidences(vertex, direction, types, &mut edges);
        }
        edges
    }

    pub(super) fn put_back(&mut self, mut edges: Vec<Incidence>) {
        edges.clear();
        self.edges = edges;
    }

    /// Whether the pattern lets an edge be part of a path at all.
    pub(super) fn fits(&self, edge: &Edge, cx: &Context<'_>) -> Result<bool, Error> {
        if is_used(edge.id, &self.plan.unique, &self.row) {
            return Ok(false);
        }
        self.wanted.are_of(edge, cx)
    }

    /// Whether filter and weight look at the path so far.
    pub(super) fn wants_path(&self) -> bool {
        let wants =
            |step: &Option<plan::StepExpr>| step.as_ref().is_some_and(|step| step.path.is_some());
        wants(&self.plan.filter) || wants(&self.plan.weight)
    }

    /// What a path costs with this edge behind one of cost `before`; `None` if the filter refuses it. `so_far`: the path with
    /// the edge, if filter or weight look at it.
    pub(super) fn take(
        &mut self,
        incidence: &Incidence,
        before: Cost,
        so_far: Option<Path>,
        cx: &mut Context<'_>,
    ) -> Result<Option<Cost>, Error> {
        let plan = self.plan.clone();
        let path = so_far.map(|path| Value::Path(Arc::new(path)));
        let after = match &plan.weight {
            None => before.plus(Cost::Integer(1))?,
            Some(weight) => {
                let value = self.evaluate(weight, incidence, path.as_ref(), before, cx)?;
                before.plus(cost_of(&value, weight)?)?
            }
        };
        if let Some(filter) = &plan.filter
            && !matches!(
                self.evaluate(filter, incidence, path.as_ref(), after, cx)?,
                Value::Bool(true)
            )
        {
            return Ok(None);
        }
        Ok(Some(after))
    }

    fn evaluate(
        &mut self,
        step: &plan::StepExpr,
        incidence: &Incidence,
        path: Option<&Value>,
        cost: Cost,
        cx: &mut Context<'_>,
    ) -> Result<Value, Error> {
        self.row[step.edge as usize] = Value::Edge(incidence.edge);
        self.row[step.vertex as usize] = Value::Vertex(incidence.neighbour);
        if let (Some(slot), Some(path)) = (step.path, path) {
            self.row[slot as usize] = path.clone();
        }
        if let Some(slot) = step.weight {
            self.row[slot as usize] = cost.value();
        }
        evaluate(&step.body, cx, &self.row)
    }
}

/// A step's weight, which is a number and not negative.
fn cost_of(value: &Value, weight: &plan::StepExpr) -> Result<Cost, Error> {
    match value {
        Value::Int(value) if *value >= 0 => Ok(Cost::Integer(*value)),
        Value::Float(value) if *value >= 0.0 => Ok(Cost::Float(*value)),
        Value::Int(_) | Value::Float(_) => Err(Error::runtime(
            ErrorKind::ArgumentError,
            Detail::NumberOutOfRange,
            "the weight of a relationship is negative",
        )
        .at(weight.place.0)),
        other => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!(
                "the weight of a relationship is a number, not a {}",
                other.type_name()
            ),
        )
        .at(weight.place.0)
        .hint("leave such relationships out with a filter, or use coalesce()")),
    }
}
