//! Received bytes, cut into messages.
//!
//! Owns the chunk layer of a connection's incoming side. The session gives it each received buffer and
//! takes messages out until none is whole. A message that lies in one buffer is given as a slice of that
//! buffer: as it stands if it is a single chunk, slid together in place if it is several. A message
//! that spans buffers is copied once into a buffer kept here.
//!
//! What always holds: whatever the cuts between buffers and between chunks, the messages are the same;
//! NOOPs (an empty chunk where a message could begin) vanish; memory is reserved for bytes that arrived, never for
//! a size that was claimed; a message larger than the limit is refused as soon as its chunks say so.

/// Largest message of a peer that has not logged in, in bytes.
pub const MESSAGE_LEN_BEFORE_LOGIN: usize = 8 << 10;

/// Largest message after login unless configured, in bytes. A batch of rows is legitimately large.
pub const MESSAGE_LEN_AFTER_LOGIN: usize = 256 << 20;

/// Memory an assembling buffer may keep when the message that needed more is gone, in bytes.
const ASSEMBLY_KEPT: usize = 64 << 10;

/// A message exceeded the limit. The stream cannot be trusted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message of more than {limit} bytes")]
pub struct MessageTooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

/// Takes messages out of received buffers.
#[derive(Debug)]
pub struct Dechunker {
    limit: usize,
    position: Position,
    /// Payload of the message that spans buffers. Holds the previous message until the next call.
    assembly: Vec<u8>,
}

/// Where in the stream the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Before a message: its first chunk, or a NOOP, comes next.
    Between,
    /// Before the second byte of a size; the first is given. `inside` a message or before one.
    SizeLow { high: u8, inside: bool },
    /// Before a size inside a message: another chunk or the end mark.
    Size,
    /// In a chunk, with so many bytes to come.
    Chunk { left: u16 },
    /// Behind a message that is too large.
    Refused,
}

impl Dechunker {
    /// At the start of a stream, with the largest message allowed in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            position: Position::Between,
            assembly: Vec::new(),
        }
    }

    /// Changes the largest message allowed, from the next chunk on. To be called at login before the
    /// next message is taken: a login and a large request may stand in one buffer.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether part of a message has arrived and the rest has not.
    pub fn is_inside_message(&self) -> bool {
        !matches!(
            self.position,
            Position::Between | Position::SizeLow { inside: false, .. }
        )
    }

    /// Takes the next whole message from the front of `input`, which is moved behind it. With `None`
    /// all of `input` has been taken in and more is needed. After an error only that error comes.
    pub fn next<'m, 'i: 'm>(
        &'m mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<&'m [u8]>, MessageTooLarge> {
        if self.position == Position::Between {
            self.forget_previous();
            if let Some(message) = self.take_in_place(input)? {
                return Ok(Some(message));
            }
        }
        self.assemble(input)
    }

    /// Drops the memory of the previous message, which has been handled.
    fn forget_previous(&mut self) {
        if self.assembly.capacity() > ASSEMBLY_KEPT && self.assembly.len() < ASSEMBLY_KEPT {
            self.assembly = Vec::new();
        }
        self.assembly.clear();
    }

    /// A message that is whole in `input`. Leaves everything as it was if there is none.
    fn take_in_place<'i>(
        &mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<&'i mut [u8]>, MessageTooLarge> {
        let noops = input.chunks_exact(2).take_while(|c| *c == [0, 0]).count();
        let start = 2 * noops;
        let Some(first) = size_at(input, start) else {
            return Ok(None);
        };
        let first_end = start + 2 + first;
        let mut payload_len = first;
        let mut chunk = first_end;
        // Find the end before anything is moved.
        let end = loop {
            if payload_len > self.limit {
                return self.refuse();
            }
            match size_at(input, chunk) {
                None => return Ok(None),
                Some(0) => break chunk + 2,
                Some(size) => {
                    payload_len += size;
                    chunk += 2 + size;
                }
            }
        };
        let (front, rest) = std::mem::take(input).split_at_mut(end);
        *input = rest;
        if first_end + 2 < end {
            slide_together(front, first_end);
        }
        Ok(Some(&mut front[start + 2..start + 2 + payload_len]))
    }

    /// Takes `input` in byte by byte of framing and stretch by stretch of payload.
    fn assemble(&mut self, input: &mut &mut [u8]) -> Result<Option<&[u8]>, MessageTooLarge> {
        loop {
            if let Position::Chunk { left } = self.position {
                let taken = input.len().min(usize::from(left));
                let (payload, rest) = std::mem::take(input).split_at_mut(taken);
                self.assembly.extend_from_slice(payload);
                *input = rest;
                self.position = match left - taken as u16 {
                    0 => Position::Size,
                    left => Position::Chunk { left },
                };
            }
            let Some((&mut byte, rest)) = std::mem::take(input).split_first_mut() else {
                return Ok(None);
            };
            *input = rest;
            self.position = match self.position {
                Position::Between => Position::SizeLow {
                    high: byte,
                    inside: false,
                },
                Position::Size => Position::SizeLow {
                    high: byte,
                    inside: true,
                },
                Position::SizeLow { high, inside } => match u16::from_be_bytes([high, byte]) {
                    0 if inside => {
                        self.position = Position::Between;
                        return Ok(Some(&self.assembly));
                    }
                    0 => Position::Between,
                    left if self.assembly.len() + usize::from(left) > self.limit => {
                        return self.refuse();
                    }
                    left => Position::Chunk { left },
                },
                Position::Chunk { .. } => {
                    unreachable!("a byte is left only when the chunk was taken in whole")
                }
                Position::Refused => return self.refuse(),
            };
        }
    }

    #[cold]
    fn refuse<T>(&mut self) -> Result<Option<T>, MessageTooLarge> {
        self.position = Position::Refused;
        self.assembly = Vec::new();
        Err(MessageTooLarge { limit: self.limit })
    }
}

