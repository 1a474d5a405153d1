//! One operation and its future: connects, and reads, writes and syncs of files.
//!
//! The future may be dropped at any time; the operation and its memory live on in `kernel` until it is over.

use super::{
    HotRing, State, core_ended,
    kernel::{Op, Token},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Where an operation stands.
pub(super) enum Wait {
    /// In flight; the waker of who waits.
    Flying(Option<Waker>),
    Done(Op, i32),
    /// In flight, and nobody waits any more.
    Forgotten,
}

/// The outcome of an operation: the kernel's result (negative: errno), and the operation with its memory.
pub(crate) struct Operation {
    ring: Rc<HotRing>,
    key: Option<usize>,
}

impl HotRing {
    /// Starts an operation. Dropping the future neither stops it nor frees its memory early.
    pub(crate) fn operate(self: &Rc<Self>, op: Op) -> Operation {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let key = state.kernel.as_mut().map(|kernel| {
            let key = state.waits.insert(Wait::Flying(None));
            kernel.submit(op, Token::Wait(key));
            key
        });
        self.kicked.set(true);
        let driver = self.driver.borrow_mut().take();
        if let Some(driver) = driver {
            // The driver's own waker: it holds the driver's task, which uses no stream.
            driver.wake();
        }
        Operation {
            ring: self.clone(),
            key,
        }
    }
}

impl State {
    pub(super) fn waited(&mut self, key: usize, op: Op, result: i32) {
        match std::mem::replace(&mut self.waits[key], Wait::Done(op, result)) {
            Wait::Flying(waker) => self.wake.extend(waker),
            Wait::Forgotten => {
                self.waits.remove(key);
            }
            Wait::Done(..) => unreachable!("an operation completes once"),
        }
    }
}

impl Future for Operation {
    /// The error is that of a core that has ended; the memory is gone with it.
    type Output = io::Result<(Op, i32)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(key) = self.key else {
            return Poll::Ready(Err(core_ended()));
        };
        let mut state = self.ring.state.borrow_mut();
        let replaced = match state.waits.get_mut(key) {
            None => {
                drop(state);
                self.key = None;
                return Poll::Ready(Err(core_ended()));
            }
            Some(Wait::Flying(waker)) => waker.replace(cx.waker().clone()),
            Some(_) => {
                let Wait::Done(op, result) = state.waits.remove(key) else {
                    unreachable!("a forgotten operation has no future")
                };
                drop(state);
                self.key = None;
                return Poll::Ready(Ok((op, result)));
            }
        };
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let mut state = self.ring.state.borrow_mut();
        let left = match state.waits.get_mut(key) {
            Some(wait @ Wait::Flying(_)) => Some(std::mem::replace(wait, Wait::Forgotten)),
            Some(_) => Some(state.waits.remove(key)),
            None => None,
        };
        drop(state);
        drop(left);
    }
}
