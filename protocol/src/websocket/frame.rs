//! WebSocket frames (RFC 6455, section 5).
//!
//! ```text
//! byte 0   FIN 1 bit | RSV 3 bits, 0 | opcode 4 bits
//! byte 1   MASK 1 bit | length 7 bits: 0..125, 126: u16 follows, 127: u64 follows (big-endian)
//! then     mask, 4 bytes, if MASK (always from a client, never from a server)
//! then     payload, each byte i xor mask[i % 4]
//! ```

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Payload that a control frame may have.
const CONTROL_LEN_MAX: usize = 125;

/// Header bytes at most: 2, a 64-bit length, a mask.
const HEADER_LEN_MAX: usize = 14;

/// Something that came in frames.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'i> {
    /// The next bytes of the stream inside, unmasked in the received buffer.
    Data(&'i mut [u8]),
    /// A ping with this payload; answer with a pong of the same.
    Ping(Control),
    /// A pong, to nothing that was asked.
    Pong,
    /// The peer closes, with this code if it gave one. Answer with a close, then close the socket.
    Close(Option<u16>),
}

/// The payload of a control frame, up to 125 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    bytes: [u8; CONTROL_LEN_MAX],
    len: u8,
}

impl Control {
    const EMPTY: Self = Self {
        bytes: [0; CONTROL_LEN_MAX],
        len: 0,
    };

    /// The payload's bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A frame that may not be. Answer with a close of [`FrameError::close`]'s code, then close the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A text frame; Bolt is binary.
    #[error("text frame")]
    Text,
    /// A frame longer than the limit.
    #[error("frame of {len} bytes, more than {limit}")]
    TooLarge {
        /// The declared length.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A frame that RFC 6455 forbids.
    #[error("malformed frame: {0}")]
    Malformed(&'static str),
}

/// Codes that a close frame may carry (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// 1000: the conversation is over.
    Normal,
    /// 1001: the server stops.
    GoingAway,
    /// 1002: a frame that may not be.
    ProtocolError,
    /// 1003: a kind of data that is not taken.
    Unsupported,
    /// 1009: too large.
    TooBig,
}

impl Close {
    const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::Unsupported => 1003,
            Self::TooBig => 1009,
        }
    }
}

impl FrameError {
    /// How to close the connection.
    pub fn close(&self) -> Close {
        match self {
            Self::Text => Close::Unsupported,
            Self::TooLarge { .. } => Close::TooBig,
            Self::Malformed(_) => Close::ProtocolError,
        }
    }
}

/// Takes the stream inside out of a client's frames.
#[derive(Clone, Debug)]
pub struct FrameDecoder {
    limit: u64,
    step: Step,
    /// A data message has begun whose last fragment has not.
    in_message: bool,
    control: Control,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Takes a header.
    Header {
        taken: usize,
        bytes: [u8; HEADER_LEN_MAX],
    },
    /// Takes a payload.
    Payload(Frame),
    /// A frame was refused.
    Refused(FrameError),
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    left: u64,
    /// Turned so that its first byte is the one for the next payload byte.
    mask: [u8; 4],
}

const BEFORE_HEADER: Step = Step::Header {
    taken: 0,
    bytes: [0; HEADER_LEN_MAX],
};

