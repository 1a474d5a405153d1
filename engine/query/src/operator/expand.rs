//! Operators that follow edges: one hop, and edges that were bound before.
//!
//! Relationship uniqueness of a `MATCH` is decided here: an edge that stands in another slot of the same pattern is passed over.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::ids::{EdgeId, KeyId, TypeId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{Direction, Incidence};
use smallvec::SmallVec;

use super::batch::KEPT_VALUES_MAX;
use super::{BATCH_ROWS, Batch, Context, Operator, Pull, Running, next_rows};
use crate::expression::evaluate::evaluate;
use crate::expression::{Expr, NameRef, Place};
use crate::plan::{self, Other};

/// Interned ids of a pattern's types; most patterns have one or none.
pub type Types = SmallVec<[TypeId; 4]>;

/// The types of a pattern by id; `None` if it names types of which none exists, so that nothing can match.
pub fn type_ids(names: &[NameRef], cx: &Context<'_>) -> Option<Types> {
    let types: Types = names
        .iter()
        .filter_map(|name| name.id(|name| cx.type_id(name)))
        .map(TypeId)
        .collect();
    (names.is_empty() || !types.is_empty()).then_some(types)
}

/// Whether an edge stands in one of the slots.
pub fn is_used(edge: EdgeId, others: &[Other], row: &[Value]) -> bool {
    others
        .iter()
        .any(|other| match (&row[other.slot as usize], other.list) {
            (Value::Edge(used), false) => used.id == edge,
            (Value::List(used), true) => used
                .iter()
                .any(|used| matches!(used, Value::Edge(used) if used.id == edge)),
            _ => false,
        })
}

/// The bounds of a length for a row.
///
/// # Errors
/// A computed bound is no integer, or negative.
pub fn bounds(
    known: (u64, u64),
    computed: &plan::ComputedBounds,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<(u64, u64), Error> {
    let mut value = |known: u64, bound: &Option<(Expr, Place)>| match bound {
        None => Ok(known),
        Some((expr, place)) => length_of(&evaluate(expr, cx, row)?).map_err(|e| e.at(place.0)),
    };
    Ok((
        value(known.0, &computed.min)?,
        value(known.1, &computed.max)?,
    ))
}

fn length_of(value: &Value) -> Result<u64, Error> {
    match value {
        Value::Int(value) => u64::try_from(*value).map_err(|_| {
            Error::argument(
                Detail::NumberOutOfRange,
                format!("the length of a relationship pattern is not negative, this is {value}"),
            )
        }),
        other => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!(
                "the length of a relationship pattern is an integer, not {}",
                other.type_phrase()
            ),
        )),
    }
}

/// Values that properties of a pattern's edges must have, for the row at work.
#[derive(Default)]
pub struct Wanted(Vec<(Option<KeyId>, Value)>);

impl Wanted {
    /// Computes them for a row.
    pub fn begin(
        &mut self,
        properties: &[(NameRef, Expr)],
        cx: &mut Context<'_>,
        row: &[Value],
    ) -> Result<(), Error> {
        self.0.clear();
        for (name, value) in properties {
            let key = name.id(|name| cx.key_id(name)).map(KeyId);
            self.0.push((key, evaluate(value, cx, row)?));
        }
        Ok(())
    }

