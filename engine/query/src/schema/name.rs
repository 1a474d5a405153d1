//! Names of indexes and constraints that nobody has named, as Neo4j gives them: `index_1f0c5a77`.
//!
//! Owned here: how such a name is made. Called where an index or constraint is made ([`super::run`]), which writes the name into the log like
//! one that was given, so it is the same after a restart and on replicas; and by `DUMP DATABASE`, which leaves it out. What always holds:
//! a name depends on what it is of, and on nothing else unless that name is taken.

use quoit_graph::ids::KeyId;
use quoit_graph::names::Names;
use quoit_graph::{ConstraintDefinition, Graph, IndexDefinition, Order};

/// The name of an index.
pub(crate) fn of_index(index: &IndexDefinition, names: &Names) -> String {
    let owner = match (index.label(), index.edge_type()) {
        (Some(label), _) => ["node", names.label_name(label).map_or("", |name| name)],
        (_, type_) => {
            let name = type_.and_then(|type_| names.type_name(type_));
            ["relationship", name.map_or("", |name| name)]
        }
    };
    let order = match index.order() {
        Order::Ascending => "",
        Order::Descending => "descending",
    };
    made_of("index", owner, order, index.keys(), names)
}

/// The name of a constraint.
pub(crate) fn of_constraint(constraint: &ConstraintDefinition, names: &Names) -> String {
    let rule = match constraint {
        ConstraintDefinition::Exists { .. } => "exists",
        ConstraintDefinition::Unique { .. } => "unique",
        ConstraintDefinition::Key { .. } => "key",
        ConstraintDefinition::Type { .. } => "type",
    };
    let label = names.label_name(constraint.label());
    let owner = ["node", label.map_or("", |name| name)];
    made_of("constraint", owner, rule, constraint.keys(), names)
}

/// A name, with a number behind it if another has it already.
pub(crate) fn unused(name: String, graph: &Graph) -> String {
    let (indexes, constraints) = (graph.indexes(), graph.constraints());
    let taken = indexes.iter().map(|index| &index.name);
    let taken = taken.chain(constraints.iter().map(|constraint| &constraint.name));
    let taken: Vec<&str> = taken.flatten().map(|name| &**name).collect();
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    std::iter::once(name.clone())
        .chain(numbered)
        .find(|candidate| !taken.contains(&candidate.as_str()))
        .unwrap_or(name)
}

/// `what_` and the FNV-1a hash of all parts, each with its end.
fn made_of(what: &str, owner: [&str; 2], rule: &str, keys: &[KeyId], names: &Names) -> String {
    let keys = keys
        .iter()
        .map(|key| names.key_name(*key).map_or("", |name| name));
    let mut hash = 0x811c_9dc5_u32;
    for part in owner.into_iter().chain([rule]).chain(keys) {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    format!("{what}_{hash:08x}")
}
