//! The formats of a column: the values of one key, for the slots of a page, in one immutable block.
//!
//! Owned here: what a block looks like, and reading a value of it. Called by `table` (reads), `format` (which writes), `kernel` (arrays).
//!
//! ```text
//! items (u64)   [ valid: a bit a row, if some row has no value ][ data ]
//! Int           offsets from `base` of 0, 1, 2, 4 or 8 bytes        Bool   a bit a row
//! Float         8 bytes, or 4 where every value is an f32           Text   `width` bytes, padded with zeros (none ends with one)
//! Dictionary    a code of one byte a row, then spans                Spans  n + 1 offsets of `width` bytes, then n encoded values
//! ```
//!
//! Always holds: what was put in is read back, to the bit; of the formats that can hold the values the smallest is taken. Where more
//! than half of the rows have no value the data has no gaps for them and a value is found by counting valid rows before it (`packed`).
//! Left to others: which rows there are (the table's `present`); a row beyond `rows` has no value.

use crate::memory::{BlockRef, Charged, MemoryOwner};
use crate::value::ValueRef;
use crate::value::codec::Reader;
use zerocopy::{FromBytes, IntoBytes};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Int,
    Bool,
    Float,
    Text,
    Dictionary,
    Spans,
}

/// What stands before a column's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnHead {
    pub(crate) format: Format,
    /// Bytes a value, or bytes an offset of a span.
    pub(crate) width: u8,
    /// Whether some row has no value.
    pub(crate) masked: bool,
    /// Whether rows without a value take no room.
    pub(super) packed: bool,
    /// Rows it was made for.
    pub(crate) rows: u16,
    /// Rows with a value.
    pub(crate) values: u16,
    /// Where spans begin, in bytes of the data.
    pub(super) spans: u32,
    /// What integers are offsets from.
    pub(crate) base: i64,
}

impl Charged for ColumnHead {
    const OWNER: MemoryOwner = MemoryOwner::Columns;
}

/// A column's block as a reader sees it.
pub(crate) type ColumnBlock<'g> = BlockRef<'g, ColumnHead, u64>;

/// One column, read. Its head is the block's, or a copy that stands nearer: then a value is found without waiting for the block's.
#[derive(Clone, Copy)]
pub(crate) struct Column<'g> {
    head: &'g ColumnHead,
    pub(crate) block: ColumnBlock<'g>,
}

const CHECKED: &str = "a column was written here";

impl<'g> Column<'g> {
    /// The column of a block.
    pub(crate) fn of(block: ColumnBlock<'g>) -> Column<'g> {
        Column {
            head: block.header(),
            block,
        }
    }

    /// The same, with a copy of what stands before its data.
    #[inline]
    pub(super) fn with_head(head: &'g ColumnHead, block: ColumnBlock<'g>) -> Column<'g> {
        debug_assert_eq!(head, block.header());
        Column { head, block }
    }

