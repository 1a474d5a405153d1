//! `DUMP DATABASE`: the graph as statements that make it anew, here and in Memgraph.
//!
//! Owned here: the statements and their order. Called through the statement's procedure, so rows leave as they are asked for. Always holds:
//! all statements are of one snapshot (indexes and constraints as they stand at the beginning); between two steps only ids are kept; a step
//! makes about [`STEP_BYTES`] of text at most, or one statement. Left to others: literals (`literal`).
//!
//! Every vertex gets a label and a number that nothing in the graph has, by which its edges find it; the last statements take both away.

use quoit_cypher::ast::show;
use quoit_cypher::error::Error;
use quoit_graph::ids::{KeyId, PageId, VertexId};
use quoit_graph::value::{Edge, Value};
use quoit_graph::{
    ConstraintDefinition, ConstraintInfo, Direction, Graph, IndexInfo, Order, PropertiesRef,
    SchemaState,
};

use super::literal::{quoted, write_value};
use super::{Field, FieldType, Procedure, Progress, Run};
use crate::operator::Context;
use crate::schema::name;

/// A step's text, in bytes.
const STEP_BYTES: usize = 64 << 10;
/// Statements between two looks at the clock.
const STATEMENTS_AT_ONCE: usize = 32;

/// The procedure that the statement calls.
pub(super) fn procedure() -> Procedure {
    let outputs = vec![Field::new("QUERY", FieldType::String)];
    Procedure::stepwise(show::DUMP_DATABASE.procedure, Vec::new(), outputs, |_| {
        Box::new(Dump::default())
    })
}

#[derive(Default)]
struct Dump {
    /// Label and key that lead edges to their ends; absent before the first step.
    mark: Option<Mark>,
    part: Part,
    /// Pages not yet looked at, the next one last.
    pages: Vec<PageId>,
    /// What the page at work has, and where in it the dump is.
    vertices: Vec<VertexId>,
    at: usize,
    /// The edges that start at the vertex at work, and where in them the dump is.
    edges: Vec<Edge>,
    edge_at: usize,
}

struct Mark {
    label: String,
    key: String,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Schema,
    Vertices,
    Edges,
    End,
}

impl Run for Dump {
    fn next(
        &mut self,
        cx: &mut Context<'_>,
        rows: &mut Vec<Vec<Value>>,
    ) -> Result<Progress, Error> {
        let mut bytes = 0;
        let mut put = |statement: String| {
            bytes += statement.len();
            rows.push(vec![Value::from(statement)]);
            bytes
        };
        if self.mark.is_none() {
            let mark = Mark::unused(cx.view.graph());
            for statement in schema_statements(cx.view.graph()) {
                put(statement);
            }
            if !cx.view.pages(None).is_empty() {
                put(format!("CREATE INDEX ON :{}({});", mark.label, mark.key));
            }
            self.mark = Some(mark);
            self.begin(Part::Vertices, cx);
            return Ok(Progress::More);
        }
        loop {
            for _ in 0..STATEMENTS_AT_ONCE {
                let Some(statement) = self.statement(cx)? else {
                    break;
                };
                if put(statement) >= STEP_BYTES {
                    return Ok(Progress::More);
                }
            }
            if self.part == Part::End {
                let mark = self.mark.as_ref().expect("it was made in the first step");
                if !cx.view.pages(None).is_empty() {
                    put(format!("DROP INDEX ON :{}({});", mark.label, mark.key));
                    put(format!(
                        "MATCH (u) REMOVE u:{}, u.{};",
                        mark.label, mark.key
                    ));
                }
                return Ok(Progress::Done);
            }
            if cx.should_yield() {
                return Ok(Progress::More);
            }
        }
    }
}

impl Dump {
    fn begin(&mut self, part: Part, cx: &Context<'_>) {
        self.part = part;
        self.pages = cx.view.pages(None);
        self.pages.reverse();
        self.vertices.clear();
        self.at = 0;
    }

