//! Values as Cypher writes them: text that, run as an expression here or in Memgraph, gives the value again.
//!
//! Owned here: literals and quoted names. Called by [`super::dump`]. Always holds: the text is one expression and cannot end early,
//! whatever the value holds. Months, offsets of times and nanoseconds are written as they are, and Memgraph takes what it has of them.

use std::fmt::Write;

use quoit_graph::value::{Point, Value};

use crate::temporal::convert::{moment_of, span_of};
use crate::temporal::{format_moment, format_span};

/// A name between backquotes; those within are doubled.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Writes a value.
///
/// # Errors
/// The name of a type that has no literal: bytes, and what is no property.
pub(super) fn write_value(value: &Value, out: &mut String) -> Result<(), &'static str> {
    // Writing to a string does not fail.
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        // A sign is not part of a number, and this number has no opposite.
        Value::Int(i64::MIN) => out.push_str("(-9223372036854775807 - 1)"),
        Value::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Float(number) => write_float(*number, out),
        Value::String(text) => write_string(text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                let _ = write!(out, "{}: ", quoted(key));
                write_value(item, out)?;
            }
            out.push('}');
        }
        Value::Date(_) => write_moment("date", value, out),
        Value::Time(_) => write_moment("time", value, out),
        Value::LocalTime(_) => write_moment("localTime", value, out),
        Value::LocalDateTime(_) => write_moment("localDateTime", value, out),
        Value::DateTime(_) => write_moment("datetime", value, out),
        Value::Duration(duration) => {
            let _ = write!(out, "duration(\"{}\")", format_span(&span_of(duration)));
        }
        Value::Point(point) => write_point(point, out),
        Value::Bytes(_) | Value::Vertex(_) | Value::Edge(_) | Value::Path(_) => {
            return Err(value.type_name());
        }
    }
    Ok(())
}

fn write_float(number: f64, out: &mut String) {
    if number.is_nan() {
        out.push_str("(0.0 / 0.0)");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 {
            "(1.0 / 0.0)"
        } else {
            "(-1.0 / 0.0)"
        });
    } else {
        // The shortest text that gives the number again; it has a point or an exponent.
        let _ = write!(out, "{number:?}");
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_moment(function: &str, value: &Value, out: &mut String) {
    let text = moment_of(value).map_or(String::new(), |moment| format_moment(&moment));
    // Memgraph asks for the seconds of a time.
    let has_minutes_only = |time: &str| time.bytes().filter(|byte| *byte == b':').count() == 1;
    let begin = text.find('T').map_or(0, |at| at + 1);
    let zone = text[begin..]
        .find(['+', '-', 'Z', '['])
        .map_or(text.len(), |at| begin + at);
    let seconds = if function != "date" && has_minutes_only(&text[begin..zone]) {
        ":00"
    } else {
        ""
    };
    let _ = write!(
        out,
        "{function}(\"{}{seconds}{}\")",
        &text[..zone],
        &text[zone..]
    );
}

fn write_point(point: &Point, out: &mut String) {
    out.push_str("point({x: ");
    write_float(point.x, out);
    out.push_str(", y: ");
    write_float(point.y, out);
    if point.is_3d() {
        out.push_str(", z: ");
        write_float(point.z, out);
    }
    let _ = write!(out, ", srid: {}}})", point.srid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use quoit_graph::value::{Date, LocalTime, Time};

    fn written(value: &Value) -> String {
        let mut out = String::new();
        write_value(value, &mut out).unwrap();
        out
    }

    #[test]
    fn values_are_written_as_expressions() {
        let point = Point {
            srid: 4326,
            x: 1.5,
            y: -2.0,
            z: 0.0,
        };
        for (value, text) in [
            (Value::Int(i64::MIN), "(-9223372036854775807 - 1)"),
            (Value::Float(1.0), "1.0"),
            (Value::Float(1e300), "1e300"),
            (Value::Float(-0.0), "-0.0"),
            (Value::Float(f64::NEG_INFINITY), "(-1.0 / 0.0)"),
            (Value::Float(f64::NAN), "(0.0 / 0.0)"),
            (
                Value::string("a\"\\\n`'\u{1}é"),
                "\"a\\\"\\\\\\n`'\\u0001é\"",
            ),
            (
                Value::list(vec![Value::Int(1), Value::list(vec![])]),
                "[1, []]",
            ),
            (
                Value::map(vec![("a`b".into(), Value::Null)]),
                "{`a``b`: null}",
            ),
            (Value::Date(Date { days: 0 }), "date(\"1970-01-01\")"),
            (
                Value::LocalTime(LocalTime { nanoseconds: 0 }),
                "localTime(\"00:00:00\")",
            ),
            (
                Value::Time(Time {
                    nanoseconds: 1,
                    offset_seconds: -3600,
                }),
                "time(\"00:00:00.000000001-01:00\")",
            ),
            (
                Value::Time(Time {
                    nanoseconds: 0,
                    offset_seconds: 0,
                }),
                "time(\"00:00:00Z\")",
            ),
            (Value::from(point), "point({x: 1.5, y: -2.0, srid: 4326})"),
        ] {
            assert_eq!(written(&value), text);
        }
        assert!(write_value(&Value::Bytes([1][..].into()), &mut String::new()).is_err());
    }
}
