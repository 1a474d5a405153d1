//! Evaluation of expressions on one row.
//!
//! Called by operators. Always holds: truth is ternary (null is "unknown"), `AND` and `OR` stop at the first operand that decides, and an
//! error names the place of the innermost expression that made it. Subqueries run to their end within one evaluation.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use quoit_cypher::ast::{ComparisonOp, QuantifierKind, StringOp};
use quoit_cypher::error::{Detail, Error};
use quoit_graph::value::{Path, Value};

use super::access::{element, property, slice};
use super::type_test::belongs;
use super::{
    Case, Expr, LabelTest, ListComprehension, MapProjection, MapProjectionItem, PathPart, Place,
    Quantified, Reduce,
};
use crate::expression::arithmetic;
use crate::function;
use crate::operator::Context;
use crate::operator::subquery;

/// How deep `reduce` may nest lists and maps: values are walked and dropped by recursion.
const VALUE_DEPTH_MAX: u32 = 256;

/// The value of an expression on a row.
///
/// # Errors
/// Whatever arithmetic, functions and access refuse, with a place.
pub fn evaluate(expr: &Expr, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Error> {
    match expr {
        Expr::Constant(constant) => Ok(constant.0.clone()),
        Expr::Parameter(number) => Ok(cx.parameters[*number as usize].clone()),
        Expr::Slot(slot) => Ok(row[*slot as usize].clone()),
        Expr::Local(local) => Ok(cx.locals[*local as usize].clone()),
        Expr::Aggregate(_) | Expr::Column(_) => Err(Error::internal(
            "an aggregate was left in a planned expression",
        )),
        Expr::List(parts) => {
            let mut items = Vec::with_capacity(parts.len());
            for part in parts {
                items.push(evaluate(part, cx, row)?);
            }
            Ok(Value::list(items))
        }
        Expr::Map(parts) => {
            let mut entries = Vec::with_capacity(parts.len());
            for (key, part) in parts {
                entries.push((key.clone(), evaluate(part, cx, row)?));
            }
            Ok(Value::map(entries))
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
            let mut value = evaluate(first, cx, row)?;
            for (op, place, operand) in rest {
                let operand = borrowed(operand, cx, row)?;
                value =
                    arithmetic::apply(*op, &value, &operand).map_err(|error| error.at(place.0))?;
            }
            Ok(value)
        }
        Expr::Negate(part, place) => {
            let value = borrowed(part, cx, row)?;
            arithmetic::negate(&value).map_err(|error| error.at(place.0))
        }
        Expr::StringMatch(op, pair, place) => {
            let left = evaluate(&pair.0, cx, row)?;
            let right = evaluate(&pair.1, cx, row)?;
            string_match(*op, &left, &right, cx).map_err(|error| error.at(place.0))
        }
        Expr::In(pair, place) => {
            let needle = evaluate(&pair.0, cx, row)?;
            let list = borrowed(&pair.1, cx, row)?;
            match &*list {
                Value::Null => Ok(Value::Null),
                Value::List(items) => Ok(Value::from(contains(items, &needle))),
                other => Err(wrong_type("IN", "a list", other).at(place.0)),
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
            let value = evaluate(part, cx, row)?;
            has_labels(&value, test, cx).map_err(|error| error.at(place.0))
        }
        Expr::Property(object, key, place) => {
            let object = borrowed(object, cx, row)?;
            property(&object, key, cx).map_err(|error| error.at(place.0))
        }
        Expr::Index(pair, place) => {
            let object = evaluate(&pair.0, cx, row)?;
            let index = evaluate(&pair.1, cx, row)?;
            element(&object, &index, cx).map_err(|error| error.at(place.0))
        }
        Expr::Slice(object, from, to, place) => {
            let object = evaluate(object, cx, row)?;
            let from = from
                .as_ref()
                .map(|bound| evaluate(bound, cx, row))
                .transpose()?;
            let to = to
                .as_ref()
                .map(|bound| evaluate(bound, cx, row))
                .transpose()?;
            slice(&object, from.as_ref(), to.as_ref()).map_err(|error| error.at(place.0))
        }
        Expr::Call(function, args, place) => {
            function::call(*function, args, cx, row).map_err(|error| error.at(place.0))
        }
        Expr::Case(case) => case_value(case, cx, row),
        Expr::ListComprehension(comprehension) => list_comprehension(comprehension, cx, row),
        Expr::Quantified(quantified) => quantify(quantified, cx, row),
        Expr::Reduce(reduce) => fold(reduce, cx, row),
        Expr::MapProjection(projection) => map_projection(projection, cx, row),
        Expr::Path(parts) => path(parts, row),
        Expr::Subquery(subquery) => subquery::evaluate(subquery, cx, row),
    }
}

/// As [`evaluate`], without a copy where the value lies in the row.
pub fn borrowed<'a>(
    expr: &Expr,
    cx: &mut Context<'_>,
    row: &'a [Value],
) -> Result<Cow<'a, Value>, Error> {
    match expr {
        Expr::Slot(slot) => Ok(Cow::Borrowed(&row[*slot as usize])),
        _ => evaluate(expr, cx, row).map(Cow::Owned),
    }
}

