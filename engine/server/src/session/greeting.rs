//! From an accepted socket to an agreed version of Bolt.
//!
//! Owns the first bytes of a connection: telling Bolt, WebSocket, TLS and strangers apart, the WebSocket's upgrade, the
//! version handshake. Called by the listener's tasks before there is a session. What always holds: at most a few
//! KiB are kept of a peer that has not said what it is; a stranger gets no bytes from us, except HTTP its short answer.

use super::transport::Transport;
use crate::report;
use quoit_protocol::handshake::{Agreement, ServerHandshake};
use quoit_protocol::sniff::{Sniff, sniff};
use quoit_protocol::websocket::{self, HttpRequest};
use quoit_rt::Stream;

/// Agrees on a version with whoever connected; `None` when the connection is to be closed.
pub(crate) async fn greet(stream: Stream) -> Option<(Transport, Agreement)> {
    let peer = stream.peer_addr();
    let mut seen = Vec::new();
    let mut transport = loop {
        match sniff(&seen) {
            Sniff::NeedMore => {
                let received = stream.recv().await.ok().filter(|bytes| !bytes.is_empty())?;
                seen.extend_from_slice(&received);
            }
            Sniff::Bolt => break Transport::plain(stream),
            Sniff::Tls => {
                report::warning(format_args!(
                    "{peer} asked for TLS on the Bolt port, which has no certificate here; connect with bolt:// or neo4j://"
                ));
                return None;
            }
            Sniff::Http => break upgrade(stream, &mut seen).await?,
            Sniff::Unknown => {
                report::line(
                    report::Level::Debug,
                    format_args!("{peer} does not speak Bolt"),
                );
                return None;
            }
        }
    };
    transport.put_back(&seen);
    let mut handshake = ServerHandshake::new();
    loop {
        let received = transport
            .recv()
            .await
            .ok()
            .filter(|bytes| !bytes.is_empty())?;
        let mut rest = &received[..];
        let mut answer = Vec::new();
        let outcome = handshake.advance(&mut rest, &mut answer);
        let left = rest.to_vec();
        // One write for each step: drivers read an answer with a single receive.
        transport.send(answer).ok()?;
        match outcome {
            Ok(Some(agreement)) => {
                transport.put_back_inside(left);
                return Some((transport, agreement));
            }
            Ok(None) => {}
            Err(error) => {
                report::line(report::Level::Debug, format_args!("{peer}: {error}"));
                close(transport).await;
                return None;
            }
        }
    }
}

/// Reads an HTTP request to its end and answers it; gives the transport if it opened a WebSocket.
async fn upgrade(stream: Stream, seen: &mut Vec<u8>) -> Option<Transport> {
    let mut answer = Vec::new();
    loop {
        match HttpRequest::parse(seen) {
            Ok(HttpRequest::NeedMore) => {
                let received = stream.recv().await.ok().filter(|bytes| !bytes.is_empty())?;
                seen.extend_from_slice(&received);
            }
            Ok(HttpRequest::Upgrade {
                upgrade, head_len, ..
            }) => {
                websocket::write_upgrade(&upgrade, &mut answer);
                stream.send(answer).ok()?;
                seen.drain(..head_len);
                return Some(Transport::websocket(stream));
            }
            Ok(HttpRequest::Plain) => {
                websocket::write_plain_answer(&mut answer);
                break;
            }
            Err(error) => {
                websocket::write_bad_request(error, &mut answer);
                break;
            }
        }
    }
    let _ = stream.send(answer);
    close(Transport::plain(stream)).await;
    None
}

/// Lets what was sent arrive: ends our side, then reads and drops what still comes, since a reset could destroy
/// the answer on its way. Bounded by the caller's time limit and by [`DROPPED_BYTES_MAX`].
pub(crate) async fn close(mut transport: Transport) {
    transport.stream().shutdown_send();
    let mut dropped = 0;
    while dropped < DROPPED_BYTES_MAX {
        match transport.recv().await {
            Ok(bytes) if !bytes.is_empty() => dropped += bytes.len(),
            _ => return,
        }
    }
}

/// How much a peer may still send after its connection was given up, in bytes.
const DROPPED_BYTES_MAX: usize = 1 << 20;
