//! Deltas: the typed row effects of a transaction, as they stand in a frame of the log (design D10).
//!
//! Owned here: the byte form, [`DeltaWriter`] that appends to a transaction's buffer while it runs, and [`Deltas`], an
//! iterator over bytes that trusts nothing. Called by `txn` (writes), `apply` (replica, recovery), and tools that show a log.
//! Always holds: writing then reading gives the same deltas; reading checks every length, id and value before it gives
//! the delta out; an unknown kind is an error that names the kind and its offset.
//! Left to others: frames and checksums (`log`), what the deltas do (`apply`).
//!
//! A delta is a kind byte and its fields; `v` is a LEB128 varint, `props` a varint byte length and `(key v, value)*`:
//!
//! ```text
//! 01 define name    name kind u8 (0 label, 1 type, 2 key), id v, length v, UTF-8
//! 02 create vertex  id v, label count v, label v*, props
//! 03 delete vertex  id v
//! 04 set labels     id v, added count v, label v*, removed count v, label v*
//! 05 vertex props   id v, props (null removes)
//! 06 create edge    id v, target v, type v, props
//! 07 delete edge    id v, target v, type v
//! 08 edge props     id v, target v, type v, props (null removes)
//! 09 create index   label v, key count v, key v*
//! 0a drop index     label v, key count v, key v*
//! 0b setting        name length v, UTF-8, value length v, bytes
//! 0c index          form u8 (1 on edges, 2 descending), label or type v, key count v, key v*, name length v, UTF-8
//! 0d no index       form u8 (1 on edges), label or type v, key count v, key v*
//! 0e constraint     kind u8 (0 exists, 1 unique, 2 type, 3 key), label v, key count v, key v*, type u8 (0 but for 2), name length v, UTF-8
//! 0f no constraint  as 0e, without the name
//! ```
//!
//! 09 and 0a are the first form of an ascending index on a label and keys without a name: still read, and written as 0c and 0d.

use crate::constraint::{ConstraintDefinition, PropertyType};
use crate::ids::{EdgeId, KeyId, LabelId, TypeId, VertexId};
use crate::index::{IndexDefinition, Order};
use crate::value::Edge;
use crate::value::codec::{
    DecodeError, Properties, Reader, VARINT_BYTES_MAX, put_varint, write_varint,
};
use smallvec::SmallVec;

/// The longest name of a label, type, key or setting, in bytes.
pub const NAME_BYTES_MAX: usize = 64 << 10;
/// The most labels one delta names.
pub const LABELS_MAX: usize = 1024;
/// The most keys of one index or constraint.
pub const INDEX_KEYS_MAX: usize = 16;

mod kind {
    pub const DEFINE_NAME: u8 = 1;
    pub const CREATE_VERTEX: u8 = 2;
    pub const DELETE_VERTEX: u8 = 3;
    pub const SET_LABELS: u8 = 4;
    pub const VERTEX_PROPERTIES: u8 = 5;
    pub const CREATE_EDGE: u8 = 6;
    pub const DELETE_EDGE: u8 = 7;
    pub const EDGE_PROPERTIES: u8 = 8;
    pub const CREATE_INDEX: u8 = 9;
    pub const DROP_INDEX: u8 = 10;
    pub const SETTING: u8 = 11;
    pub const INDEX: u8 = 12;
    pub const NO_INDEX: u8 = 13;
    pub const CONSTRAINT: u8 = 14;
    pub const NO_CONSTRAINT: u8 = 15;
}

const ON_EDGES: u8 = 1;
const DESCENDING: u8 = 2;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// A vertex label.
    Label,
    /// An edge type.
    Type,
    /// A property key.
    Key,
}

/// Labels of one delta; most vertices have one or two.
pub type Labels = SmallVec<[LabelId; 4]>;
/// Keys of one index or constraint.
pub type Keys = SmallVec<[KeyId; 2]>;

