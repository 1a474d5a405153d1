//! PackStream, the value format inside Bolt messages.
//!
//! Owns the byte forms in both directions. Reading happens in two steps: [`check`](check::check)
//! walks a message once, without recursion, and refuses whatever is not well formed; after that
//! [`Tokens`] (one pass, in wire order) and [`Value`] (a tree-like view, nothing allocated) read the
//! same bytes without failing. Writing goes through [`Packer`] straight into the send buffer.
//!
//! | first byte | value | then |
//! | --- | --- | --- |
//! | `00..7F`, `F0..FF` | integer 0..127, -16..-1 | |
//! | `C8` `C9` `CA` `CB` | integer | 1, 2, 4, 8 bytes, two's complement |
//! | `C1` | float | 8 bytes, IEEE 754 |
//! | `C0` `C2` `C3` | null, false, true | |
//! | `CC` `CD` `CE` | bytes | size u8, u16, u32, then the bytes |
//! | `80..8F`, `D0` `D1` `D2` | string | (size u8, u16, u32), then UTF-8 |
//! | `90..9F`, `D4` `D5` `D6` | list | (count u8, u16, u32), then values |
//! | `A0..AF`, `D8` `D9` `DA` | map | (count u8, u16, u32), then pairs of key string and value |
//! | `B0..BF` | structure | tag byte, then 0..15 values |
//! | `E0` | UUID, Bolt 6.1 | 16 bytes |
//!
//! All integers are big-endian. `DC`, `DD` (large structures, never used) and the rest are refused.
//!
//! What always holds: a [`Value`], [`List`], [`Map`], [`Struct`] or [`Tokens`] stands on checked
//! bytes, because only this crate's decoders make them.

mod check;
mod pack;
mod token;
mod value;

pub use check::{DecodeError, DecodeErrorKind, Limits, check};
pub use pack::{EncodedPairs, ListWriter, MapWriter, Packer};
pub use token::{Token, Tokens};
pub use value::{List, ListIter, Map, MapIter, Struct, Value};

/// Reads bytes that are exactly one value. Messages have decoders of their own in [`crate::message`].
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Value<'a>, DecodeError> {
    check(bytes, limits)?;
    Ok(Value::read(&mut Tokens::of_checked(bytes, 1)))
}

/// The bytes that announce a value's form.
pub(crate) mod marker {
    pub const NULL: u8 = 0xC0;
    pub const FLOAT: u8 = 0xC1;
    pub const FALSE: u8 = 0xC2;
    pub const TRUE: u8 = 0xC3;
    pub const INT_8: u8 = 0xC8;
    pub const INT_16: u8 = 0xC9;
    pub const INT_32: u8 = 0xCA;
    pub const INT_64: u8 = 0xCB;
    pub const BYTES_8: u8 = 0xCC;
    pub const BYTES_16: u8 = 0xCD;
    pub const BYTES_32: u8 = 0xCE;
    pub const TINY_STRING: u8 = 0x80;
    pub const STRING_8: u8 = 0xD0;
    pub const STRING_16: u8 = 0xD1;
    pub const STRING_32: u8 = 0xD2;
    pub const TINY_LIST: u8 = 0x90;
    pub const LIST_8: u8 = 0xD4;
    pub const LIST_16: u8 = 0xD5;
    pub const LIST_32: u8 = 0xD6;
    pub const TINY_MAP: u8 = 0xA0;
    pub const MAP_8: u8 = 0xD8;
    pub const MAP_16: u8 = 0xD9;
    pub const MAP_32: u8 = 0xDA;
    pub const TINY_STRUCT: u8 = 0xB0;
    pub const UUID: u8 = 0xE0;
}

/// Largest size or count that a 32-bit form may declare, whatever u32 could hold.
pub const SIZE_MAX: u32 = i32::MAX as u32;
