//! What several tests need: bytes as the Bolt page writes them, values written back from their views, and
//! messages taken out of and put into streams.

use quoit_protocol::chunk::Dechunker;
use quoit_protocol::message::Response;
use quoit_protocol::packstream::{Map, Packer, Value};
use quoit_protocol::{SendBuffer, Version, WireFormat};

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

/// An empty buffer of a connection of this version.
#[allow(dead_code)]
pub fn buffer(version: Version) -> SendBuffer {
    SendBuffer::new(WireFormat::new(version))
}

/// The messages in `stream`, one behind another.
#[allow(dead_code)]
pub fn messages(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut stream = stream.to_vec();
    let mut input = stream.as_mut_slice();
    let mut dechunker = Dechunker::new(1 << 20);
    let mut found = Vec::new();
    while let Some(message) = dechunker.next(&mut input).unwrap() {
        found.push(message.to_vec());
    }
    found
}

/// The only message that `write` writes for this version.
#[allow(dead_code)]
pub fn written(version: Version, write: impl FnOnce(&mut SendBuffer)) -> Vec<u8> {
    let mut send = buffer(version);
    write(&mut send);
    let mut all = messages(send.as_slice());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// The metadata of a summary.
#[allow(dead_code)]
pub fn metadata(message: &[u8]) -> Map<'_> {
    match Response::decode(message) {
        Ok(Response::Success(metadata) | Response::Failure { metadata, .. }) => metadata,
        other => panic!("{other:?}"),
    }
}

/// The keys of a map, in order.
#[allow(dead_code)]
pub fn keys<'a>(map: Map<'a>) -> Vec<&'a str> {
    map.iter().map(|(key, _)| key).collect()
}

/// The string under a key that must be there.
#[allow(dead_code)]
pub fn string<'a>(map: Map<'a>, key: &str) -> &'a str {
    map.get(key)
        .and_then(|v| v.as_str())
        .unwrap_or_else(|| panic!("no {key} in {map:?}"))
}

/// The map under a key that must be there.
#[allow(dead_code)]
pub fn child<'a>(map: Map<'a>, key: &str) -> Map<'a> {
    map.get(key)
        .and_then(|v| v.as_map())
        .unwrap_or_else(|| panic!("no {key} in {map:?}"))
}
