//! Requests that wait while another one runs.
//!
//! While a request runs the socket is still read, so that a RESET or GOODBYE behind it is seen. Each message
//! that the dechunker yields then goes into the connection's [`RequestQueue`], which tells at once
//! whether it is one of these, and is taken out again in order when its turn has come.
//!
//! What always holds: messages come out as they went in and in that order; [`RequestQueue::is_full`]
//! says when to stop reading the socket, so a connection holds at most the bound, one buffer's worth of further
//! messages, and one message that passed the bound. An empty queue keeps little memory.

use crate::message::tag;

/// Requests that may wait on one connection.
pub const REQUESTS_MAX: usize = 256;

/// Bytes of requests that may wait on one connection.
pub const BYTES_MAX: usize = 16 << 20;

/// Memory an empty queue may keep, in bytes.
const KEPT: usize = 16 << 10;

/// A request that is not to wait its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgent {
    /// RESET: call [`crate::state::Session::interrupt`] and cancel what runs.
    Reset,
    /// GOODBYE: cancel what runs; nothing is answered any more.
    Goodbye,
}

/// Messages in the order of their arrival.
#[derive(Debug, Default)]
pub struct RequestQueue {
    /// For each message its length as a u32 in the machine's order, then its bytes.
    bytes: Vec<u8>,
    /// Where the first waiting message begins.
    head: usize,
    waiting: usize,
}

impl RequestQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a message, which the dechunker has bounded, and tells whether it is urgent. What is not even
    /// a message is kept as well; it is refused at its turn.
    pub fn push(&mut self, message: &[u8]) -> Option<Urgent> {
        let len = u32::try_from(message.len()).expect("messages are bounded far below 4 GiB");
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(message);
        self.waiting += 1;
        match message {
            [0xB0, tag::RESET] => Some(Urgent::Reset),
            [0xB0, tag::GOODBYE] => Some(Urgent::Goodbye),
            _ => None,
        }
    }

    /// Takes the first message out. It is valid until the queue is used again.
    pub fn pop(&mut self) -> Option<&[u8]> {
        if self.waiting == 0 {
            self.head = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT {
                self.bytes = Vec::new();
            }
            return None;
        }
        // What was taken out is given back when it is the larger part, so each byte moves once at most.
        if self.head > KEPT && self.head > self.bytes.len() / 2 {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        let (len, rest) = self.bytes[self.head..]
            .split_first_chunk()
            .expect("a message is waiting");
        let len = u32::from_ne_bytes(*len) as usize;
        self.head += size_of::<u32>() + len;
        self.waiting -= 1;
        Some(&rest[..len])
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether to stop reading the socket until requests have been taken out. A RESET that comes
    /// later is seen later; drivers do not pipeline so far.
    pub fn is_full(&self) -> bool {
        self.waiting >= REQUESTS_MAX || self.bytes.len() - self.head >= BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_in_order_however_pushes_and_pops_mix() {
        let mut queue = RequestQueue::new();
        let message = |i: usize| vec![i as u8; i * 37 % 5000];
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..2000 {
            if round % 7 < 4 {
                assert_eq!(queue.push(&message(pushed)), None);
                pushed += 1;
            } else if let Some(taken) = queue.pop() {
                assert_eq!(taken, message(popped));
                popped += 1;
            }
            assert_eq!(queue.len(), pushed - popped);
        }
        while let Some(taken) = queue.pop() {
            assert_eq!(taken, message(popped));
            popped += 1;
        }
        assert_eq!(popped, pushed);
        assert!(queue.bytes.capacity() <= KEPT);
    }

    #[test]
    fn reset_and_goodbye_are_seen_behind_other_requests() {
        let mut queue = RequestQueue::new();
        assert_eq!(queue.push(&[0xB1, 0x3F, 0xA0]), None);
        assert_eq!(queue.push(&[0xB0, 0x0F]), Some(Urgent::Reset));
        assert_eq!(queue.push(&[0xB0, 0x02]), Some(Urgent::Goodbye));
        assert_eq!(
            queue.push(&[0xB1, 0x0F, 0xC0]),
            None,
            "no RESET: a wrong message"
        );
        assert_eq!(queue.push(&[]), None);
        assert_eq!(queue.len(), 5);
        assert_eq!(queue.pop(), Some(&[0xB1, 0x3F, 0xA0][..]));
    }

    #[test]
    fn it_is_full_by_number_and_by_bytes() {
        let mut queue = RequestQueue::new();
        for _ in 0..REQUESTS_MAX {
            assert!(!queue.is_full());
            queue.push(&[0xB0, 0x12]);
        }
        assert!(queue.is_full());
        queue.pop();
        assert!(!queue.is_full());

        let mut queue = RequestQueue::new();
        queue.push(&vec![0; BYTES_MAX]);
        assert!(queue.is_full());
        queue.pop();
        assert!(!queue.is_full());
    }

    #[test]
    fn what_was_taken_out_does_not_pile_up() {
        let mut queue = RequestQueue::new();
        queue.push(&[1; 1000]);
        for _ in 0..10_000 {
            queue.push(&[1; 1000]);
            queue.pop();
        }
        assert!(queue.bytes.capacity() < 256 << 10);
    }
}
