//! What changes the graph: creation, merge, assignments and deletion. Made by [`crate::planner`], carried out by
//! [`crate::operator`].

use std::cell::OnceCell;
use std::sync::Arc;

use quoit_cypher::functions::Function;

use crate::expression::{Expr, NameRef, Place, Slot};

/// See [`Op::Create`]; in the order of the text.
#[derive(Debug)]
pub struct Create {
    /// What is created.
    pub items: Vec<CreateItem>,
    independent: OnceCell<bool>,
}

impl Create {
    /// As made of these.
    pub fn new(items: Vec<CreateItem>) -> Create {
        Create {
            items,
            independent: OnceCell::new(),
        }
    }

    /// Whether nothing that is computed for it rests on what it creates or may take long, so that rows may be written together.
    pub fn is_independent(&self) -> bool {
        *self.independent.get_or_init(|| {
            let slots: Vec<Slot> = self.items.iter().map(CreateItem::slot).collect();
            self.items.iter().all(|item| item.is_independent(&slots))
        })
    }
}

/// A vertex or edge to create.
#[derive(Debug)]
pub enum CreateItem {
    /// A vertex.
    Vertex {
        /// Gets it.
        slot: Slot,
        /// Its labels.
        labels: Vec<NameSource>,
        /// Its properties.
        properties: PropertySource,
    },
    /// An edge between vertices of the row.
    Edge {
        /// Gets it.
        slot: Slot,
        /// Where it starts.
        source: Slot,
        /// Where it ends.
        target: Slot,
        /// Its type.
        type_: NameSource,
        /// Its properties.
        properties: PropertySource,
        /// Where it stands.
        place: Place,
    },
}

impl CreateItem {
    /// Where it is put.
    pub fn slot(&self) -> Slot {
        match self {
            CreateItem::Vertex { slot, .. } | CreateItem::Edge { slot, .. } => *slot,
        }
    }

    /// Whether what is computed for it reads neither these slots nor the edges of the graph, and takes no time to speak of.
    fn is_independent(&self, slots: &[Slot]) -> bool {
        let (properties, names) = match self {
            CreateItem::Vertex {
                labels, properties, ..
            } => (properties, labels.as_slice()),
            CreateItem::Edge {
                type_, properties, ..
            } => (properties, std::slice::from_ref(type_)),
        };
        let names = names.iter().filter_map(|name| match name {
            NameSource::Static(_) => None,
            NameSource::Dynamic(expr, _) => Some(expr),
        });
        let properties = match properties {
            PropertySource::Entries(entries) => entries.iter().map(|(_, expr, _)| expr).collect(),
            PropertySource::Map(expr, _) => vec![expr],
        };
        names.chain(properties).all(|expr| {
            let mut rests = false;
            // Nothing is replaced: the copy is looked through.
            expr.clone().rewrite(&mut |part| {
                rests |= match part {
                    Expr::Slot(slot) => slots.contains(slot),
                    Expr::Path(_) | Expr::Degree(_) => true,
                    Expr::Call(function, ..) => matches!(
                        function,
                        Function::Degree | Function::InDegree | Function::OutDegree
                    ),
                    _ => false,
                };
                None
            });
            !rests && !expr.may_take_long()
        })
    }
}

/// A label or type to write.
#[derive(Debug)]
pub enum NameSource {
    /// Known.
    Static(NameRef),
    /// A string, or list of strings, computed when it runs.
    Dynamic(Expr, Place),
}

/// Properties of something to create.
#[derive(Debug)]
pub enum PropertySource {
    /// A map literal, or nothing.
    Entries(Vec<(NameRef, Expr, Place)>),
    /// A map computed when it runs.
    Map(Expr, Place),
}

/// See [`Op::Merge`].
#[derive(Debug)]
pub struct Merge {
    /// What is created if nothing matches.
    pub create: Create,
    /// Property values that are looked for.
    pub sought: Vec<Sought>,
    /// `ON CREATE SET`.
    pub on_create: Vec<SetItem>,
    /// `ON MATCH SET`.
    pub on_match: Vec<SetItem>,
    /// Computed after either (named path).
    pub extend: Vec<(Slot, Expr)>,
}

/// A property value that `MERGE` looks for: never null, since a null would match nothing and be created again and again.
#[derive(Debug)]
pub struct Sought {
    /// The value.
    pub value: Expr,
    /// The property.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// Gets the value, if it is not the same for all rows.
    pub slot: Option<Slot>,
}

/// One change of properties or labels.
#[derive(Debug)]
pub enum SetItem {
    /// `target.key = value`; null removes.
    Property {
        /// A vertex or edge.
        target: Expr,
        /// The key.
        key: NameRef,
        /// The value.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target[key] = value`.
    DynamicProperty {
        /// A vertex or edge.
        target: Expr,
        /// The key.
        key: Expr,
        /// The value.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target = map`.
    Replace {
        /// A vertex or edge.
        target: Expr,
        /// A map, vertex or edge.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target += map`.
    Merge {
        /// A vertex or edge.
        target: Expr,
        /// A map, vertex or edge.
        value: Expr,
        /// Where it stands.
        place: Place,
    },
    /// `target:A:B`, or the removal of them.
    Labels {
        /// A vertex.
        target: Expr,
        /// The labels.
        labels: Vec<NameSource>,
        /// `REMOVE`.
        remove: bool,
        /// Where it stands.
        place: Place,
    },
}

/// See [`Op::Delete`].
#[derive(Debug)]
pub struct Delete {
    /// `DETACH`.
    pub detach: bool,
    /// Vertices, edges, paths.
    pub targets: Vec<(Expr, Place)>,
}
