//! Values written straight into the send buffer, in their shortest forms.
//!
//! A [`Packer`] appends to the message that is being written. Containers whose size is known are
//! announced ([`Packer::list_header`], [`Packer::map_header`]) and their elements follow; where it is not
//! known, [`Packer::list`] and [`Packer::map`] count what a closure writes and set the size afterwards.
//! The writer of a header owes as many values as announced; nobody checks it.

use super::{SIZE_MAX, marker};
use crate::version::WireFormat;

/// Appends PackStream values to a message.
pub struct Packer<'b> {
    out: &'b mut Vec<u8>,
    format: WireFormat,
}

impl<'b> Packer<'b> {
    /// Writes behind what is in `out`, in the given format.
    pub fn new(out: &'b mut Vec<u8>, format: WireFormat) -> Self {
        Self { out, format }
    }

    /// How values look on this connection.
    pub fn format(&self) -> WireFormat {
        self.format
    }

    /// The same packer for a shorter time.
    pub fn reborrow(&mut self) -> Packer<'_> {
        Packer {
            out: self.out,
            format: self.format,
        }
    }

    /// The buffer written to, for framing.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// null
    pub fn null(&mut self) {
        self.out.push(marker::NULL);
    }

    /// true or false
    pub fn bool(&mut self, truth: bool) {
        self.out
            .push(if truth { marker::TRUE } else { marker::FALSE });
    }

    /// A signed integer, in 1, 2, 3, 5 or 9 bytes.
    pub fn int(&mut self, int: i64) {
        if let Ok(tiny) = i8::try_from(int) {
            if tiny >= -16 {
                self.out.push(tiny as u8);
            } else {
                self.out.extend_from_slice(&[marker::INT_8, tiny as u8]);
            }
        } else if let Ok(short) = i16::try_from(int) {
            let [a, b] = short.to_be_bytes();
            self.out.extend_from_slice(&[marker::INT_16, a, b]);
        } else if let Ok(word) = i32::try_from(int) {
            let [a, b, c, d] = word.to_be_bytes();
            self.out.extend_from_slice(&[marker::INT_32, a, b, c, d]);
        } else {
            self.marked(marker::INT_64, int.to_be_bytes());
        }
    }

    /// A float, bit for bit.
    pub fn float(&mut self, float: f64) {
        self.marked(marker::FLOAT, float.to_be_bytes());
    }

    fn marked(&mut self, marker: u8, [a, b, c, d, e, f, g, h]: [u8; 8]) {
        self.out
            .extend_from_slice(&[marker, a, b, c, d, e, f, g, h]);
    }

    /// A string. Longer than 2^31 - 1 bytes it cannot be sent; no value of Quoit's is.
    pub fn string(&mut self, text: &str) {
        self.out.reserve(text.len() + 5);
        self.sized(
            text.len(),
            Some(marker::TINY_STRING),
            [marker::STRING_8, marker::STRING_16, marker::STRING_32],
        );
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A byte array. See [`crate::Version::clients_read_bytes`] for who can take it.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 5);
        self.bytes_header(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    /// Announces a byte array; so many bytes must follow.
    pub(crate) fn bytes_header(&mut self, len: usize) {
        self.sized(
            len,
            None,
            [marker::BYTES_8, marker::BYTES_16, marker::BYTES_32],
        );
    }

    /// Announces a list; `count` values must follow.
    pub fn list_header(&mut self, count: usize) {
        self.sized(
            count,
            Some(marker::TINY_LIST),
            [marker::LIST_8, marker::LIST_16, marker::LIST_32],
        );
    }

    /// Announces a map; `count` pairs of a string and a value must follow.
    pub fn map_header(&mut self, count: usize) {
        self.sized(
            count,
            Some(marker::TINY_MAP),
            [marker::MAP_8, marker::MAP_16, marker::MAP_32],
        );
    }

    /// Announces a structure; `fields` values (at most 15) must follow.
    pub fn struct_header(&mut self, tag: u8, fields: u8) {
        assert!(fields <= 15, "a structure has at most 15 fields");
        assert!(tag <= 0x7F, "a structure's tag is at most 7F");
        self.out
            .extend_from_slice(&[marker::TINY_STRUCT | fields, tag]);
    }

    /// A UUID: its own form from 6.1 on, text in the usual grouping before.
    pub fn uuid(&mut self, uuid: &[u8; 16]) {
        if self.format.version().has_uuid() {
            self.out.push(marker::UUID);
            self.out.extend_from_slice(uuid);
            return;
        }
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.out.extend_from_slice(&[marker::STRING_8, 36]);
        for (i, byte) in uuid.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                self.out.push(b'-');
            }
            self.out
                .extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0x0F)]]);
        }
    }

    /// A list whose length is found out while it is written.
    pub fn list<R>(&mut self, write: impl FnOnce(&mut ListWriter<'_>) -> R) -> R {
        let at = self.out.len();
        self.out.push(marker::TINY_LIST);
        let mut list = ListWriter {
            packer: self.reborrow(),
            count: 0,
        };
        let result = write(&mut list);
        let count = list.count;
        self.close(
            at,
            count,
            marker::TINY_LIST,
            [marker::LIST_8, marker::LIST_16, marker::LIST_32],
        );
        result
    }

    /// A map whose size is found out while it is written.
    pub fn map<R>(&mut self, write: impl FnOnce(&mut MapWriter<'_>) -> R) -> R {
        let at = self.out.len();
        self.out.push(marker::TINY_MAP);
        let mut map = MapWriter {
            packer: self.reborrow(),
            count: 0,
        };
        let result = write(&mut map);
        let count = map.count;
        self.close(
            at,
            count,
            marker::TINY_MAP,
            [marker::MAP_8, marker::MAP_16, marker::MAP_32],
        );
        result
    }

    /// Appends values that were encoded before, in the same format. The caller vouches that they are
    /// whole values.
    pub fn encoded(&mut self, values: &[u8]) {
        self.out.extend_from_slice(values);
    }

    fn sized(&mut self, size: usize, tiny: Option<u8>, [small, medium, large]: [u8; 3]) {
        match (size, tiny) {
            (0..=15, Some(tiny)) => self.out.push(tiny | size as u8),
            (0..=0xFF, _) => self.out.extend_from_slice(&[small, size as u8]),
            (0..=0xFFFF, _) => {
                let [a, b] = (size as u16).to_be_bytes();
                self.out.extend_from_slice(&[medium, a, b]);
            }
            _ => {
                assert!(
                    size <= SIZE_MAX as usize,
                    "no PackStream size exceeds 2^31 - 1"
                );
                let [a, b, c, d] = (size as u32).to_be_bytes();
                self.out.extend_from_slice(&[large, a, b, c, d]);
            }
        }
    }

    /// Sets the count of the container whose one-byte header stands at `at`; a count that needs a
    /// longer header moves the elements.
    fn close(&mut self, at: usize, count: usize, tiny: u8, markers: [u8; 3]) {
        if count <= 15 {
            self.out[at] = tiny | count as u8;
            return;
        }
        let body = at + 1..self.out.len();
        self.sized(count, None, markers);
        let header_len = self.out.len() - body.end;
        let mut header = [0; 5];
        header[..header_len].copy_from_slice(&self.out[body.end..]);
        // The header was appended only to learn its bytes; now that there is room, the elements move
        // right over it and the header takes their place.
        self.out.resize(body.end + header_len - 1, 0);
        self.out.copy_within(body, at + header_len);
        self.out[at..at + header_len].copy_from_slice(&header[..header_len]);
    }
}

/// Writes the elements of a list and counts them.
pub struct ListWriter<'p> {
    packer: Packer<'p>,
    count: usize,
}