    /// Whether an edge has them.
    pub fn are_of(&self, edge: &Edge, cx: &Context<'_>) -> Result<bool, Error> {
        for (key, value) in &self.0 {
            let found = cx.edge_property(edge, key.map(|key| key.0))?;
            if found.equals(value) != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Rows that an expansion gives first: they may be all that is asked for.
const FIRST_ROWS: usize = 16;

/// Edges of a bound vertex. What the first rows hold is read from the vertex's own list; only if more are asked for is the rest of the list gathered.
pub struct Expand {
    plan: Rc<plan::Expand>,
    input: Running,
    rows: Batch,
    at: usize,
    begun: bool,
    /// What is left of the edges of the row at work, if not all are out.
    found: Vec<Incidence>,
    next: usize,
    /// The list of the row at work is to be gathered, without the edges that are out.
    is_cut: bool,
    /// Those edges, ascending.
    given: Vec<EdgeId>,
    /// Rows that are given next, at most.
    room: usize,
}

impl Expand {
    pub fn new(plan: Rc<plan::Expand>, input: Running) -> Self {
        Expand {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            begun: false,
            found: Vec::new(),
            next: 0,
            is_cut: false,
            given: Vec::new(),
            room: FIRST_ROWS,
        }
    }

    /// Appends the row at work with one of its edges, unless that stands elsewhere in the pattern.
    fn emit(&self, incidence: &Incidence, out: &mut Batch) {
        let plan = &*self.plan;
        let row = self.rows.row(self.at);
        if is_used(incidence.edge.id, &plan.unique, row) {
            return;
        }
        let new = out.push(row);
        new[plan.edge as usize] = Value::Edge(incidence.edge);
        if !plan.into {
            new[plan.to as usize] = Value::Vertex(incidence.neighbour);
        }
    }

    /// Gives the first edges of the row at work, as many as there is room for; whether these are all.
    fn begin(&mut self, types: &Types, cx: &Context<'_>, out: &mut Batch) -> bool {
        let row = self.rows.row(self.at);
        let Value::Vertex(from) = row[self.plan.from as usize] else {
            return true;
        };
        if self.plan.into {
            if let Value::Vertex(to) = row[self.plan.to as usize] {
                let edges = cx.view.edges_between(from, to, self.plan.direction, types);
                self.found.extend(edges);
                cx.count_hops(0, &mut self.found);
            }
            return false;
        }
        if cx.counts_hops() {
            cx.incidences(from, self.plan.direction, types, &mut self.found);
            return false;
        }
        let before = out.len();
        for incidence in cx.view.edges(from, self.plan.direction, types) {
            if out.len() >= self.room {
                // Edges that stand elsewhere in the pattern may be looked at twice.
                let edge = self.plan.edge as usize;
                self.given
                    .extend(out.rows().skip(before).filter_map(|row| match &row[edge] {
                        Value::Edge(edge) => Some(edge.id),
                        _ => None,
                    }));
                self.given.sort_unstable();
                self.is_cut = true;
                return false;
            }
            self.emit(&incidence, out);
        }
        true
    }

    /// Gathers the edges that are not out.
    fn gather(&mut self, types: &Types, cx: &Context<'_>) {
        let Value::Vertex(from) = self.rows.row(self.at)[self.plan.from as usize] else {
            return;
        };
        let edges = cx.view.edges(from, self.plan.direction, types);
        let given = &self.given;
        self.found
            .extend(edges.filter(|step| given.binary_search(&step.edge.id).is_err()));
        self.given.clear();
    }
}

impl Operator for Expand {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.found.clear();
        self.given.clear();
        (self.at, self.next, self.begun) = (0, 0, false);
        (self.is_cut, self.room) = (false, FIRST_ROWS);
    }

    fn keep(&mut self) -> bool {
        self.rows.clear();
        self.found.clear();
        self.given.clear();
        (self.at, self.next, self.begun) = (0, 0, false);
        (self.is_cut, self.room) = (false, FIRST_ROWS);
        let most = self.found.capacity().max(self.given.capacity());
        most <= KEPT_VALUES_MAX && self.rows.is_light() && self.input.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            // Behind the input, which may have written an edge of a type that nobody knew.
            let types = type_ids(&self.plan.types, cx);
            let mut is_done = false;
            if let Some(types) = &types {
                if !self.begun {
                    self.begun = true;
                    is_done = self.begin(types, cx, out);
                } else if std::mem::take(&mut self.is_cut) {
                    self.gather(types, cx);
                }
            }
            while !is_done && let Some(incidence) = self.found.get(self.next).copied() {
                if out.len() >= self.room {
                    self.room = BATCH_ROWS;
                    return Ok(Pull::Rows);
                }
                self.next += 1;
                self.emit(&incidence, out);
            }
            if self.is_cut {
                self.room = BATCH_ROWS;
                return Ok(Pull::Rows);
            }
            self.found.clear();
            (self.next, self.begun) = (0, false);
            self.at += 1;
            if cx.should_yield() {
                return Ok(if out.is_empty() {
                    Pull::Yield
                } else {
                    Pull::Rows
                });
            }
        }
    }
}

/// An edge or list of edges that the row holds already: checks that it fits the pattern and binds the ends.
pub struct BoundEdge {
    plan: Rc<plan::BoundEdge>,
    input: Running,
    rows: Batch,
    at: usize,
    /// Pairs of ends not given out yet for the row at work.
    ends: SmallVec<[(VertexId, VertexId); 2]>,
    begun: bool,
}

impl BoundEdge {
    pub fn new(plan: Rc<plan::BoundEdge>, input: Running) -> Self {
        BoundEdge {
            plan,
            input,
            rows: Batch::new(),
            at: 0,
            ends: SmallVec::new(),
            begun: false,
        }
    }

