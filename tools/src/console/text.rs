//! Values as text, the way mgconsole shows them.
//!
//! Cell texts of tables and CSV, and the results a user copies from the screen, have exactly this
//! form: `Null`, strings in double quotes with escapes, floats with six significant digits, vertices
//! without their ids. Where mgconsole has no form of its own (bytes, UUIDs) ours is a Cypher literal.

use crate::bolt::{DateTime, Duration, Map, Node, Path, Point, Relationship, Value, Walked, Zone};
use std::fmt::Write;

/// The text of `value` in a cell.
pub fn text_of(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// Appends the text of `value`.
pub fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("Null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(int) => push(out, format_args!("{int}")),
        Value::Float(float) => write_float(out, *float),
        Value::Bytes(bytes) => {
            out.push_str("b\"");
            for byte in bytes {
                push(out, format_args!("\\x{byte:02x}"));
            }
            out.push('"');
        }
        Value::String(text) => write_quoted(out, text),
        Value::Uuid(uuid) => {
            for (position, byte) in uuid.iter().enumerate() {
                if matches!(position, 4 | 6 | 8 | 10) {
                    out.push('-');
                }
                push(out, format_args!("{byte:02x}"));
            }
        }
        Value::List(list) => write_list(out, list),
        Value::Map(map) => match enum_text(map) {
            Some(text) => out.push_str(text),
            None => write_map(out, map),
        },
        Value::Node(node) => write_node(out, node),
        Value::Relationship(relationship) => write_relationship(out, relationship),
        Value::Path(path) => write_path(out, path),
        Value::Date(days) => write_date(out, *days),
        Value::Time(nanoseconds, offset) => {
            write_time(out, *nanoseconds);
            write_offset(out, *offset);
        }
        Value::LocalTime(nanoseconds) => write_time(out, *nanoseconds),
        Value::LocalDateTime(seconds, nanoseconds) => {
            write_date_time(out, *seconds, *nanoseconds);
        }
        Value::DateTime(time) => write_zoned(out, time),
        Value::Duration(duration) => write_duration(out, duration),
        Value::Point(point) => write_point(out, point),
        Value::Other(tag, fields) => {
            push(out, format_args!("<structure {tag:02X} "));
            write_list(out, fields);
            out.push('>');
        }
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a String cannot fail");
}

/// Double quotes around `text`, with a backslash before backslashes, both quotes and controls.
pub fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '\\' | '"' | '\'' => {
                out.push('\\');
                out.push(character);
            }
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Six significant digits, trailing zeros dropped, an exponent below 1e-4 and from 1e6 on: what a
/// C++ stream makes of a double by default.
fn write_float(out: &mut String, float: f64) {
    if float.is_nan() {
        out.push_str(if float.is_sign_negative() {
            "-nan"
        } else {
            "nan"
        });
        return;
    }
    if float.is_infinite() {
        out.push_str(if float < 0.0 { "-inf" } else { "inf" });
        return;
    }
    const DIGITS: i32 = 6;
    let scientific = format!("{float:.*e}", (DIGITS - 1) as usize);
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("the exponent form has an e");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    if (-4..DIGITS).contains(&exponent) {
        let decimals = (DIGITS - 1 - exponent) as usize;
        out.push_str(without_trailing_zeros(&format!("{float:.decimals$}")));
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let mantissa = without_trailing_zeros(mantissa);
        push(
            out,
            format_args!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()),
        );
    }
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

fn write_list(out: &mut String, list: &[Value]) {
    out.push('[');
    for (position, value) in list.iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        write_value(out, value);
    }
    out.push(']');
}

fn write_map(out: &mut String, map: &Map) {
    out.push('{');
    for (position, (key, value)) in map.iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        out.push_str(key);
        out.push_str(": ");
        write_value(out, value);
    }
    out.push('}');
}

/// Memgraph sends an enum value as a map with `__type` "mg_enum"; its text is the name alone.
fn enum_text(map: &Map) -> Option<&str> {
    match map.as_slice() {
        [
            (type_key, Value::String(kind)),
            (value_key, Value::String(value)),
        ] if type_key == "__type" && kind == "mg_enum" && value_key == "__value" => Some(value),
        _ => None,
    }
}

fn write_node(out: &mut String, node: &Node) {
    out.push('(');
    for label in &node.labels {
        out.push(':');
        out.push_str(label);
    }
    if !node.properties.is_empty() {
        if !node.labels.is_empty() {
            out.push(' ');
        }
        write_map(out, &node.properties);
    }
    out.push(')');
}

fn write_relationship(out: &mut String, relationship: &Relationship) {
    out.push_str("[:");
    out.push_str(&relationship.kind);
    if !relationship.properties.is_empty() {
        out.push(' ');
        write_map(out, &relationship.properties);
    }
    out.push(']');
}