impl ListWriter<'_> {
    /// The next element; exactly one value must be written to what this returns.
    pub fn item(&mut self) -> Packer<'_> {
        self.count += 1;
        self.packer.reborrow()
    }

    /// A string as the next element.
    pub fn string(&mut self, text: &str) {
        self.item().string(text);
    }

    /// An integer as the next element.
    pub fn int(&mut self, int: i64) {
        self.item().int(int);
    }
}

/// Pairs of a map as they go out on connections of any version: keys, strings, numbers, lists and maps of these.
#[derive(Debug)]
pub struct EncodedPairs {
    count: usize,
    bytes: Box<[u8]>,
}

impl EncodedPairs {
    /// Encodes what `pairs` writes.
    pub fn new(pairs: impl FnOnce(&mut MapWriter<'_>)) -> EncodedPairs {
        let mut bytes = Vec::new();
        let mut map = MapWriter {
            packer: Packer::new(&mut bytes, WireFormat::new(crate::Version::V4_0)),
            count: 0,
        };
        pairs(&mut map);
        let count = map.count;
        EncodedPairs {
            count,
            bytes: bytes.into(),
        }
    }
}

/// Writes the pairs of a map and counts them.
pub struct MapWriter<'p> {
    packer: Packer<'p>,
    count: usize,
}

impl MapWriter<'_> {
    /// How values look on this connection.
    pub fn format(&self) -> WireFormat {
        self.packer.format()
    }

    /// The next pair's key; exactly one value must be written to what this returns.
    pub fn key(&mut self, key: &str) -> Packer<'_> {
        self.count += 1;
        self.packer.string(key);
        self.packer.reborrow()
    }

    /// Pairs that are the same again and again.
    pub fn encoded(&mut self, pairs: &EncodedPairs) {
        self.count += pairs.count;
        self.packer.encoded(&pairs.bytes);
    }

    /// A pair with a string.
    pub fn string(&mut self, key: &str, text: &str) {
        self.key(key).string(text);
    }

    /// A pair with an integer.
    pub fn int(&mut self, key: &str, int: i64) {
        self.key(key).int(int);
    }

    /// A pair with a truth value.
    pub fn bool(&mut self, key: &str, truth: bool) {
        self.key(key).bool(truth);
    }

    /// A pair with a float.
    pub fn float(&mut self, key: &str, float: f64) {
        self.key(key).float(float);
    }

    /// A pair with a list of strings.
    pub fn strings<'s>(&mut self, key: &str, texts: impl IntoIterator<Item = &'s str>) {
        self.key(key)
            .list(|list| texts.into_iter().for_each(|text| list.string(text)));
    }
}
