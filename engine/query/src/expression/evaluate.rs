//! Evaluation of expressions on one row.
//!
//! Called by operators. Always holds: truth is ternary (null is "unknown"), `AND` and `OR` stop at the first operand that decides, and an
//! error names the place of the innermost expression that made it. What may take long can be interrupted ([`super::progress`]).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use quoit_cypher::ast::{ComparisonOp, StringOp};
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::{Path, Value};

use super::access::{element, property, slice};
use super::bulk::{bounded, steps_over};
use super::labels::{has_labels, has_names, names_in};
use super::loops::bytes_of;
use super::loops::{fold, list_comprehension, quantify};
use super::progress::Stop;
use super::type_test::belongs;
use super::{Case, Degree, Expr, MapProjection, MapProjectionItem, PathPart, Place};
use crate::expression::arithmetic;
use crate::function;
use crate::function::normal_form::is_normalized;
use crate::operator::Context;
use crate::operator::{subquery, type_ids};

/// The value of an expression on a row, evaluated to its end.
///
/// # Errors
/// Whatever arithmetic, functions and access refuse, with a place.
pub fn evaluate(expr: &Expr, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Error> {
    value(expr, cx, row).map_err(Stop::into_error)
}

/// Whether a predicate is true (not false, not null) on a row.
///
/// # Errors
/// A value that is neither boolean nor null.
pub fn holds(expr: &Expr, cx: &mut Context<'_>, row: &[Value]) -> Result<bool, Error> {
    is_true(expr, cx, row).map_err(Stop::into_error)
}

/// The value of an expression on a row. Interrupted only within [`Context::advance`].
///
/// # Errors
/// As [`evaluate`]; the interruption.
pub fn value(expr: &Expr, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Stop> {
    match expr {
        Expr::Constant(constant) => Ok(constant.0.clone()),
        Expr::Parameter(number) => Ok(cx.parameters[*number as usize].clone()),
        Expr::Slot(slot) => Ok(row[*slot as usize].clone()),
        Expr::Local(local) => Ok(cx.locals[*local as usize].clone()),
        Expr::Aggregate(_) | Expr::Column(_) => {
            Err(Error::internal("an aggregate was left in a planned expression").into())
        }
        Expr::List(parts) => {
            let mut items = Vec::with_capacity(parts.len());
            for part in parts {
                items.push(value(part, cx, row)?);
            }
            Ok(bounded(Value::list(items))?)
        }
        Expr::Map(parts) => {
            let mut entries = Vec::with_capacity(parts.len());
            for (key, part) in parts {
                entries.push((key.clone(), value(part, cx, row)?));
            }
            Ok(bounded(Value::map(entries))?)
        }
        Expr::Or(parts, place) => connect(parts, true, *place, cx, row),
        Expr::And(parts, place) => connect(parts, false, *place, cx, row),
        Expr::Xor(parts, place) => {
            let mut result = Some(false);
            for part in parts {
                let value = truth(&*borrowed(part, cx, row)?, *place)?;
                result = result.zip(value).map(|(a, b)| a != b);
            }
            Ok(Value::from(result))
        }
        Expr::Not(part, place) => Ok(Value::from(
            truth(&*borrowed(part, cx, row)?, *place)?.map(|value| !value),
        )),
        Expr::Compare(first, rest) => compare_chain(first, rest, cx, row),
        Expr::Arithmetic(first, rest) => {
            let mut value = value(first, cx, row)?;
            for (op, place, operand) in rest {
                let operand = borrowed(operand, cx, row)?;
                value =
                    arithmetic::apply(*op, &value, &operand).map_err(|error| error.at(place.0))?;
                cx.spend(steps_over(&value));
            }
            cx.make(bytes_of(&value))?;
            Ok(value)
        }
        Expr::Negate(part, place) => {
            let value = borrowed(part, cx, row)?;
            placed(arithmetic::negate(&value), *place)
        }
        Expr::StringMatch(op, pair, place) => {
            let left = value(&pair.0, cx, row)?;
            let right = value(&pair.1, cx, row)?;
            cx.spend(steps_over(&left));
            placed(string_match(*op, &left, &right, cx), *place)
        }
        Expr::In(pair, place) => {
            let needle = value(&pair.0, cx, row)?;
            let list = borrowed(&pair.1, cx, row)?;
            match &*list {
                Value::Null => Ok(Value::Null),
                Value::List(items) => {
                    cx.spend(items.len() as u64 / 16);
                    Ok(Value::from(contains(items, &needle)))
                }
                other => Err(wrong_type("IN", "a list", other).at(place.0).into()),
            }
        }
        Expr::IsNull(part, negated) => {
            Ok(Value::Bool(borrowed(part, cx, row)?.is_null() != *negated))
        }
        Expr::IsTyped(part, union, negated) => {
            let value = borrowed(part, cx, row)?;
            Ok(Value::Bool(belongs(&value, union) != *negated))
        }
        Expr::HasLabels(part, test, place) => {
            let value = value(part, cx, row)?;
            placed(has_labels(&value, test, cx), *place)
        }
        Expr::HasNames(pair, how_many, place) => {
            let labelled = value(&pair.0, cx, row)?;
            let names = names_in(&value(&pair.1, cx, row)?);
            let names = names.map_err(|error| error.at(place.0))?;
            placed(has_names(&labelled, &names, *how_many, cx), *place)
        }
        Expr::IsNormalized(part, form, negated) => {
            let value = borrowed(part, cx, row)?;
            Ok(Value::from(
                is_normalized(&value, *form).map(|is| is != *negated),
            ))
        }
        Expr::Property(object, key, place) => {
            let object = borrowed(object, cx, row)?;
            placed(property(&object, key, cx), *place)
        }
        Expr::Index(pair, place) => {
            let object = value(&pair.0, cx, row)?;
            let index = value(&pair.1, cx, row)?;
            placed(element(&object, &index, cx), *place)
        }
        Expr::Slice(object, from, to, place) => {
            let object = value(object, cx, row)?;
            let from = from
                .as_ref()
                .map(|bound| value(bound, cx, row))
                .transpose()?;
            let to = to.as_ref().map(|bound| value(bound, cx, row)).transpose()?;
            let part = placed(slice(&object, from.as_ref(), to.as_ref()), *place)?;
            cx.spend(steps_over(&part));
            Ok(part)
        }
        Expr::Call(function, args, place) => {
            function::call(*function, args, *place, cx, row).map_err(|stop| stop.at(place.0))
        }
        Expr::Case(case) => case_value(case, cx, row),
        Expr::ListComprehension(comprehension) => list_comprehension(comprehension, cx, row),
        Expr::Quantified(quantified) => quantify(quantified, cx, row),
        Expr::Reduce(reduce) => fold(reduce, cx, row),
        Expr::MapProjection(projection) => map_projection(projection, cx, row),
        Expr::Path(parts) => Ok(path(parts, row)?),
        Expr::Subquery(subquery) => subquery::value(subquery, cx, row),
        Expr::Degree(degree) => {
            let vertex = borrowed(&degree.vertex, cx, row)?;
            Ok(count_edges(&vertex, degree, cx))
        }
    }
}

/// The number of edges of a vertex, or whether it has any.
fn count_edges(vertex: &Value, degree: &Degree, cx: &Context<'_>) -> Value {
    let edges = match (vertex, type_ids(&degree.types, cx)) {
        (Value::Vertex(vertex), Some(types)) if degree.exists => {
            let mut edges = cx.view.edges(*vertex, degree.direction, &types);
            u64::from(edges.next().is_some())
        }
        (Value::Vertex(vertex), Some(types)) => cx.view.degree(*vertex, degree.direction, &types),
        _ => 0,
    };
    match degree.exists {
        true => Value::Bool(edges > 0),
        false => Value::Int(edges as i64),
    }
}

/// What is computed at a place.
fn placed(result: Result<Value, Error>, place: Place) -> Result<Value, Stop> {
    result.map_err(|error| error.at(place.0).into())
}

/// As [`value`], without a copy where it lies in the row.
pub(super) fn borrowed<'a>(
    expr: &Expr,
    cx: &mut Context<'_>,
    row: &'a [Value],
) -> Result<Cow<'a, Value>, Stop> {
    match expr {
        Expr::Slot(slot) => Ok(Cow::Borrowed(&row[*slot as usize])),
        _ => value(expr, cx, row).map(Cow::Owned),
    }
}

