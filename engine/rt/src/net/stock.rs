//! Sockets over glommio's own: for kernels that lack what the hot ring needs.
//!
//! The same promises as `ring::stream`, at two to three times the cost. Writing goes straight to the socket where it
//! takes the bytes at once; a task of the stream finishes the rest.

mod descriptor;

use super::{Accept, Accepted, AcceptedSocket, Link};
use crate::{
    buffer::{BufferStore, RecvBuf, SendBuf},
    live::prepare,
    machine::Connected,
};
use futures_io::{AsyncRead, AsyncWrite};
use glommio::net::{TcpListener, TcpStream};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// 16 KiB a read: glommio's sockets read into memory of ours.
const READ_BYTES: usize = 16 << 10;

type Accepting = Pin<Box<dyn Future<Output = io::Result<OwnedFd>>>>;

/// A listener of this core.
pub(crate) struct StockListener {
    listener: Rc<TcpListener>,
    accepting: RefCell<Option<Accepting>>,
    local: SocketAddr,
}

impl StockListener {
    pub(crate) fn new(socket: OwnedFd, local: SocketAddr) -> StockListener {
        let listener = Rc::new(descriptor::listener(socket));
        StockListener {
            listener,
            accepting: RefCell::new(None),
            local,
        }
    }
}

impl Accept for StockListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let mut accepting = self.accepting.borrow_mut();
        let accept = accepting.get_or_insert_with(|| {
            let listener = self.listener.clone();
            Box::pin(async move {
                let stream = listener.accept().await.map_err(io::Error::from)?;
                descriptor::duplicate(&stream)
            })
        });
        let Poll::Ready(accepted) = accept.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        *accepting = None;
        Poll::Ready(accepted.map(|fd| {
            let peer = socket2::SockRef::from(&fd)
                .peer_addr()
                .ok()
                .and_then(|a| a.as_socket());
            let peer = peer.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
            Accepted {
                socket: AcceptedSocket::Fd(fd),
                peer,
            }
        }))
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

/// Connects, and sets what every connection has.
pub(crate) async fn connect(addr: SocketAddr, spent: Rc<BufferStore>) -> io::Result<Connected> {
    let stream = TcpStream::connect(addr).await.map_err(io::Error::from)?;
    let fd = descriptor::duplicate(&stream)?;
    let (local, peer) = prepare(&fd)?;
    let link: Box<dyn Link> = Box::new(StockLink(Rc::new(Conn::new(stream, spent))));
    Ok((link, local, peer))
}

/// A connected socket of this core.
pub(crate) struct StockLink(Rc<Conn>);

struct Conn {
    stream: RefCell<TcpStream>,
    /// Read by another task's try, and not yet taken.
    queue: RefCell<VecDeque<SendBuf>>,
    /// Bytes of the first queued buffer that are gone.
    sent_of_first: Cell<usize>,
    unsent: Cell<usize>,
    writing: Cell<bool>,
    shut: Cell<bool>,
    eof: Cell<bool>,
    failed: Cell<Option<i32>>,
    writer: RefCell<Option<(usize, Waker)>>,
    spent: Rc<BufferStore>,
}

impl StockLink {
    pub(crate) fn adopt(fd: OwnedFd, spent: Rc<BufferStore>) -> StockLink {
        StockLink(Rc::new(Conn::new(descriptor::stream(fd), spent)))
    }
}

impl Conn {
    fn new(stream: TcpStream, spent: Rc<BufferStore>) -> Conn {
        Conn {
            stream: RefCell::new(stream),
            queue: RefCell::default(),
            sent_of_first: Cell::new(0),
            unsent: Cell::new(0),
            writing: Cell::new(false),
            shut: Cell::new(false),
            eof: Cell::new(false),
            failed: Cell::new(None),
            writer: RefCell::new(None),
            spent,
        }
    }

    fn fail(&self, e: &io::Error) {
        if self.failed.get().is_none() {
            self.failed.set(Some(e.raw_os_error().unwrap_or(libc::EIO)));
        }
        self.queue.borrow_mut().clear();
        self.unsent.set(0);
    }

