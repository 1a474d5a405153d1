//! Bytes as the Bolt page writes them, and values written back from their views.

use quoit_protocol::packstream::{Packer, Value};
use quoit_protocol::{Version, WireFormat};

/// The bytes of a text like `A1 81 61 01`.
#[allow(dead_code)]
pub fn hex(text: &str) -> Vec<u8> {
    text.split_ascii_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect()
}

/// What `write` packs for a connection of this version.
#[allow(dead_code)]
pub fn pack(version: Version, write: impl FnOnce(&mut Packer<'_>)) -> Vec<u8> {
    pack_as(WireFormat::new(version), write)
}

/// What `write` packs in this format.
#[allow(dead_code)]
pub fn pack_as(format: WireFormat, write: impl FnOnce(&mut Packer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Packer::new(&mut out, format));
    out
}

/// Writes a value that was read.
#[allow(dead_code)]
pub fn write_value(packer: &mut Packer<'_>, value: Value<'_>) {
    match value {
        Value::Null => packer.null(),
        Value::Bool(truth) => packer.bool(truth),
        Value::Int(int) => packer.int(int),
        Value::Float(float) => packer.float(float),
        Value::Bytes(bytes) => packer.bytes(bytes),
        Value::String(text) => packer.string(text),
        Value::Uuid(uuid) => packer.uuid(&uuid),
        Value::List(list) => {
            packer.list_header(list.len());
            list.iter().for_each(|element| write_value(packer, element));
        }
        Value::Map(map) => {
            packer.map_header(map.len());
            for (key, value) in map {
                packer.string(key);
                write_value(packer, value);
            }
        }
        Value::Struct(structure) => {
            packer.struct_header(structure.tag(), structure.len() as u8);
            structure
                .fields()
                .for_each(|field| write_value(packer, field));
        }
    }
}
