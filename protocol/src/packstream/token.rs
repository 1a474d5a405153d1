//! Checked bytes, read in wire order.
//!
//! [`Tokens`] gives each value of a message once, containers before their elements. It is the way to
//! take a whole parameter into another form: one pass, no recursion needed, no allocation.

use super::{SIZE_MAX, Struct, marker};

/// Says why reading cannot fail.
pub(super) const CHECKED: &str = "the bytes were checked before a reader was made for them";

/// One step of a walk through a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A 64-bit float; NaN and infinities may come.
    Float(f64),
    /// A byte array, a slice of the message.
    Bytes(&'a [u8]),
    /// A string, a slice of the message.
    String(&'a str),
    /// A UUID (Bolt 6.1).
    Uuid([u8; 16]),
    /// A list; so many values follow.
    List(u32),
    /// A map; so many pairs follow, each a `String` token and a value.
    Map(u32),
    /// A structure; so many values follow.
    Struct {
        /// Which structure, 0..=127.
        tag: u8,
        /// How many fields, 0..=15.
        fields: u8,
    },
}

impl Token<'_> {
    /// Values that follow as this token's elements; a map's keys are counted too.
    #[inline]
    pub(super) fn elements(&self) -> u64 {
        match *self {
            Token::List(count) => u64::from(count),
            Token::Map(count) => u64::from(count) * 2,
            Token::Struct { fields, .. } => u64::from(fields),
            _ => 0,
        }
    }
}

/// Reads values in wire order. As an iterator it ends when every value it was made for has been
/// read, elements of containers included.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    pub(super) rest: &'a [u8],
    pub(super) left: u64,
}

impl<'a> Tokens<'a> {
    /// A reader of `count` values that stand at the start of checked bytes.
    pub(crate) fn of_checked(rest: &'a [u8], count: u64) -> Self {
        Self { rest, left: count }
    }

    /// Values still to come, as far as seen: elements count once their container was read.
    pub fn values_left(&self) -> u64 {
        self.left
    }

