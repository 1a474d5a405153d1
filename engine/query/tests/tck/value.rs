//! Values as the TCK writes them, read from tables and made from results, and the kit's rules of comparison.

use std::collections::BTreeMap;
use std::sync::Arc;

use quoit_graph::View;
use quoit_graph::value::Value;
use quoit_query::temporal::convert::{moment_of, span_of};
use quoit_query::temporal::{format_moment, format_span};

/// A value of the kit.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Also every temporal value, as its text.
    Text(String),
    List(Vec<Expected>),
    Map(BTreeMap<String, Expected>),
    Node(Node),
    Relationship(Relationship),
    /// The first node, then each relationship, whether it was walked along its arrow, and the node it led to.
    Path(Node, Vec<(Relationship, bool, Node)>),
}

/// Labels, sorted, and properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    labels: Vec<String>,
    properties: BTreeMap<String, Expected>,
}

/// Type and properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Relationship {
    type_: String,
    properties: BTreeMap<String, Expected>,
}

/// Whether two values are the same by the rules of the kit; with `as_bags`, lists compare without order at any depth.
pub fn same(a: &Expected, b: &Expected, as_bags: bool) -> bool {
    let maps = |a: &BTreeMap<String, Expected>, b: &BTreeMap<String, Expected>| {
        a.len() == b.len()
            && a.iter()
                .zip(b)
                .all(|(a, b)| a.0 == b.0 && same(a.1, b.1, as_bags))
    };
    let nodes = |a: &Node, b: &Node| a.labels == b.labels && maps(&a.properties, &b.properties);
    let edges = |a: &Relationship, b: &Relationship| {
        a.type_ == b.type_ && maps(&a.properties, &b.properties)
    };
    match (a, b) {
        (Expected::Float(a), Expected::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Expected::List(a), Expected::List(b)) if as_bags => {
            is_same_bag(a, b, |a, b| same(a, b, true))
        }
        (Expected::List(a), Expected::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, false))
        }
        (Expected::Map(a), Expected::Map(b)) => maps(a, b),
        (Expected::Node(a), Expected::Node(b)) => nodes(a, b),
        (Expected::Relationship(a), Expected::Relationship(b)) => edges(a, b),
        (Expected::Path(a, walk_a), Expected::Path(b, walk_b)) => {
            nodes(a, b)
                && walk_a.len() == walk_b.len()
                && walk_a
                    .iter()
                    .zip(walk_b)
                    .all(|(a, b)| edges(&a.0, &b.0) && a.1 == b.1 && nodes(&a.2, &b.2))
        }
        _ => a == b,
    }
}

/// Whether two lists hold the same things the same number of times.
pub fn is_same_bag<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    let mut left: Vec<&T> = b.iter().collect();
    a.len() == b.len()
        && a.iter().all(
            |wanted| match left.iter().position(|found| same(wanted, found)) {
                Some(at) => {
                    left.swap_remove(at);
                    true
                }
                None => false,
            },
        )
}

/// A result's value.
pub fn of_result(value: &Value, view: &View<'_>) -> Expected {
    match value {
        Value::Null => Expected::Null,
        Value::Bool(value) => Expected::Bool(*value),
        Value::Int(value) => Expected::Int(*value),
        Value::Float(value) => Expected::Float(*value),
        Value::String(text) => Expected::Text(text.to_string()),
        Value::List(items) => {
            Expected::List(items.iter().map(|item| of_result(item, view)).collect())
        }
        Value::Map(map) => Expected::Map(
            map.iter()
                .map(|(key, value)| (key.to_string(), of_result(value, view)))
                .collect(),
        ),
        Value::Duration(duration) => Expected::Text(format_span(&span_of(duration))),
        Value::Vertex(vertex) => Expected::Node(node(*vertex, view)),
        Value::Edge(edge) => Expected::Relationship(relationship(edge, view)),
        Value::Path(path) => {
            let walk = path.edges.iter().enumerate().map(|(at, edge)| {
                let along =
                    edge.source() == path.vertices[at] && edge.target == path.vertices[at + 1];
                (
                    relationship(edge, view),
                    along,
                    node(path.vertices[at + 1], view),
                )
            });
            Expected::Path(node(path.vertices[0], view), walk.collect())
        }
        Value::Bytes(_) | Value::Point(_) => panic!("the kit has no {}", value.type_name()),
        temporal => Expected::Text(format_moment(
            &moment_of(temporal).expect("all other values are instants"),
        )),
    }
}

fn properties(
    properties: quoit_graph::PropertiesRef<'_>,
    view: &View<'_>,
) -> BTreeMap<String, Expected> {
    let names = view.graph().names();
    let named = properties.iter().map(|(key, value)| {
        let name = names
            .key_name(key)
            .expect("a key in use has a name")
            .to_string();
        (name, of_result(&value.to_value(), view))
    });
    named.collect()
}

