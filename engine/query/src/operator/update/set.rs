//! `SET` and `REMOVE`: properties and labels.

use std::rc::Rc;

use quoit_cypher::error::{Detail, Error};
use quoit_graph::WriteError;
use quoit_graph::ids::{KeyId, LabelId, VertexId};
use quoit_graph::value::{Edge, Value};

use super::values::{entries_of, key, label_ids, names_of, storable};
use super::{Gather, ROWS_AT_ONCE, gathered};
use crate::expression::evaluate::value as value_of;
use crate::expression::progress::{Progress, Stop};
use crate::expression::{Expr, Place};
use crate::operator::{Batch, Context, Operator, Pull, Running, write_error};
use crate::plan::{NameSource, SetItem};

/// `SET` and `REMOVE`.
pub struct Set {
    items: Rc<Vec<SetItem>>,
    gather: Gather,
    setting: Setting,
}

impl Set {
    pub fn new(items: Rc<Vec<SetItem>>, input: Running) -> Self {
        Set {
            items,
            gather: Gather::new(input),
            setting: Setting::default(),
        }
    }
}

impl Operator for Set {
    fn reset(&mut self, argument: &[Value]) {
        self.gather.reset(argument);
        self.setting.reset();
    }

    fn keep(&mut self) -> bool {
        self.setting.reset();
        self.gather.keep()
    }

    fn next(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> Result<Pull, Error> {
        let Set {
            items,
            setting,
            gather,
        } = self;
        gathered!(
            gather,
            cx,
            out,
            gather.write_each(cx, ROWS_AT_ONCE, |rows, at, cx| {
                setting.go_on(items, cx, rows.row(at))
            })
        )
    }
}

/// How far the changes for a row are; each sees those before it.
#[derive(Default)]
pub(super) struct Setting {
    /// How many are made, and how far the next is.
    made: usize,
    progress: Progress,
}

impl Setting {
    /// Begins with another row.
    pub(super) fn reset(&mut self) {
        self.made = 0;
        self.progress.clear();
    }

    /// Goes on with a row; whether all changes are made.
    pub(super) fn go_on(
        &mut self,
        items: &[SetItem],
        cx: &mut Context<'_>,
        row: &[Value],
    ) -> Result<bool, Error> {
        while let Some(item) = items.get(self.made) {
            let progress = &mut self.progress;
            let set = cx.seeing_own_writes(|cx| cx.advance(progress, |cx| set_item(item, cx, row)));
            if set?.is_none() {
                return Ok(false);
            }
            self.made += 1;
        }
        self.made = 0;
        Ok(true)
    }
}

/// Makes one change. It is interrupted only before it writes.
fn set_item(item: &SetItem, cx: &mut Context<'_>, row: &[Value]) -> Result<(), Stop> {
    match item {
        SetItem::Property {
            target,
            key: name,
            value,
            place,
        } => {
            let owner = Owner::of(target, *place, cx, row)?;
            let value = storable(value_of(value, cx, row)?).map_err(|error| error.at(place.0))?;
            let key = key(name, cx)?;
            Ok(owner.set(&[(key, value)], *place, cx)?)
        }
        SetItem::DynamicProperty {
            target,
            key,
            value,
            place,
        } => {
            let owner = Owner::of(target, *place, cx, row)?;
            let key = match value_of(key, cx, row)? {
                Value::String(name) => cx.txn.key(&name).map_err(write_error)?,
                other => {
                    return Err(Error::type_error(
                        Detail::MapElementAccessByNonString,
                        format!(
                            "a property is named by a string, not by {}",
                            other.type_phrase()
                        ),
                    )
                    .at(place.0)
                    .into());
                }
            };
            let value = storable(value_of(value, cx, row)?).map_err(|error| error.at(place.0))?;
            Ok(owner.set(&[(key, value)], *place, cx)?)
        }
        SetItem::Replace {
            target,
            value,
            place,
        } => {
            let owner = Owner::of(target, *place, cx, row)?;
            let value = value_of(value, cx, row)?;
            let properties = entries_of(&value, cx, false).map_err(|error| error.at(place.0))?;
            Ok(owner.replace(&properties, *place, cx)?)
        }
        SetItem::Merge {
            target,
            value,
            place,
        } => {
            let owner = Owner::of(target, *place, cx, row)?;
            let value = value_of(value, cx, row)?;
            let changes = entries_of(&value, cx, true).map_err(|error| error.at(place.0))?;
            Ok(owner.set(&changes, *place, cx)?)
        }
        SetItem::Labels {
            target,
            labels,
            remove,
            place,
        } => match value_of(target, cx, row)? {
            Value::Null => Ok(()),
            Value::Vertex(vertex) if *remove => remove_labels(vertex, labels, cx, row),
            Value::Vertex(vertex) => {
                for label in label_ids(labels, cx, row)? {
                    cx.txn
                        .add_label(vertex, label)
                        .map_err(|error| write_error(error).at(place.0))?;
                }
                Ok(())
            }
            other => Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!("{} has no labels that can be set", other.type_phrase()),
            )
            .at(place.0)
            .into()),
        },
    }
}

fn remove_labels(
    vertex: VertexId,
    labels: &[NameSource],
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<(), Stop> {
    for source in labels {
        for name in names_of(source, cx, row)? {
            if let Some(label) = cx.label_id(&name) {
                cx.txn
                    .remove_label(vertex, LabelId(label))
                    .map_err(write_error)?;
            }
        }
    }
    Ok(())
}

/// What has the properties that are changed.
enum Owner {
    /// Null: nothing changes.
    Nothing,
    Vertex(VertexId),
    Edge(Edge),
}

impl Owner {
    fn of(target: &Expr, place: Place, cx: &mut Context<'_>, row: &[Value]) -> Result<Owner, Stop> {
        match value_of(target, cx, row)? {
            Value::Null => Ok(Owner::Nothing),
            Value::Vertex(vertex) => Ok(Owner::Vertex(vertex)),
            Value::Edge(edge) => Ok(Owner::Edge(edge)),
            other => Err(Error::type_error(
                Detail::InvalidArgumentType,
                format!("{} has no properties that can be set", other.type_phrase()),
            )
            .at(place.0)
            .into()),
        }
    }

    /// Sets properties; nulls remove.
    fn set(
        &self,
        changes: &[(KeyId, Value)],
        place: Place,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        placed(
            place,
            match self {
                Owner::Nothing => Ok(()),
                Owner::Vertex(vertex) => cx.txn.set_vertex_properties(*vertex, changes),
                Owner::Edge(edge) => cx.txn.set_edge_properties(*edge, changes),
            },
        )
    }

    /// Puts properties in the place of all there are.
    fn replace(
        &self,
        properties: &[(KeyId, Value)],
        place: Place,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        placed(
            place,
            match self {
                Owner::Nothing => Ok(()),
                Owner::Vertex(vertex) => cx.txn.replace_vertex_properties(*vertex, properties),
                Owner::Edge(edge) => cx.txn.replace_edge_properties(*edge, properties),
            },
        )
    }
}

fn placed(place: Place, result: Result<(), WriteError>) -> Result<(), Error> {
    result.map_err(|error| write_error(error).at(place.0))
}
