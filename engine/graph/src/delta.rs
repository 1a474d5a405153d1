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
//! ```

use crate::ids::{EdgeId, KeyId, LabelId, TypeId, VertexId};
use crate::value::Edge;
use crate::value::codec::{DecodeError, Properties, Reader, put_varint};
use smallvec::SmallVec;

/// The longest name of a label, type, key or setting, in bytes.
pub const NAME_BYTES_MAX: usize = 64 << 10;
/// The most labels one delta names.
pub const LABELS_MAX: usize = 1024;
/// The most keys of one index.
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
}

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
/// Keys of one index.
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
    /// A label+property index is made.
    CreateIndex {
        /// Its label.
        label: LabelId,
        /// Its keys in their order.
        keys: Keys,
    },
    /// A label+property index goes.
    DropIndex {
        /// Its label.
        label: LabelId,
        /// Its keys in their order.
        keys: Keys,
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
        self.out.push(kind);
        put_varint(self.out, edge.id.0);
        put_varint(self.out, edge.target.0);
        put_varint(self.out, u64::from(edge.type_.0));
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
        put_varint(self.out, name.len() as u64);
        self.out.extend_from_slice(name.as_bytes());
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

    /// Appends [`Delta::CreateIndex`].
    pub fn create_index(&mut self, label: LabelId, keys: &[KeyId]) {
        self.out.push(kind::CREATE_INDEX);
        put_varint(self.out, u64::from(label.0));
        self.ids(keys.iter().map(|key| key.0));
    }

    /// Appends [`Delta::DropIndex`].
    pub fn drop_index(&mut self, label: LabelId, keys: &[KeyId]) {
        self.out.push(kind::DROP_INDEX);
        put_varint(self.out, u64::from(label.0));
        self.ids(keys.iter().map(|key| key.0));
    }

    /// Appends [`Delta::Setting`].
    pub fn setting(&mut self, name: &str, value: &[u8]) {
        self.out.push(kind::SETTING);
        put_varint(self.out, name.len() as u64);
        self.out.extend_from_slice(name.as_bytes());
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
        if n == 0 || n > INDEX_KEYS_MAX as u64 {
            return Err(self.reader.error("an index has 1 to 16 keys"));
        }
        (0..n).map(|_| self.reader.varint32().map(KeyId)).collect()
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
                label: LabelId(self.reader.varint32()?),
                keys: self.keys()?,
            },
            kind::DROP_INDEX => Delta::DropIndex {
                label: LabelId(self.reader.varint32()?),
                keys: self.keys()?,
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
