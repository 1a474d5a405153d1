//! TLS over any [`Stream`], through rustls' own buffers (crate `rustls`, D15 of the design: not ours to write).
//!
//! [`connect`] and [`accept`] shake hands and give back a `Stream` that looks like any other: a Bolt session or a
//! replication link need not care. The caller brings the rustls configuration with its certificates and verifier.
//!
//! What always holds: plain text is handed on only after rustls has checked it; the end of the stream is reported
//! only when the peer has said so (close_notify), so a cut connection is an error, not an end.

use crate::{
    Stream,
    buffer::{RecvBuf, SendBuf},
    net::Link,
};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io::{self, Read, Write},
    sync::Arc,
    task::{Context, Poll},
};

/// What the handshake has shown about the peer.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    /// The peer's certificate chain in DER, its own first; empty when it presented none.
    pub certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
    /// The application protocol agreed on, if any.
    pub alpn: Option<Vec<u8>>,
}

/// Shakes hands as the client. Wrap it in a timeout: a silent peer keeps it waiting.
///
/// # Errors
/// `InvalidData` with rustls' reason when the peer is refused or misbehaves; `UnexpectedEof` when it hangs up.
pub async fn connect(
    stream: Stream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<(Stream, TlsPeer)> {
    let session = rustls::ClientConnection::new(config, name).map_err(invalid)?;
    establish(stream, session.into()).await
}

/// Shakes hands as the server. Wrap it in a timeout.
///
/// # Errors
/// As [`connect`].
pub async fn accept(stream: Stream, config: Arc<ServerConfig>) -> io::Result<(Stream, TlsPeer)> {
    let session = rustls::ServerConnection::new(config).map_err(invalid)?;
    establish(stream, session.into()).await
}

fn invalid(e: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

async fn establish(
    stream: Stream,
    mut session: rustls::Connection,
) -> io::Result<(Stream, TlsPeer)> {
    // Back-pressure is the inner stream's: rustls passes on at once what it is given.
    session.set_buffer_limit(None);
    let (inner, local, peer) = stream.into_connected();
    let link = TlsLink {
        inner,
        session: RefCell::new(session),
        plain: RefCell::default(),
        failed: Cell::new(None),
        shut: Cell::new(false),
    };
    poll_fn(|cx| link.poll_handshake(cx)).await?;
    let about = {
        let session = link.session.borrow();
        TlsPeer {
            certificates: session
                .peer_certificates()
                .map(|chain| chain.iter().map(|c| c.clone().into_owned()).collect())
                .unwrap_or_default(),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
        }
    };
    Ok((Stream::new((Box::new(link), local, peer)), about))
}

struct TlsLink {
    inner: Box<dyn Link>,
    session: RefCell<rustls::Connection>,
    /// Plain text that rustls has checked and nobody has taken: rustls itself keeps only some records' worth, and one buffer
    /// of cipher text may hold more.
    plain: RefCell<Vec<u8>>,
    failed: Cell<Option<io::ErrorKind>>,
    shut: Cell<bool>,
}

impl TlsLink {
    fn poll_handshake(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.pass_on()?;
            if !self.session.borrow().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let Poll::Ready(cipher) = self.inner.poll_recv(cx) else {
                return Poll::Pending;
            };
            let cipher = cipher?;
            if cipher.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.take_in(&cipher)?;
        }
    }

    /// Gives what has arrived to rustls.
    fn take_in(&self, mut cipher: &[u8]) -> io::Result<()> {
        let mut session = self.session.borrow_mut();
        while !cipher.is_empty() {
            let read = session.read_tls(&mut cipher)?;
            match session.process_new_packets() {
                Ok(processed) => {
                    let mut plain = self.plain.borrow_mut();
                    let before = plain.len();
                    plain.resize(before + processed.plaintext_bytes_to_read(), 0);
                    session.reader().read_exact(&mut plain[before..])?;
                }
                Err(e) => {
                    drop(session);
                    // Tell the peer why (an alert), then fail.
                    let _ = self.pass_on();
                    self.failed.set(Some(io::ErrorKind::InvalidData));
                    return Err(invalid(e));
                }
            }
            if read == 0 {
                // After close_notify rustls reads no more.
                break;
            }
        }
        drop(session);
        // Key updates and session tickets are answered at once.
        self.pass_on()
    }

    /// Gives what rustls has to send to the inner stream.
    fn pass_on(&self) -> io::Result<()> {
        let mut session = self.session.borrow_mut();
        if !session.wants_write() {
            return Ok(());
        }
        let mut cipher = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut cipher)?;
        }
        drop(session);
        self.inner.send(SendBuf::Vec(cipher))
    }

    /// Plain text that is there, the end, or `None`.
    fn plain(&self) -> io::Result<Option<RecvBuf>> {
        let plain = self.plain.take();
        if !plain.is_empty() {
            return Ok(Some(RecvBuf::heap(plain)));
        }
        match self.session.borrow_mut().reader().read(&mut [0]) {
            Ok(0) => Ok(Some(RecvBuf::end_of_stream())),
            Ok(_) => unreachable!("what rustls has checked was taken with it"),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn failure(&self) -> io::Result<()> {
        self.failed.get().map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// The next step of receiving, with `next` giving cipher text or `None` when there is none yet.
    fn recv_with(
        &self,
        mut next: impl FnMut() -> Option<io::Result<RecvBuf>>,
    ) -> Option<io::Result<RecvBuf>> {
        loop {
            match self.plain() {
                Ok(Some(plain)) => return Some(Ok(plain)),
                Ok(None) => {}
                Err(e) => return Some(Err(e)),
            }
            if let Err(e) = self.failure() {
                return Some(Err(e));
            }
            match next()? {
                Err(e) => return Some(Err(e)),
                Ok(cipher) if cipher.is_empty() => {
                    // rustls now tells apart an announced end from a cut.
                    let ended = self.session.borrow_mut().read_tls(&mut io::empty());
                    if let Err(e) = ended {
                        return Some(Err(e));
                    }
                    return Some(match self.plain() {
                        Ok(Some(end)) => Ok(end),
                        Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
                        Err(e) => Err(e),
                    });
                }
                Ok(cipher) => {
                    if let Err(e) = self.take_in(&cipher) {
                        return Some(Err(e));
                    }
                }
            }
        }
    }
}

impl Link for TlsLink {
    fn try_recv(&self) -> Option<io::Result<RecvBuf>> {
        self.recv_with(|| self.inner.try_recv())
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<RecvBuf>> {
        let received = self.recv_with(|| match self.inner.poll_recv(cx) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        });
        received.map_or(Poll::Pending, Poll::Ready)
    }

    fn send(&self, buf: SendBuf) -> io::Result<()> {
        self.failure()?;
        if self.shut.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.session.borrow_mut().writer().write_all(&buf)?;
        self.pass_on()
    }

    fn unsent(&self) -> usize {
        self.inner.unsent()
    }

    fn poll_unsent_at_most(&self, limit: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_unsent_at_most(limit, cx)
    }

    fn shutdown_send(&self) {
        if !self.shut.replace(true) {
            self.session.borrow_mut().send_close_notify();
            // A failure here shows at the next receive or flush.
            let _ = self.pass_on();
            self.inner.shutdown_send();
        }
    }
}
