//! `CREATE`: vertices and edges for each row.

use std::ops::Range;
use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::ids::{TypeId, VertexId};
use quoit_graph::value::Value;
use quoit_graph::{NewEdge, NewVertex};

use super::values::{Labels, Properties, label_ids, new_properties, type_id};
use super::{Gather, gathered};
use crate::expression::Place;
use crate::expression::progress::{Progress, Stop};
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan::{self, CreateItem};

/// Rows that are created at once.
const ROWS_AT_ONCE: usize = 1024;

/// `CREATE`.
pub struct Create {
    plan: Rc<plan::Create>,
    gather: Gather,
    creating: Creating,
}

impl Create {
    pub fn new(plan: Rc<plan::Create>, input: Running) -> Self {
        Create {
            plan,
            gather: Gather::new(input),
            creating: Creating::default(),
        }
    }
}

impl Operator for Create {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.creating = Creating::default();
    }

    fn keep(&mut self) -> bool {
        self.creating = Creating::default();
        self.gather.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let Create {
            plan,
            gather,
            creating,
        } = self;
        gathered!(
            gather,
            cx,
            out,
            if gather.rows.len() > 1 && plan.is_independent() {
                gather.write(cx, ROWS_AT_ONCE, |rows, range, cx| {
                    create_rows(plan, cx, rows, range).map_err(Stop::into_error)
                })
            } else {
                gather.write_each(cx, ROWS_AT_ONCE, |rows, at, cx| {
                    creating.go_on(plan, cx, rows.row_mut(at))
                })
            }
        )
    }
}

/// Creates what some rows ask for, where nothing that is computed rests on what is created: all vertices at once, then all edges.
fn create_rows(
    plan: &plan::Create,
    cx: &mut Context<'_>,
    rows: &mut Batch,
    range: Range<usize>,
) -> Result<(), Stop> {
    create_vertices(plan, cx, rows, range.clone())?;
    create_edges(plan, cx, rows, range)
}

fn create_vertices(
    plan: &plan::Create,
    cx: &mut Context<'_>,
    rows: &mut Batch,
    range: Range<usize>,
) -> Result<(), Stop> {
    let mut written: Vec<(Labels, Properties)> = Vec::new();
    let mut places: Vec<(usize, usize)> = Vec::new();
    for at in range {
        for item in &plan.items {
            let CreateItem::Vertex {
                slot,
                labels,
                properties,
            } = item
            else {
                continue;
            };
            let row = rows.row(at);
            let properties = new_properties(properties, cx, row)?;
            written.push((label_ids(labels, cx, row)?, properties));
            places.push((at, *slot as usize));
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    let new: Vec<NewVertex<'_>> = written
        .iter()
        .map(|(labels, properties)| NewVertex { labels, properties })
        .collect();
    let made = cx.txn.create_vertices(&new).map_err(write_error)?;
    for ((at, slot), vertex) in places.into_iter().zip(made) {
        rows.row_mut(at)[slot] = Value::Vertex(vertex);
    }
    Ok(())
}

fn create_edges(
    plan: &plan::Create,
    cx: &mut Context<'_>,
    rows: &mut Batch,
    range: Range<usize>,
) -> Result<(), Stop> {
    let mut written: Vec<(VertexId, VertexId, TypeId, Properties)> = Vec::new();
    let mut places: Vec<(usize, usize)> = Vec::new();
    for at in range {
        for item in &plan.items {
            let CreateItem::Edge {
                slot,
                source,
                target,
                type_,
                properties,
                place,
            } = item
            else {
                continue;
            };
            let row = rows.row(at);
            let (source, target) = (end(row, *source, *place)?, end(row, *target, *place)?);
            let properties = new_properties(properties, cx, row)?;
            written.push((source, target, type_id(type_, cx, row)?, properties));
            places.push((at, *slot as usize));
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    let new: Vec<NewEdge<'_>> = written
        .iter()
        .map(|(source, target, type_, properties)| NewEdge {
            source: *source,
            target: *target,
            type_: *type_,
            properties,
        })
        .collect();
    let made = cx.txn.create_edges(&new).map_err(write_error)?;
    for ((at, slot), edge) in places.into_iter().zip(made) {
        rows.row_mut(at)[slot] = Value::Edge(edge);
    }
    Ok(())
}

/// How far what a row asks for is created. Later items may read what earlier ones made.
#[derive(Default)]
pub(super) struct Creating {
    /// How many items are made, and how far the next is.
    made: usize,
    progress: Progress,
}

impl Creating {
    /// Goes on with a row; whether all is created.
    pub(super) fn go_on(
        &mut self,
        plan: &plan::Create,
        cx: &mut Context<'_>,
        row: &mut [Value],
    ) -> Result<bool, Error> {
        while let Some(item) = plan.items.get(self.made) {
            let progress = &mut self.progress;
            let created =
                cx.seeing_own_writes(|cx| cx.advance(progress, |cx| create_item(item, cx, row)));
            if created?.is_none() {
                return Ok(false);
            }
            self.made += 1;
        }
        self.made = 0;
        Ok(true)
    }
}

/// Creates one item. It is interrupted only before it writes.
fn create_item(item: &CreateItem, cx: &mut Context<'_>, row: &mut [Value]) -> Result<(), Stop> {
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
                "a relationship cannot be created at {}",
                other.type_phrase()
            ),
        )
        .at(place.0)),
    }
}
