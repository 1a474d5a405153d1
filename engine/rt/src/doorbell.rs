//! The doorbell of a core: an eventfd that wakes it from sleep.
//!
//! Rung by other cores (`notify`) and by the kernel on behalf of the hot ring (registered with it). The core's
//! driver waits for it through glommio, so that glommio parks and wakes as it always does.

#![allow(unsafe_code)]

use glommio::io::BufferedFile;
use rustix::event::{EventfdFlags, eventfd};
use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// The ringing side.
pub(crate) enum Doorbell {
    /// A real core sleeps in the kernel.
    EventFd(OwnedFd),
    #[cfg(any(test, feature = "sim"))]
    /// A simulated core looks at its board after every step and needs no bell.
    Silent,
}

impl Doorbell {
    /// A new eventfd, blocking: the asynchronous read of it must wait in the kernel, not fail with EAGAIN.
    pub(crate) fn eventfd() -> io::Result<Doorbell> {
        Ok(Doorbell::EventFd(eventfd(0, EventfdFlags::CLOEXEC)?))
    }

    /// Wakes the core. One system call; blocks only after 2^64 - 2 unread rings.
    pub(crate) fn ring(&self) {
        if let Some(fd) = self.fd() {
            // An error is impossible for a valid eventfd and the value 1, and there is nobody to tell.
            let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
        }
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Doorbell::EventFd(fd) => Some(fd.as_fd()),
            #[cfg(any(test, feature = "sim"))]
            Doorbell::Silent => None,
        }
    }
}

/// The waiting side, on the core's own executor. A task of its own keeps one read of the eventfd under way at all
/// times, so that no ring meets a core that does not listen, and the driver's other wake-ups cancel nothing.
pub(crate) struct DoorbellWait(Rc<Listening>);

#[derive(Default)]
struct Listening {
    rung: Cell<bool>,
    failed: RefCell<Option<io::Error>>,
    driver: RefCell<Option<Waker>>,
}

impl DoorbellWait {
    /// The waiting side, and the future that listens and calls `on_ring`, to be run beside the driver. Must be called
    /// on the core's
    /// executor.
    pub(crate) fn new(
        bell: &Doorbell,
        on_ring: impl Fn() + 'static,
    ) -> io::Result<(DoorbellWait, impl Future<Output = ()> + 'static)> {
        let fd = bell
            .fd()
            .ok_or(io::ErrorKind::Unsupported)?
            .try_clone_to_owned()?;
        // SAFETY: the descriptor is open, owned by us alone (a fresh duplicate), and ownership moves into the file,
        // which closes it.
        let file = unsafe { BufferedFile::from_raw_fd(fd.into_raw_fd()) };
        let heard = Rc::new(Listening::default());
        let listening = heard.clone();
        let listen = async move {
            loop {
                let read = file.read_at(0, 8).await;
                let failed = read.err().map(io::Error::from);
                let stop = failed.is_some();
                *listening.failed.borrow_mut() = failed;
                on_ring();
                listening.rung.set(true);
                let driver = listening.driver.borrow_mut().take();
                if let Some(driver) = driver {
                    driver.wake();
                }
                if stop {
                    return;
                }
            }
        };
        Ok((DoorbellWait(heard), listen))
    }

    /// Ready once the bell was rung since the last time this was ready.
    pub(crate) fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.rung.replace(false) {
            return Poll::Ready(self.0.failed.borrow_mut().take().map_or(Ok(()), Err));
        }
        let replaced = self.0.driver.borrow_mut().replace(cx.waker().clone());
        drop(replaced);
        Poll::Pending
    }
}