    /// The next statement, if there is one at hand; nothing at the end of a page or a part.
    fn statement(&mut self, cx: &mut Context<'_>) -> Result<Option<String>, Error> {
        let Some(mark) = &self.mark else {
            return Ok(None);
        };
        if let Some(edge) = self.edges.get(self.edge_at) {
            self.edge_at += 1;
            return edge_statement(*edge, mark, cx).map(Some);
        }
        cx.release(size_of_val(&self.edges[..]) as u64);
        self.edges.clear();
        self.edge_at = 0;
        let Some(vertex) = self.vertices.get(self.at).copied() else {
            match self.pages.pop() {
                Some(page) => {
                    self.vertices.clear();
                    self.at = 0;
                    cx.view.scan_page(page, None, &mut self.vertices);
                }
                None if self.part == Part::Vertices => self.begin(Part::Edges, cx),
                None => self.part = Part::End,
            }
            return Ok(None);
        };
        self.at += 1;
        if self.part == Part::Vertices {
            return vertex_statement(vertex, mark, cx).map(Some);
        }
        let found = cx.view.edges(vertex, Direction::Out, &[]);
        self.edges.extend(found.map(|found| found.edge));
        cx.hold(size_of_val(&self.edges[..]) as u64)?;
        Ok(None)
    }
}

impl Mark {
    /// Memgraph's own names; where the graph has them, others that it has not.
    fn unused(graph: &Graph) -> Mark {
        let names = graph.names();
        let mut suffix = String::new();
        loop {
            let (label, key) = (
                format!("__mg_vertex__{suffix}"),
                format!("__mg_id__{suffix}"),
            );
            if names.label(&label).is_none() && names.key(&key).is_none() {
                return Mark { label, key };
            }
            suffix.push('_');
        }
    }
}

fn number(vertex: VertexId) -> i64 {
    vertex.0 as i64
}

fn vertex_statement(id: VertexId, mark: &Mark, cx: &Context<'_>) -> Result<String, Error> {
    let mut out = format!("CREATE (:{}", mark.label);
    if let Some(vertex) = cx.view.vertex(id) {
        let names = cx.view.graph().names();
        for label in vertex.labels() {
            out.push(':');
            out.push_str(&quoted(names.label_name(*label).map_or("", |name| name)));
        }
        out.push_str(&format!(" {{{}: {}", mark.key, number(id)));
        write_properties(vertex.properties(), ", ", &mut out, cx)?;
        out.push('}');
    }
    out.push_str(");");
    Ok(out)
}

fn edge_statement(edge: Edge, mark: &Mark, cx: &Context<'_>) -> Result<String, Error> {
    let names = cx.view.graph().names();
    let (label, key) = (&mark.label, &mark.key);
    let (source, target) = (number(edge.source()), number(edge.target));
    let mut out = format!(
        "MATCH (u:{label}), (v:{label}) WHERE u.{key} = {source} AND v.{key} = {target} CREATE (u)-[:{}",
        quoted(names.type_name(edge.type_).map_or("", |name| name))
    );
    if let Some(found) = cx.view.edge_at(edge) {
        let begin = out.len();
        write_properties(found.properties(), " {", &mut out, cx)?;
        if out.len() > begin {
            out.push('}');
        }
    }
    out.push_str("]->(v);");
    Ok(out)
}

/// The properties, `first` before them; nothing if there are none.
fn write_properties(
    properties: PropertiesRef<'_>,
    first: &str,
    out: &mut String,
    cx: &Context<'_>,
) -> Result<(), Error> {
    let names = cx.view.graph().names();
    let mut before = first;
    for (key, value) in properties.iter() {
        let name = names.key_name(key).map_or("", |name| name);
        out.push_str(before);
        out.push_str(&quoted(name));
        out.push_str(": ");
        write_value(&value.to_value(), out).map_err(|type_| {
            Error::unsupported(format!(
                "property `{name}` cannot be dumped: there is no literal of type {type_}"
            ))
        })?;
        before = ", ";
    }
    Ok(())
}