/// One row effect, borrowing the frame it stands in.
#[derive(Clone, Debug)]
pub enum Delta<'a> {
    /// Gives an id its name; precedes the first use of that id in the log.
    DefineName {
        /// Label, type or key.
        kind: NameKind,
        /// The dense id.
        id: u32,
        /// The name.
        name: &'a str,
    },
    /// A new vertex.
    CreateVertex {
        /// Its id.
        id: VertexId,
        /// Its labels, ascending.
        labels: Labels,
        /// Its properties.
        properties: Properties<'a>,
    },
    /// A vertex goes; its edges went before.
    DeleteVertex {
        /// Its id.
        id: VertexId,
    },
    /// Labels come and go.
    SetVertexLabels {
        /// The vertex.
        id: VertexId,
        /// Labels it did not have.
        added: Labels,
        /// Labels it had.
        removed: Labels,
    },
    /// Properties of a vertex change.
    SetVertexProperties {
        /// The vertex.
        id: VertexId,
        /// New values; null removes.
        changes: Properties<'a>,
    },
    /// A new edge.
    CreateEdge {
        /// Id, target and type.
        edge: Edge,
        /// Its properties.
        properties: Properties<'a>,
    },
    /// An edge goes.
    DeleteEdge {
        /// Id, target and type: with them it is found without a search.
        edge: Edge,
    },
    /// Properties of an edge change.
    SetEdgeProperties {
        /// The edge.
        edge: Edge,
        /// New values; null removes.
        changes: Properties<'a>,
    },
    /// An index is made.
    CreateIndex {
        /// What it is of.
        definition: IndexDefinition,
        /// What it is called, if it is.
        name: Option<&'a str>,
    },
    /// An index goes.
    DropIndex {
        /// What it is of; its order is of no account.
        definition: IndexDefinition,
    },
    /// A constraint is made.
    CreateConstraint {
        /// What it asks.
        definition: ConstraintDefinition,
        /// What it is called, if it is.
        name: Option<&'a str>,
    },
    /// A constraint goes.
    DropConstraint {
        /// What it asks.
        definition: ConstraintDefinition,
    },
    /// A database setting; what names and values mean is the server's.
    Setting {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a [u8],
    },
}

/// Why bytes are no deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// Written by a later version, or not a delta at all.
    #[error("unknown delta kind {kind:#04x} at byte {offset}")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
        /// Its offset from the first delta.
        offset: usize,
    },
    /// A field is wrong.
    #[error("delta at byte {start}: {source}")]
    Field {
        /// Offset of the delta's kind byte.
        start: usize,
        /// What was wrong, with the offset from the first delta.
        source: DecodeError,
    },
}