    fn error(&self) -> Option<io::Error> {
        self.failed.get().map(io::Error::from_raw_os_error)
    }

    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<io::Result<RecvBuf>> {
        if self.eof.get() {
            return Poll::Ready(Ok(RecvBuf::end_of_stream()));
        }
        if let Some(e) = self.error() {
            return Poll::Ready(Err(e));
        }
        let mut buf = self.spent.take();
        buf.resize(READ_BYTES, 0);
        match Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, &mut buf) {
            Poll::Pending => {
                self.spent.give(SendBuf::Vec(buf));
                Poll::Pending
            }
            Poll::Ready(Ok(n)) => {
                self.eof.set(n == 0);
                buf.truncate(n);
                Poll::Ready(Ok(RecvBuf::heap(buf)))
            }
            Poll::Ready(Err(e)) => {
                self.fail(&e);
                Poll::Ready(Err(e))
            }
        }
    }

    /// Writes until the queue is empty, the socket is full or the connection fails.
    fn poll_write(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(first) = self.queue.borrow_mut().pop_front() else {
                break;
            };
            let skip = self.sent_of_first.get();
            let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, &first[skip..]);
            match polled {
                Poll::Pending => {
                    self.queue.borrow_mut().push_front(first);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(n)) => {
                    self.unsent.set(self.unsent.get() - n);
                    if skip + n < first.len() {
                        self.sent_of_first.set(skip + n);
                        self.queue.borrow_mut().push_front(first);
                    } else {
                        self.sent_of_first.set(0);
                        self.spent.give(first);
                    }
                }
                Poll::Ready(Err(e)) => self.fail(&e),
            }
            self.wake_writer();
        }
        if self.shut.get() {
            // Fails only when the connection has ended already, which the reader learns by itself.
            let _ = descriptor::shut_down_write(&self.stream.borrow());
        }
        self.wake_writer();
        Poll::Ready(())
    }

    fn wake_writer(&self) {
        let mut writer = self.writer.borrow_mut();
        let ready = writer
            .as_ref()
            .is_some_and(|(limit, _)| self.unsent.get() <= *limit);
        let waker = if ready { writer.take() } else { None };
        drop(writer);
        if let Some((_, waker)) = waker {
            waker.wake();
        }
    }

    /// Writes now what the socket takes, and lets a task of the stream do the rest.
    fn start_writing(self: &Rc<Self>) {
        if self.writing.get() {
            return;
        }
        if self
            .poll_write(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            self.writing.set(true);
            let conn = self.clone();
            glommio::spawn_local(async move {
                poll_fn(|cx| conn.poll_write(cx)).await;
                conn.writing.set(false);
            })
            .detach();
        }
    }
}

impl Link for StockLink {
    fn try_recv(&self) -> Option<io::Result<RecvBuf>> {
        // A read that finds nothing would replace the waiting reader's waker, so look at the socket first.
        let stream = self.0.stream.borrow();
        let nothing = matches!(descriptor::has_arrived(&stream), Ok(false));
        drop(stream);
        if nothing && !self.0.eof.get() {
            return None;
        }
        match self.0.poll_read(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<RecvBuf>> {
        self.0.poll_read(cx)
    }

    fn send(&self, buf: SendBuf) -> io::Result<()> {
        if let Some(e) = self.0.error() {
            return Err(e);
        }
        if self.0.shut.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.unsent.set(self.0.unsent.get() + buf.len());
        self.0.queue.borrow_mut().push_back(buf);
        self.0.start_writing();
        Ok(())
    }

    fn unsent(&self) -> usize {
        self.0.unsent.get()
    }

    fn poll_unsent_at_most(&self, limit: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(e) = self.0.error() {
            return Poll::Ready(Err(e));
        }
        if self.0.unsent.get() <= limit {
            return Poll::Ready(Ok(()));
        }
        let replaced = self
            .0
            .writer
            .borrow_mut()
            .replace((limit, cx.waker().clone()));
        drop(replaced);
        Poll::Pending
    }

    fn shutdown_send(&self) {
        if !self.0.shut.replace(true) {
            self.0.start_writing();
        }
    }
}

impl Drop for StockLink {
    fn drop(&mut self) {
        // A write that still waits for the peer would keep the connection open: end both sides, which ends it.
        if self.0.writing.get() {
            let _ = descriptor::shut_down_both(&self.0.stream.borrow());
        }
    }
}
