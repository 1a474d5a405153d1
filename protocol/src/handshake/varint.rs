//! The manifest handshake's variable-length integers: at most a u64, so at most ten bytes.

/// Why bytes are not a VarInt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// Takes a VarInt byte by byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct VarIntReader {
    value: u64,
    bytes: u32,
}

impl VarIntReader {
    /// Takes the next byte; gives the value with the last one.
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<u64>, Overflow> {
        let shift = 7 * self.bytes;
        let group = u64::from(byte & 0x7F);
        // The tenth byte has room for one bit, and none may follow it.
        if shift == 63 && byte > 1 {
            return Err(Overflow);
        }
        self.value |= group << shift;
        self.bytes += 1;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<u64>, Overflow> {
        let mut reader = VarIntReader::default();
        for (i, byte) in bytes.iter().enumerate() {
            match reader.take(*byte)? {
                Some(value) => {
                    assert_eq!(i + 1, bytes.len(), "ended early");
                    return Ok(Some(value));
                }
                None => continue,
            }
        }
        Ok(None)
    }

    #[test]
    fn seven_bits_a_byte_lowest_first() {
        assert_eq!(read(&[0x00]), Ok(Some(0)));
        assert_eq!(read(&[0x01]), Ok(Some(1)));
        assert_eq!(read(&[0x7F]), Ok(Some(127)));
        assert_eq!(read(&[0x80, 0x01]), Ok(Some(128)));
        assert_eq!(read(&[0xFF, 0x82, 0x71]), Ok(Some(1_851_775)));
        assert_eq!(read(&[0xFF, 0x82]), Ok(None));
        let largest = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        assert_eq!(read(&largest), Ok(Some(u64::MAX)));
    }

    #[test]
    fn more_than_a_u64_is_refused() {
        assert_eq!(
            read(&[[0xFF; 9].as_slice(), &[0x02]].concat()),
            Err(Overflow)
        );
        assert_eq!(
            read(&[[0x80; 10].as_slice(), &[0x00]].concat()),
            Err(Overflow)
        );
    }
}
