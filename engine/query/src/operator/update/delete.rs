//! `DELETE` and `DETACH DELETE`.
//!
//! All edges that a clause names go first, then all vertices, so their order in the text does not matter. A vertex that still has edges
//! is *postponed*: each later `DELETE` of the statement tries it again, and [`delete_postponed`] refuses what still has edges when all
//! writes of the statement are done, before its first row leaves. Within the statement such a vertex is still seen.

use std::rc::Rc;

use hashbrown::HashSet;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::WriteError;
use quoit_graph::ids::{EdgeId, VertexId};
use quoit_graph::value::{Edge, Value};

use super::{Gather, eager_next};
use crate::expression::evaluate::evaluate;
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan;

/// `DELETE`.
pub struct Delete {
    plan: Rc<plan::Delete>,
    gather: Gather,
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
                    format!("a {} cannot be deleted", other.type_name()),
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
        }
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut doomed = Doomed::default();
        for at in 0..self.gather.rows.len() {
            for (target, place) in &self.plan.targets {
                let value = evaluate(target, cx, self.gather.rows.row(at))?;
                doomed.add(&value).map_err(|error| error.at(place.0))?;
            }
        }
        // What an earlier clause deleted is gone already; naming it again is no error.
        for edge in doomed.edges {
            if cx.view.edge_at(edge).is_some() {
                cx.txn.delete_edge(edge).map_err(write_error)?;
            }
        }
        let place = self.plan.targets.first().map(|(_, place)| *place);
        let again = cx.take_postponed();
        for (vertex, place) in again.into_iter().chain(
            doomed
                .vertices
                .into_iter()
                .map(|vertex| (vertex, place.unwrap_or_default())),
        ) {
            if cx.view.vertex(vertex).is_none() {
                continue;
            }
            if self.plan.detach && doomed.seen_vertices.contains(&vertex) {
                cx.txn.detach_delete_vertex(vertex).map_err(write_error)?;
                continue;
            }
            match cx.txn.delete_vertex(vertex) {
                Err(WriteError::DeleteConnectedVertex(_)) => cx.postpone_delete(vertex, place),
                deleted => {
                    deleted.map_err(write_error)?;
                }
            }
        }
        Ok(())
    }
}

impl Operator for Delete {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        eager_next!(self, cx, out, self.run(cx))
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
