//! The stream of Bolt bytes under a session: a plain socket, or the inside of a WebSocket.
//!
//! Owns which of the two it is, and the frames of the second. Called by the session. What always holds: bytes come and
//! go in order; a frame that may not be ends the stream as if the peer had left, after a close frame has said why.

use quoit_protocol::chunk::MESSAGE_LEN_BEFORE_LOGIN;
use quoit_protocol::websocket::{self, Close, FrameDecoder, Incoming};
use quoit_rt::{RecvBuf, Stream};
use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::task::{Context, Poll};

/// Pings are not answered while more than this is unsent, in bytes.
const PONGS_UNSENT_MAX: usize = 1 << 20;

/// Under a session.
pub(crate) struct Transport {
    stream: Rc<Stream>,
    frames: Option<FrameDecoder>,
    /// Socket bytes that were read too far while telling what the peer speaks.
    early: Vec<u8>,
    /// Bolt bytes that came together with the handshake.
    inside: Vec<u8>,
}

/// Bytes that have arrived; empty at the end of the stream.
pub(crate) enum Received {
    /// As they lie in the ring's buffer.
    Ring(RecvBuf),
    /// Taken out of frames, or left over from the handshake.
    Heap(Vec<u8>),
}

impl Deref for Received {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Received::Ring(buffer) => buffer,
            Received::Heap(bytes) => bytes,
        }
    }
}

impl DerefMut for Received {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Received::Ring(buffer) => buffer,
            Received::Heap(bytes) => bytes,
        }
    }
}

impl Transport {
    /// A plain socket.
    pub(crate) fn plain(stream: Stream) -> Transport {
        Transport {
            stream: Rc::new(stream),
            frames: None,
            early: Vec::new(),
            inside: Vec::new(),
        }
    }

    /// The inside of a WebSocket whose upgrade has been answered.
    pub(crate) fn websocket(stream: Stream) -> Transport {
        Transport {
            stream: Rc::new(stream),
            frames: Some(FrameDecoder::new(MESSAGE_LEN_BEFORE_LOGIN as u64)),
            early: Vec::new(),
            inside: Vec::new(),
        }
    }

    /// The socket below.
    pub(crate) fn stream(&self) -> Rc<Stream> {
        self.stream.clone()
    }

    /// Socket bytes that were read too far: they come first. Of a WebSocket these are frames.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        self.early.extend_from_slice(bytes);
    }

    /// Bolt bytes that were read too far: they come first.
    pub(crate) fn put_back_inside(&mut self, bytes: Vec<u8>) {
        self.inside = bytes;
    }

    /// Changes the largest frame that is taken, in bytes.
    pub(crate) fn set_limit(&mut self, bytes_max: usize) {
        if let Some(frames) = &mut self.frames {
            frames.set_limit(bytes_max as u64);
        }
    }

    /// The next bytes; empty at the end of the stream.
    pub(crate) async fn recv(&mut self) -> io::Result<Received> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The polling form of [`recv`](Self::recv).
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Received>> {
        if !self.inside.is_empty() {
            return Poll::Ready(Ok(Received::Heap(std::mem::take(&mut self.inside))));
        }
        loop {
            let mut received = if self.early.is_empty() {
                match self.stream.poll_recv(cx) {
                    Poll::Ready(Ok(buffer)) => Received::Ring(buffer),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            } else {
                Received::Heap(std::mem::take(&mut self.early))
            };
            if self.frames.is_none() || received.is_empty() {
                return Poll::Ready(Ok(received));
            }
            match self.unframe(&mut received) {
                Ok(inside) if inside.is_empty() => {}
                Ok(inside) => return Poll::Ready(Ok(Received::Heap(inside))),
                Err(EndOfFrames) => return Poll::Ready(Ok(Received::Heap(Vec::new()))),
            }
        }
    }

    /// What the frames in `received` carry; pings are answered.
    fn unframe(&mut self, mut received: &mut [u8]) -> Result<Vec<u8>, EndOfFrames> {
        let frames = self.frames.as_mut().expect("only a WebSocket has frames");
        let mut inside = Vec::new();
        let mut out = Vec::new();
        let ended = loop {
            match frames.next(&mut received) {
                Ok(Some(Incoming::Data(bytes))) => inside.extend_from_slice(bytes),
                // A peer that sends pings and reads nothing gets no more than this.
                Ok(Some(Incoming::Ping(_))) if self.stream.unsent() > PONGS_UNSENT_MAX => {}
                Ok(Some(Incoming::Ping(ping))) => websocket::write_pong(&ping, &mut out),
                Ok(Some(Incoming::Pong)) => {}
                Ok(Some(Incoming::Close(_))) => {
                    websocket::write_close(Close::Normal, &mut out);
                    break true;
                }
                Ok(None) => break false,
                Err(error) => {
                    websocket::write_close(error.close(), &mut out);
                    break true;
                }
            }
        };
        // A stream that has failed says so at the next receive.
        let _ = self.stream.send(out);
        if ended && inside.is_empty() {
            Err(EndOfFrames)
        } else {
            Ok(inside)
        }
    }

    /// Sends Bolt bytes.
    ///
    /// # Errors
    /// When the stream has failed.
    pub(crate) fn send(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        if self.frames.is_some() && !bytes.is_empty() {
            self.stream
                .send(websocket::binary_header(bytes.len()).as_slice().to_vec())?;
        }
        self.stream.send(bytes)
    }
}

/// The peer closed the WebSocket, or sent what may not be.
struct EndOfFrames;
