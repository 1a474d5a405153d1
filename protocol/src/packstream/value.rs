//! Checked bytes, seen as values.
//!
//! A [`Value`] is `Copy`; containers are positions in the message. Nothing is built and nothing is
//! allocated. Going through the elements of a container steps over nested containers unread, so a
//! full walk of a tree looks at its leaves once per level: good for looking up options and for
//! rows of plain values. To take over a whole parameter use [`Tokens`], which reads each byte once.

use super::token::{CHECKED, Token, Tokens};
use std::fmt;

/// A value that stands in a received message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
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
    /// A list.
    List(List<'a>),
    /// A map.
    Map(Map<'a>),
    /// A structure: a date, a point, a node, ...; see [`crate::structure`].
    Struct(Struct<'a>),
}

impl<'a> Value<'a> {
    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Value::Int(int) => Some(int),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<List<'a>> {
        match *self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<Map<'a>> {
        match *self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// What kind of value this is, in the words of an error message.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Bytes(_) => "a byte array",
            Value::String(_) => "a string",
            Value::Uuid(_) => "a UUID",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Struct(_) => "a structure",
        }
    }

    /// Reads the value at the front; of a container, the part before its elements.
    #[inline]
    pub(crate) fn read(tokens: &mut Tokens<'a>) -> Self {
        match tokens.read() {
            Token::Null => Value::Null,
            Token::Bool(truth) => Value::Bool(truth),
            Token::Int(int) => Value::Int(int),
            Token::Float(float) => Value::Float(float),
            Token::Bytes(bytes) => Value::Bytes(bytes),
            Token::String(text) => Value::String(text),
            Token::Uuid(uuid) => Value::Uuid(uuid),
            Token::List(len) => Value::List(List {
                len,
                body: tokens.rest,
            }),
            Token::Map(len) => Value::Map(Map {
                len,
                body: tokens.rest,
            }),
            Token::Struct { tag, fields } => Value::Struct(Struct {
                tag,
                fields,
                body: tokens.rest,
            }),
        }
    }

    /// Reads the value at the front and steps over its elements.
    #[inline]
    pub(crate) fn read_whole(tokens: &mut Tokens<'a>) -> Self {
        let value = Self::read(tokens);
        tokens.skip_values(value.elements());
        value
    }

    #[inline]
    fn elements(&self) -> u64 {
        match self {
            Value::List(list) => u64::from(list.len),
            Value::Map(map) => u64::from(map.len) * 2,
            Value::Struct(structure) => u64::from(structure.fields),
            _ => 0,
        }
    }
}

/// A list in a received message.
#[derive(Clone, Copy)]
pub struct List<'a> {
    len: u32,
    body: &'a [u8],
}

impl<'a> List<'a> {
    /// A list without elements.
    pub const EMPTY: List<'static> = List { len: 0, body: &[] };

    /// Number of elements. At most the bytes of the message that held it, so it may be used to
    /// reserve memory.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements in order.
    pub fn iter(&self) -> ListIter<'a> {
        ListIter {
            left: self.len,
            unread: 0,
            tokens: Tokens::of_checked(self.body, u64::from(self.len)),
        }
    }

    /// All that is in the list, in wire order.
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens::of_checked(self.body, u64::from(self.len))
    }
}

impl<'a> IntoIterator for List<'a> {
    type Item = Value<'a>;
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

impl PartialEq for List<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The elements of a [`List`] or the fields of a [`Struct`].
#[derive(Clone)]
pub struct ListIter<'a> {
    left: u32,
    /// Elements of the value given last, still to be stepped over.
    unread: u64,
    tokens: Tokens<'a>,
}

impl<'a> Iterator for ListIter<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.tokens.skip_values(self.unread);
        let value = Value::read(&mut self.tokens);
        self.unread = value.elements();
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for ListIter<'_> {}

/// A map in a received message. A key may stand in it twice; the last one counts.
#[derive(Clone, Copy)]
pub struct Map<'a> {
    len: u32,
    body: &'a [u8],
}

impl<'a> Map<'a> {
    /// A map without entries.
    pub const EMPTY: Map<'static> = Map { len: 0, body: &[] };

    /// Number of pairs, repeated keys included. At most half the bytes of the message that held it.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pairs in wire order, repeated keys included.
    pub fn iter(&self) -> MapIter<'a> {
        MapIter {
            left: self.len,
            unread: 0,
            tokens: self.tokens(),
        }
    }

    /// All that is in the map, in wire order: key, value, key, value.
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens::of_checked(self.body, u64::from(self.len) * 2)
    }

    /// The value under `key`, the last one if there are several. Looks at every key.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let mut found = None;
        let mut tokens = self.tokens();
        for _ in 0..self.len {
            if tokens.read_string_bytes() == key.as_bytes() {
                found = Some(tokens.clone());
            }
            tokens.skip_values(1);
        }
        found.map(|mut tokens| Value::read(&mut tokens))
    }
}

impl<'a> IntoIterator for Map<'a> {
    type Item = (&'a str, Value<'a>);
    type IntoIter = MapIter<'a>;

    fn into_iter(self) -> MapIter<'a> {
        self.iter()
    }
}

impl PartialEq for Map<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The pairs of a [`Map`].
#[derive(Clone)]
pub struct MapIter<'a> {
    left: u32,
    unread: u64,
    tokens: Tokens<'a>,
}

impl<'a> Iterator for MapIter<'a> {
    type Item = (&'a str, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<(&'a str, Value<'a>)> {
        self.left = self.left.checked_sub(1)?;
        self.tokens.skip_values(self.unread);
        let Token::String(key) = self.tokens.read() else {
            unreachable!("{CHECKED}")
        };
        let value = Value::read(&mut self.tokens);
        self.unread = value.elements();
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for MapIter<'_> {}

/// A structure in a received message.
#[derive(Clone, Copy)]
pub struct Struct<'a> {
    tag: u8,
    fields: u8,
    body: &'a [u8],
}

impl<'a> Struct<'a> {
    /// A structure whose fields stand at the start of checked bytes.
    pub(super) fn of_checked(tag: u8, fields: u8, body: &'a [u8]) -> Self {
        Self { tag, fields, body }
    }

    /// Which structure, 0..=127.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// Number of fields, 0..=15.
    pub fn len(&self) -> usize {
        usize::from(self.fields)
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// The fields in order.
    pub fn fields(&self) -> ListIter<'a> {
        ListIter {
            left: u32::from(self.fields),
            unread: 0,
            tokens: self.tokens(),
        }
    }

    /// All that is in the structure, in wire order.
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens::of_checked(self.body, u64::from(self.fields))
    }
}

impl PartialEq for Struct<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag && self.fields == other.fields && self.fields().eq(other.fields())
    }
}

impl fmt::Debug for Struct<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.tag)?;
        f.debug_list().entries(self.fields()).finish()
    }
}
