//! What a client has sent and the session has not yet handled.
//!
//! Owns the connection's receiving side: cutting bytes into messages, the queue of requests that wait while one runs,
//! and what of them must not wait. Called by the session's loop. What always holds: messages are handled in the order
//! of their arrival; a full queue stops the reading; after the end of the stream nothing is read.

use super::transport::{Received, Transport};
use crate::open::Open;
use quoit_protocol::chunk::{Dechunker, MESSAGE_LEN_BEFORE_LOGIN, MessageTooLarge};
use quoit_protocol::queue::{RequestQueue, Urgent};
use quoit_rt::Rt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

/// The receiving side of a session.
pub(crate) struct Intake {
    /// Cuts bytes into messages.
    pub(crate) dechunker: Dechunker,
    /// Requests behind the one that runs.
    pub(crate) queue: RequestQueue,
    /// What arrived and cannot wait.
    pub(crate) urgent: Notices,
    /// Ready when the server is to stop; not polled again then.
    stop: Pin<Box<dyn Future<Output = ()>>>,
}

/// What arrived behind the request that runs.
#[derive(Debug)]
pub(crate) struct Notices {
    /// RESETs that were queued since the session last looked.
    pub(crate) resets: u32,
    /// The client has left, or its bytes cannot be trusted: nothing more is read, what runs is given up.
    pub(crate) gone: bool,
    /// A message was larger than allowed: to be answered once what is queued has been.
    pub(crate) too_large: Option<MessageTooLarge>,
    /// The server is to stop.
    pub(crate) stopping: bool,
    /// Says whether the session's transaction was told to stop.
    open: Rc<Open>,
}

/// What a session that waits for its client gets.
pub(crate) enum Arrived {
    /// Bytes.
    Bytes(Received),
    /// The word that its transaction has to stop.
    Stop,
    /// Nothing any more: the end of the stream, or of the server.
    Over,
}

impl Notices {
    /// Whether what runs is to be cancelled.
    pub(crate) fn interrupt(&self) -> bool {
        self.resets > 0 || self.is_over() || self.open.is_stopped()
    }

    /// Whether nobody is to be served any more.
    pub(crate) fn is_over(&self) -> bool {
        self.gone || self.stopping
    }
}

impl Intake {
    /// Of a connection whose client has not logged in; `open`: the mark of its session.
    pub(crate) fn new(rt: &Rt, open: Rc<Open>) -> Intake {
        let rt = rt.clone();
        Intake {
            dechunker: Dechunker::new(MESSAGE_LEN_BEFORE_LOGIN),
            queue: RequestQueue::new(),
            urgent: Notices {
                resets: 0,
                gone: false,
                too_large: None,
                stopping: false,
                open,
            },
            stop: Box::pin(async move { rt.shutdown_requested().await }),
        }
    }

    /// Whether something has arrived that waits to be handled.
    pub(crate) fn has_news(&self) -> bool {
        !self.queue.is_empty() || self.urgent.is_over() || self.urgent.too_large.is_some()
    }

    /// The next bytes, when nothing waits in the queue.
    pub(crate) async fn input(&mut self, transport: &mut Transport) -> Arrived {
        poll_fn(|cx| {
            if self.poll_stopping(cx) {
                return Poll::Ready(Arrived::Over);
            }
            if self.urgent.open.is_stopped() {
                return Poll::Ready(Arrived::Stop);
            }
            let received = transport.poll_recv(cx);
            if received.is_pending() {
                self.urgent.open.watch(cx);
            }
            received.map(|received| match received {
                Ok(bytes) if !bytes.is_empty() => Arrived::Bytes(bytes),
                _ => Arrived::Over,
            })
        })
        .await
    }

    fn poll_stopping(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.urgent.stopping {
            self.urgent.stopping = self.stop.as_mut().poll(cx).is_ready();
        }
        self.urgent.stopping
    }

    /// Puts every message of `input` into the queue.
    pub(crate) fn enqueue(&mut self, mut input: &mut [u8]) {
        loop {
            match self.dechunker.next(&mut input) {
                Ok(Some(message)) => match self.queue.push(message) {
                    Some(Urgent::Reset) => self.urgent.resets += 1,
                    Some(Urgent::Goodbye) => self.urgent.gone = true,
                    None => {}
                },
                Ok(None) => return,
                Err(error) => {
                    self.urgent.too_large = Some(error);
                    return;
                }
            }
        }
    }

    /// Takes in what has arrived, without waiting; registers `cx` for more.
    fn poll_listen(&mut self, transport: &mut Transport, cx: &mut Context<'_>) {
        self.poll_stopping(cx);
        self.urgent.open.watch(cx);
        while !self.urgent.gone && self.urgent.too_large.is_none() && !self.queue.is_full() {
            match transport.poll_recv(cx) {
                Poll::Ready(Ok(mut received)) if !received.is_empty() => {
                    self.enqueue(&mut received)
                }
                Poll::Ready(_) => self.urgent.gone = true,
                Poll::Pending => return,
            }
        }
    }

    /// Takes in what has arrived, without waiting.
    pub(crate) async fn listen(&mut self, transport: &mut Transport) {
        poll_fn(|cx| {
            self.poll_listen(transport, cx);
            Poll::Ready(())
        })
        .await;
    }

    /// Runs `work` to its end while taking in what arrives.
    pub(crate) async fn attend<F: Future>(
        &mut self,
        transport: &mut Transport,
        work: F,
    ) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            self.poll_listen(transport, cx);
            Poll::Pending
        })
        .await
    }

    /// Runs `work` until it ends or `given_up` says that it is of no use any more; `None` then.
    pub(crate) async fn attend_until<F: Future>(
        &mut self,
        transport: &mut Transport,
        given_up: fn(&Notices) -> bool,
        work: F,
    ) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            self.poll_listen(transport, cx);
            if given_up(&self.urgent) {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}
