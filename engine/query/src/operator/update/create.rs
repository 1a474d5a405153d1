//! `CREATE`: vertices and edges for each row.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::ids::VertexId;
use quoit_graph::value::Value;

use super::written::{label_ids, new_properties, type_id};
use super::{Gather, eager_next};
use crate::expression::Place;
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan::{self, CreateItem};

/// `CREATE`.
pub struct Create {
    plan: Rc<plan::Create>,
    gather: Gather,
}

impl Create {
    pub fn new(plan: Rc<plan::Create>, input: Running) -> Self {
        Create {
            plan,
            gather: Gather::new(input),
        }
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        (0..self.gather.rows.len())
            .try_for_each(|at| create(&self.plan, cx, self.gather.rows.row_mut(at)))
    }
}

impl Operator for Create {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        eager_next!(self, cx, out, self.run(cx))
    }
}

/// Creates what a row asks for. Later items may read what earlier ones made.
pub(super) fn create(
    plan: &plan::Create,
    cx: &mut Context<'_>,
    row: &mut [Value],
) -> Result<(), Error> {
    plan.items
        .iter()
        .try_for_each(|item| cx.seeing_own_writes(|cx| create_item(item, cx, row)))
}

fn create_item(item: &CreateItem, cx: &mut Context<'_>, row: &mut [Value]) -> Result<(), Error> {
    match item {
        CreateItem::Vertex {
            slot,
            labels,
            properties,
        } => {
            let properties = new_properties(properties, cx, row)?;
            let labels = label_ids(labels, cx, row)?;
            let vertex = cx
                .txn
                .create_vertex(&labels, &properties)
                .map_err(write_error)?;
            row[*slot as usize] = Value::Vertex(vertex);
        }
        CreateItem::Edge {
            slot,
            source,
            target,
            type_,
            properties,
            place,
        } => {
            let (source, target) = (end(row, *source, *place)?, end(row, *target, *place)?);
            let properties = new_properties(properties, cx, row)?;
            let type_ = type_id(type_, cx, row)?;
            let edge = cx
                .txn
                .create_edge(source, target, type_, &properties)
                .map_err(write_error)?;
            row[*slot as usize] = Value::Edge(edge);
        }
    }
    Ok(())
}

/// The vertex in a slot, to create an edge at.
fn end(row: &[Value], slot: u32, place: Place) -> Result<VertexId, Error> {
    match &row[slot as usize] {
        Value::Vertex(vertex) => Ok(*vertex),
        other => Err(Error::type_error(
            Detail::InvalidArgumentType,
            format!(
                "a relationship cannot be created at a {}",
                other.type_name()
            ),
        )
        .at(place.0)),
    }
}
