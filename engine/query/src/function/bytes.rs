//! `toByteString` and `fromByteString`: text from the hexadecimal form of its bytes, and back.
//!
//! A string here is UTF-8, so bytes that are no text have no string to be in.

use std::fmt::Write;

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;

use super::{TEXT_BYTES_MAX, wrong_argument};

pub(super) fn apply(function: Function, args: &[Value]) -> Result<Value, Error> {
    if args.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let Value::String(text) = &args[0] else {
        return Err(wrong_argument(function, "a string", &args[0]));
    };
    match (function, args.get(1)) {
        (Function::ToByteString, _) => to_bytes(text),
        (_, None) => from_bytes(text, 0),
        (_, Some(Value::Int(least))) => from_bytes(text, usize::try_from(*least).unwrap_or(0)),
        (_, Some(other)) => Err(wrong_argument(function, "a number of bytes", other)),
    }
}

/// The text whose bytes are written as `0x616263`.
fn to_bytes(text: &str) -> Result<Value, Error> {
    let wrong = |what: &str| Error::argument(Detail::InvalidArgumentValue, what.to_owned());
    let digits = text
        .strip_prefix("0x")
        .or(text.strip_prefix("0X"))
        .ok_or_else(|| wrong("toByteString() needs text that begins with `0x`"))?;
    let mut nibbles = Vec::with_capacity(digits.len() + 1);
    // Half a byte is the lower one.
    if digits.len() % 2 == 1 {
        nibbles.push(0);
    }
    for digit in digits.chars() {
        let value = digit.to_digit(16);
        nibbles.push(value.ok_or_else(|| wrong("toByteString() needs hexadecimal digits"))? as u8);
    }
    let bytes = nibbles
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    String::from_utf8(bytes).map(Value::from).map_err(|_| {
        wrong("the bytes are no UTF-8 text, and a string holds nothing else")
            .hint("keep bytes as they are in a list of integers, or as hexadecimal text")
    })
}

/// The bytes of a text as `0x616263`, with zeros in front up to `least` bytes.
fn from_bytes(text: &str, least: usize) -> Result<Value, Error> {
    let bytes = text.len().max(least);
    if bytes > TEXT_BYTES_MAX / 2 - 1 {
        return Err(Error::argument(
            Detail::NumberOutOfRange,
            format!("fromByteString() would give the text of {bytes} bytes"),
        ));
    }
    let mut out = String::with_capacity(2 + bytes * 2);
    out.push_str("0x");
    for _ in text.len()..bytes {
        out.push_str("00");
    }
    for byte in text.bytes() {
        let _ = write!(out, "{byte:02x}");
    }
    Ok(Value::from(out))
}
