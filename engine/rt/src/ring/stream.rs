//! Connected sockets on the hot ring.
//!
//! Receiving: one multishot receive fills provided buffers as data comes; they queue here until taken. A connection
//! whose reader is behind by [`ARRIVED_MAX_BYTES`] stops receiving until the queue is empty, so the peer feels TCP's
//! own back-pressure; a connection that found no buffer goes on when there are some.
//!
//! Sending: what is sent between two turns leaves as one operation, and the next begins when that one is over.
//!
//! Closing: a link that is dropped leaves its connection here until the kernel has reported the end of every
//! operation; the socket closes with the last of them.
//!
//! | state of the sending side | `shut` | `abandoned` |
//! | --- | --- | --- |
//! | open | `Open` | no |
//! | ends after what is queued | `Wanted` | no |
//! | ended | `Done` | no |
//! | link dropped: one last try without waiting, then closed | any | yes |

use super::{
    HotRing, State, Wakers, core_ended,
    kernel::{Op, OpId, SendWait, Token},
};
use crate::{
    buffer::{BufferStore, RecvBuf, SendBuf},
    net::Link,
};
use smallvec::SmallVec;
use std::{
    collections::VecDeque,
    io,
    os::fd::OwnedFd,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Bytes that may wait for the reader of one connection: 64 KiB, what a socket's own buffer holds by default.
/// Buffers in flight may exceed it by what the kernel had received before it heard of the limit.
const ARRIVED_MAX_BYTES: usize = 64 << 10;
/// Buffers of one gathered send; the kernel takes at most 1,024 (UIO_MAXIOV).
const GATHER_MAX: usize = 128;
/// Bytes after which a gathered send takes no further buffer, so that `unsent` falls in steps.
const GATHER_MAX_BYTES: usize = 256 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shut {
    Open,
    Wanted,
    Done,
}

/// A connection's state in the ring.
pub(super) struct Conn {
    socket: Rc<OwnedFd>,

    arrived: VecDeque<RecvBuf>,
    arrived_bytes: usize,
    recv: Option<OpId>,
    recv_cancelling: bool,
    /// The peer has ended its side.
    eof: bool,
    reader: Option<Waker>,

    queue: VecDeque<SendBuf>,
    unsent: usize,
    send: Option<OpId>,
    dirty: bool,
    shut: Shut,
    writer: Option<(usize, Waker)>,

    /// The first error of either side, as errno.
    failed: Option<i32>,
    abandoned: bool,
}

impl Conn {
    fn error(&self) -> Option<io::Error> {
        self.failed.map(io::Error::from_raw_os_error)
    }

    /// Fails both sides and wakes whoever waits. What has arrived can still be read.
    pub(super) fn fail(&mut self, errno: i32, wake: &mut Wakers) {
        self.failed.get_or_insert(errno);
        self.queue.clear();
        self.unsent = 0;
        wake.extend(self.reader.take());
        wake.extend(self.writer.take().map(|(_, waker)| waker));
    }
}

/// A connected socket of this core.
pub(crate) struct RingLink {
    ring: Rc<HotRing>,
    key: usize,
}

impl RingLink {
    pub(crate) fn new(ring: Rc<HotRing>, socket: Rc<OwnedFd>) -> RingLink {
        let key = {
            let mut state = ring.state.borrow_mut();
            let key = state.conns.insert(Conn {
                socket,
                arrived: VecDeque::new(),
                arrived_bytes: 0,
                recv: None,
                recv_cancelling: false,
                eof: false,
                reader: None,
                queue: VecDeque::new(),
                unsent: 0,
                send: None,
                dirty: false,
                shut: Shut::Open,
                writer: None,
                failed: None,
                abandoned: false,
            });
            state.arm_recv(key);
            key
        };
        ring.kick();
        RingLink { ring, key }
    }

    /// Takes what has arrived, or says how the stream stands. `None`: nothing yet.
    fn take(&self) -> Option<io::Result<RecvBuf>> {
        let mut state = self.ring.state.borrow_mut();
        let Some(conn) = state.conns.get_mut(self.key) else {
            return Some(Err(core_ended()));
        };
        if let Some(buf) = conn.arrived.pop_front() {
            conn.arrived_bytes -= buf.len();
            if conn.arrived.is_empty() && conn.recv.is_none() && state.arm_recv(self.key) {
                drop(state);
                self.ring.kick();
            }
            return Some(Ok(buf));
        }
        if conn.eof {
            return Some(Ok(RecvBuf::end_of_stream()));
        }
        conn.error().map(Err)
    }
}

impl State {
    /// Begins to receive, if the connection wants to and does not. True when an operation was queued.
    fn arm_recv(&mut self, key: usize) -> bool {
        let (Some(kernel), Some(conn)) = (&mut self.kernel, self.conns.get_mut(key)) else {
            return false;
        };
        let wanted = conn.recv.is_none()
            && !conn.eof
            && conn.failed.is_none()
            && !conn.abandoned
            && conn.arrived_bytes < ARRIVED_MAX_BYTES;
        if wanted {
            conn.recv = Some(kernel.submit(
                Op::Recv {
                    socket: conn.socket.clone(),
                },
                Token::Recv(key),
            ));
            conn.recv_cancelling = false;
        }
        wanted
    }

    /// Starts receives again that had found no buffer. One buffer each must be there, or they would fail again.
    pub(super) fn rearm_starved(&mut self) {
        if self.starved.is_empty() {
            return;
        }
        let Some(kernel) = &self.kernel else { return };
        let room = usize::from(kernel.pool().available()).min(self.starved.len());
        for key in self
            .starved
            .drain(..room)
            .collect::<SmallVec<[usize; 16]>>()
        {
            self.arm_recv(key);
        }
    }

    pub(super) fn received(&mut self, key: usize, result: io::Result<RecvBuf>, more: bool) {
        let conn = &mut self.conns[key];
        if !more {
            conn.recv = None;
        }
        if conn.abandoned {
            self.release(key);
            return;
        }
        match result {
            Ok(buf) if buf.is_empty() => conn.eof = true,
            Ok(buf) => {
                conn.arrived_bytes += buf.len();
                conn.arrived.push_back(buf);
            }
            Err(e) => match e.raw_os_error().unwrap_or(libc::EIO) {
                libc::ENOBUFS => {
                    self.starved.push(key);
                    return;
                }
                // Stopped by ourselves; goes on when the reader has caught up.
                libc::ECANCELED => {}
                errno => conn.fail(errno, &mut self.wake),
            },
        }
        self.wake.extend(conn.reader.take());
        match conn.recv {
            None if conn.arrived.is_empty() || conn.arrived_bytes < ARRIVED_MAX_BYTES => {
                self.arm_recv(key);
            }
            Some(op) if conn.arrived_bytes >= ARRIVED_MAX_BYTES && !conn.recv_cancelling => {
                conn.recv_cancelling = true;
                if let Some(kernel) = &mut self.kernel {
                    kernel.cancel(op);
                }
            }
            _ => {}
        }
    }

    /// Queues one send for each connection that has something to send and no send in flight.
    pub(super) fn queue_sends(&mut self) {
        let Some(kernel) = &mut self.kernel else {
            return;
        };
        for key in self.dirty.drain(..) {
            let Some(conn) = self.conns.get_mut(key) else {
                continue;
            };
            conn.dirty = false;
            if conn.send.is_some() || conn.queue.is_empty() {
                continue;
            }
            let mut bufs = SmallVec::new();
            let mut bytes = 0;
            while bufs.len() < GATHER_MAX && bytes < GATHER_MAX_BYTES {
                let Some(buf) = conn.queue.pop_front() else {
                    break;
                };
                bytes += buf.len();
                bufs.push(buf);
            }
            let wait = if conn.abandoned {
                SendWait::Never
            } else {
                SendWait::UntilTaken
            };
            let op = Op::Send {
                socket: conn.socket.clone(),
                bufs,
                skip: 0,
                wait,
            };
            conn.send = Some(kernel.submit(op, Token::Send(key)));
        }
    }

    pub(super) fn sent(&mut self, key: usize, op: Op, result: i32, spent: &BufferStore) {
        let conn = &mut self.conns[key];
        conn.send = None;
        let Op::Send {
            socket,
            mut bufs,
            mut skip,
            wait,
        } = op
        else {
            unreachable!("a send reports a send")
        };
        if result <= 0 && !conn.abandoned {
            // Zero bytes of a non-empty send cannot be; treat it as a connection that takes nothing any more.
            conn.fail(
                if result == 0 { libc::EPIPE } else { -result },
                &mut self.wake,
            );
        }
        let mut taken = result.max(0) as usize;
        if conn.failed.is_none() {
            conn.unsent -= taken;
        }
        while let Some(first) = bufs.first() {
            let rest = first.len() - skip;
            if taken < rest {
                skip += taken;
                break;
            }
            taken -= rest;
            skip = 0;
            spent.give(bufs.remove(0));
        }
        if conn.abandoned {
            // The one last try is over, whatever became of it.
            if !bufs.is_empty() || result <= 0 {
                conn.queue.clear();
            }
            if !conn.queue.is_empty() {
                self.mark_dirty(key);
                return;
            }
            self.release(key);
            return;
        }
        if conn.failed.is_none() && !bufs.is_empty() {
            // Short in spite of MSG_WAITALL (a signal, or a transfer above the single limit): go on with the rest.
            if let Some(kernel) = &mut self.kernel {
                conn.send = Some(kernel.submit(
                    Op::Send {
                        socket,
                        bufs,
                        skip,
                        wait,
                    },
                    Token::Send(key),
                ));
            }
            return;
        }
        if let Some((limit, _)) = conn.writer
            && conn.unsent <= limit
        {
            self.wake.extend(conn.writer.take().map(|(_, waker)| waker));
        }
        if !conn.queue.is_empty() {
            self.mark_dirty(key);
        } else if conn.shut == Shut::Wanted {
            conn.shut_now();
        }
    }

    fn mark_dirty(&mut self, key: usize) {
        let conn = &mut self.conns[key];
        if !conn.dirty {
            conn.dirty = true;
            self.dirty.push(key);
        }
    }

    /// Lets an abandoned connection go when nothing of it is in flight.
    fn release(&mut self, key: usize) {
        let conn = &self.conns[key];
        if conn.abandoned && conn.recv.is_none() && conn.send.is_none() && conn.queue.is_empty() {
            self.starved.retain(|&starved| starved != key);
            self.conns.remove(key);
        }
    }
}

impl Conn {
    fn shut_now(&mut self) {
        self.shut = Shut::Done;
        // Fails only when the connection has ended already, which the reader learns by itself.
        let _ = rustix::net::shutdown(&*self.socket, rustix::net::Shutdown::Write);
    }
}

impl Link for RingLink {
    fn try_recv(&self) -> Option<io::Result<RecvBuf>> {
        self.take()
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<RecvBuf>> {
        if let Some(result) = self.take() {
            return Poll::Ready(result);
        }
        let mut state = self.ring.state.borrow_mut();
        let replaced = match state.conns.get_mut(self.key) {
            Some(conn) => match &mut conn.reader {
                Some(reader) if reader.will_wake(cx.waker()) => None,
                reader => reader.replace(cx.waker().clone()),
            },
            None => None,
        };
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn send(&self, buf: SendBuf) -> io::Result<()> {
        let mut state = self.ring.state.borrow_mut();
        let Some(conn) = state.conns.get_mut(self.key) else {
            return Err(core_ended());
        };
        if let Some(e) = conn.error() {
            return Err(e);
        }
        if conn.shut != Shut::Open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        conn.unsent += buf.len();
        conn.queue.push_back(buf);
        if conn.send.is_none() {
            state.mark_dirty(self.key);
            drop(state);
            self.ring.kick();
        }
        Ok(())
    }

    fn unsent(&self) -> usize {
        self.ring
            .state
            .borrow()
            .conns
            .get(self.key)
            .map_or(0, |conn| conn.unsent)
    }

    fn poll_unsent_at_most(&self, limit: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.ring.state.borrow_mut();
        let Some(conn) = state.conns.get_mut(self.key) else {
            return Poll::Ready(Err(core_ended()));
        };
        if let Some(e) = conn.error() {
            return Poll::Ready(Err(e));
        }
        if conn.unsent <= limit {
            return Poll::Ready(Ok(()));
        }
        let replaced = conn.writer.replace((limit, cx.waker().clone()));
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn shutdown_send(&self) {
        let mut state = self.ring.state.borrow_mut();
        let Some(conn) = state.conns.get_mut(self.key) else {
            return;
        };
        if conn.shut == Shut::Open {
            conn.shut = Shut::Wanted;
            if conn.send.is_none() && conn.queue.is_empty() {
                conn.shut_now();
            }
        }
    }
}

impl Drop for RingLink {
    fn drop(&mut self) {
        let mut guard = self.ring.state.borrow_mut();
        let state = &mut *guard;
        let Some(conn) = state.conns.get_mut(self.key) else {
            return;
        };
        conn.abandoned = true;
        let wakers = (conn.reader.take(), conn.writer.take());
        let arrived = std::mem::take(&mut conn.arrived);
        conn.arrived_bytes = 0;
        if let Some(kernel) = &mut state.kernel {
            if let (Some(op), false) = (conn.recv, conn.recv_cancelling) {
                conn.recv_cancelling = true;
                kernel.cancel(op);
            }
            if let Some(op) = conn.send {
                // A send from an earlier turn still waits for the peer to read. What is queued behind it must not
                // overtake its loss.
                conn.queue.clear();
                kernel.cancel(op);
            }
        }
        state.release(self.key);
        drop(guard);
        drop((wakers, arrived));
        self.ring.kick();
    }
}
