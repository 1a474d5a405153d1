//! Sockets as the rest sees them: [`Listener`], [`Accepted`], [`Stream`]; one type over every carrier.
//!
//! Carriers are `ring::stream` (the hot ring), `stock` (glommio's own sockets, for older kernels), [`tls`](crate::tls)
//! over any other, and the simulated one. They implement [`Link`].
//!
//! What always holds of a stream: bytes arrive and leave in order; what was given to [`Stream::send`] is owned by
//! the runtime until the kernel has taken it; after an error every further call fails the same way.

pub(crate) mod stock;

use crate::{RecvBuf, SendBuf, machine::Connected};
use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    task::{Context, Poll},
};

/// What carries a stream. One waiter for each direction: the last waker given is the one woken.
pub(crate) trait Link {
    /// What has arrived, without waiting.
    fn try_recv(&self) -> Option<io::Result<RecvBuf>>;
    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<RecvBuf>>;
    /// Queues bytes. Fails only when the stream has already failed or its sending side is shut.
    fn send(&self, buf: SendBuf) -> io::Result<()>;
    /// Bytes given to `send` that the kernel has not yet taken.
    fn unsent(&self) -> usize;
    /// Ready when at most `limit` bytes are unsent.
    fn poll_unsent_at_most(&self, limit: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Sends the end of the stream after everything queued.
    fn shutdown_send(&self);
}

/// How to listen.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections the kernel keeps until they are accepted (capped by `net.core.somaxconn`).
    pub backlog: u32,
    /// Lets other cores of this user listen on the same address (`SO_REUSEPORT`).
    pub reuse_port: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions {
            backlog: 4096,
            reuse_port: true,
        }
    }
}

pub(crate) trait Accept {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>>;
    fn local_addr(&self) -> SocketAddr;
}

/// A listening socket of this core. Dropping it stops listening.
pub struct Listener(Box<dyn Accept>);

impl Listener {
    pub(crate) fn new(accept: Box<dyn Accept>) -> Listener {
        Listener(accept)
    }

    /// The next connection. Any core may [`adopt`](crate::Rt::adopt) it.
    ///
    /// # Errors
    /// What accept says, such as too many open files: worth a pause and another try.
    pub async fn accept(&self) -> io::Result<Accepted> {
        poll_fn(|cx| self.0.poll_accept(cx)).await
    }

    /// The address listened on; its port is the one the kernel chose where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }
}

/// An accepted connection that no core serves yet. `Send`: it may be dealt to any core.
#[derive(Debug)]
pub struct Accepted {
    pub(crate) socket: AcceptedSocket,
    pub(crate) peer: SocketAddr,
}

#[derive(Debug)]
pub(crate) enum AcceptedSocket {
    Fd(OwnedFd),
    /// One end of a simulated connection, by its number.
    #[cfg(any(test, feature = "sim"))]
    Simulated(u64),
}

impl Accepted {
    /// Who connected.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }
}

/// A connected byte stream of this core.
///
/// All methods take `&self`, so that one task may read while another writes (share it in an `Rc`); one waiter for
/// each direction. Dropping it closes the connection: what was sent in earlier turns goes out, what is still unsent
/// is tried once and then lost. Use [`close`](Self::close) to be sure.
pub struct Stream {
    link: Box<dyn Link>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Stream {
    pub(crate) fn new((link, local, peer): Connected) -> Stream {
        Stream { link, local, peer }
    }

    /// The next bytes, as soon as there are any; empty at the peer's end of the stream (and from then on).
    ///
    /// # Errors
    /// `ConnectionReset` and its kin when the connection broke. Dropping the future loses nothing.
    pub async fn recv(&self) -> io::Result<RecvBuf> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// What has already arrived, without waiting; `None` when nothing has.
    pub fn try_recv(&self) -> Option<io::Result<RecvBuf>> {
        self.link.try_recv()
    }

    /// The polling form of [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<RecvBuf>> {
        self.link.poll_recv(cx)
    }

    /// Sends, in order, without waiting: what was sent in one turn of the core leaves in one system call. Takes
    /// `Vec<u8>` or `Bytes`.
    ///
    /// There is no bound here: a caller that produces more than a reply looks at [`unsent`](Self::unsent) and waits
    /// with [`send_drained`](Self::send_drained).
    ///
    /// # Errors
    /// When the stream has already failed or [`shutdown_send`](Self::shutdown_send) was called. Later failures show
    /// at the next call.
    pub fn send(&self, bytes: impl Into<SendBuf>) -> io::Result<()> {
        let buf = bytes.into();
        if buf.is_empty() {
            Ok(())
        } else {
            self.link.send(buf)
        }
    }

    /// Sends several buffers in order, in one gathered write where the carrier can.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_all<B: Into<SendBuf>>(&self, parts: impl IntoIterator<Item = B>) -> io::Result<()> {
        parts.into_iter().try_for_each(|part| self.send(part))
    }

    /// Bytes sent that the kernel has not yet taken.
    pub fn unsent(&self) -> usize {
        self.link.unsent()
    }

    /// Waits until at most `limit` bytes are unsent: back-pressure for whoever produces without end.
    ///
    /// # Errors
    /// When the stream has failed.
    pub async fn send_drained(&self, limit: usize) -> io::Result<()> {
        poll_fn(|cx| self.poll_drained(limit, cx)).await
    }

    /// The polling form of [`send_drained`](Self::send_drained).
    pub fn poll_drained(&self, limit: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.poll_unsent_at_most(limit, cx)
    }

    /// Waits until the kernel has taken everything sent so far. It says nothing about the peer.
    ///
    /// # Errors
    /// When the stream has failed.
    pub async fn flush(&self) -> io::Result<()> {
        self.send_drained(0).await
    }

    /// Tells the peer that no more will come, after everything sent so far. Receiving goes on.
    pub fn shutdown_send(&self) {
        self.link.shutdown_send();
    }

    /// Sends what is unsent and the end of the stream, then closes. Wrap it in a [`timeout`](crate::Rt::timeout): a
    /// peer that does not read can keep it waiting.
    ///
    /// # Errors
    /// When the stream has failed before everything was sent.
    pub async fn close(self) -> io::Result<()> {
        self.link.shutdown_send();
        self.flush().await
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Our address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn into_connected(self) -> Connected {
        (self.link, self.local, self.peer)
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({} -> {})", self.local, self.peer)
    }
}
