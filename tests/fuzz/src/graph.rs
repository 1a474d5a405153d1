//! The graph that generated queries run on: labels, types, properties, and the statements that make it.

use crate::Draw;

pub const LABELS: [&str; 3] = ["A", "B", "C"];
pub const TYPES: [&str; 3] = ["R", "S", "T"];

/// Property keys, each with the one kind of value it holds; `x` has several. Any may be absent, but `id`, which no two share.
pub const KEYS: [(&str, Kind); 7] = [
    ("i", Kind::Int),
    ("j", Kind::Int),
    ("f", Kind::Float),
    ("s", Kind::Str),
    ("b", Kind::Bool),
    ("l", Kind::Ints),
    ("x", Kind::Any),
];

/// What an expression gives, or is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Int,
    Float,
    Str,
    Bool,
    Ints,
    Any,
    Node,
    Edge,
    /// The relationships of a pattern of variable length.
    Edges,
    Path,
}

/// A literal; domains are small, so that equal values meet.
pub fn literal(draw: &mut Draw, kind: Kind) -> String {
    match kind {
        Kind::Int => draw.between(-2, 5).to_string(),
        // Quarters: a sum is the same in every order.
        Kind::Float => format!("{:?}", draw.between(-4, 12) as f64 / 4.0),
        Kind::Str => format!("'{}'", draw.one(&["", "a", "b", "ab", "abc", "B", "ba"])),
        Kind::Bool => draw.one(&["true", "false"]).to_string(),
        Kind::Ints => {
            let items: Vec<String> = (0..draw.below(4))
                .map(|_| draw.below(4).to_string())
                .collect();
            format!("[{}]", items.join(", "))
        }
        _ => {
            let kind = draw.one(&[
                Kind::Int,
                Kind::Int,
                Kind::Float,
                Kind::Str,
                Kind::Bool,
                Kind::Ints,
            ]);
            literal(draw, kind)
        }
    }
}

fn properties(draw: &mut Draw, id: usize) -> String {
    let mut text = format!("{{id: {id}");
    for (key, kind) in KEYS {
        if draw.chance(60) {
            text += &format!(", {key}: {}", literal(draw, kind));
        }
    }
    text + "}"
}

/// The statements that make a graph with about `nodes` nodes. A few have most of the relationships; some relationships are parallel, some loops.
pub fn creation(draw: &mut Draw, nodes: usize) -> Vec<String> {
    let nodes = nodes / 2 + draw.below(nodes / 2 + 1).max(1);
    let edges = nodes + draw.below(nodes * 2);
    let mut statements = Vec::new();
    for id in 0..nodes {
        let labels: String = LABELS
            .iter()
            .filter(|_| draw.chance(45))
            .map(|label| format!(":{label}"))
            .collect();
        statements.push(format!("CREATE ({labels} {})", properties(draw, id)));
    }
    for id in 0..edges {
        let mut end = || draw.below(nodes).min(draw.below(nodes));
        let (start, end) = (end(), end());
        let properties = properties(draw, 10_000 + id);
        let type_ = draw.one(&TYPES);
        statements.push(format!(
            "MATCH (a {{id: {start}}}), (b {{id: {end}}}) CREATE (a)-[:{type_} {properties}]->(b)"
        ));
    }
    statements
}
