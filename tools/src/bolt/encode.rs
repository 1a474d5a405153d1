//! Values on their way to a server, as parameters of a query.

use super::value::{DateTime, Value, Zone};
use quoit_protocol::packstream::{MapWriter, Packer};

/// A value that Bolt does not take from clients.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("parameter '{name}' is {kind}, which cannot be sent to a server")]
pub struct NotAParameter {
    pub name: String,
    pub kind: &'static str,
}

/// Writes `parameters` into RUN's map. Call [`check`] first; what it refuses is written as null.
pub fn write_parameters(map: &mut MapWriter<'_>, parameters: &[(String, Value)]) {
    for (name, value) in parameters {
        write(&mut map.key(name), value);
    }
}

/// Refuses values that only servers may send.
pub fn check(parameters: &[(String, Value)]) -> Result<(), NotAParameter> {
    match parameters
        .iter()
        .find_map(|(name, value)| refused(value).map(|kind| (name, kind)))
    {
        Some((name, kind)) => Err(NotAParameter {
            name: name.clone(),
            kind,
        }),
        None => Ok(()),
    }
}

fn refused(value: &Value) -> Option<&'static str> {
    match value {
        Value::Node(_) => Some("a node"),
        Value::Relationship(_) => Some("a relationship"),
        Value::Path(_) => Some("a path"),
        Value::Other(..) => Some("a structure without a name here"),
        // The zone's rules would be needed to go back from the wall clock to the instant.
        Value::DateTime(DateTime {
            zone: Zone::Named(_),
            ..
        }) => Some("a date-time in a named zone"),
        Value::List(list) => list.iter().find_map(refused),
        Value::Map(map) => map.iter().find_map(|(_, value)| refused(value)),
        _ => None,
    }
}

fn write(out: &mut Packer<'_>, value: &Value) {
    match value {
        Value::Null
        | Value::Node(_)
        | Value::Relationship(_)
        | Value::Path(_)
        | Value::Other(..) => out.null(),
        Value::Bool(truth) => out.bool(*truth),
        Value::Int(int) => out.int(*int),
        Value::Float(float) => out.float(*float),
        Value::Bytes(bytes) => out.bytes(bytes),
        Value::String(text) => out.string(text),
        Value::Uuid(uuid) => out.uuid(uuid),
        Value::List(list) => {
            out.list_header(list.len());
            for item in list {
                write(out, item);
            }
        }
        Value::Map(map) => {
            out.map_header(map.len());
            for (key, item) in map {
                out.string(key);
                write(out, item);
            }
        }
        Value::Date(days) => ints(out, b'D', &[*days]),
        Value::Time(nanoseconds, offset) => ints(out, b'T', &[*nanoseconds, *offset]),
        Value::LocalTime(nanoseconds) => ints(out, b't', &[*nanoseconds]),
        Value::LocalDateTime(seconds, nanoseconds) => ints(out, b'd', &[*seconds, *nanoseconds]),
        Value::DateTime(time) => {
            let Zone::Offset(offset) = time.zone else {
                return out.null();
            };
            if out.format().utc_datetime() {
                let instant = time.seconds.saturating_sub(offset);
                ints(out, b'I', &[instant, time.nanoseconds, offset]);
            } else {
                ints(out, b'F', &[time.seconds, time.nanoseconds, offset]);
            }
        }
        Value::Duration(d) => ints(out, b'E', &[d.months, d.days, d.seconds, d.nanoseconds]),
        Value::Point(point) => {
            let (tag, fields) = match point.z {
                None => (b'X', 3),
                Some(_) => (b'Y', 4),
            };
            out.struct_header(tag, fields);
            out.int(point.srid);
            out.float(point.x);
            out.float(point.y);
            if let Some(z) = point.z {
                out.float(z);
            }
        }
    }
}

/// A structure of integers, at most 15.
fn ints(out: &mut Packer<'_>, tag: u8, fields: &[i64]) {
    out.struct_header(tag, fields.len() as u8);
    for field in fields {
        out.int(*field);
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::{Duration, Node, Point};
    use super::*;
    use quoit_protocol::message::{Request, ask::TransactionOptions};
    use quoit_protocol::packstream::Limits;
    use quoit_protocol::{SendBuffer, Version, WireFormat};

    /// What a server sees of `value` sent as a parameter.
    fn sent(value: Value, version: Version) -> Value {
        let mut send = SendBuffer::new(WireFormat::new(version));
        let parameters = [("p".to_owned(), value)];
        check(&parameters).unwrap();
        send.ask_run(
            "RETURN $p",
            |map| write_parameters(map, &parameters),
            &TransactionOptions::default(),
        );
        let bytes = send.as_slice();
        let message = &bytes[2..bytes.len() - 2];
        match Request::decode(message, version, &Limits::AFTER_LOGIN) {
            Ok(Request::Run(run)) => Value::from_wire(run.parameters.get("p").unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_sent_is_what_a_server_reads() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Float(-0.5),
            Value::Bytes(vec![1, 2]),
            Value::String("é".into()),
            Value::List(vec![Value::Int(1), Value::Null]),
            Value::Map(vec![("k".into(), Value::Int(1))]),
            Value::Date(-3),
            Value::Time(5, -3600),
            Value::LocalTime(7),
            Value::LocalDateTime(-1, 9),
            Value::DateTime(DateTime {
                seconds: 1000,
                nanoseconds: 1,
                zone: Zone::Offset(3600),
            }),
            Value::Duration(Duration {
                months: 1,
                days: 2,
                seconds: 3,
                nanoseconds: 4,
            }),
            Value::Point(Point {
                srid: 9157,
                x: 1.0,
                y: 2.0,
                z: Some(3.0),
            }),
        ];
        for version in [Version::V4_4, Version::V5_4] {
            for value in &values {
                assert_eq!(sent(value.clone(), version), *value, "Bolt {version}");
            }
        }
    }

    #[test]
    fn values_that_only_servers_send_are_refused_by_name() {
        let node = Value::Node(Node {
            id: 1,
            labels: vec![],
            properties: vec![],
        });
        let parameters = [("n".to_owned(), Value::List(vec![node]))];
        assert_eq!(
            check(&parameters).unwrap_err().to_string(),
            "parameter 'n' is a node, which cannot be sent to a server"
        );
    }
}
