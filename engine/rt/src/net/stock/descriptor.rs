//! Between owned descriptors and glommio's sockets, which know raw ones only.

#![allow(unsafe_code)]

use glommio::net::{TcpListener, TcpStream};
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
};

/// A listener that owns the descriptor.
pub(super) fn listener(fd: OwnedFd) -> TcpListener {
    // SAFETY: ownership of an open listening socket moves into the listener.
    unsafe { TcpListener::from_raw_fd(fd.into_raw_fd()) }
}

/// A stream that owns the descriptor.
pub(super) fn stream(fd: OwnedFd) -> TcpStream {
    // SAFETY: ownership of an open connected socket moves into the stream.
    unsafe { TcpStream::from_raw_fd(fd.into_raw_fd()) }
}

fn borrow(stream: &TcpStream) -> BorrowedFd<'_> {
    // SAFETY: the stream owns its open descriptor at least as long as it is borrowed here.
    unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) }
}

/// A second descriptor of the same connection.
pub(super) fn duplicate(stream: &TcpStream) -> io::Result<OwnedFd> {
    borrow(stream).try_clone_to_owned()
}

/// True when a read would not wait: bytes, the end, or an error.
pub(super) fn has_arrived(stream: &TcpStream) -> io::Result<bool> {
    let fd = borrow(stream);
    let mut one = [rustix::event::PollFd::new(
        &fd,
        rustix::event::PollFlags::IN,
    )];
    let ready = rustix::event::poll(
        &mut one,
        Some(&rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )?;
    Ok(ready > 0)
}

pub(super) fn shut_down_write(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::shutdown(
        borrow(stream),
        rustix::net::Shutdown::Write,
    )?)
}

pub(super) fn shut_down_both(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::shutdown(
        borrow(stream),
        rustix::net::Shutdown::Both,
    )?)
}