/// Appends deltas to a buffer.
pub struct DeltaWriter<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> DeltaWriter<'b> {
    /// Appends to `out`, which may already hold a frame header's room and earlier deltas.
    pub fn new(out: &'b mut Vec<u8>) -> DeltaWriter<'b> {
        DeltaWriter { out }
    }

    fn ids(&mut self, ids: impl ExactSizeIterator<Item = u32>) {
        put_varint(self.out, ids.len() as u64);
        for id in ids {
            put_varint(self.out, u64::from(id));
        }
    }

    fn properties(&mut self, properties: Properties<'_>) {
        put_varint(self.out, properties.bytes().len() as u64);
        self.out.extend_from_slice(properties.bytes());
    }

    fn edge(&mut self, kind: u8, edge: Edge) {
        let mut bytes = [0; 1 + 3 * VARINT_BYTES_MAX];
        bytes[0] = kind;
        let mut len = 1;
        for number in [edge.id.0, edge.target.0, u64::from(edge.type_.0)] {
            len = write_varint(&mut bytes, len, number);
        }
        self.out.extend_from_slice(&bytes[..len]);
    }

    /// Appends [`Delta::DefineName`].
    pub fn define_name(&mut self, kind: NameKind, id: u32, name: &str) {
        self.out.push(kind::DEFINE_NAME);
        self.out.push(match kind {
            NameKind::Label => 0,
            NameKind::Type => 1,
            NameKind::Key => 2,
        });
        put_varint(self.out, u64::from(id));
        self.text(name);
    }

    /// Appends [`Delta::CreateVertex`].
    pub fn create_vertex(&mut self, id: VertexId, labels: &[LabelId], properties: Properties<'_>) {
        self.out.push(kind::CREATE_VERTEX);
        put_varint(self.out, id.0);
        self.ids(labels.iter().map(|label| label.0));
        self.properties(properties);
    }

    /// Appends [`Delta::DeleteVertex`].
    pub fn delete_vertex(&mut self, id: VertexId) {
        self.out.push(kind::DELETE_VERTEX);
        put_varint(self.out, id.0);
    }

    /// Appends [`Delta::SetVertexLabels`].
    pub fn set_vertex_labels(&mut self, id: VertexId, added: &[LabelId], removed: &[LabelId]) {
        self.out.push(kind::SET_LABELS);
        put_varint(self.out, id.0);
        self.ids(added.iter().map(|label| label.0));
        self.ids(removed.iter().map(|label| label.0));
    }

    /// Appends [`Delta::SetVertexProperties`].
    pub fn set_vertex_properties(&mut self, id: VertexId, changes: Properties<'_>) {
        self.out.push(kind::VERTEX_PROPERTIES);
        put_varint(self.out, id.0);
        self.properties(changes);
    }

    /// Appends [`Delta::CreateEdge`].
    pub fn create_edge(&mut self, edge: Edge, properties: Properties<'_>) {
        self.edge(kind::CREATE_EDGE, edge);
        self.properties(properties);
    }

    /// Appends [`Delta::DeleteEdge`].
    pub fn delete_edge(&mut self, edge: Edge) {
        self.edge(kind::DELETE_EDGE, edge);
    }

    /// Appends [`Delta::SetEdgeProperties`].
    pub fn set_edge_properties(&mut self, edge: Edge, changes: Properties<'_>) {
        self.edge(kind::EDGE_PROPERTIES, edge);
        self.properties(changes);
    }

    fn index(&mut self, kind: u8, definition: &IndexDefinition, order: Order) {
        self.out.push(kind);
        let (edges, id) = match (definition.label(), definition.edge_type()) {
            (Some(label), _) => (0, label.0),
            (None, type_) => (ON_EDGES, type_.map_or(0, |type_| type_.0)),
        };
        let descending = match order {
            Order::Ascending => 0,
            Order::Descending => DESCENDING,
        };
        self.out.push(edges | descending);
        put_varint(self.out, u64::from(id));
        self.ids(definition.keys().iter().map(|key| key.0));
    }

    fn text(&mut self, text: &str) {
        put_varint(self.out, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Appends [`Delta::CreateIndex`].
    pub fn create_index(&mut self, definition: &IndexDefinition, name: Option<&str>) {
        self.index(kind::INDEX, definition, definition.order());
        self.text(name.unwrap_or_default());
    }

    /// Appends [`Delta::DropIndex`].
    pub fn drop_index(&mut self, definition: &IndexDefinition) {
        self.index(kind::NO_INDEX, definition, Order::Ascending);
    }

    fn constraint(&mut self, kind: u8, definition: &ConstraintDefinition) {
        self.out.push(kind);
        let (kind, type_) = match definition {
            ConstraintDefinition::Exists { .. } => (0, 0),
            ConstraintDefinition::Unique { .. } => (1, 0),
            ConstraintDefinition::Type { type_, .. } => (2, type_.byte()),
            ConstraintDefinition::Key { .. } => (3, 0),
        };
        self.out.push(kind);
        put_varint(self.out, u64::from(definition.label().0));
        self.ids(definition.keys().iter().map(|key| key.0));
        self.out.push(type_);
    }

    /// Appends [`Delta::CreateConstraint`].
    pub fn create_constraint(&mut self, definition: &ConstraintDefinition, name: Option<&str>) {
        self.constraint(kind::CONSTRAINT, definition);
        self.text(name.unwrap_or_default());
    }

    /// Appends [`Delta::DropConstraint`].
    pub fn drop_constraint(&mut self, definition: &ConstraintDefinition) {
        self.constraint(kind::NO_CONSTRAINT, definition);
    }

    /// Appends [`Delta::Setting`].
    pub fn setting(&mut self, name: &str, value: &[u8]) {
        self.out.push(kind::SETTING);
        self.text(name);
        put_varint(self.out, value.len() as u64);
        self.out.extend_from_slice(value);
    }
}

/// Reads deltas one after the other; stops for good at the first error.
#[derive(Clone, Debug)]
pub struct Deltas<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> Deltas<'a> {
    /// Reads the deltas in `bytes`: the body of a frame, without its header.
    pub fn new(bytes: &'a [u8]) -> Deltas<'a> {
        Deltas {
            reader: Reader::new(bytes),
            failed: false,
        }
    }

    /// The offset of the next delta.
    pub fn offset(&self) -> usize {
        self.reader.offset()
    }

    fn vertex(&mut self) -> Result<VertexId, DecodeError> {
        let id = self.reader.varint()?;
        if id > VertexId::MAX.0 {
            return Err(self.reader.error("vertex id out of range"));
        }
        Ok(VertexId(id))
    }

    fn edge(&mut self) -> Result<Edge, DecodeError> {
        let id = self.reader.varint()?;
        if i64::try_from(id).is_err() {
            return Err(self.reader.error("edge id out of range"));
        }
        Ok(Edge {
            id: EdgeId(id),
            target: self.vertex()?,
            type_: TypeId(self.reader.varint32()?),
        })
    }

    fn name(&mut self) -> Result<&'a str, DecodeError> {
        let name = self.reader.text()?;
        if name.len() > NAME_BYTES_MAX {
            return Err(self.reader.error("name too long"));
        }
        Ok(name)
    }

    fn labels(&mut self) -> Result<Labels, DecodeError> {
        let n = self.reader.varint()?;
        if n > LABELS_MAX as u64 {
            return Err(self.reader.error("too many labels"));
        }
        let mut labels = Labels::new();
        for _ in 0..n {
            let label = LabelId(self.reader.varint32()?);
            if labels.last().is_some_and(|&last| last >= label) {
                return Err(self.reader.error("labels are not ascending"));
            }
            labels.push(label);
        }
        Ok(labels)
    }

    fn keys(&mut self) -> Result<Keys, DecodeError> {
        let n = self.reader.varint()?;
        if n > INDEX_KEYS_MAX as u64 {
            return Err(self.reader.error("more than 16 keys"));
        }
        let mut keys = Keys::new();
        for _ in 0..n {
            let key = KeyId(self.reader.varint32()?);
            if keys.contains(&key) {
                return Err(self.reader.error("a key comes twice"));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// The first form of an index.
    fn plain_index(&mut self) -> Result<IndexDefinition, DecodeError> {
        let label = LabelId(self.reader.varint32()?);
        let keys = self.keys()?;
        if keys.is_empty() {
            return Err(self.reader.error("an index without keys"));
        }
        Ok(IndexDefinition::LabelProperties {
            label,
            keys,
            order: Order::Ascending,
        })
    }

    fn index(&mut self) -> Result<IndexDefinition, DecodeError> {
        let form = self.reader.u8()?;
        if form & !(ON_EDGES | DESCENDING) != 0 {
            return Err(self.reader.error("unknown form of index"));
        }
        let id = self.reader.varint32()?;
        let keys = self.keys()?;
        let order = match form & DESCENDING {
            0 => Order::Ascending,
            _ => Order::Descending,
        };
        Ok(match (form & ON_EDGES != 0, keys.is_empty()) {
            (false, true) => IndexDefinition::Label(LabelId(id)),
            (false, false) => IndexDefinition::LabelProperties {
                label: LabelId(id),
                keys,
                order,
            },
            (true, true) => IndexDefinition::EdgeType(TypeId(id)),
            (true, false) => IndexDefinition::EdgeTypeProperties {
                type_: TypeId(id),
                keys,
                order,
            },
        })
    }

    fn constraint(&mut self) -> Result<ConstraintDefinition, DecodeError> {
        let kind = self.reader.u8()?;
        let label = LabelId(self.reader.varint32()?);
        let keys = self.keys()?;
        let type_ = self.reader.u8()?;
        match (kind, keys.as_slice(), PropertyType::from_byte(type_)) {
            (0, &[key], None) => Ok(ConstraintDefinition::Exists { label, key }),
            (1, &[_, ..], None) => Ok(ConstraintDefinition::Unique { label, keys }),
            (2, &[key], Some(type_)) => Ok(ConstraintDefinition::Type { label, key, type_ }),
            (3, &[_, ..], None) => Ok(ConstraintDefinition::Key { label, keys }),
            _ => Err(self.reader.error("unknown form of constraint")),
        }
    }

    fn optional_name(&mut self) -> Result<Option<&'a str>, DecodeError> {
        Ok(Some(self.name()?).filter(|name| !name.is_empty()))
    }

    fn properties(&mut self, removals: bool) -> Result<Properties<'a>, DecodeError> {
        let bytes = self.reader.prefixed()?;
        let start = self.reader.offset() - bytes.len();
        Properties::check(bytes, removals).map_err(|e| DecodeError {
            offset: start + e.offset,
            ..e
        })
    }

    fn delta(&mut self, kind: u8) -> Result<Option<Delta<'a>>, DecodeError> {
        Ok(Some(match kind {
            kind::DEFINE_NAME => {
                let kind = match self.reader.u8()? {
                    0 => NameKind::Label,
                    1 => NameKind::Type,
                    2 => NameKind::Key,
                    _ => return Err(self.reader.error("unknown kind of name")),
                };
                Delta::DefineName {
                    kind,
                    id: self.reader.varint32()?,
                    name: self.name()?,
                }
            }
            kind::CREATE_VERTEX => Delta::CreateVertex {
                id: self.vertex()?,
                labels: self.labels()?,
                properties: self.properties(false)?,
            },
            kind::DELETE_VERTEX => Delta::DeleteVertex { id: self.vertex()? },
            kind::SET_LABELS => Delta::SetVertexLabels {
                id: self.vertex()?,
                added: self.labels()?,
                removed: self.labels()?,
            },
            kind::VERTEX_PROPERTIES => Delta::SetVertexProperties {
                id: self.vertex()?,
                changes: self.properties(true)?,
            },
            kind::CREATE_EDGE => Delta::CreateEdge {
                edge: self.edge()?,
                properties: self.properties(false)?,
            },
            kind::DELETE_EDGE => Delta::DeleteEdge { edge: self.edge()? },
            kind::EDGE_PROPERTIES => Delta::SetEdgeProperties {
                edge: self.edge()?,
                changes: self.properties(true)?,
            },
            kind::CREATE_INDEX => Delta::CreateIndex {
                definition: self.plain_index()?,
                name: None,
            },
            kind::DROP_INDEX => Delta::DropIndex {
                definition: self.plain_index()?,
            },
            kind::INDEX => Delta::CreateIndex {
                definition: self.index()?,
                name: self.optional_name()?,
            },
            kind::NO_INDEX => Delta::DropIndex {
                definition: self.index()?,
            },
            kind::CONSTRAINT => Delta::CreateConstraint {
                definition: self.constraint()?,
                name: self.optional_name()?,
            },
            kind::NO_CONSTRAINT => Delta::DropConstraint {
                definition: self.constraint()?,
            },
            kind::SETTING => Delta::Setting {
                name: self.name()?,
                value: self.reader.prefixed()?,
            },
            _ => return Ok(None),
        }))
    }
}

impl<'a> Iterator for Deltas<'a> {
    type Item = Result<Delta<'a>, DeltaError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.is_empty() {
            return None;
        }
        let start = self.reader.offset();
        let kind = self.reader.u8().expect("the reader is not empty");
        let result = match self.delta(kind) {
            Ok(Some(delta)) => Ok(delta),
            Ok(None) => Err(DeltaError::UnknownKind {
                kind,
                offset: start,
            }),
            Err(source) => Err(DeltaError::Field { start, source }),
        };
        self.failed = result.is_err();
        Some(result)
    }
}
