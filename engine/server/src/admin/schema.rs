//! `SHOW INDEX INFO` and `SHOW CONSTRAINT INFO`: the schema in Memgraph's columns.
//!
//! Owns the order of the rows. What always holds: a row is of something that can be relied on. Left to others: a row's values, and
//! Neo4j's columns, which queries read (`quoit_query`).

use super::Answer;
use crate::node::Node;
use quoit_graph::SchemaState;
use quoit_graph::value::Value;
use quoit_query::{constraint_row, index_row};
use std::rc::Rc;

/// Indexes by kind, then label or type, then properties.
pub(super) fn indexes(node: &Rc<Node>) -> Answer {
    let graph = node.core.graph();
    let indexes = graph.indexes().into_iter();
    let online = indexes.filter(|index| index.state == SchemaState::Online);
    let rows = online.map(|index| index_row(&index, graph.names()));
    sorted(["index type", "label", "property", "count"], rows)
}

/// Constraints by kind, then label, then properties.
pub(super) fn constraints(node: &Rc<Node>) -> Answer {
    let graph = node.core.graph();
    let constraints = graph.constraints().into_iter();
    let online = constraints.filter(|constraint| constraint.state == SchemaState::Online);
    let rows = online.map(|constraint| constraint_row(&constraint.definition, graph.names()));
    let columns = ["constraint type", "label", "properties", "data_type"];
    sorted(columns, rows)
}

fn sorted(columns: [&'static str; 4], rows: impl Iterator<Item = [Value; 4]>) -> Answer {
    let mut rows: Vec<[Value; 4]> = rows.collect();
    rows.sort();
    Answer::table(columns, rows)
}
