//! Messages on their way out: chunk framing and the buffer they gather in.
//!
//! ```text
//! chunk    u16 size | size bytes        size 1 ..= 65535, big-endian
//! message  chunk+ then 00 00
//! NOOP     00 00 between messages
//! ```
//!
//! A message is encoded in one stretch behind two bytes left free; finishing it patches the size in. Only
//! a message beyond 65,535 bytes is cut into further chunks, by moving its bytes apart at the end, so the
//! usual small message pays for no test while it is written. Many messages share one buffer and go out
//! in one send. What always holds: outside of an open [`MessageWriter`] the buffer holds whole messages
//! only; a writer that is dropped unfinished leaves no trace.
//!
//! Left to the caller: when to send, and to stop producing when [`SendBuffer::len`] passes its bound.

use crate::packstream::Packer;
use crate::version::WireFormat;
use std::ops::{Deref, DerefMut};

/// Most bytes that one chunk can carry.
pub const CHUNK_LEN_MAX: usize = 0xFFFF;

/// A place between messages in a [`SendBuffer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    len: usize,
}

/// Encoded messages that wait to be sent.
#[derive(Debug)]
pub struct SendBuffer {
    bytes: Vec<u8>,
    format: WireFormat,
}

impl SendBuffer {
    /// An empty buffer of a connection that speaks `format`.
    pub fn new(format: WireFormat) -> Self {
        Self {
            bytes: Vec::new(),
            format,
        }
    }

    /// How values look on this connection.
    pub fn format(&self) -> WireFormat {
        self.format
    }

    /// Changes the format for messages begun from now on (the `utc` patch, accepted in HELLO).
    pub fn set_format(&mut self, format: WireFormat) {
        self.format = format;
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The waiting bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the waiting bytes, which have been sent; keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The end of what has been written, to come back to with [`SendBuffer::return_to`].
    pub fn mark(&self) -> Mark {
        Mark {
            len: self.bytes.len(),
        }
    }

    /// Takes back every message written since `mark`, for a statement that is tried again. Nothing
    /// may have been handed out since.
    pub fn return_to(&mut self, mark: Mark) {
        assert!(
            mark.len <= self.bytes.len(),
            "what was handed out cannot be taken back"
        );
        self.bytes.truncate(mark.len);
    }

    /// Hands out the waiting bytes and goes on in `spare`, whose contents are dropped. The sender gives
    /// the old buffer back as the next spare.
    pub fn replace(&mut self, mut spare: Vec<u8>) -> Vec<u8> {
        spare.clear();
        std::mem::replace(&mut self.bytes, spare)
    }

    /// Begins a message with its structure's tag and number of fields.
    pub fn message(&mut self, tag: u8, fields: u8) -> MessageWriter<'_> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        let mut writer = MessageWriter {
            packer: Packer::new(&mut self.bytes, self.format),
            at,
        };
        writer.struct_header(tag, fields);
        writer
    }

    /// A NOOP, which keeps a connection alive while a query runs. Only for versions where
    /// [`crate::Version::server_may_send_noop`] holds.
    pub fn noop(&mut self) {
        self.bytes.extend_from_slice(&[0, 0]);
    }
}

/// A message that is being written. Values go in through the [`Packer`] it derefs to;
/// [`finish`](Self::finish) makes it part of the buffer, dropping it takes it back out.
#[must_use = "a message that is not finished is dropped"]
pub struct MessageWriter<'b> {
    packer: Packer<'b>,
    /// Where the first chunk's size belongs.
    at: usize,
}

/// Marks a writer whose message is complete.
const FINISHED: usize = usize::MAX;

impl MessageWriter<'_> {
    /// Completes the message: chunk sizes and the end mark.
    pub fn finish(mut self) {
        let at = std::mem::replace(&mut self.at, FINISHED);
        let out = self.packer.buffer();
        let payload_len = out.len() - at - 2;
        if let Ok(size) = u16::try_from(payload_len) {
            out[at..at + 2].copy_from_slice(&size.to_be_bytes());
        } else {
            split(out, at, payload_len);
        }
        out.extend_from_slice(&[0, 0]);
    }
}

impl<'b> Deref for MessageWriter<'b> {
    type Target = Packer<'b>;

    fn deref(&self) -> &Packer<'b> {
        &self.packer
    }
}

impl<'b> DerefMut for MessageWriter<'b> {
    fn deref_mut(&mut self) -> &mut Packer<'b> {
        &mut self.packer
    }
}

impl Drop for MessageWriter<'_> {
    fn drop(&mut self) {
        if self.at != FINISHED {
            self.packer.buffer().truncate(self.at);
        }
    }
}

/// Cuts the message whose payload stands behind two free bytes at `at` into chunks of the largest size.
#[cold]
fn split(out: &mut Vec<u8>, at: usize, payload_len: usize) {
    let chunks = payload_len.div_ceil(CHUNK_LEN_MAX);
    out.resize(out.len() + 2 * (chunks - 1), 0);
    // From the last to the first, so that nothing is overwritten before it moved.
    for chunk in (0..chunks).rev() {
        let offset = chunk * CHUNK_LEN_MAX;
        let len = CHUNK_LEN_MAX.min(payload_len - offset);
        let from = at + 2 + offset;
        let to = from + 2 * chunk;
        out.copy_within(from..from + len, to);
        out[to - 2..to].copy_from_slice(&(len as u16).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;

    fn buffer() -> SendBuffer {
        SendBuffer::new(WireFormat::new(Version::V5_8))
    }

    #[test]
    fn a_message_dropped_unfinished_leaves_no_trace() {
        let mut send = buffer();
        send.message(0x7E, 0).finish();
        let mut half = send.message(0x71, 1);
        half.list_header(1);
        half.string("half a record");
        drop(half);
        assert_eq!(send.as_slice(), [0, 2, 0xB0, 0x7E, 0, 0]);
        send.message(0x0F, 0).finish();
        assert_eq!(
            send.as_slice(),
            [0, 2, 0xB0, 0x7E, 0, 0, 0, 2, 0xB0, 0x0F, 0, 0]
        );
    }

    #[test]
    fn messages_since_a_mark_can_be_taken_back() {
        let mut send = buffer();
        send.message(0x7E, 0).finish();
        let mark = send.mark();
        send.message(0x71, 0).finish();
        send.message(0x71, 0).finish();
        send.return_to(mark);
        assert_eq!(send.as_slice(), [0, 2, 0xB0, 0x7E, 0, 0]);
    }

    #[test]
    fn chunks_are_cut_at_65535_bytes() {
        for payload_len in [65_534, 65_535, 65_536, 131_070, 131_071, 400_000] {
            let mut send = buffer();
            send.noop();
            let mut message = send.message(0x71, 1);
            let fill: Vec<u8> = (0..payload_len - 2).map(|i| i as u8).collect();
            message.encoded(&fill);
            message.finish();

            let mut rest = &send.as_slice()[2..];
            let mut payload = Vec::new();
            let mut sizes = Vec::new();
            loop {
                let (size, after) = rest.split_first_chunk().unwrap();
                let size = usize::from(u16::from_be_bytes(*size));
                if size == 0 {
                    assert!(after.is_empty());
                    break;
                }
                sizes.push(size);
                payload.extend_from_slice(&after[..size]);
                rest = &after[size..];
            }
            assert_eq!(payload[..2], [0xB1, 0x71]);
            assert_eq!(payload[2..], fill);
            let (last, full) = sizes.split_last().unwrap();
            assert!(full.iter().all(|size| *size == CHUNK_LEN_MAX));
            assert!(*last > 0);
        }
    }
}
