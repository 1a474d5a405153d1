//! Graph elements, read from a message by a client.

use super::tag;
use crate::packstream::{List, Map, Struct, Value};

/// A graph element in a record. Both the forms of 4.x and of 5.0 and later are understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element<'a> {
    /// A vertex.
    Vertex(VertexView<'a>),
    /// An edge, with its ends or within a path.
    Edge(EdgeView<'a>),
    /// A path.
    Path(PathView<'a>),
}

/// A vertex in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VertexView<'a> {
    /// Its id.
    pub id: i64,
    /// Its labels, strings.
    pub labels: List<'a>,
    /// Its properties.
    pub properties: Map<'a>,
}

/// An edge in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeView<'a> {
    /// Its id.
    pub id: i64,
    /// The ids of the vertices it leaves and enters; absent within a path.
    pub ends: Option<(i64, i64)>,
    /// Its type's name.
    pub edge_type: &'a str,
    /// Its properties.
    pub properties: Map<'a>,
}

/// A path in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathView<'a> {
    /// Its distinct vertices; it begins at the first.
    pub vertices: List<'a>,
    /// Its distinct edges, without ends.
    pub edges: List<'a>,
    /// Its steps: by turns an edge's position from 1, negative against its direction, and a vertex's from 0.
    pub indices: List<'a>,
}

impl<'a> Element<'a> {
    /// Reads a structure as a graph element; `None` if it is none.
    pub fn read(structure: Struct<'a>) -> Option<Self> {
        let mut fields = structure.fields();
        let mut next = || fields.next();
        match (structure.tag(), structure.len()) {
            (tag::NODE, 3 | 4) => Some(Self::Vertex(VertexView {
                id: next()?.as_int()?,
                labels: next()?.as_list()?,
                properties: next()?.as_map()?,
            })),
            (tag::RELATIONSHIP, 5 | 8) => Some(Self::Edge(EdgeView {
                id: next()?.as_int()?,
                ends: Some((next()?.as_int()?, next()?.as_int()?)),
                edge_type: next()?.as_str()?,
                properties: next()?.as_map()?,
            })),
            (tag::UNBOUND_RELATIONSHIP, 3 | 4) => Some(Self::Edge(EdgeView {
                id: next()?.as_int()?,
                ends: None,
                edge_type: next()?.as_str()?,
                properties: next()?.as_map()?,
            })),
            (tag::PATH, 3) => Some(Self::Path(PathView {
                vertices: next()?.as_list()?,
                edges: next()?.as_list()?,
                indices: next()?.as_list()?,
            })),
            _ => None,
        }
    }
}

impl<'a> PathView<'a> {
    /// The vertices and edges in the order of the walk: vertex, edge, walked against its direction or
    /// not, vertex, and so on; handed to `visit` one step at a time. `None` if the path is
    /// inconsistent.
    pub fn walk(&self, mut visit: impl FnMut(PathPart<'a>)) -> Option<()> {
        let element = |list: List<'a>, at: usize| match list.iter().nth(at)? {
            Value::Struct(structure) => Element::read(structure),
            _ => None,
        };
        let vertex = |at: usize| match element(self.vertices, at)? {
            Element::Vertex(vertex) => Some(vertex),
            _ => None,
        };
        visit(PathPart::Vertex(vertex(0)?));
        let mut indices = self.indices.iter();
        while let Some(edge_index) = indices.next() {
            let edge_index = edge_index.as_int()?;
            let at = usize::try_from(edge_index.unsigned_abs().checked_sub(1)?).ok()?;
            let Element::Edge(edge) = element(self.edges, at)? else {
                return None;
            };
            visit(PathPart::Edge {
                edge,
                against: edge_index < 0,
            });
            let at = usize::try_from(indices.next()?.as_int()?).ok()?;
            visit(PathPart::Vertex(vertex(at)?));
        }
        Some(())
    }
}

/// A step of [`PathView::walk`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PathPart<'a> {
    /// A vertex.
    Vertex(VertexView<'a>),
    /// An edge.
    Edge {
        /// The edge.
        edge: EdgeView<'a>,
        /// It is walked from its target to its source.
        against: bool,
    },
}
