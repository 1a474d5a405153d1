//! The shape of a graph: which kinds of vertices and edges there are, how many of each, and which properties of which types they have.
//!
//! Owned here: [`Shape`] and [`ShapeWalk`], which makes one of everything a statement sees, step by step. Called by [`super::meta`]
//! (procedures that list it) and [`super::schema_info`] (as JSON). A kind of vertices is a set of labels; a kind of edges a type with the
//! kinds of its ends. Always holds: counts are exact for the snapshot; between two steps only ids are kept; what is kept is counted
//! against the execution's limit. It reads every vertex and edge once, so it takes as long as the graph is large.

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use quoit_cypher::error::Error;
use quoit_graph::ids::{KeyId, LabelId, PageId, TypeId, VertexId};
use quoit_graph::value::{Edge, ValueRef};
use quoit_graph::{Direction, PropertiesRef};

use crate::operator::Context;

/// Vertices or edges between two looks at the clock.
const LOOKED_AT_ONCE: usize = 128;
/// What a group or a property of one takes, about, in bytes.
const GROUP_BYTES: u64 = 160;

/// A type of property values, as schemas tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Boolean,
    Date,
    DateTime,
    Duration,
    Float,
    Integer,
    /// With the type of its first element, if it has one.
    List(Option<Element>),
    LocalDateTime,
    LocalTime,
    Map,
    Point2d,
    Point3d,
    String,
    Time,
    Bytes,
}

/// Types of elements that Neo4j has arrays of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    Boolean,
    Float,
    Integer,
    String,
    Other,
}

impl Kind {
    fn of(value: &ValueRef<'_>) -> Kind {
        match value {
            ValueRef::Null | ValueRef::Bool(_) => Kind::Boolean,
            ValueRef::Int(_) => Kind::Integer,
            ValueRef::Float(_) => Kind::Float,
            ValueRef::String(_) => Kind::String,
            ValueRef::Bytes(_) => Kind::Bytes,
            ValueRef::List(list) => Kind::List(list.iter().next().map(|first| match first {
                ValueRef::Bool(_) => Element::Boolean,
                ValueRef::Int(_) => Element::Integer,
                ValueRef::Float(_) => Element::Float,
                ValueRef::String(_) => Element::String,
                _ => Element::Other,
            })),
            ValueRef::Map(_) => Kind::Map,
            ValueRef::Date(_) => Kind::Date,
            ValueRef::Time(_) => Kind::Time,
            ValueRef::LocalTime(_) => Kind::LocalTime,
            ValueRef::LocalDateTime(_) => Kind::LocalDateTime,
            ValueRef::DateTime { .. } => Kind::DateTime,
            ValueRef::Duration(_) => Kind::Duration,
            ValueRef::Point(point) if point.is_3d() => Kind::Point3d,
            ValueRef::Point(_) => Kind::Point2d,
        }
    }

    /// Its name in Memgraph's `SHOW SCHEMA INFO`.
    pub(super) fn in_schema_info(self) -> &'static str {
        match self {
            Kind::Boolean => "Boolean",
            Kind::Date => "Date",
            Kind::DateTime => "ZonedDateTime",
            Kind::Duration => "Duration",
            Kind::Float => "Float",
            Kind::Integer => "Integer",
            Kind::List(_) => "List",
            Kind::LocalDateTime => "LocalDateTime",
            Kind::LocalTime => "LocalTime",
            Kind::Map => "Map",
            Kind::Point2d => "Point2D",
            Kind::Point3d => "Point3D",
            Kind::String => "String",
            Kind::Time => "ZonedTime",
            Kind::Bytes => "Bytes",
        }
    }

    /// Its name in Memgraph's `schema.node_type_properties()`.
    pub(super) fn in_memgraph_procedures(self) -> &'static str {
        match self {
            Kind::Boolean => "Bool",
            Kind::Integer => "Int",
            Kind::Float => "Double",
            Kind::Point2d | Kind::Point3d => "Point",
            other => other.in_schema_info(),
        }
    }

    /// Its name in Neo4j's `db.schema.nodeTypeProperties()`.
    pub(super) fn in_neo4j(self) -> &'static str {
        match self {
            Kind::Integer => "Long",
            Kind::Float => "Double",
            Kind::DateTime => "DateTime",
            Kind::Time => "Time",
            Kind::Point2d | Kind::Point3d => "Point",
            Kind::Bytes => "ByteArray",
            Kind::List(element) => match element {
                Some(Element::Boolean) => "BooleanArray",
                Some(Element::Float) => "DoubleArray",
                Some(Element::Integer) => "LongArray",
                Some(Element::String) => "StringArray",
                Some(Element::Other) | None => "AnyArray",
            },
            other => other.in_schema_info(),
        }
    }

    /// Its name in `apoc.meta.data()`.
    pub(super) fn in_apoc(self) -> &'static str {
        match self {
            Kind::Boolean => "BOOLEAN",
            Kind::Date => "DATE",
            Kind::DateTime => "DATE_TIME",
            Kind::Duration => "DURATION",
            Kind::Float => "FLOAT",
            Kind::Integer => "INTEGER",
            Kind::List(_) => "LIST",
            Kind::LocalDateTime => "LOCAL_DATE_TIME",
            Kind::LocalTime => "LOCAL_TIME",
            Kind::Map => "MAP",
            Kind::Point2d | Kind::Point3d => "POINT",
            Kind::String => "STRING",
            Kind::Time => "TIME",
            Kind::Bytes => "BYTE_ARRAY",
        }
    }
}