fn write_path(out: &mut String, path: &Path) {
    write_node(out, &path.start);
    for (relationship, walked, node) in &path.steps {
        let (before, after) = match walked {
            Walked::Forward => ("-", "->"),
            Walked::Against => ("<-", "-"),
        };
        out.push_str(before);
        write_relationship(out, relationship);
        out.push_str(after);
        write_node(out, node);
    }
}

/// `1999-05-05`, by the proleptic Gregorian calendar, for any number of days.
fn write_date(out: &mut String, days: i64) {
    // Days are counted from 0000-03-01 in eras of 400 years, so that leap days end a year.
    let shifted = i128::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    let sign = if year < 0 { "-" } else { "" };
    push(
        out,
        format_args!("{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs()),
    );
}

/// `23:56:23.000000000`
fn write_time(out: &mut String, nanoseconds: i64) {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let nanoseconds = nanoseconds.unsigned_abs();
    let seconds = nanoseconds / 1_000_000_000;
    push(
        out,
        format_args!(
            "{sign}{:02}:{:02}:{:02}.{:09}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            nanoseconds % 1_000_000_000
        ),
    );
}

fn write_date_time(out: &mut String, seconds: i64, nanoseconds: i64) {
    write_date(out, seconds.div_euclid(86_400));
    out.push(' ');
    let of_day = seconds.rem_euclid(86_400) * 1_000_000_000;
    write_time(out, of_day.saturating_add(nanoseconds));
}

fn write_zoned(out: &mut String, time: &DateTime) {
    write_date_time(out, time.seconds, time.nanoseconds);
    match &time.zone {
        Zone::Offset(offset) => write_offset(out, *offset),
        Zone::Named(name) => push(out, format_args!("[{name}]")),
    }
}

/// `+07:30`; seconds only where there are any.
fn write_offset(out: &mut String, offset: i64) {
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.unsigned_abs();
    push(
        out,
        format_args!("{sign}{:02}:{:02}", offset / 3_600, offset / 60 % 60),
    );
    if !offset.is_multiple_of(60) {
        push(out, format_args!(":{:02}", offset % 60));
    }
}

/// `P27DT4H21S`, `P3DT1H2M19.123000S`. Unlike mgconsole, months are not left out: `P2M3D`.
fn write_duration(out: &mut String, duration: &Duration) {
    let microseconds = i128::from(duration.seconds) * 1_000_000
        + i128::from(duration.nanoseconds).div_euclid(1_000);
    let negative = microseconds < 0;
    let magnitude = microseconds.unsigned_abs();
    let sign = if negative { "-" } else { "" };
    let (hours, minutes) = (magnitude / 3_600_000_000, magnitude / 60_000_000 % 60);
    let (seconds, fraction) = (magnitude / 1_000_000 % 60, magnitude % 1_000_000);

    out.push('P');
    if duration.months != 0 {
        push(out, format_args!("{}M", duration.months));
    }
    if duration.days != 0 {
        push(out, format_args!("{}D", duration.days));
    }
    if magnitude != 0 {
        out.push('T');
    }
    if hours != 0 {
        push(out, format_args!("{sign}{hours}H"));
    }
    if minutes != 0 {
        push(out, format_args!("{sign}{minutes}M"));
    }
    if fraction != 0 {
        push(out, format_args!("{sign}{seconds}.{fraction:06}S"));
    } else if seconds != 0 {
        push(out, format_args!("{sign}{seconds}S"));
    }
}

/// `POINT({ x:0, y:1, srid:7203 })`
fn write_point(out: &mut String, point: &Point) {
    out.push_str("POINT({ x:");
    write_float(out, point.x);
    out.push_str(", y:");
    write_float(out, point.y);
    if let Some(z) = point.z {
        out.push_str(", z:");
        write_float(out, z);
    }
    push(out, format_args!(", srid:{} }})", point.srid));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value, expected: &str) {
        assert_eq!(text_of(&value), expected);
    }

    fn node(labels: &[&str], properties: &[(&str, Value)]) -> Node {
        Node {
            id: 1,
            labels: labels.iter().map(|l| l.to_string()).collect(),
            properties: properties
                .iter()
                .map(|(k, v)| (k.to_string(), v.clone()))
                .collect(),
        }
    }

    fn edge(kind: &str) -> Relationship {
        Relationship {
            id: 1,
            ends: None,
            kind: kind.into(),
            properties: vec![],
        }
    }

    #[test]
    fn plain_values_look_as_in_mgconsole() {
        check(Value::Null, "Null");
        check(Value::Bool(true), "true");
        check(Value::Int(-42), "-42");
        check(
            Value::List(vec![Value::Int(1), Value::String("a".into())]),
            "[1, \"a\"]",
        );
        check(Value::List(vec![]), "[]");
        check(Value::Map(vec![]), "{}");
        check(
            Value::Map(vec![
                ("k".into(), Value::Int(1)),
                ("s".into(), Value::String("x".into())),
            ]),
            "{k: 1, s: \"x\"}",
        );
        check(
            Value::Map(vec![
                ("__type".into(), Value::String("mg_enum".into())),
                ("__value".into(), Value::String("Status::Good".into())),
            ]),
            "Status::Good",
        );
    }

    #[test]
    fn strings_escape_quotes_backslashes_and_controls() {
        check(
            Value::String("a\"b'c\\d\n\t\r\u{8}\u{c}é".into()),
            r#""a\"b\'c\\d\n\t\r\b\fé""#,
        );
    }

    #[test]
    fn floats_have_six_significant_digits() {
        for (float, expected) in [
            (1.5, "1.5"),
            (2.0, "2"),
            (std::f64::consts::PI, "3.14159"),
            (1e20, "1e+20"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (999_999.5, "1e+06"),
            (123_456.7, "123457"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.1 + 0.2, "0.3"),
            (-0.0, "-0"),
            (0.0, "0"),
            (-1234.5678, "-1234.57"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            check(Value::Float(float), expected);
        }
        assert!(text_of(&Value::Float(f64::NAN)).ends_with("nan"));
    }

    #[test]
    fn graph_values_show_labels_and_properties_but_no_ids() {
        let one = ("k", Value::Int(1));
        check(Value::Node(node(&[], &[])), "()");
        check(Value::Node(node(&["A"], &[])), "(:A)");
        check(
            Value::Node(node(&["A", "B"], std::slice::from_ref(&one))),
            "(:A:B {k: 1})",
        );
        check(
            Value::Node(node(&[], std::slice::from_ref(&one))),
            "({k: 1})",
        );
        check(Value::Relationship(edge("T")), "[:T]");
        let mut with = edge("T");
        with.properties = vec![("k".into(), Value::Int(1))];
        check(Value::Relationship(with), "[:T {k: 1}]");
        check(
            Value::Path(Path {
                start: node(&["A"], &[]),
                steps: vec![
                    (edge("T"), Walked::Forward, node(&["B"], &[])),
                    (edge("U"), Walked::Against, node(&["C"], &[])),
                ],
            }),
            "(:A)-[:T]->(:B)<-[:U]-(:C)",
        );
    }

    #[test]
    fn times_look_as_in_mgconsole() {
        check(Value::Date(10_716), "1999-05-05");
        check(Value::Date(0), "1970-01-01");
        check(Value::Date(-719_162), "0001-01-01");
        check(Value::Date(-719_529), "-0001-12-31");
        check(Value::Date(11_016), "2000-02-29");
        check(
            Value::LocalTime((23 * 3600 + 56 * 60 + 23) * 1_000_000_000),
            "23:56:23.000000000",
        );
        check(
            Value::LocalDateTime(968_739_705, 0),
            "2000-09-12 06:21:45.000000000",
        );
        check(
            Value::LocalDateTime(-1, 999_999_999),
            "1969-12-31 23:59:59.999999999",
        );
        check(
            Value::DateTime(DateTime {
                seconds: 1_713_708_900,
                nanoseconds: 0,
                zone: Zone::Offset(27_000),
            }),
            "2024-04-21 14:15:00.000000000+07:30",
        );
        check(
            Value::DateTime(DateTime {
                seconds: 1_713_708_900,
                nanoseconds: 0,
                zone: Zone::Named("America/Los_Angeles".into()),
            }),
            "2024-04-21 14:15:00.000000000[America/Los_Angeles]",
        );
    }

    #[test]
    fn durations_and_points_look_as_in_mgconsole() {
        let duration = |months, days, seconds, nanoseconds| {
            Value::Duration(Duration {
                months,
                days,
                seconds,
                nanoseconds,
            })
        };
        check(duration(0, 27, 4 * 3600 + 21, 0), "P27DT4H21S");
        check(
            duration(0, 3, 3600 + 2 * 60 + 19, 123_000_000),
            "P3DT1H2M19.123000S",
        );
        check(duration(2, 3, 0, 0), "P2M3D");
        check(duration(0, 0, 0, 0), "P");
        check(duration(0, 0, -1, 500_000_000), "PT-0.500000S");
        let point = |z| {
            Value::Point(Point {
                srid: 7203,
                x: 0.0,
                y: 1.0,
                z,
            })
        };
        check(point(None), "POINT({ x:0, y:1, srid:7203 })");
        check(point(Some(2.0)), "POINT({ x:0, y:1, z:2, srid:7203 })");
    }
}
