//! The one pass that makes received bytes trustworthy.
//!
//! Walks one value without recursion and refuses whatever is not well formed: reserved markers,
//! sizes beyond the bytes left, keys that are not strings, invalid UTF-8, nesting beyond the limit,
//! bytes after the end. It allocates only for nesting beyond sixteen, and then at most 8 bytes a
//! level. Each declared count is charged against one budget for the whole value, the number of its
//! bytes: every value takes at least a byte, so no honest message exceeds it, and whoever later
//! reserves memory by a declared count reserves at most in proportion to what was received.

use super::{SIZE_MAX, marker};
use smallvec::SmallVec;
use std::fmt;

/// How much a value may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Containers inside one another, the outermost included.
    pub depth_max: u16,
    /// Sum of the declared counts of all containers; a map counts its keys and its values.
    pub elements_max: u32,
    /// Whether the UUID form (Bolt 6.1) is known to this connection.
    pub uuid: bool,
}

impl Limits {
    /// For a peer that has not logged in: depth 8, 256 elements.
    pub const BEFORE_LOGIN: Self = Self {
        depth_max: 8,
        elements_max: 256,
        uuid: false,
    };

    /// For a peer that has logged in: depth 256, elements bounded by the message's bytes alone.
    pub const AFTER_LOGIN: Self = Self {
        depth_max: 256,
        elements_max: u32::MAX,
        uuid: false,
    };

    /// The same limits, with the UUID form known or not.
    pub const fn with_uuid(self, uuid: bool) -> Self {
        Self { uuid, ..self }
    }
}

/// Bytes that are not one well-formed PackStream value. The stream that carried them cannot be
/// trusted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {offset}")]
pub struct DecodeError {
    /// Position in the message, in bytes from its structure's marker, of the value at fault.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The ways in which bytes fail to be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The value needs more bytes than the message has left.
    Truncated,
    /// A marker byte that no supported version defines.
    ReservedMarker(u8),
    /// A size beyond 2^31 - 1.
    SizeTooLarge(u32),
    /// Declared counts exceed what the message's bytes could hold.
    CountExceedsMessage,
    /// More elements than a peer in this position may send.
    TooManyElements {
        /// The limit that was passed.
        limit: u32,
    },
    /// Containers nested too deep.
    TooDeep {
        /// The limit that was passed.
        limit: u16,
    },
    /// A map key of another type than string.
    KeyNotString,
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// A structure's tag above 127.
    InvalidTag(u8),
    /// Bytes follow the end of the value.
    TrailingBytes,
    /// The message does not begin with a structure.
    NotAStructure(u8),
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("value runs past the end of the message"),
            Self::ReservedMarker(marker) => write!(f, "reserved marker {marker:02X}"),
            Self::SizeTooLarge(size) => write!(f, "declared size {size} exceeds {SIZE_MAX}"),
            Self::CountExceedsMessage => {
                f.write_str("declared counts exceed the bytes of the message")
            }
            Self::TooManyElements { limit } => write!(f, "more than {limit} elements"),
            Self::TooDeep { limit } => write!(f, "nesting deeper than {limit}"),
            Self::KeyNotString => f.write_str("map key that is not a string"),
            Self::InvalidUtf8 => f.write_str("string that is not UTF-8"),
            Self::InvalidTag(tag) => write!(f, "structure tag {tag:02X} above 7F"),
            Self::TrailingBytes => f.write_str("bytes after the end of the message"),
            Self::NotAStructure(marker) => {
                write!(f, "marker {marker:02X} where a message's structure must be")
            }
        }
    }
}

/// A container whose elements are being walked.
#[derive(Clone, Copy)]
struct Open {
    /// Elements still to come; keys and values are counted singly.
    left: u32,
    /// Elements alternate between key and value; with an even number left, a key is next.
    keyed: bool,
}