/// A property within a group.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub(super) key: KeyId,
    /// How many of the group have it.
    pub(super) count: u64,
    /// How many have it of which type, ascending by type.
    pub(super) kinds: Vec<(Kind, u64)>,
}

/// Vertices or edges of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) count: u64,
    /// Ascending by key.
    pub(super) properties: Vec<Property>,
}

impl Group {
    /// Counts one more; how much more is kept now, in bytes.
    fn add(&mut self, properties: PropertiesRef<'_>) -> u64 {
        self.count += 1;
        let mut kept = 0;
        for (key, value) in properties.iter() {
            kept += self.add_property(key, Kind::of(&value), 1);
        }
        kept
    }

    fn add_property(&mut self, key: KeyId, kind: Kind, count: u64) -> u64 {
        let mut kept = 0;
        let at = match self
            .properties
            .binary_search_by_key(&key, |property| property.key)
        {
            Ok(at) => at,
            Err(at) => {
                kept = GROUP_BYTES;
                let (count, kinds) = (0, Vec::new());
                self.properties.insert(at, Property { key, count, kinds });
                at
            }
        };
        let property = &mut self.properties[at];
        property.count += count;
        match property
            .kinds
            .binary_search_by_key(&kind, |(known, _)| *known)
        {
            Ok(at) => property.kinds[at].1 += count,
            Err(at) => property.kinds.insert(at, (kind, count)),
        }
        kept
    }

    /// Takes another group in.
    pub(super) fn merge(&mut self, other: &Group) {
        self.count += other.count;
        for property in &other.properties {
            for (kind, count) in &property.kinds {
                self.add_property(property.key, *kind, *count);
            }
        }
    }
}

/// See the module. Numbers of label sets are places in `label_sets`.
#[derive(Debug, Default)]
pub(super) struct Shape {
    label_sets: Vec<Rc<[LabelId]>>,
    numbers: HashMap<Rc<[LabelId]>, u32>,
    /// By number of the label set; of those that only stand at the ends of edges the count is 0 if vertices were not looked at.
    vertices: Vec<Group>,
    edges: HashMap<(TypeId, u32, u32), Group>,
}

impl Shape {
    fn number(&mut self, labels: &[LabelId]) -> (u32, u64) {
        if let Some(number) = self.numbers.get(labels) {
            return (*number, 0);
        }
        let number = self.label_sets.len() as u32;
        let labels: Rc<[LabelId]> = labels.into();
        self.label_sets.push(labels.clone());
        let kept = GROUP_BYTES + 4 * labels.len() as u64;
        self.numbers.insert(labels, number);
        self.vertices.push(Group::default());
        (number, kept)
    }

    /// The labels of each kind of vertices, by names, with the group; by name.
    pub(super) fn vertices(&self, cx: &Context<'_>) -> Vec<(Vec<Arc<str>>, &Group)> {
        let groups = self.label_sets.iter().zip(&self.vertices);
        let met = groups.filter(|(_, group)| group.count > 0);
        let mut named: Vec<_> = met
            .map(|(labels, group)| (names_of(labels, cx), group))
            .collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named
    }

    /// The kinds of edges, by name.
    pub(super) fn edges(&self, cx: &Context<'_>) -> Vec<EdgeKind<'_>> {
        let names = cx.view.graph().names();
        let labels = |number: u32| names_of(&self.label_sets[number as usize], cx);
        let mut named: Vec<EdgeKind<'_>> = self
            .edges
            .iter()
            .map(|((type_, source, target), group)| EdgeKind {
                type_: names.type_name(*type_).cloned().unwrap_or_default(),
                source: labels(*source),
                target: labels(*target),
                group,
            })
            .collect();
        named.sort_by(|a, b| {
            (&a.type_, &a.source, &a.target).cmp(&(&b.type_, &b.source, &b.target))
        });
        named
    }
}

/// Edges of one type between vertices of two kinds.
pub(super) struct EdgeKind<'s> {
    pub(super) type_: Arc<str>,
    pub(super) source: Vec<Arc<str>>,
    pub(super) target: Vec<Arc<str>>,
    pub(super) group: &'s Group,
}