    /// The structure whose token was just read, as a whole; moves past its fields.
    pub fn rest_of_struct(&mut self, tag: u8, fields: u8) -> Struct<'a> {
        let structure = Struct::of_checked(tag, fields, self.rest);
        self.skip_values(u64::from(fields));
        structure
    }

    /// Moves past the next `count` values with all their elements. Does not look at strings.
    #[inline]
    pub fn skip_values(&mut self, count: u64) {
        if count > 0 {
            self.skip(count);
        }
    }

    fn skip(&mut self, count: u64) {
        let mut pending = count.min(self.left);
        self.left -= pending;
        while pending > 0 {
            pending -= 1;
            let first = self.take_byte();
            let (payload, elements) = match first {
                0x00..=0x7F | 0xF0..=0xFF | marker::NULL | marker::FALSE | marker::TRUE => (0, 0),
                0x80..=0x8F => (usize::from(first & 0x0F), 0),
                0x90..=0x9F => (0, u64::from(first & 0x0F)),
                0xA0..=0xAF => (0, u64::from(first & 0x0F) * 2),
                0xB0..=0xBF => (1, u64::from(first & 0x0F)),
                marker::INT_8 => (1, 0),
                marker::INT_16 => (2, 0),
                marker::INT_32 => (4, 0),
                marker::INT_64 | marker::FLOAT => (8, 0),
                marker::UUID => (16, 0),
                marker::BYTES_8..=marker::BYTES_32 => {
                    (self.take_size(first - marker::BYTES_8) as usize, 0)
                }
                marker::STRING_8..=marker::STRING_32 => {
                    (self.take_size(first - marker::STRING_8) as usize, 0)
                }
                marker::LIST_8..=marker::LIST_32 => {
                    (0, u64::from(self.take_size(first - marker::LIST_8)))
                }
                marker::MAP_8..=marker::MAP_32 => {
                    (0, u64::from(self.take_size(first - marker::MAP_8)) * 2)
                }
                _ => unreachable!("{CHECKED}"),
            };
            self.take_slice(payload);
            pending += elements;
        }
    }

    /// Reads the next token; the caller knows that one is left.
    #[inline]
    pub(super) fn read(&mut self) -> Token<'a> {
        debug_assert!(self.left > 0);
        let first = self.take_byte();
        let token = match first {
            0x00..=0x7F | 0xF0..=0xFF => Token::Int(i64::from(first as i8)),
            0x80..=0x8F => Token::String(self.take_str(usize::from(first & 0x0F))),
            0x90..=0x9F => Token::List(u32::from(first & 0x0F)),
            0xA0..=0xAF => Token::Map(u32::from(first & 0x0F)),
            0xB0..=0xBF => Token::Struct {
                tag: self.take_byte(),
                fields: first & 0x0F,
            },
            marker::NULL => Token::Null,
            marker::FALSE => Token::Bool(false),
            marker::TRUE => Token::Bool(true),
            marker::FLOAT => Token::Float(f64::from_be_bytes(*self.take_array())),
            marker::INT_8 => Token::Int(i64::from(i8::from_be_bytes(*self.take_array()))),
            marker::INT_16 => Token::Int(i64::from(i16::from_be_bytes(*self.take_array()))),
            marker::INT_32 => Token::Int(i64::from(i32::from_be_bytes(*self.take_array()))),
            marker::INT_64 => Token::Int(i64::from_be_bytes(*self.take_array())),
            marker::BYTES_8..=marker::BYTES_32 => {
                let size = self.take_size(first - marker::BYTES_8) as usize;
                Token::Bytes(self.take_slice(size))
            }
            marker::STRING_8..=marker::STRING_32 => {
                let size = self.take_size(first - marker::STRING_8) as usize;
                Token::String(self.take_str(size))
            }
            marker::LIST_8..=marker::LIST_32 => Token::List(self.take_size(first - marker::LIST_8)),
            marker::MAP_8..=marker::MAP_32 => Token::Map(self.take_size(first - marker::MAP_8)),
            marker::UUID => Token::Uuid(*self.take_array()),
            _ => unreachable!("{CHECKED}"),
        };
        self.left = self.left - 1 + token.elements();
        token
    }

    /// The bytes of the next value, which must be a string. Spares the look at its UTF-8.
    #[inline]
    pub(super) fn read_string_bytes(&mut self) -> &'a [u8] {
        let first = self.take_byte();
        self.left -= 1;
        let size = match first {
            0x80..=0x8F => usize::from(first & 0x0F),
            marker::STRING_8..=marker::STRING_32 => {
                self.take_size(first - marker::STRING_8) as usize
            }
            _ => unreachable!("{CHECKED}"),
        };
        self.take_slice(size)
    }

    #[inline]
    fn take_byte(&mut self) -> u8 {
        let (&first, rest) = self.rest.split_first().expect(CHECKED);
        self.rest = rest;
        first
    }

    #[inline]
    fn take_array<const N: usize>(&mut self) -> &'a [u8; N] {
        let (array, rest) = self.rest.split_first_chunk().expect(CHECKED);
        self.rest = rest;
        array
    }

    #[inline]
    fn take_slice(&mut self, len: usize) -> &'a [u8] {
        let (slice, rest) = self.rest.split_at(len);
        self.rest = rest;
        slice
    }

    #[inline]
    fn take_size(&mut self, width: u8) -> u32 {
        let size = match width {
            0 => u32::from(self.take_byte()),
            1 => u32::from(u16::from_be_bytes(*self.take_array())),
            _ => u32::from_be_bytes(*self.take_array()),
        };
        debug_assert!(size <= SIZE_MAX);
        size
    }

    #[inline]
    fn take_str(&mut self, len: usize) -> &'a str {
        // Without `unsafe` the way from bytes to `str` is to look again; for short strings that is a
        // few nanoseconds, and only for strings that somebody reads.
        std::str::from_utf8(self.take_slice(len)).expect(CHECKED)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        (self.left > 0).then(|| self.read())
    }
}
