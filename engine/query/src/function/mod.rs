//! The scalar functions of the language, one file a family.
//!
//! Which functions exist, and how many arguments they take, is the table of `quoit-cypher`; what they do is here. Always holds: a null argument gives null unless
//! the function is about null; an argument of a wrong type is a TypeError (ArgumentError for `range`); no argument can make a function take more memory than
//! [`LIST_ITEMS_MAX`] values or [`TEXT_BYTES_MAX`] bytes.

pub mod bytes;
pub mod conversion;
pub mod graph;
pub mod list;
pub mod normal_form;
pub mod number;
pub mod point;
pub mod session;
pub mod set;
pub mod temporal;
pub mod text;

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;
use smallvec::SmallVec;

use crate::expression::bulk::steps_over;
use crate::expression::evaluate::value;
use crate::expression::loops::bytes_of;
use crate::expression::progress::Stop;
use crate::expression::{Expr, Place};
use crate::operator::Context;

/// Items that a function's list may have.
pub const LIST_ITEMS_MAX: u64 = 1 << 24;
/// Bytes that a function's text may have.
pub const TEXT_BYTES_MAX: usize = 1 << 28;

/// Calls a scalar function.
///
/// # Errors
/// Arguments it cannot take; functions that the engine does not have yet.
pub fn call(
    function: Function,
    args: &[Expr],
    place: Place,
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<Value, Stop> {
    if function == Function::ToSet
        && let Some(value) = set::resume(place, cx)?
    {
        return Ok(value);
    }
    if function == Function::Coalesce {
        for arg in args {
            let value = value(arg, cx, row)?;
            if !value.is_null() {
                return Ok(value);
            }
        }
        return Ok(Value::Null);
    }
    let args = arguments(args, cx, row)?;
    if function == Function::ToSet
        && let Value::List(items) = &args[0]
        && items.len() >= set::LONG
    {
        return set::begin(args[0].clone(), place, cx);
    }
    cx.spend(args.iter().map(steps_over).sum());
    let value = match text::bytes_of_result(function, &args) {
        Some(bytes) => {
            cx.make(bytes)?;
            apply(function, &args, cx)?
        }
        None => {
            let value = apply(function, &args, cx)?;
            cx.make(bytes_of(&value))?;
            value
        }
    };
    cx.spend(steps_over(&value));
    Ok(value)
}

/// The values of a call's arguments.
///
/// # Errors
/// Whatever their evaluation refuses.
pub fn arguments(
    args: &[Expr],
    cx: &mut Context<'_>,
    row: &[Value],
) -> Result<SmallVec<[Value; 3]>, Stop> {
    let mut values = SmallVec::new();
    for arg in args {
        values.push(value(arg, cx, row)?);
    }
    Ok(values)
}

/// Whether the engine has a function; the planner refuses the others by name.
pub fn is_implemented(function: Function) -> bool {
    !matches!(function, Function::Project | Function::ToEnum)
}

fn apply(function: Function, args: &[Value], cx: &mut Context<'_>) -> Result<Value, Error> {
    use Function as F;
    match function {
        F::Id
        | F::ElementId
        | F::Labels
        | F::Type
        | F::Keys
        | F::Values
        | F::Properties
        | F::PropertySize
        | F::AnyProperty
        | F::StartNode
        | F::EndNode
        | F::Degree
        | F::InDegree
        | F::OutDegree
        | F::Nodes
        | F::Relationships
        | F::Rels
        | F::Length
        | F::Exists => graph::apply(function, args, cx),
        F::Head
        | F::Last
        | F::Tail
        | F::Size
        | F::CharLength
        | F::CharacterLength
        | F::Range
        | F::Reverse
        | F::IsEmpty
        | F::ToSet
        | F::UniformSample
        | F::NullIf
        | F::ValueType
        | F::Assert => list::apply(function, args, cx),
        F::ToInteger
        | F::ToFloat
        | F::ToString
        | F::ToBoolean
        | F::ToIntegerOrNull
        | F::ToFloatOrNull
        | F::ToStringOrNull
        | F::ToBooleanOrNull
        | F::ToIntegerList
        | F::ToFloatList
        | F::ToStringList
        | F::ToBooleanList => conversion::apply(function, args),
        F::ToByteString | F::FromByteString => bytes::apply(function, args),
        F::Normalize => normal_form::apply(args),
        F::Counter | F::GetHopsCounter | F::Username | F::Roles => {
            session::apply(function, args, cx)
        }
        F::Substring
        | F::Left
        | F::Right
        | F::Trim
        | F::LTrim
        | F::RTrim
        | F::BTrim
        | F::Split
        | F::Replace
        | F::ToLower
        | F::ToUpper
        | F::Lower
        | F::Upper
        | F::Contains
        | F::StartsWith
        | F::EndsWith => text::apply(function, args),
        F::Abs
        | F::Ceil
        | F::Floor
        | F::Round
        | F::Sign
        | F::IsNaN
        | F::Rand
        | F::RandomUuid
        | F::E
        | F::Pi
        | F::Exp
        | F::Log
        | F::Log10
        | F::Sqrt
        | F::Sin
        | F::Cos
        | F::Tan
        | F::Cot
        | F::Asin
        | F::Acos
        | F::Atan
        | F::Atan2
        | F::Degrees
        | F::Radians
        | F::Haversin
        | F::Sinh
        | F::Cosh
        | F::Tanh
        | F::Coth => number::apply(function, args, cx),
        F::Point | F::PointDistance | F::PointWithinBBox | F::Distance => {
            point::apply(function, args)
        }
        _ => temporal::apply(function, args, cx),
    }
}

/// An argument of a type that the function does not take.
pub fn wrong_argument(function: Function, wanted: &str, value: &Value) -> Error {
    Error::type_error(
        Detail::InvalidArgumentType,
        format!("{function}() needs {wanted}, not {}", value.type_phrase()),
    )
}

/// As [`wrong_argument`], in the words of the TCK for `labels`, `type` and the conversions.
pub fn wrong_value(function: Function, wanted: &str, value: &Value) -> Error {
    Error::type_error(
        Detail::InvalidArgumentValue,
        format!("{function}() needs {wanted}, not {}", value.type_phrase()),
    )
}