/// The chunk size that stands at `at`, if both its bytes are there.
fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    let size = bytes.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_be_bytes(*size)))
}

/// Moves every chunk behind the first, which ends at `end`, up to the one before it.
fn slide_together(message: &mut [u8], mut end: usize) {
    let mut chunk = end;
    while let Some(size @ 1..) = size_at(message, chunk) {
        let payload = chunk + 2..chunk + 2 + size;
        chunk = payload.end;
        message.copy_within(payload, end);
        end += size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All messages of a stream that arrives in the given pieces.
    fn messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Vec<Vec<u8>> {
        let mut dechunker = Dechunker::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            let mut received = piece.to_vec();
            let mut input = received.as_mut_slice();
            while let Some(message) = dechunker.next(&mut input).unwrap() {
                found.push(message.to_vec());
            }
            assert!(input.is_empty());
        }
        found
    }

    const STREAM: &[u8] = &[
        0, 0, // NOOP
        0, 3, 1, 2, 3, 0, 0, // one chunk
        0, 0, 0, 0, // two NOOPs
        0, 1, 4, 0, 2, 5, 6, 0, 1, 7, 0, 0, // three chunks
        0, 2, 0, 0, 0, 0, // zeros as payload
        0, 1, 8, 0, 0, // one chunk
    ];

    fn expected() -> Vec<Vec<u8>> {
        vec![vec![1, 2, 3], vec![4, 5, 6, 7], vec![0, 0], vec![8]]
    }

    #[test]
    fn chunks_are_joined_and_noops_vanish() {
        assert_eq!(messages([STREAM], 100), expected());
    }

    #[test]
    fn any_two_cuts_give_the_same_messages() {
        for first in 0..=STREAM.len() {
            for second in first..=STREAM.len() {
                let pieces = [&STREAM[..first], &STREAM[first..second], &STREAM[second..]];
                assert_eq!(
                    messages(pieces, 100),
                    expected(),
                    "cut at {first}, {second}"
                );
            }
        }
        assert_eq!(messages(STREAM.chunks(1), 100), expected());
    }

    #[test]
    fn a_message_within_one_buffer_is_borrowed_from_it() {
        let mut received = STREAM.to_vec();
        let range = received.as_ptr_range();
        let mut input = received.as_mut_slice();
        let mut dechunker = Dechunker::new(100);
        let mut count = 0;
        while let Some(message) = dechunker.next(&mut input).unwrap() {
            assert!(range.contains(&message.as_ptr()));
            count += 1;
        }
        assert_eq!(count, 4);
        assert_eq!(dechunker.assembly.capacity(), 0);
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_its_bytes_are_kept() {
        // Whole, split over chunks, and claimed by a header alone.
        for stream in [
            vec![0, 4, 1, 2, 3, 4, 0, 0],
            vec![0, 3, 1, 2, 3, 0, 1, 4, 0, 0],
            vec![0xFF, 0xFF],
        ] {
            for cut in 0..=stream.len() {
                let mut dechunker = Dechunker::new(3);
                let (mut first, mut second) = (stream[..cut].to_vec(), stream[cut..].to_vec());
                let outcome = dechunker
                    .next(&mut first.as_mut_slice())
                    .map(|message| message.map(<[u8]>::to_vec));
                let outcome = match outcome {
                    Ok(None) => dechunker
                        .next(&mut second.as_mut_slice())
                        .map(|message| message.map(<[u8]>::to_vec)),
                    other => other,
                };
                assert_eq!(outcome, Err(MessageTooLarge { limit: 3 }));
                let mut more = [0, 1, 9, 0, 0];
                assert!(dechunker.next(&mut more.as_mut_slice()).is_err());
                assert_eq!(dechunker.assembly.capacity(), 0);
            }
        }
    }

    #[test]
    fn a_raised_limit_holds_for_the_next_message_of_the_same_buffer() {
        let mut received = [0, 1, 1, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0];
        let mut input = received.as_mut_slice();
        let mut dechunker = Dechunker::new(2);
        assert_eq!(dechunker.next(&mut input), Ok(Some(&[1][..])));
        dechunker.set_limit(5);
        assert_eq!(dechunker.next(&mut input), Ok(Some(&[1, 2, 3, 4, 5][..])));
    }

    #[test]
    fn memory_of_a_large_message_is_given_back_after_a_small_one() {
        let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
        let mut feed = |pieces: &[&[u8]]| {
            for piece in pieces {
                let mut received = piece.to_vec();
                let mut input = received.as_mut_slice();
                while dechunker.next(&mut input).unwrap().is_some() {}
            }
            dechunker.assembly.capacity()
        };
        let large: Vec<u8> = (0..4)
            .flat_map(|_| {
                [0xFF, 0xFF]
                    .into_iter()
                    .chain(std::iter::repeat_n(7, 0xFFFF))
            })
            .chain([0, 0])
            .collect();
        assert!(feed(&[&large[..9], &large[9..]]) >= 4 * 0xFFFF);
        assert!(feed(&[&[0, 1], &[1, 0, 0]]) <= ASSEMBLY_KEPT);
    }
}
