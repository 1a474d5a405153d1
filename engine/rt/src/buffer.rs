//! Memory that travels between sockets, files and their users: three owned types, all safe to hold.
//!
//! [`RecvBuf`] is what arrived (it gives its ring buffer back when dropped), [`SendBuf`] is what is to be sent (it
//! belongs to the runtime until the kernel is done), [`AlignedBuf`] is what direct file I/O needs. The unsafe parts
//! lie in `aligned` and in `ring::provided`.

mod aligned;

pub use aligned::{AlignedBuf, BUFFER_ALIGN};

use crate::ring::provided::ProvidedBuf;
use bytes::Bytes;
use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
};

/// Bytes received from a stream, in order; empty means the peer has closed its side.
///
/// Keep it as short as parsing takes: it holds a receive buffer of the core. (Holding many costs copies, not
/// correctness: when buffers run low, later arrivals are moved to the heap.)
pub struct RecvBuf(Arrived);

enum Arrived {
    Provided(ProvidedBuf),
    Heap(Vec<u8>),
}

impl RecvBuf {
    pub(crate) fn provided(buf: ProvidedBuf) -> RecvBuf {
        RecvBuf(Arrived::Provided(buf))
    }

    pub(crate) fn heap(bytes: Vec<u8>) -> RecvBuf {
        RecvBuf(Arrived::Heap(bytes))
    }

    pub(crate) fn end_of_stream() -> RecvBuf {
        RecvBuf::heap(Vec::new())
    }

    /// True at the end of the stream.
    pub fn is_eof(&self) -> bool {
        self.is_empty()
    }
}

impl Deref for RecvBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Arrived::Provided(buf) => buf,
            Arrived::Heap(bytes) => bytes,
        }
    }
}

impl DerefMut for RecvBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Arrived::Provided(buf) => buf,
            Arrived::Heap(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for RecvBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecvBuf({} bytes)", self.len())
    }
}

/// Bytes to send, owned. A vector goes back to the core's store when sent; `Bytes` is shared and merely released.
#[derive(Debug)]
pub enum SendBuf {
    /// Encoded for this one peer.
    Vec(Vec<u8>),
    /// Shared: the same frame for the log and every replica.
    Bytes(Bytes),
}

impl Deref for SendBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            SendBuf::Vec(v) => v,
            SendBuf::Bytes(b) => b,
        }
    }
}

impl From<Vec<u8>> for SendBuf {
    fn from(v: Vec<u8>) -> SendBuf {
        SendBuf::Vec(v)
    }
}

impl From<Bytes> for SendBuf {
    fn from(b: Bytes) -> SendBuf {
        SendBuf::Bytes(b)
    }
}

impl From<&'static [u8]> for SendBuf {
    fn from(b: &'static [u8]) -> SendBuf {
        SendBuf::Bytes(Bytes::from_static(b))
    }
}

/// Spent send vectors, kept for the next reply. At most [`KEPT_MAX`] of at most [`KEPT_BYTES_MAX`] each.
#[derive(Default)]
pub(crate) struct BufferStore(RefCell<Vec<Vec<u8>>>);

/// 256 vectors: as many replies as one turn of a busy core sends.
const KEPT_MAX: usize = 256;
/// 64 KiB: larger ones are given back, so that the store stays below 16 MiB a core.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl BufferStore {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes what a spent buffer leaves behind.
    pub(crate) fn give(&self, spent: SendBuf) {
        if let SendBuf::Vec(mut v) = spent {
            let mut kept = self.0.borrow_mut();
            if v.capacity() != 0 && v.capacity() <= KEPT_BYTES_MAX && kept.len() < KEPT_MAX {
                v.clear();
                kept.push(v);
            }
        }
    }
}
