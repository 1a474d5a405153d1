//! Functions on numbers.

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use super::wrong_argument;
use crate::operator::Context;

pub(super) fn apply(
    function: Function,
    args: &[Value],
    cx: &mut Context<'_>,
) -> Result<Value, Error> {
    use Function as F;
    match function {
        F::Rand => {
            return Ok(Value::Float(
                (cx.random_bits() >> 11) as f64 / (1_u64 << 53) as f64,
            ));
        }
        F::RandomUuid => return Ok(Value::from(uuid(cx.random_bits(), cx.random_bits()))),
        F::E => return Ok(Value::Float(std::f64::consts::E)),
        F::Pi => return Ok(Value::Float(std::f64::consts::PI)),
        _ if args.iter().any(Value::is_null) => return Ok(Value::Null),
        _ => {}
    }
    let float = |at: usize| match &args[at] {
        Value::Int(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        other => Err(wrong_argument(function, "a number", other)),
    };
    match (function, &args[0]) {
        (F::Abs, Value::Int(number)) => {
            return number
                .checked_abs()
                .map(Value::Int)
                .ok_or_else(|| Error::arithmetic(Detail::Overflow, "integer overflow"));
        }
        (F::Sign, Value::Int(number)) => return Ok(Value::Int(number.signum())),
        (F::Sign, Value::Float(number)) => {
            return Ok(Value::Int(if *number > 0.0 {
                1
            } else if *number < 0.0 {
                -1
            } else {
                0
            }));
        }
        (F::IsNaN, _) => return Ok(Value::Bool(float(0)?.is_nan())),
        (F::Round, _) => return round(float(0)?, args),
        _ => {}
    }
    let x = float(0)?;
    Ok(Value::Float(match function {
        F::Abs => x.abs(),
        F::Ceil => x.ceil(),
        F::Floor => x.floor(),
        F::Exp => x.exp(),
        F::Log => x.ln(),
        F::Log10 => x.log10(),
        F::Sqrt => x.sqrt(),
        F::Sin => x.sin(),
        F::Cos => x.cos(),
        F::Tan => x.tan(),
        F::Cot => 1.0 / x.tan(),
        F::Asin => x.asin(),
        F::Acos => x.acos(),
        F::Atan => x.atan(),
        F::Atan2 => x.atan2(float(1)?),
        F::Degrees => x.to_degrees(),
        F::Radians => x.to_radians(),
        F::Sinh => x.sinh(),
        F::Cosh => x.cosh(),
        F::Tanh => x.tanh(),
        F::Coth => 1.0 / x.tanh(),
        F::Haversin => (1.0 - x.cos()) / 2.0,
        _ => return Err(wrong_argument(function, "a number", &args[0])),
    }))
}

/// `round(x [, digits [, mode]])`: halves go up towards positive infinity without digits, away from zero with them.
fn round(x: f64, args: &[Value]) -> Result<Value, Error> {
    let digits = match args.get(1) {
        None => {
            // Not `(x + 0.5).floor()`: the sum is rounded itself, for the float below a half and for large odd numbers.
            let down = x.floor();
            let up = if x - down >= 0.5 { down + 1.0 } else { down };
            return Ok(Value::Float(up));
        }
        Some(Value::Int(digits)) => (*digits).clamp(0, 15) as i32,
        Some(other) => return Err(wrong_argument(Function::Round, "a number of digits", other)),
    };
    let scale = 10_f64.powi(digits);
    let scaled = x * scale;
    let rounded = match args.get(2) {
        None => scaled.round(),
        Some(Value::String(mode)) => match mode.to_ascii_uppercase().as_str() {
            "UP" => scaled.abs().ceil().copysign(scaled),
            "DOWN" => scaled.trunc(),
            "CEILING" => scaled.ceil(),
            "FLOOR" => scaled.floor(),
            "HALF_UP" => scaled.round(),
            "HALF_DOWN" => (scaled.abs() - 0.5).ceil().copysign(scaled),
            "HALF_EVEN" => scaled.round_ties_even(),
            _ => {
                return Err(Error::argument(
                    Detail::InvalidArgumentValue,
                    format!("there is no rounding mode `{mode}`"),
                ));
            }
        },
        Some(other) => {
            return Err(wrong_argument(
                Function::Round,
                "the name of a rounding mode",
                other,
            ));
        }
    };
    Ok(Value::Float(if rounded.is_finite() {
        rounded / scale
    } else {
        x
    }))
}

/// A version 4 UUID of 128 random bits.
fn uuid(high: u64, low: u64) -> String {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// The shortest text that reads back as the same float, always with a point or exponent.
pub fn format_float(number: f64) -> String {
    if number.is_infinite() {
        return String::from(if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        });
    }
    let magnitude = number.abs();
    if number == 0.0 || number.is_nan() || (1e-3..1e7).contains(&magnitude) {
        return format!("{number:?}");
    }
    // Large and small ones as 1.0E10, as the JVM's engines write them.
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_back_from_their_text() {
        for (number, text) in [
            (1.0, "1.0"),
            (-0.5, "-0.5"),
            (1e10, "1.0E10"),
            (1.25e-7, "1.25E-7"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(format_float(number), text);
        }
    }

    #[test]
    fn halves_are_rounded_by_the_mode_asked_for() {
        let rounded = |x: f64, args: &[Value]| round(x, &[&[Value::Null], args].concat()).unwrap();
        assert_eq!(rounded(-1.5, &[]), Value::Float(-1.0));
        assert_eq!(rounded(2.25, &[Value::Int(1)]), Value::Float(2.3));
        assert_eq!(
            rounded(2.25, &[Value::Int(1), Value::from("HALF_DOWN")]),
            Value::Float(2.2)
        );
    }

    #[test]
    fn uuids_say_their_version_and_variant() {
        let text = uuid(u64::MAX, u64::MAX);
        assert_eq!(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
