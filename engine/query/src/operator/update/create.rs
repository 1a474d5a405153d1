//! `CREATE`: vertices and edges for each row.

use std::ops::Range;
use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::NewEdge;
use quoit_graph::ids::{TypeId, VertexId};
use quoit_graph::value::Value;

use super::values::{Properties, label_ids, new_properties, type_id};
use super::{Gather, gathered};
use crate::expression::Place;
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan::{self, CreateItem};

/// Rows that are created at once.
const ROWS_AT_ONCE: usize = 1024;

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
}

impl Operator for Create {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let Create { plan, gather } = self;
        gathered!(
            gather,
            cx,
            out,
            gather.write(cx, ROWS_AT_ONCE, |rows, mut range, cx| {
                if plan.is_independent() {
                    create_rows(plan, cx, rows, range)
                } else {
                    range.try_for_each(|at| create(plan, cx, rows.row_mut(at)))
                }
            })
        )
    }
}

/// Creates what some rows ask for, where nothing that is computed rests on what is created: all vertices, then all edges at once.
fn create_rows(
    plan: &plan::Create,
    cx: &mut Context<'_>,
    rows: &mut Batch,
    range: Range<usize>,
) -> Result<(), Error> {
    for at in range.clone() {
        for item in &plan.items {
            if matches!(item, CreateItem::Vertex { .. }) {
                create_item(item, cx, rows.row_mut(at))?;
            }
        }
    }
    let mut edges: Vec<(VertexId, VertexId, TypeId)> = Vec::new();
    let mut properties: Vec<Properties> = Vec::new();
    let mut slots: Vec<(usize, usize)> = Vec::new();
    for at in range {
        let row = rows.row(at);
        for item in &plan.items {
            let CreateItem::Edge {
                slot,
                source,
                target,
                type_,
                properties: written,
                place,
            } = item
            else {
                continue;
            };
            let ends = (end(row, *source, *place)?, end(row, *target, *place)?);
            edges.push((ends.0, ends.1, type_id(type_, cx, row)?));
            properties.push(new_properties(written, cx, row)?);
            slots.push((at, *slot as usize));
        }
    }
    if edges.is_empty() {
        return Ok(());
    }
    let new: Vec<NewEdge<'_>> = edges
        .iter()
        .zip(&properties)
        .map(|(&(source, target, type_), properties)| NewEdge {
            source,
            target,
            type_,
            properties,
        })
        .collect();
    let made = cx.txn.create_edges(&new).map_err(write_error)?;
    for ((at, slot), edge) in slots.into_iter().zip(made) {
        rows.row_mut(at)[slot] = Value::Edge(edge);
    }
    Ok(())
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