/// What makes the indexes and constraints that can be relied on.
fn schema_statements(graph: &Graph) -> Vec<String> {
    let indexes = graph.indexes().into_iter();
    let indexes = indexes.filter(|index| index.state == SchemaState::Online);
    let constraints = graph.constraints().into_iter();
    let constraints = constraints.filter(|constraint| constraint.state == SchemaState::Online);
    let mut statements: Vec<String> = indexes
        .map(|index| index_statement(&index, graph))
        .collect();
    statements.extend(constraints.map(|constraint| constraint_statement(&constraint, graph)));
    statements
}

fn keys_of(keys: &[KeyId], before: &str, graph: &Graph) -> String {
    let name = |key: &KeyId| quoted(graph.names().key_name(*key).map_or("", |name| name));
    let names: Vec<String> = keys
        .iter()
        .map(|key| format!("{before}{}", name(key)))
        .collect();
    names.join(", ")
}

fn index_statement(index: &IndexInfo, graph: &Graph) -> String {
    let definition = &index.definition;
    let (names, keys) = (graph.names(), definition.keys());
    let label = definition.label().and_then(|label| names.label_name(label));
    let type_ = definition
        .edge_type()
        .and_then(|type_| names.type_name(type_));
    let order = match definition.order() {
        Order::Ascending => "",
        Order::Descending => " WITH CONFIG {\"order\": \"DESC\"}",
    };
    let made = name::of_index(definition, names);
    let given = index.name.as_ref().filter(|known| ***known != *made);
    match (given, label, type_) {
        // A name is given in Neo4j's form only, which takes properties only.
        (Some(name), Some(label), _) if !keys.is_empty() && order.is_empty() => {
            let (name, label, keys) = (quoted(name), quoted(label), keys_of(keys, "n.", graph));
            format!("CREATE INDEX {name} FOR (n:{label}) ON ({keys});")
        }
        (Some(name), None, Some(type_)) if !keys.is_empty() && order.is_empty() => {
            let (name, type_, keys) = (quoted(name), quoted(type_), keys_of(keys, "r.", graph));
            format!("CREATE INDEX {name} FOR ()-[r:{type_}]-() ON ({keys});")
        }
        (_, Some(label), _) => format!(
            "CREATE INDEX ON :{}{}{order};",
            quoted(label),
            in_parentheses(keys, graph)
        ),
        (_, None, type_) => {
            let type_ = quoted(type_.map_or("", |name| name));
            format!(
                "CREATE EDGE INDEX ON :{type_}{}{order};",
                in_parentheses(keys, graph)
            )
        }
    }
}

fn in_parentheses(keys: &[KeyId], graph: &Graph) -> String {
    match keys {
        [] => String::new(),
        keys => format!("({})", keys_of(keys, "", graph)),
    }
}

fn constraint_statement(constraint: &ConstraintInfo, graph: &Graph) -> String {
    let definition = &constraint.definition;
    let label = quoted(
        graph
            .names()
            .label_name(definition.label())
            .map_or("", |name| name),
    );
    let keys = keys_of(definition.keys(), "u.", graph);
    let made = name::of_constraint(definition, graph.names());
    if let Some(name) = constraint.name.as_ref().filter(|known| ***known != *made) {
        let rule = match definition {
            ConstraintDefinition::Exists { .. } => format!("{keys} IS NOT NULL"),
            ConstraintDefinition::Unique { .. } => format!("({keys}) IS UNIQUE"),
            ConstraintDefinition::Key { .. } => format!("({keys}) IS NODE KEY"),
            ConstraintDefinition::Type { type_, .. } => format!("{keys} IS TYPED {}", type_.name()),
        };
        return format!(
            "CREATE CONSTRAINT {} FOR (u:{label}) REQUIRE {rule};",
            quoted(name)
        );
    }
    let rule = match definition {
        ConstraintDefinition::Exists { .. } => format!("EXISTS ({keys})"),
        ConstraintDefinition::Unique { .. } => format!("{keys} IS UNIQUE"),
        ConstraintDefinition::Key { .. } => {
            return format!("CREATE CONSTRAINT FOR (u:{label}) REQUIRE ({keys}) IS NODE KEY;");
        }
        ConstraintDefinition::Type { type_, .. } => format!("{keys} IS TYPED {}", type_.name()),
    };
    format!("CREATE CONSTRAINT ON (u:{label}) ASSERT {rule};")
}