/// Whether a predicate is true (not false, not null) on a row.
///
/// # Errors
/// A value that is neither boolean nor null.
pub fn holds(expr: &Expr, cx: &mut Context<'_>, row: &[Value]) -> Result<bool, Error> {
    let value = borrowed(expr, cx, row)?;
    Ok(truth(&value, Place::default())? == Some(true))
}

/// Cypher's equality with lists inside compared as it asks.
fn contains(items: &[Value], needle: &Value) -> Option<bool> {
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

fn wrong_type(what: &str, wanted: &str, value: &Value) -> Error {
    Error::type_error(
        Detail::InvalidArgumentType,
        format!("{what} needs {wanted}, not a {}", value.type_name()),
    )
}

fn truth(value: &Value, place: Place) -> Result<Option<bool>, Error> {
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
) -> Result<Value, Error> {
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
) -> Result<Value, Error> {
    let mut left = borrowed(first, cx, row)?;
    let mut result = Some(true);
    for (op, right) in rest {
        let right = borrowed(right, cx, row)?;
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

fn has_labels(value: &Value, test: &LabelTest, cx: &mut Context<'_>) -> Result<Value, Error> {
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
pub fn test_names(
    test: &LabelTest,
    has: &mut dyn FnMut(&super::NameRef) -> bool,
    any: bool,
) -> bool {
    match test {
        LabelTest::Name(name) => has(name),
        LabelTest::And(parts) => parts.iter().all(|part| test_names(part, has, any)),
        LabelTest::Or(parts) => parts.iter().any(|part| test_names(part, has, any)),
        LabelTest::Not(part) => !test_names(part, has, any),
        LabelTest::Wildcard => any,
    }
}

fn case_value(case: &Case, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Error> {
    if let Some((subject, local)) = &case.subject {
        let value = evaluate(subject, cx, row)?;
        cx.set_local(*local, value);
    }
    for (tests, then) in &case.arms {
        for test in tests {
            if holds(test, cx, row)? {
                return evaluate(then, cx, row);
            }
        }
    }
    match &case.otherwise {
        Some(otherwise) => evaluate(otherwise, cx, row),
        None => Ok(Value::Null),
    }
}

/// The list to go over; `None` is null.
fn list_of(
    expr: &Expr,
    place: Place,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Option<Arc<Vec<Value>>>, Error> {
    match evaluate(expr, cx, row)? {
        Value::List(items) => Ok(Some(items)),
        Value::Null => Ok(None),
        other => Err(wrong_type("this", "a list", &other).at(place.0)),
    }
}

fn list_comprehension(
    comprehension: &ListComprehension,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Error> {
    let Some(items) = list_of(&comprehension.list, comprehension.place, cx, row)? else {
        return Ok(Value::Null);
    };
    let mut out = Vec::new();
    let mut built = Built::default();
    for item in items.iter() {
        cx.set_local(comprehension.local, item.clone());
        if let Some(filter) = &comprehension.filter
            && !holds(filter, cx, row)?
        {
            continue;
        }
        let value = match &comprehension.body {
            Some(body) => evaluate(body, cx, row)?,
            None => item.clone(),
        };
        built.add(&value, cx)?;
        out.push(value);
    }
    built.done(cx);
    Ok(Value::list(out))
}

fn quantify(quantified: &Quantified, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Error> {
    let Some(items) = list_of(&quantified.list, quantified.place, cx, row)? else {
        return Ok(Value::Null);
    };
    let (mut yes, mut no, mut unknown) = (0_usize, 0_usize, 0_usize);
    for item in items.iter() {
        cx.set_local(quantified.local, item.clone());
        let value = evaluate(&quantified.predicate, cx, row)?;
        match truth(&value, quantified.place)? {
            Some(true) => yes += 1,
            Some(false) => no += 1,
            None => unknown += 1,
        }
        // What decides the matter ends it.
        match quantified.kind {
            QuantifierKind::All if no > 0 => return Ok(Value::Bool(false)),
            QuantifierKind::Any if yes > 0 => return Ok(Value::Bool(true)),
            QuantifierKind::None if yes > 0 => return Ok(Value::Bool(false)),
            QuantifierKind::Single if yes > 1 => return Ok(Value::Bool(false)),
            _ => {}
        }
    }
    if unknown > 0 {
        return Ok(Value::Null);
    }
    Ok(Value::Bool(match quantified.kind {
        QuantifierKind::All | QuantifierKind::None => true,
        QuantifierKind::Any => false,
        QuantifierKind::Single => yes == 1,
    }))
}

fn fold(reduce: &Reduce, cx: &mut Context<'_>, row: &[Value]) -> Result<Value, Error> {
    let Some(items) = list_of(&reduce.list, reduce.place, cx, row)? else {
        return Ok(Value::Null);
    };
    let mut accumulator = evaluate(&reduce.init, cx, row)?;
    let mut built = Built::default();
    for item in items.iter() {
        cx.set_local(reduce.accumulator, accumulator);
        cx.set_local(reduce.local, item.clone());
        accumulator = evaluate(&reduce.body, cx, row)?;
        built.replace(&accumulator, cx)?;
        if reduce.builds && is_deeper_than(&accumulator, VALUE_DEPTH_MAX) {
            return Err(Error::argument(
                Detail::NestingTooDeep,
                format!("reduce() nests lists and maps deeper than {VALUE_DEPTH_MAX}"),
            )
            .at(reduce.place.0));
        }
    }
    built.done(cx);
    Ok(accumulator)
}

/// What an expression has built so far, counted as the query's memory while it goes on. What comes out of it is counted by the operator that
/// keeps it.
#[derive(Default)]
pub(crate) struct Built {
    bytes: u64,
    held: u64,
}

impl Built {
    /// Less than this is not counted, in bytes.
    const SMALL: u64 = 64 << 10;

    /// Another value stands beside those before.
    ///
    /// # Errors
    /// A limit on memory is passed.
    pub(crate) fn add(&mut self, value: &Value, cx: &mut Context<'_>) -> Result<(), Error> {
        self.bytes += bytes_of(value);
        self.count(cx)
    }

    /// A value stands in place of the one before.
    fn replace(&mut self, value: &Value, cx: &mut Context<'_>) -> Result<(), Error> {
        self.bytes = bytes_of(value);
        self.count(cx)
    }

    fn count(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.bytes > self.held + Built::SMALL {
            cx.hold(self.bytes - self.held)?;
            self.held = self.bytes;
        }
        Ok(())
    }

    /// It is whole.
    pub(crate) fn done(&mut self, cx: &mut Context<'_>) {
        cx.release(std::mem::take(&mut self.held));
        self.bytes = 0;
    }
}

/// What a value takes without what stands within its elements, in bytes.
fn bytes_of(value: &Value) -> u64 {
    let within = match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.len() * size_of::<Value>(),
        _ => 0,
    };
    (size_of::<Value>() + within) as u64
}

/// Whether lists and maps stand within each other more often than `depth`. Only `reduce` can nest without bound: all else nests by
/// what the text says, which the parser bounds.
fn is_deeper_than(value: &Value, depth: u32) -> bool {
    let Some(left) = depth.checked_sub(1) else {
        return matches!(value, Value::List(_) | Value::Map(_));
    };
    match value {
        Value::List(items) => items.iter().any(|item| is_deeper_than(item, left)),
        Value::Map(map) => map.iter().any(|(_, item)| is_deeper_than(item, left)),
        _ => false,
    }
}

fn map_projection(
    projection: &MapProjection,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Error> {
    let subject = evaluate(&projection.subject, cx, row)?;
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
            MapProjectionItem::Entry(key, value) => {
                entries.push((key.clone(), evaluate(value, cx, row)?))
            }
        }
    }
    Ok(Value::map(entries))
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