/// Accepts `bytes` if they are exactly one well-formed value within `limits`.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    let budget = u64::from(limits.elements_max).min(bytes.len() as u64);
    let mut declared: u64 = 0;
    let mut enclosing: SmallVec<[Open; 16]> = SmallVec::new();
    let mut open = Open {
        left: 1,
        keyed: false,
    };
    let mut position = 0;

    loop {
        while open.left == 0 {
            match enclosing.pop() {
                Some(outer) => open = outer,
                None if position == bytes.len() => return Ok(()),
                None => return fail(position, DecodeErrorKind::TrailingBytes),
            }
        }
        let at = position;
        let Some(&first) = bytes.get(at) else {
            return fail(at, DecodeErrorKind::Truncated);
        };
        let is_key = open.keyed && open.left & 1 == 0;
        open.left -= 1;
        position += 1;

        let (payload_len, entered) = match first {
            0x80..=0x8F => {
                position = string(bytes, at, position, usize::from(first & 0x0F))?;
                continue;
            }
            marker::STRING_8 | marker::STRING_16 | marker::STRING_32 => {
                let size = size(bytes, at, &mut position, first - marker::STRING_8)?;
                position = string(bytes, at, position, size as usize)?;
                continue;
            }
            _ if is_key => return fail(at, DecodeErrorKind::KeyNotString),
            0x00..=0x7F | 0xF0..=0xFF | marker::NULL | marker::FALSE | marker::TRUE => continue,
            marker::INT_8 => (1, None),
            marker::INT_16 => (2, None),
            marker::INT_32 => (4, None),
            marker::INT_64 | marker::FLOAT => (8, None),
            marker::UUID if limits.uuid => (16, None),
            marker::BYTES_8 | marker::BYTES_16 | marker::BYTES_32 => {
                let size = size(bytes, at, &mut position, first - marker::BYTES_8)?;
                (size as usize, None)
            }
            0x90..=0x9F => (0, Some((u32::from(first & 0x0F), false))),
            marker::LIST_8 | marker::LIST_16 | marker::LIST_32 => {
                let count = size(bytes, at, &mut position, first - marker::LIST_8)?;
                (0, Some((count, false)))
            }
            0xA0..=0xAF => (0, Some((u32::from(first & 0x0F), true))),
            marker::MAP_8 | marker::MAP_16 | marker::MAP_32 => {
                let count = size(bytes, at, &mut position, first - marker::MAP_8)?;
                (0, Some((count, true)))
            }
            0xB0..=0xBF => {
                match bytes.get(position) {
                    None => return fail(at, DecodeErrorKind::Truncated),
                    Some(&tag) if tag > 0x7F => {
                        return fail(position, DecodeErrorKind::InvalidTag(tag));
                    }
                    Some(_) => position += 1,
                }
                (0, Some((u32::from(first & 0x0F), false)))
            }
            reserved => return fail(at, DecodeErrorKind::ReservedMarker(reserved)),
        };

        if payload_len > bytes.len() - position {
            return fail(at, DecodeErrorKind::Truncated);
        }
        position += payload_len;

        if let Some((count, keyed)) = entered {
            // At most 2 * (2^31 - 1), so it fits.
            let left = if keyed { count * 2 } else { count };
            declared += u64::from(left);
            if left as usize > bytes.len() - position {
                return fail(at, DecodeErrorKind::CountExceedsMessage);
            }
            if declared > budget {
                return fail(
                    at,
                    if declared > bytes.len() as u64 {
                        DecodeErrorKind::CountExceedsMessage
                    } else {
                        DecodeErrorKind::TooManyElements {
                            limit: limits.elements_max,
                        }
                    },
                );
            }
            if enclosing.len() >= usize::from(limits.depth_max) {
                return fail(
                    at,
                    DecodeErrorKind::TooDeep {
                        limit: limits.depth_max,
                    },
                );
            }
            enclosing.push(open);
            open = Open { left, keyed };
        }
    }
}

#[cold]
fn fail<T>(offset: usize, kind: DecodeErrorKind) -> Result<T, DecodeError> {
    Err(DecodeError { offset, kind })
}

/// Reads a size of 1, 2 or 4 bytes (`width` 0, 1, 2) and moves past it.
fn size(bytes: &[u8], at: usize, position: &mut usize, width: u8) -> Result<u32, DecodeError> {
    let rest = &bytes[*position..];
    let size = match width {
        0 => rest.first().map(|b| u32::from(*b)),
        1 => rest
            .first_chunk()
            .map(|b| u32::from(u16::from_be_bytes(*b))),
        _ => rest.first_chunk().map(|b| u32::from_be_bytes(*b)),
    };
    match size {
        None => fail(at, DecodeErrorKind::Truncated),
        Some(size) if size > SIZE_MAX => fail(at, DecodeErrorKind::SizeTooLarge(size)),
        Some(size) => {
            *position += 1 << width;
            Ok(size)
        }
    }
}

/// Checks a string's bytes and returns the position behind them.
fn string(bytes: &[u8], at: usize, position: usize, len: usize) -> Result<usize, DecodeError> {
    let Some(text) = bytes[position..].get(..len) else {
        return fail(at, DecodeErrorKind::Truncated);
    };
    // Most strings are short ASCII, and this test is much cheaper than the full one.
    if !text.is_ascii() && std::str::from_utf8(text).is_err() {
        return fail(at, DecodeErrorKind::InvalidUtf8);
    }
    Ok(position + len)
}
