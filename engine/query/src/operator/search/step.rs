//! One step of a search: which edges it may take, and what it costs.
//!
//! Called by the searches for each edge they come to. What always holds: a cost is never negative, so the least one found is the least there is;
//! the edges of one vertex are at work at a time, and which of them is asked about stays, so filter and weight may be interrupted.

use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_graph::ids::VertexId;
use quoit_graph::value::{Edge, Path, Value};
use quoit_graph::{Direction, Incidence};

use super::super::Context;
use super::super::expand::{Types, Wanted, bounds, is_used, type_ids};
use crate::expression::evaluate::value;
use crate::expression::progress::{Progress, Stop};
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

/// What filter and weight say of an edge.
pub(super) enum Taken {
    /// The path with it costs so much.
    For(Cost),
    Refused,
    /// The time slice is over: the same is to be asked again.
    Interrupted,
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
    /// The edges of the vertex at work, those before `next` already followed.
    edges: Vec<Incidence>,
    next: usize,
    /// Where filter or weight of the next edge stand.
    progress: Progress,
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
            next: 0,
            progress: Progress::default(),
        }
    }

    /// Begins a search for a row.
    pub(super) fn begin(&mut self, row: &[Value], cx: &mut Context<'_>) -> Result<(), Error> {
        self.types = type_ids(&self.plan.types, cx);
        self.progress.clear();
        self.edges.clear();
        self.row.clear();
        self.row.extend_from_slice(row);
        let plan = &*self.plan;
        (self.min, self.max) = bounds((plan.min, plan.max), &plan.computed, cx, row)?;
        self.wanted.begin(&self.plan.properties, cx, row)
    }

    /// The direction of the pattern, or the other one.
    pub(super) fn direction(&self, backwards: bool) -> Direction {
        match (self.plan.direction, backwards) {
            (Direction::Out, true) => Direction::In,
            (Direction::In, true) => Direction::Out,
            (direction, _) => direction,
        }
    }

    /// `None`: types of which none exists.
    pub(super) fn types(&self) -> Option<&Types> {
        self.types.as_ref()
    }

    /// Goes to the edges of a vertex.
    pub(super) fn go_to(&mut self, vertex: VertexId, backwards: bool, cx: &Context<'_>) {
        self.edges.clear();
        self.next = 0;
        let direction = self.direction(backwards);
        if let Some(types) = &self.types {
            cx.incidences(vertex, direction, types, &mut self.edges);
        }
    }

    /// The edge at work, if there are more.
    pub(super) fn edge(&self) -> Option<Incidence> {
        self.edges.get(self.next).copied()
    }

    /// The edge at work is done.
    pub(super) fn edge_done(&mut self) {
        self.next += 1;
    }

    /// Whether nothing is asked of an edge but its type.
    pub(super) fn asks_nothing(&self) -> bool {
        let plan = &*self.plan;
        plan.unique.is_empty() && plan.properties.is_empty() && plan.filter.is_none()
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

    /// What filter and weight say of the edge behind a path of cost `before`. `so_far`: the path with the edge, if they look at it.
    pub(super) fn take(
        &mut self,
        incidence: &Incidence,
        before: Cost,
        so_far: Option<Path>,
        cx: &mut Context<'_>,
    ) -> Result<Taken, Error> {
        let plan = &*self.plan;
        if plan.weight.is_none() && plan.filter.is_none() {
            return Ok(Taken::For(before.plus(Cost::Integer(1))?));
        }
        let path = so_far.map(|path| Value::Path(Arc::new(path)));
        let row = &mut self.row;
        let cost = cx.advance(&mut self.progress, |cx| {
            let mut ask = |step: &plan::StepExpr, cost: Cost| {
                row[step.edge as usize] = Value::Edge(incidence.edge);
                row[step.vertex as usize] = Value::Vertex(incidence.neighbour);
                if let (Some(slot), Some(path)) = (step.path, &path) {
                    row[slot as usize] = path.clone();
                }
                if let Some(slot) = step.weight {
                    row[slot as usize] = cost.value();
                }
                value(&step.body, cx, row)
            };
            let after = match &plan.weight {
                None => before.plus(Cost::Integer(1))?,
                Some(weight) => before.plus(cost_of(&ask(weight, before)?, weight)?)?,
            };
            Ok::<_, Stop>(match &plan.filter {
                Some(filter) if !matches!(ask(filter, after)?, Value::Bool(true)) => None,
                _ => Some(after),
            })
        })?;
        Ok(match cost {
            None => Taken::Interrupted,
            Some(None) => Taken::Refused,
            Some(Some(cost)) => Taken::For(cost),
        })
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
                "the weight of a relationship is a number, not {}",
                other.type_phrase()
            ),
        )
        .at(weight.place.0)
        .hint("leave such relationships out with a filter, or use coalesce()")),
    }
}
