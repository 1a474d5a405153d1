//! Listening sockets on the hot ring: one multishot accept each.

use super::{
    HotRing, State, core_ended,
    kernel::{Op, OpId, Token},
};
use crate::net::{Accept, Accepted, AcceptedSocket};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Accepted sockets that wait to be taken. Beyond them the kernel's backlog holds the rest.
const ACCEPTED_MAX: usize = 1024;

pub(super) struct Listening {
    socket: Rc<OwnedFd>,
    op: Option<OpId>,
    cancelling: bool,
    accepted: VecDeque<io::Result<OwnedFd>>,
    waiter: Option<Waker>,
    dropped: bool,
}

/// A listener of this core.
pub(crate) struct RingListener {
    ring: Rc<HotRing>,
    key: usize,
    local: SocketAddr,
}

impl RingListener {
    pub(crate) fn new(ring: Rc<HotRing>, socket: OwnedFd, local: SocketAddr) -> RingListener {
        let key = ring.state.borrow_mut().listeners.insert(Listening {
            socket: Rc::new(socket),
            op: None,
            cancelling: false,
            accepted: VecDeque::new(),
            waiter: None,
            dropped: false,
        });
        ring.state.borrow_mut().arm_accept(key);
        ring.kick();
        RingListener { ring, key, local }
    }
}

impl State {
    fn arm_accept(&mut self, key: usize) {
        let (Some(kernel), Some(listening)) = (&mut self.kernel, self.listeners.get_mut(key))
        else {
            return;
        };
        if listening.op.is_none() && !listening.dropped && listening.accepted.len() < ACCEPTED_MAX {
            let op = Op::Accept {
                socket: listening.socket.clone(),
            };
            listening.op = Some(kernel.submit(op, Token::Listener(key)));
        }
    }

    pub(super) fn accepted(&mut self, key: usize, result: io::Result<OwnedFd>, more: bool) {
        let listening = &mut self.listeners[key];
        if !more {
            listening.op = None;
            listening.cancelling = false;
        }
        if listening.dropped {
            if listening.op.is_none() {
                self.listeners.remove(key);
            }
            return;
        }
        match &result {
            Err(e) if e.raw_os_error() == Some(libc::ECANCELED) => {}
            _ => listening.accepted.push_back(result),
        }
        self.wake.extend(listening.waiter.take());
        if listening.accepted.len() >= ACCEPTED_MAX
            && !listening.cancelling
            && let (Some(op), Some(kernel)) = (listening.op, &mut self.kernel)
        {
            listening.cancelling = true;
            kernel.cancel(op);
        }
    }
}

impl Accept for RingListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let mut state = self.ring.state.borrow_mut();
        let Some(listening) = state.listeners.get_mut(self.key) else {
            return Poll::Ready(Err(core_ended()));
        };
        let next = listening.accepted.pop_front();
        let replaced = match next {
            None => listening.waiter.replace(cx.waker().clone()),
            Some(_) => None,
        };
        let idle = listening.op.is_none();
        if idle {
            state.arm_accept(self.key);
        }
        drop(state);
        drop(replaced);
        if idle {
            self.ring.kick();
        }
        match next {
            None => Poll::Pending,
            Some(Err(e)) => Poll::Ready(Err(e)),
            Some(Ok(socket)) => {
                let peer = socket2::SockRef::from(&socket).peer_addr().and_then(|a| {
                    a.as_socket()
                        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
                });
                // A peer that has gone already has no address; its stream will say so.
                let peer = peer.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
                Poll::Ready(Ok(Accepted {
                    socket: AcceptedSocket::Fd(socket),
                    peer,
                }))
            }
        }
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for RingListener {
    fn drop(&mut self) {
        let mut state = self.ring.state.borrow_mut();
        let state_ref = &mut *state;
        let Some(listening) = state_ref.listeners.get_mut(self.key) else {
            return;
        };
        listening.dropped = true;
        let waiter = listening.waiter.take();
        let accepted = std::mem::take(&mut listening.accepted);
        match (listening.op, &mut state_ref.kernel) {
            (Some(op), Some(kernel)) => kernel.cancel(op),
            _ => {
                state_ref.listeners.remove(self.key);
            }
        }
        drop(state);
        drop((waiter, accepted));
        self.ring.kick();
    }
}
