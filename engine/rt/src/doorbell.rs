//! The doorbell of a core: an eventfd that wakes it from sleep.
//!
//! Rung by other cores (`notify`) and by the kernel on behalf of the hot ring (registered with it). The core's
//! driver waits for it through glommio, so that glommio parks and wakes as it always does.

#![allow(unsafe_code)]

use glommio::io::BufferedFile;
use rustix::event::{EventfdFlags, eventfd};
use std::{
    future::Future,
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// The ringing side.
pub(crate) enum Doorbell {
    /// A real core sleeps in the kernel.
    EventFd(OwnedFd),
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
        if let Doorbell::EventFd(fd) = self {
            // An error is impossible for a valid eventfd and the value 1, and there is nobody to tell.
            let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
        }
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Doorbell::EventFd(fd) => Some(fd.as_fd()),
            Doorbell::Silent => None,
        }
    }
}

type Ring = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// The waiting side, on the core's own executor. A read that is under way is kept until it completes, so a wake-up
/// for another reason costs no cancelled read.
pub(crate) struct DoorbellWait {
    file: Rc<BufferedFile>,
    read: Option<Ring>,
}

impl DoorbellWait {
    /// Must be called on the core's executor.
    pub(crate) fn new(bell: &Doorbell) -> io::Result<DoorbellWait> {
        let fd = bell
            .fd()
            .ok_or(io::ErrorKind::Unsupported)?
            .try_clone_to_owned()?;
        // SAFETY: the descriptor is open, owned by us alone (a fresh duplicate), and ownership moves into the file,
        // which closes it.
        let file = unsafe { BufferedFile::from_raw_fd(fd.into_raw_fd()) };
        Ok(DoorbellWait {
            file: Rc::new(file),
            read: None,
        })
    }

    /// Ready once the bell was rung since the last time this was ready.
    pub(crate) fn poll_rung(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let read = self.read.get_or_insert_with(|| {
            let file = self.file.clone();
            Box::pin(async move {
                file.read_at(0, 8)
                    .await
                    .map(|_| ())
                    .map_err(io::Error::from)
            })
        });
        let rung = read.as_mut().poll(cx);
        if rung.is_ready() {
            self.read = None;
        }
        rung
    }
}
