//! Vertices, edges and paths, written from their parts.
//!
//! The parts are whatever the storage has at hand: ids, iterators of names, closures that write properties.
//! Nothing is gathered first. An element id is the decimal id as text, so that `elementId(n) = $id` finds the
//! element again.

use super::tag;
use crate::packstream::{MapWriter, Packer};

/// An edge to be written: everything but its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge<'t> {
    /// Its id.
    pub id: i64,
    /// The vertex it leaves.
    pub source: i64,
    /// The vertex it enters.
    pub target: i64,
    /// Its type's name.
    pub edge_type: &'t str,
}

/// One step of a path: over an edge to a vertex, as positions in the path's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// Position of the edge among the path's distinct edges, from 0.
    pub edge: u32,
    /// The edge is walked from its target to its source.
    pub against: bool,
    /// Position of the vertex reached among the path's distinct vertices, from 0.
    pub vertex: u32,
}

impl Packer<'_> {
    /// A vertex: its id, the names of its labels, and what writes its properties.
    pub fn vertex<'l, R>(
        &mut self,
        id: i64,
        labels: impl IntoIterator<Item = &'l str>,
        properties: impl FnOnce(&mut MapWriter<'_>) -> R,
    ) -> R {
        let element_ids = self.format().element_ids();
        self.struct_header(tag::NODE, if element_ids { 4 } else { 3 });
        self.int(id);
        self.list(|list| labels.into_iter().for_each(|label| list.string(label)));
        let result = self.map(properties);
        if element_ids {
            self.element_id(id);
        }
        result
    }

    /// An edge with its ends, and what writes its properties.
    pub fn edge<R>(
        &mut self,
        edge: Edge<'_>,
        properties: impl FnOnce(&mut MapWriter<'_>) -> R,
    ) -> R {
        let element_ids = self.format().element_ids();
        self.struct_header(tag::RELATIONSHIP, if element_ids { 8 } else { 5 });
        self.int(edge.id);
        self.int(edge.source);
        self.int(edge.target);
        self.string(edge.edge_type);
        let result = self.map(properties);
        if element_ids {
            self.element_id(edge.id);
            self.element_id(edge.source);
            self.element_id(edge.target);
        }
        result
    }

    /// An edge within a path, which tells its ends: its id, its type's name, and what writes its properties.
    pub fn unbound_edge<R>(
        &mut self,
        id: i64,
        edge_type: &str,
        properties: impl FnOnce(&mut MapWriter<'_>) -> R,
    ) -> R {
        let element_ids = self.format().element_ids();
        self.struct_header(tag::UNBOUND_RELATIONSHIP, if element_ids { 4 } else { 3 });
        self.int(id);
        self.string(edge_type);
        let result = self.map(properties);
        if element_ids {
            self.element_id(id);
        }
        result
    }

    /// A path: its distinct vertices (the first is where it begins), its distinct edges, and its steps.
    /// `write_vertex` and `write_edge` write one value each, a vertex and an unbound edge.
    pub fn path<V, E>(
        &mut self,
        vertices: impl ExactSizeIterator<Item = V>,
        mut write_vertex: impl FnMut(&mut Packer<'_>, V),
        edges: impl ExactSizeIterator<Item = E>,
        mut write_edge: impl FnMut(&mut Packer<'_>, E),
        steps: impl ExactSizeIterator<Item = PathStep>,
    ) {
        self.struct_header(tag::PATH, 3);
        self.list_header(vertices.len());
        vertices.for_each(|vertex| write_vertex(self, vertex));
        self.list_header(edges.len());
        edges.for_each(|edge| write_edge(self, edge));
        // Edges count from 1, so that there is a sign for the direction.
        self.list_header(2 * steps.len());
        steps.for_each(|step| {
            let edge = i64::from(step.edge) + 1;
            self.int(if step.against { -edge } else { edge });
            self.int(i64::from(step.vertex));
        });
    }

    /// An id in decimal, as a string.
    fn element_id(&mut self, id: i64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        let mut rest = id.unsigned_abs();
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if id < 0 {
            first -= 1;
            digits[first] = b'-';
        }
        self.string(std::str::from_utf8(&digits[first..]).expect("digits are ASCII"));
    }
}
