//! Reading and writing the fields of a message or a record: little-endian, every length checked before it is used.
//!
//! Owns the two cursors; called by `message` and [`crate::node_record`]. Always: a reader never reads past
//! its bytes, never allocates, and an error names the offset.

use quoit_log::Term;

/// Bytes that do not say what they should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at offset {offset}")]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
    /// Where, in bytes from the beginning.
    pub offset: usize,
}

/// Appends fields to a buffer.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub fn new(bytes: Vec<u8>) -> Writer {
        Writer { bytes }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn fixed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn bool(&mut self, value: bool) {
        self.u8(value as u8);
    }

    pub fn u16(&mut self, value: u16) {
        self.fixed(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.fixed(&value.to_le_bytes());
    }

    pub fn u128(&mut self, value: u128) {
        self.fixed(&value.to_le_bytes());
    }

    /// A length of two bytes, then the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let len = u16::try_from(bytes.len()).expect("every field is bounded well below 64 KiB");
        self.u16(len);
        self.fixed(bytes);
    }

    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub fn term(&mut self, term: Term) {
        self.u64(term.counter);
        self.u64(term.id);
    }
}

/// Takes fields from a slice.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, offset: 0 }
    }

    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed {
            what,
            offset: self.offset,
        }
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes[self.offset..]
            .get(..len)
            .ok_or(self.malformed(what))?;
        self.offset += len;
        Ok(taken)
    }

    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self
            .take(N, "the bytes end early")?
            .try_into()
            .expect("N bytes were taken"))
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.fixed::<1>()?[0])
    }

    pub fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("a flag that is neither 0 nor 1")),
        }
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.fixed()?))
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.fixed()?))
    }

    pub fn u128(&mut self) -> Result<u128, Malformed> {
        Ok(u128::from_le_bytes(self.fixed()?))
    }

    pub fn bytes(&mut self, len_max: usize) -> Result<&'a [u8], Malformed> {
        let len = self.u16()? as usize;
        if len > len_max {
            return Err(self.malformed("a length above its bound"));
        }
        self.take(len, "the bytes end early")
    }

    pub fn text(&mut self, len_max: usize) -> Result<&'a str, Malformed> {
        let bytes = self.bytes(len_max)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("a text that is not UTF-8"))
    }

    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.bool()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    pub fn term(&mut self) -> Result<Term, Malformed> {
        Ok(Term {
            counter: self.u64()?,
            id: self.u64()?,
        })
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.offset == self.bytes.len() {
            Ok(())
        } else {
            Err(self.malformed("bytes after the end"))
        }
    }
}