    /// Ends of one edge as the arrow allows them.
    fn orientations(&self, edge: &Edge) -> SmallVec<[(VertexId, VertexId); 2]> {
        let (source, target) = (edge.source(), edge.target);
        match self.plan.direction {
            Direction::Out => SmallVec::from_slice(&[(source, target)]),
            Direction::In => SmallVec::from_slice(&[(target, source)]),
            Direction::Both if source == target => SmallVec::from_slice(&[(source, target)]),
            Direction::Both => SmallVec::from_slice(&[(source, target), (target, source)]),
        }
    }

    fn fits(&self, edge: &Edge, types: &[TypeId], row: &[Value], cx: &Context<'_>) -> bool {
        (types.is_empty() || types.contains(&edge.type_))
            && !is_used(edge.id, &self.plan.unique, row)
            && cx.view.edge_at(*edge).is_some()
    }

    fn begin(
        &self,
        row: &[Value],
        types: &[TypeId],
        cx: &mut Context<'_>,
    ) -> Result<SmallVec<[(VertexId, VertexId); 2]>, Error> {
        let plan = &*self.plan;
        Ok(match &row[plan.edge as usize] {
            Value::Edge(edge) if !plan.list && self.fits(edge, types, row, cx) => {
                self.orientations(edge)
            }
            Value::List(edges) if plan.list => {
                let count = edges.len() as u64;
                let (min, max) = bounds((plan.min, plan.max), &plan.computed, cx, row)?;
                if !(min..=max).contains(&count) {
                    return Ok(SmallVec::new());
                }
                let mut ends: SmallVec<[(VertexId, VertexId); 2]> = SmallVec::new();
                for (at, item) in edges.iter().enumerate() {
                    let Value::Edge(edge) = item else {
                        return Ok(SmallVec::new());
                    };
                    if !self.fits(edge, types, row, cx) {
                        return Ok(SmallVec::new());
                    }
                    let steps = self.orientations(edge);
                    if at == 0 {
                        ends = steps;
                        continue;
                    }
                    let before = std::mem::take(&mut ends);
                    for (start, middle) in before {
                        ends.extend(
                            steps
                                .iter()
                                .filter(|(from, _)| *from == middle)
                                .map(|(_, to)| (start, *to)),
                        );
                    }
                }
                ends
            }
            _ => SmallVec::new(),
        })
    }
}

impl Operator for BoundEdge {
    fn reset(&mut self, argument: &[Value]) {
        self.input.reset(argument);
        self.rows.clear();
        self.ends.clear();
        (self.at, self.begun) = (0, false);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        out.clear();
        loop {
            next_rows!(self.input, self.rows, self.at, cx, out);
            // Behind the input, which may have written an edge of a type that nobody knew.
            let types = type_ids(&self.plan.types, cx);
            let row = self.rows.row(self.at);
            if !self.begun {
                self.begun = true;
                self.ends = match &types {
                    Some(types) => self.begin(row, types, cx)?,
                    None => SmallVec::new(),
                };
            }
            while let Some((from, to)) = self.ends.first().copied() {
                if out.is_full() {
                    return Ok(Pull::Rows);
                }
                self.ends.remove(0);
                let same = |slot: u32, bound: bool, vertex: VertexId| {
                    !bound
                        || matches!(&row[slot as usize], Value::Vertex(other) if *other == vertex)
                };
                // A pattern such as `(a)-[r]-(a)` has one slot for both ends.
                let one_slot = self.plan.from == self.plan.to;
                if same(self.plan.from, self.plan.from_bound, from)
                    && same(self.plan.to, self.plan.to_bound, to)
                    && (!one_slot || from == to)
                {
                    let new = out.push(row);
                    new[self.plan.from as usize] = Value::Vertex(from);
                    new[self.plan.to as usize] = Value::Vertex(to);
                }
            }
            self.begun = false;
            self.at += 1;
        }
    }
}
