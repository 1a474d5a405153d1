//! Whether a node has labels, or a relationship a type: those that the query names, and those that it computes.
//!
//! Called by [`super::evaluate`]; what writes labels takes computed names from here too. What always holds: a name that nothing has ever had is no
//! error, and is had by nothing.

use std::sync::Arc;

use quoit_cypher::ast::HowMany;
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::Value;
use smallvec::SmallVec;

use super::evaluate::wrong_type;
use super::{LabelTest, NameRef};
use crate::operator::Context;

/// Names that a query computes.
pub type Names = SmallVec<[Arc<str>; 2]>;

/// The names in a string or a list of strings.
///
/// # Errors
/// A value of another type.
pub fn names_in(value: &Value) -> Result<Names, Error> {
    let wrong = |value: &Value| {
        Error::type_error(
            Detail::InvalidArgumentType,
            format!("a name needs a string, not {}", value.type_phrase()),
        )
    };
    match value {
        Value::String(name) => Ok(SmallVec::from_elem(name.clone(), 1)),
        Value::List(items) => items
            .iter()
            .map(|item| match item {
                Value::String(name) => Ok(name.clone()),
                other => Err(wrong(other)),
            })
            .collect(),
        other => Err(wrong(other)),
    }
}

/// Whether a node has all or any of some labels, or a relationship the type they name; null is null.
///
/// # Errors
/// It is neither.
pub fn has_names(
    value: &Value,
    names: &[Arc<str>],
    how_many: HowMany,
    cx: &Context<'_>,
) -> Result<Value, Error> {
    let asked = |has: &dyn Fn(&str) -> bool| match how_many {
        HowMany::All => names.iter().all(|name| has(name)),
        HowMany::Any => names.iter().any(|name| has(name)),
    };
    match value {
        Value::Null => Ok(Value::Null),
        Value::Vertex(vertex) => {
            let labels = cx.labels(*vertex)?;
            let has = |id: u32| labels.iter().any(|label| label.0 == id);
            Ok(Value::Bool(asked(&|name| {
                cx.label_id(name).is_some_and(has)
            })))
        }
        Value::Edge(edge) => Ok(Value::Bool(asked(&|name| {
            cx.type_id(name) == Some(edge.type_.0)
        }))),
        other => Err(wrong_type(
            "a label predicate",
            "a node or relationship",
            other,
        )),
    }
}

/// Whether a node or relationship is as a test says; null is null.
///
/// # Errors
/// It is neither.
pub fn has_labels(value: &Value, test: &LabelTest, cx: &mut Context<'_>) -> Result<Value, Error> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Vertex(vertex) => {
            let labels = cx.labels(*vertex)?;
            Ok(Value::Bool(test_names(
                test,
                &mut |name| {
                    name.id(|name| cx.label_id(name))
                        .is_some_and(|id| labels.iter().any(|label| label.0 == id))
                },
                !labels.is_empty(),
            )))
        }
        Value::Edge(edge) => Ok(Value::Bool(test_names(
            test,
            &mut |name| name.id(|name| cx.type_id(name)) == Some(edge.type_.0),
            true,
        ))),
        other => Err(wrong_type(
            "a label predicate",
            "a node or relationship",
            other,
        )),
    }
}

/// Evaluates a label expression given how one name is tested and whether there is any name at all.
fn test_names(test: &LabelTest, has: &mut dyn FnMut(&NameRef) -> bool, any: bool) -> bool {
    match test {
        LabelTest::Name(name) => has(name),
        LabelTest::And(parts) => parts.iter().all(|part| test_names(part, has, any)),
        LabelTest::Or(parts) => parts.iter().any(|part| test_names(part, has, any)),
        LabelTest::Not(part) => !test_names(part, has, any),
        LabelTest::Wildcard => any,
    }
}