    /// What stands before the data.
    #[inline]
    pub(crate) fn head(self) -> &'g ColumnHead {
        self.head
    }

    /// The words of valid bits, none if every row has a value.
    #[inline]
    pub(crate) fn valid(self) -> &'g [u64] {
        let head = self.head();
        if head.masked {
            &self.block.items()[..usize::from(head.rows).div_ceil(64)]
        } else {
            &[]
        }
    }

    #[inline]
    fn data(self) -> &'g [u8] {
        let head = self.head();
        let skip = if head.masked {
            usize::from(head.rows).div_ceil(64)
        } else {
            0
        };
        self.block.items()[skip..].as_bytes()
    }

    /// Where the value of a row stands among the values; nothing if it has none.
    #[inline]
    fn place(self, at: usize) -> Option<usize> {
        let head = self.head();
        if at >= usize::from(head.rows) {
            return None;
        }
        if !head.masked {
            return Some(at);
        }
        let valid = self.valid();
        if valid[at / 64] >> (at % 64) & 1 == 0 {
            return None;
        }
        if !head.packed {
            return Some(at);
        }
        let before: u32 = valid[..at / 64].iter().map(|word| word.count_ones()).sum();
        let within = valid[at / 64] & ((1 << (at % 64)) - 1);
        Some((before + within.count_ones()) as usize)
    }

    /// The value of a row.
    #[inline]
    pub(crate) fn get(self, at: usize) -> Option<ValueRef<'g>> {
        let at = self.place(at)?;
        let head = self.head();
        let data = self.data();
        Some(match head.format {
            Format::Int => ValueRef::Int(head.base.wrapping_add(offset(data, head.width, at))),
            Format::Bool => ValueRef::Bool(data[at / 8] >> (at % 8) & 1 == 1),
            Format::Float if head.width == 4 => {
                let bytes = data[at * 4..at * 4 + 4].try_into().expect("four bytes");
                ValueRef::Float(f64::from(f32::from_le_bytes(bytes)))
            }
            Format::Float => {
                let bytes = data[at * 8..at * 8 + 8].try_into().expect("eight bytes");
                ValueRef::Float(f64::from_le_bytes(bytes))
            }
            Format::Text => {
                let width = usize::from(head.width);
                let padded = &data[at * width..(at + 1) * width];
                let end = padded.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
                ValueRef::String(std::str::from_utf8(&padded[..end]).expect(CHECKED))
            }
            Format::Dictionary => decoded(self.span(usize::from(data[at]))),
            Format::Spans => decoded(self.span(at)),
        })
    }

    /// The encoded bytes of a row of [`Format::Spans`]; empty if it has none.
    pub(crate) fn bytes(self, at: usize) -> &'g [u8] {
        debug_assert_eq!(self.head().format, Format::Spans);
        self.place(at).map_or(&[], |at| self.span(at))
    }

    #[inline]
    fn span(self, n: usize) -> &'g [u8] {
        let head = self.head();
        let spans = &self.data()[head.spans as usize..];
        let from = offset(spans, head.width, n) as usize;
        let to = offset(spans, head.width, n + 1) as usize;
        &spans[from..to]
    }

    /// Integers of a column without packing, as offsets from the base: `rows` of them.
    pub(crate) fn offsets(self) -> Option<Offsets<'g>> {
        let head = self.head();
        if head.format != Format::Int || head.packed {
            return None;
        }
        let (data, rows) = (self.data(), usize::from(head.rows));
        Some(match head.width {
            0 => Offsets::Equal,
            1 => Offsets::U8(&data[..rows]),
            2 => Offsets::U16(array(data, rows)),
            4 => Offsets::U32(array(data, rows)),
            _ => Offsets::U64(array(data, rows)),
        })
    }

    /// Floats of eight bytes of a column without packing: `rows` of them.
    pub(crate) fn floats(self) -> Option<Floats<'g>> {
        let head = self.head();
        if head.format != Format::Float || head.packed {
            return None;
        }
        let (data, rows) = (self.data(), usize::from(head.rows));
        Some(match head.width {
            4 => Floats::F32(array(data, rows)),
            _ => Floats::F64(array(data, rows)),
        })
    }
}

impl<'g> Column<'g> {
    /// Codes of a column without packing: `rows` of them.
    pub(crate) fn codes(self) -> Option<&'g [u8]> {
        let head = self.head();
        let is_coded = head.format == Format::Dictionary && !head.packed;
        is_coded.then(|| &self.data()[..usize::from(head.rows)])
    }

    /// The value of a code that a row with a value has.
    pub(crate) fn coded(self, code: u8) -> ValueRef<'g> {
        decoded(self.span(usize::from(code)))
    }
}

fn array<T: FromBytes + zerocopy::Immutable>(data: &[u8], rows: usize) -> &[T] {
    <[T]>::ref_from_prefix_with_elems(data, rows)
        .expect("data starts at a multiple of eight bytes and has a value a row")
        .0
}

/// Integers as they lie: what is added to their column's base.
#[derive(Clone, Copy, Debug)]
pub enum Offsets<'g> {
    /// All are the base.
    Equal,
    /// One byte each.
    U8(&'g [u8]),
    /// Two bytes each.
    U16(&'g [u16]),
    /// Four bytes each.
    U32(&'g [u32]),
    /// Eight bytes each; added modulo 2^64.
    U64(&'g [u64]),
}

/// Floats as they lie.
#[derive(Clone, Copy, Debug)]
pub enum Floats<'g> {
    /// Where nothing is lost by it.
    F32(&'g [f32]),
    /// All others.
    F64(&'g [f64]),
}

#[inline]
fn offset(data: &[u8], width: u8, at: usize) -> i64 {
    match width {
        0 => 0,
        1 => i64::from(data[at]),
        2 => i64::from(u16::from_le_bytes(
            data[at * 2..at * 2 + 2].try_into().expect("two bytes"),
        )),
        4 => i64::from(u32::from_le_bytes(
            data[at * 4..at * 4 + 4].try_into().expect("four bytes"),
        )),
        _ => i64::from_le_bytes(data[at * 8..at * 8 + 8].try_into().expect("eight bytes")),
    }
}

#[inline]
pub(super) fn decoded(bytes: &[u8]) -> ValueRef<'_> {
    Reader::new(bytes).value().expect(CHECKED)
}
