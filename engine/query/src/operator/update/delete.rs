//! `DELETE` and `DETACH DELETE`.
//!
//! Of some rows at a time, all edges go first, then all vertices. A vertex that still has edges is *postponed*: the end of this and of each
//! later `DELETE` of the statement tries it again, and [`delete_postponed`] refuses what still has edges when all writes of the
//! statement are done, before its first row leaves. So the order of edges and vertices in a statement does not matter. Within the
//! statement a postponed vertex is still seen.

use std::ops::Range;
use std::rc::Rc;

use hashbrown::HashSet;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::WriteError;
use quoit_graph::ids::{EdgeId, VertexId};
use quoit_graph::value::{Edge, Value};

use super::{Gather, ROWS_AT_ONCE, gathered};
use crate::expression::Place;
use crate::expression::evaluate::value;
use crate::expression::progress::{Progress, Stop};
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan;

/// `DELETE`.
pub struct Delete {
    plan: Rc<plan::Delete>,
    gather: Gather,
    /// How far the targets of the row at work are computed.
    progress: Progress,
}

#[derive(Default)]
struct Doomed {
    vertices: Vec<VertexId>,
    edges: Vec<Edge>,
    seen_vertices: HashSet<VertexId>,
    seen_edges: HashSet<EdgeId>,
}

impl Doomed {
    fn vertex(&mut self, vertex: VertexId) {
        if self.seen_vertices.insert(vertex) {
            self.vertices.push(vertex);
        }
    }

    fn edge(&mut self, edge: Edge) {
        if self.seen_edges.insert(edge.id) {
            self.edges.push(edge);
        }
    }

    fn add(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::Null => {}
            Value::Vertex(vertex) => self.vertex(*vertex),
            Value::Edge(edge) => self.edge(*edge),
            Value::Path(path) => {
                path.vertices.iter().for_each(|vertex| self.vertex(*vertex));
                path.edges.iter().for_each(|edge| self.edge(*edge));
            }
            other => {
                return Err(Error::type_error(
                    Detail::InvalidArgumentType,
                    format!("{} cannot be deleted", other.type_phrase()),
                ));
            }
        }
        Ok(())
    }
}

impl Delete {
    pub fn new(plan: Rc<plan::Delete>, input: Running) -> Self {
        Delete {
            plan,
            gather: Gather::new(input),
            progress: Progress::default(),
        }
    }
}

/// What some rows name.
fn doomed(
    plan: &plan::Delete,
    rows: &Batch,
    range: Range<usize>,
    cx: &mut Context<'_>,
) -> Result<Doomed, Stop> {
    let mut doomed = Doomed::default();
    for at in range {
        for (target, place) in &plan.targets {
            let value = value(target, cx, rows.row(at))?;
            doomed.add(&value).map_err(|error| error.at(place.0))?;
        }
    }
    Ok(doomed)
}

/// Deletes what some rows name; `is_last`: no rows come behind them.
fn delete(
    plan: &plan::Delete,
    doomed: Doomed,
    is_last: bool,
    cx: &mut Context<'_>,
) -> Result<(), Error> {
    // What an earlier clause deleted is gone already; naming it again is no error.
    for edge in doomed.edges {
        if cx.view.edge_at(edge).is_some() {
            cx.txn.delete_edge(edge).map_err(write_error)?;
        }
    }
    let place = plan
        .targets
        .first()
        .map_or(Place::default(), |(_, place)| *place);
    for vertex in doomed.vertices {
        if cx.view.vertex(vertex).is_none() {
            continue;
        }
        if plan.detach {
            cx.txn.detach_delete_vertex(vertex).map_err(write_error)?;
        } else {
            delete_or_postpone(vertex, place, cx)?;
        }
    }
    if is_last {
        for (vertex, place) in cx.take_postponed() {
            delete_or_postpone(vertex, place, cx)?;
        }
    }
    Ok(())
}

fn delete_or_postpone(vertex: VertexId, place: Place, cx: &mut Context<'_>) -> Result<(), Error> {
    match cx.txn.delete_vertex(vertex) {
        Ok(_) => Ok(()),
        Err(WriteError::DeleteConnectedVertex(_)) => {
            cx.postpone_delete(vertex, place);
            Ok(())
        }
        Err(error) => Err(write_error(error)),
    }
}

impl Operator for Delete {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.progress.clear();
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let Delete {
            plan,
            gather,
            progress,
        } = self;
        let may_take_long = plan
            .targets
            .iter()
            .any(|(target, _)| target.may_take_long());
        gathered!(
            gather,
            cx,
            out,
            if may_take_long {
                gather.write_each(cx, ROWS_AT_ONCE, |rows, at, cx| {
                    let found = cx.advance(progress, |cx| doomed(plan, rows, at..at + 1, cx))?;
                    let is_last = at + 1 == rows.len();
                    match found {
                        Some(found) => delete(plan, found, is_last, cx).map(|()| true),
                        None => Ok(false),
                    }
                })
            } else {
                gather.write(cx, ROWS_AT_ONCE, |rows, range, cx| {
                    let is_last = range.end == rows.len();
                    let found = doomed(plan, rows, range, cx).map_err(Stop::into_error)?;
                    delete(plan, found, is_last, cx)
                })
            }
        )
    }
}

/// Deletes what was postponed; called when all writes of the statement are done, before its first row leaves.
///
/// # Errors
/// A vertex still has edges, which stays so for good: the statement fails.
pub fn delete_postponed(cx: &mut Context<'_>) -> Result<(), Error> {
    let postponed = cx.take_postponed();
    if postponed.is_empty() {
        return Ok(());
    }
    for (vertex, place) in postponed {
        if cx.view.vertex(vertex).is_some() {
            cx.txn
                .delete_vertex(vertex)
                .map_err(|error| write_error(error).at(place.0))?;
        }
    }
    cx.next_clause();
    Ok(())
}