/// Names in the order of the alphabet.
fn names_of(labels: &[LabelId], cx: &Context<'_>) -> Vec<Arc<str>> {
    let names = cx.view.graph().names();
    let known = labels.iter().filter_map(|label| names.label_name(*label));
    let mut known: Vec<Arc<str>> = known.cloned().collect();
    known.sort();
    known
}

/// What a walk looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Vertices,
    Edges,
    Everything,
}

/// Makes a [`Shape`], step by step.
pub(super) struct ShapeWalk {
    part: Part,
    shape: Shape,
    /// Pages not yet looked at, the next one last; none before the first step.
    pages: Option<Vec<PageId>>,
    /// What the page at work has, and where in it the walk is.
    vertices: Vec<VertexId>,
    at: usize,
    /// The edges that start at the vertex at work, and where in them the walk is.
    edges: Vec<Edge>,
    edge_at: usize,
    source: u32,
}

impl ShapeWalk {
    pub(super) fn new(part: Part) -> ShapeWalk {
        ShapeWalk {
            part,
            shape: Shape::default(),
            pages: None,
            vertices: Vec::new(),
            at: 0,
            edges: Vec::new(),
            edge_at: 0,
            source: 0,
        }
    }

    /// Goes on until the time slice is over; the shape when all has been looked at.
    ///
    /// # Errors
    /// More is kept than the execution may hold.
    pub(super) fn step(&mut self, cx: &mut Context<'_>) -> Result<Option<Shape>, Error> {
        if self.pages.is_none() {
            let mut pages = cx.view.pages(None);
            pages.reverse();
            self.pages = Some(pages);
        }
        loop {
            let edges_end = (self.edge_at + LOOKED_AT_ONCE).min(self.edges.len());
            let mut kept = 0;
            for edge in &self.edges[self.edge_at..edges_end] {
                kept += self.shape.add_edge(*edge, self.source, cx);
            }
            self.edge_at = edges_end;
            if self.edge_at == self.edges.len() {
                kept += self.next_vertices(cx)?;
            }
            cx.hold(kept)?;
            let is_over = self.edge_at == self.edges.len() && self.at == self.vertices.len();
            if is_over && !self.next_page(cx) {
                return Ok(Some(std::mem::take(&mut self.shape)));
            }
            if cx.should_yield() {
                return Ok(None);
            }
        }
    }

    fn next_page(&mut self, cx: &Context<'_>) -> bool {
        let Some(page) = self.pages.as_mut().and_then(Vec::pop) else {
            return false;
        };
        self.vertices.clear();
        self.at = 0;
        cx.view.scan_page(page, None, &mut self.vertices);
        true
    }

    /// The next vertices, up to the first that has edges to look at.
    fn next_vertices(&mut self, cx: &mut Context<'_>) -> Result<u64, Error> {
        cx.release(size_of_val(&self.edges[..]) as u64);
        self.edges.clear();
        self.edge_at = 0;
        let mut kept = 0;
        let end = (self.at + LOOKED_AT_ONCE).min(self.vertices.len());
        while self.at < end {
            let id = self.vertices[self.at];
            self.at += 1;
            let Some(vertex) = cx.view.vertex(id) else {
                continue;
            };
            let (number, added) = self.shape.number(vertex.labels());
            kept += added;
            if self.part != Part::Edges {
                kept += self.shape.vertices[number as usize].add(vertex.properties());
            }
            if self.part != Part::Vertices {
                let found = cx.view.edges(id, Direction::Out, &[]);
                self.edges.extend(found.map(|found| found.edge));
                if !self.edges.is_empty() {
                    self.source = number;
                    cx.hold(size_of_val(&self.edges[..]) as u64)?;
                    break;
                }
            }
        }
        Ok(kept)
    }
}

impl Shape {
    fn add_edge(&mut self, edge: Edge, source: u32, cx: &Context<'_>) -> u64 {
        let (Some(target), Some(found)) = (cx.view.vertex(edge.target), cx.view.edge_at(edge))
        else {
            return 0;
        };
        let (target, mut kept) = self.number(target.labels());
        let group = self.edges.entry((edge.type_, source, target));
        let group = group.or_insert_with(|| {
            kept += GROUP_BYTES;
            Group::default()
        });
        kept + group.add(found.properties())
    }
}