fn node(vertex: quoit_graph::ids::VertexId, view: &View<'_>) -> Node {
    let Some(vertex) = view.vertex(vertex) else {
        return Node {
            labels: Vec::new(),
            properties: BTreeMap::new(),
        };
    };
    let names = view.graph().names();
    let mut labels: Vec<String> = vertex
        .labels()
        .iter()
        .map(|label| {
            names
                .label_name(*label)
                .expect("a label in use has a name")
                .to_string()
        })
        .collect();
    labels.sort();
    Node {
        labels,
        properties: properties(vertex.properties(), view),
    }
}

fn relationship(edge: &quoit_graph::value::Edge, view: &View<'_>) -> Relationship {
    let type_ = view
        .graph()
        .names()
        .type_name(edge.type_)
        .expect("a type in use has a name")
        .to_string();
    let properties = view
        .edge_at(*edge)
        .map(|edge| properties(edge.properties(), view))
        .unwrap_or_default();
    Relationship { type_, properties }
}

/// A parameter's or a procedure's value.
pub fn to_value(value: &Expected) -> Value {
    match value {
        Expected::Null => Value::Null,
        Expected::Bool(value) => Value::Bool(*value),
        Expected::Int(value) => Value::Int(*value),
        Expected::Float(value) => Value::Float(*value),
        Expected::Text(text) => Value::string(text),
        Expected::List(items) => Value::list(items.iter().map(to_value).collect()),
        Expected::Map(map) => Value::map(
            map.iter()
                .map(|(key, value)| (Arc::from(key.as_str()), to_value(value)))
                .collect(),
        ),
        other => panic!("{other:?} is no parameter"),
    }
}

/// Reads a cell.
pub fn parse(text: &str) -> Expected {
    let mut reader = Reader { rest: text };
    let value = reader.value();
    reader.blank();
    assert!(
        reader.rest.is_empty(),
        "`{}` is left of `{text}`",
        reader.rest
    );
    value
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.blank();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn need(&mut self, token: &str) {
        assert!(
            self.take(token),
            "`{token}` is missing before `{}`",
            self.rest
        );
    }

    fn name(&mut self) -> String {
        self.blank();
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    fn value(&mut self) -> Expected {
        self.blank();
        match self.rest.as_bytes().first() {
            Some(b'(') => Expected::Node(self.node()),
            Some(b'<') => self.path(),
            Some(b'{') => Expected::Map(self.map()),
            Some(b'\'') => Expected::Text(self.text()),
            Some(b'[') if self.rest[1..].trim_start().starts_with(':') => {
                Expected::Relationship(self.relationship())
            }
            Some(b'[') => {
                self.need("[");
                let mut items = Vec::new();
                while !self.take("]") {
                    items.push(self.value());
                    self.take(",");
                }
                Expected::List(items)
            }
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Expected {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "null" => Expected::Null,
            "true" => Expected::Bool(true),
            "false" => Expected::Bool(false),
            "NaN" => Expected::Float(f64::NAN),
            word => match word.parse() {
                Ok(number) => Expected::Int(number),
                Err(_) => Expected::Float(
                    word.parse()
                        .unwrap_or_else(|_| panic!("`{word}` is no value")),
                ),
            },
        }
    }

    fn text(&mut self) -> String {
        self.need("'");
        let mut out = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.rest = &self.rest[at + 1..];
                    return out;
                }
                '\\' => out.extend(chars.next().map(|(_, c)| c)),
                c => out.push(c),
            }
        }
        panic!("a text does not end")
    }

    fn map(&mut self) -> BTreeMap<String, Expected> {
        let mut map = BTreeMap::new();
        self.need("{");
        while !self.take("}") {
            let name = self.name();
            self.need(":");
            map.insert(name, self.value());
            self.take(",");
        }
        map
    }

    fn node(&mut self) -> Node {
        self.need("(");
        let mut labels = Vec::new();
        while self.take(":") {
            labels.push(self.name());
        }
        labels.sort();
        self.blank();
        let properties = if self.rest.starts_with('{') {
            self.map()
        } else {
            BTreeMap::new()
        };
        self.need(")");
        Node { labels, properties }
    }

    fn relationship(&mut self) -> Relationship {
        self.need("[");
        self.need(":");
        let type_ = self.name();
        self.blank();
        let properties = if self.rest.starts_with('{') {
            self.map()
        } else {
            BTreeMap::new()
        };
        self.need("]");
        Relationship { type_, properties }
    }

    fn path(&mut self) -> Expected {
        self.need("<");
        let first = self.node();
        let mut walk = Vec::new();
        while !self.take(">") {
            let back = self.take("<-");
            if !back {
                self.need("-");
            }
            let relationship = self.relationship();
            self.need(if back { "-" } else { "->" });
            walk.push((relationship, !back, self.node()));
        }
        Expected::Path(first, walk)
    }
}