impl FrameDecoder {
    /// Before the first frame, with the largest data frame allowed in bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            step: BEFORE_HEADER,
            in_message: false,
            control: Control::EMPTY,
        }
    }

    /// Changes the largest data frame allowed, from the next frame on (at login).
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Takes the next thing from the front of `input`, which is moved behind it. With `None` all of
    /// `input` has been taken in and more is needed.
    pub fn next<'i>(
        &mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Incoming<'i>>, FrameError> {
        loop {
            match self.step {
                Step::Refused(error) => return Err(error),
                Step::Header { taken, mut bytes } => {
                    let Some((&mut byte, rest)) = std::mem::take(input).split_first_mut() else {
                        return Ok(None);
                    };
                    *input = rest;
                    bytes[taken] = byte;
                    self.step = match self.header(&bytes[..taken + 1]) {
                        Ok(None) => Step::Header {
                            taken: taken + 1,
                            bytes,
                        },
                        Ok(Some(frame)) => Step::Payload(frame),
                        Err(error) => Step::Refused(error),
                    };
                }
                Step::Payload(frame) => {
                    let is_control = frame.opcode >= CLOSE;
                    if frame.left > 0 && input.is_empty() {
                        return Ok(None);
                    }
                    let taken = usize::try_from(frame.left)
                        .unwrap_or(usize::MAX)
                        .min(input.len());
                    let (payload, rest) = std::mem::take(input).split_at_mut(taken);
                    *input = rest;
                    unmask(payload, frame.mask);
                    let left = frame.left - taken as u64;
                    self.step = if left == 0 {
                        BEFORE_HEADER
                    } else {
                        let mut mask = frame.mask;
                        mask.rotate_left(taken % 4);
                        Step::Payload(Frame {
                            left,
                            mask,
                            ..frame
                        })
                    };
                    if is_control {
                        let held = usize::from(self.control.len);
                        self.control.bytes[held..held + taken].copy_from_slice(payload);
                        self.control.len += taken as u8;
                        if left == 0 {
                            return self.control_ended(frame.opcode).map(Some);
                        }
                    } else if taken > 0 {
                        return Ok(Some(Incoming::Data(payload)));
                    }
                }
            }
        }
    }

    /// A header from its first bytes, as soon as they are enough.
    fn header(&mut self, bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        use FrameError::Malformed;
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
        if first & 0x70 != 0 {
            return Err(Malformed("reserved bits are set"));
        }
        if second & 0x80 == 0 {
            return Err(Malformed("a client's frame is not masked"));
        }
        let is_control = opcode >= CLOSE;
        match opcode {
            TEXT => return Err(FrameError::Text),
            CONTINUATION if !self.in_message => {
                return Err(Malformed("a continuation of nothing"));
            }
            BINARY if self.in_message => {
                return Err(Malformed("a message inside of another"));
            }
            CLOSE | PING | PONG if !fin => return Err(Malformed("a control frame in fragments")),
            CONTINUATION | BINARY | CLOSE | PING | PONG => {}
            _ => return Err(Malformed("unknown opcode")),
        }
        let (len, mask) = match second & 0x7F {
            126 | 127 if is_control => return Err(Malformed("a control frame over 125 bytes")),
            126 => match rest.split_first_chunk() {
                Some((len, mask)) => (u64::from(u16::from_be_bytes(*len)), mask),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, mask)) => (u64::from_be_bytes(*len), mask),
                None => return Ok(None),
            },
            len => (u64::from(len), rest),
        };
        if !is_control && len > self.limit {
            return Err(FrameError::TooLarge {
                len,
                limit: self.limit,
            });
        }
        let Some(mask) = mask.first_chunk() else {
            return Ok(None);
        };
        if is_control {
            self.control = Control::EMPTY;
        } else {
            self.in_message = !fin;
        }
        Ok(Some(Frame {
            opcode,
            left: len,
            mask: *mask,
        }))
    }

    fn control_ended<'i>(&mut self, opcode: u8) -> Result<Incoming<'i>, FrameError> {
        Ok(match opcode {
            PING => Incoming::Ping(self.control),
            PONG => Incoming::Pong,
            _ => match self.control.as_slice() {
                [] => Incoming::Close(None),
                [high, low, ..] => Incoming::Close(Some(u16::from_be_bytes([*high, *low]))),
                _ => {
                    let error = FrameError::Malformed("half a close code");
                    self.step = Step::Refused(error);
                    return Err(error);
                }
            },
        })
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    // Four at a time, which the compiler makes wider.
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// The header of a binary frame of a server, to be sent right before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinaryHeader {
    bytes: [u8; 10],
    len: u8,
}

impl BinaryHeader {
    /// The header's bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The header for a payload of so many bytes.
pub fn binary_header(payload_len: usize) -> BinaryHeader {
    let mut bytes = [0; 10];
    bytes[0] = 0x80 | BINARY;
    let len = match payload_len {
        0..=125 => {
            bytes[1] = payload_len as u8;
            2
        }
        126..=0xFFFF => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        }
    };
    BinaryHeader { bytes, len }
}

/// Appends a binary frame with this payload.
pub fn write_binary(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(binary_header(payload.len()).as_slice());
    out.extend_from_slice(payload);
}

/// Appends the pong that answers a ping.
pub fn write_pong(ping: &Control, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x80 | PONG, ping.len]);
    out.extend_from_slice(ping.as_slice());
}