/// As [`holds`], interrupted as [`value`].
pub(super) fn is_true(expr: &Expr, cx: &mut Context<'_>, row: &[Value]) -> Result<bool, Stop> {
    let value = borrowed(expr, cx, row)?;
    Ok(truth(&value, Place::default())? == Some(true))
}

/// Cypher's equality with lists inside compared as it asks.
pub fn contains(items: &[Value], needle: &Value) -> Option<bool> {
    let mut result = Some(false);
    for item in items {
        match item.equals(needle) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

pub(super) fn wrong_type(what: &str, wanted: &str, value: &Value) -> Error {
    Error::type_error(
        Detail::InvalidArgumentType,
        format!("{what} needs {wanted}, not {}", value.type_phrase()),
    )
}

pub(super) fn truth(value: &Value, place: Place) -> Result<Option<bool>, Error> {
    match value {
        Value::Bool(value) => Ok(Some(*value)),
        Value::Null => Ok(None),
        other => Err(wrong_type("a condition", "a boolean", other).at(place.0)),
    }
}

/// `OR` if `decisive` is true, `AND` if it is false.
fn connect(
    parts: &[Expr],
    decisive: bool,
    place: Place,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Stop> {
    let mut result = Some(!decisive);
    for part in parts {
        let value = borrowed(part, cx, row)?;
        match truth(&value, place)? {
            Some(value) if value == decisive => return Ok(Value::Bool(decisive)),
            Some(_) => {}
            None => result = None,
        }
    }
    Ok(Value::from(result))
}

fn compare_chain(
    first: &Expr,
    rest: &[(ComparisonOp, Expr)],
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Stop> {
    let mut left = borrowed(first, cx, row)?;
    let mut result = Some(true);
    for (op, right) in rest {
        let right = borrowed(right, cx, row)?;
        cx.spend(steps_over(&left).min(steps_over(&right)));
        match compare(*op, &left, &right) {
            Some(false) => return Ok(Value::Bool(false)),
            Some(true) => {}
            None => result = None,
        }
        left = right;
    }
    Ok(Value::from(result))
}

/// `left op right`; `None` is null.
pub fn compare(op: ComparisonOp, left: &Value, right: &Value) -> Option<bool> {
    let ordered = |accept: fn(Ordering) -> bool| match left.compare(right) {
        Some(order) => Some(accept(order)),
        // Numbers can always be compared; NaN is neither less, equal nor greater.
        None => is_number(left)
            .then_some(false)
            .filter(|_| is_number(right)),
    };
    match op {
        ComparisonOp::Equal => left.equals(right),
        ComparisonOp::NotEqual => left.equals(right).map(|equal| !equal),
        ComparisonOp::Less => ordered(Ordering::is_lt),
        ComparisonOp::LessEqual => ordered(Ordering::is_le),
        ComparisonOp::Greater => ordered(Ordering::is_gt),
        ComparisonOp::GreaterEqual => ordered(Ordering::is_ge),
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_))
}

fn string_match(
    op: StringOp,
    left: &Value,
    right: &Value,
    cx: &mut Context<'_>,
) -> Result<Value, Error> {
    // Anything but text gives null (openCypher: "handling non-string operands").
    let (Value::String(text), Value::String(pattern)) = (left, right) else {
        return Ok(Value::Null);
    };
    Ok(Value::Bool(match op {
        StringOp::StartsWith => text.starts_with(&**pattern),
        StringOp::EndsWith => text.ends_with(&**pattern),
        StringOp::Contains => text.contains(&**pattern),
        StringOp::Regex => cx.regex(pattern)?.is_match(text),
    }))
}

fn case_value(case: &Case, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Stop> {
    if let Some((subject, local)) = &case.subject {
        let value = value(subject, cx, row)?;
        cx.set_local(*local, value);
    }
    for (tests, then) in &case.arms {
        for test in tests {
            if is_true(test, cx, row)? {
                return value(then, cx, row);
            }
        }
    }
    match &case.otherwise {
        Some(otherwise) => value(otherwise, cx, row),
        None => Ok(Value::Null),
    }
}

fn map_projection(
    projection: &MapProjection,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Stop> {
    let subject = value(&projection.subject, cx, row)?;
    if subject.is_null() {
        return Ok(Value::Null);
    }
    let mut entries = Vec::new();
    for item in &projection.items {
        match item {
            MapProjectionItem::All => {
                let all = function::graph::properties_of(&subject, cx)
                    .map_err(|error| error.at(projection.place.0))?;
                if let Value::Map(map) = all {
                    entries.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
            }
            MapProjectionItem::Entry(key, part) => {
                entries.push((key.clone(), value(part, cx, row)?))
            }
        }
    }
    Ok(bounded(Value::map(entries))?)
}

fn path(parts: &[PathPart], row: &[Value]) -> Result<Value, Error> {
    let broken = || Error::internal("a path part is neither node nor relationship");
    let (mut vertices, mut edges) = (Vec::new(), Vec::new());
    for part in parts {
        let (PathPart::Vertex(slot) | PathPart::Edge(slot) | PathPart::Edges(slot)) = part;
        match (part, &row[*slot as usize]) {
            // Optional patterns that did not match have no path.
            (_, Value::Null) => return Ok(Value::Null),
            (PathPart::Vertex(_), Value::Vertex(vertex)) => {
                if vertices.is_empty() {
                    vertices.push(*vertex);
                }
            }
            (PathPart::Edge(_), Value::Edge(edge)) => {
                let last = *vertices.last().ok_or_else(broken)?;
                vertices.push(edge.other(last));
                edges.push(*edge);
            }
            (PathPart::Edges(_), Value::List(items)) => {
                for item in items.iter() {
                    let Value::Edge(edge) = item else {
                        return Err(broken());
                    };
                    let last = *vertices.last().ok_or_else(broken)?;
                    vertices.push(edge.other(last));
                    edges.push(*edge);
                }
            }
            _ => return Err(broken()),
        }
    }
    Ok(Value::Path(Arc::new(Path { vertices, edges })))
}