/// Appends a close frame.
pub fn write_close(close: Close, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x80 | CLOSE, 2]);
    out.extend_from_slice(&close.code().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_binary(payload, &mut out);
        out[0] = first;
        let header_len = out.len() - payload.len();
        out[1] |= 0x80;
        let mask = [0x37, 0xFA, 0x21, 0x3D];
        out.splice(header_len..header_len, mask);
        for (i, byte) in out[header_len + 4..].iter_mut().enumerate() {
            *byte ^= mask[i % 4];
        }
        out
    }

    /// The stream inside, with control frames as text, of pieces of so many bytes.
    fn decode(stream: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<String>), FrameError> {
        let mut decoder = FrameDecoder::new(100_000);
        let (mut data, mut controls) = (Vec::new(), Vec::new());
        for received in stream.chunks(piece) {
            let mut received = received.to_vec();
            let mut input = received.as_mut_slice();
            while let Some(incoming) = decoder.next(&mut input)? {
                match incoming {
                    Incoming::Data(bytes) => data.extend_from_slice(bytes),
                    Incoming::Ping(ping) => controls.push(format!("ping {:?}", ping.as_slice())),
                    Incoming::Pong => controls.push("pong".into()),
                    Incoming::Close(code) => controls.push(format!("close {code:?}")),
                }
            }
        }
        Ok((data, controls))
    }

    #[test]
    fn any_cut_gives_the_same_stream_with_fragments_and_controls_between() {
        let long: Vec<u8> = (0..70_000).map(|i| i as u8).collect();
        let stream = [
            frame(0x82, b"\x60\x60\xB0"),
            frame(0x02, b"one"),
            frame(0x89, b"are you there"),
            frame(0x00, b""),
            frame(0x80, b"two"),
            frame(0x8A, b"yes"),
            frame(0x82, &long[..200]),
            frame(0x82, &long),
            frame(0x88, &[0x03, 0xE8, b'b', b'y', b'e']),
        ]
        .concat();
        let expected = (
            [b"\x60\x60\xB0onetwo".as_slice(), &long[..200], &long].concat(),
            vec![
                format!("ping {:?}", b"are you there"),
                "pong".to_string(),
                "close Some(1000)".to_string(),
            ],
        );
        for piece in [1, 2, 3, 7, 13, 1000, usize::MAX] {
            assert_eq!(decode(&stream, piece), Ok(expected.clone()));
        }
    }

    /// The example of RFC 6455, section 5.7.
    #[test]
    fn a_ping_is_answered_with_its_payload() {
        let mut hello = [
            0x89, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
        ];
        let mut decoder = FrameDecoder::new(0);
        let Ok(Some(Incoming::Ping(ping))) = decoder.next(&mut hello.as_mut_slice()) else {
            panic!("a ping");
        };
        let mut out = Vec::new();
        write_pong(&ping, &mut out);
        assert_eq!(out, b"\x8A\x05Hello");
    }

    #[test]
    fn forbidden_frames_end_the_connection_with_the_right_code() {
        let length = |len: u64| [[0x82, 0xFF].as_slice(), &len.to_be_bytes()].concat();
        for (stream, close) in [
            (frame(0x81, b"text"), Close::Unsupported),
            (length(u64::MAX), Close::TooBig),
            (length(100_001), Close::TooBig),
            (vec![0x82, 0x01, 0x00], Close::ProtocolError),
            (frame(0xC2, b""), Close::ProtocolError),
            (frame(0x80, b""), Close::ProtocolError),
            (frame(0x83, b""), Close::ProtocolError),
            (frame(0x8B, b""), Close::ProtocolError),
            (frame(0x09, b""), Close::ProtocolError),
            (vec![0x89, 0xFE], Close::ProtocolError),
            (frame(0x88, b"x"), Close::ProtocolError),
            (
                [frame(0x02, b"a"), frame(0x82, b"b")].concat(),
                Close::ProtocolError,
            ),
        ] {
            for piece in [1, 100] {
                let error = decode(&stream, piece).unwrap_err();
                assert_eq!(error.close(), close, "{stream:02X?}");
            }
        }
        let mut out = Vec::new();
        write_close(Close::Unsupported, &mut out);
        assert_eq!(out, [0x88, 2, 0x03, 0xEB]);
    }

    #[test]
    fn payload_is_unmasked_in_the_received_buffer() {
        let mut received = frame(0x82, b"RETURN 1");
        let range = received.as_ptr_range();
        let mut input = received.as_mut_slice();
        let Ok(Some(Incoming::Data(data))) = FrameDecoder::new(100).next(&mut input) else {
            panic!("data");
        };
        assert_eq!(data, b"RETURN 1");
        assert!(range.contains(&data.as_ptr()));
    }
}
