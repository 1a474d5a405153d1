//! From an endpoint to an authenticated stream.
//!
//! Owns look-up, connection and TLS of the calling end. Names are looked up again at each call. Always bounded by
//! the caller's deadline.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use quoit_rt::{Rt, Stream, tls};
use rustls::pki_types::ServerName;

use crate::endpoint::{Endpoint, Host};
use crate::identity::Fingerprint;
use crate::keys::{self, SERVER_NAME};
use crate::message::{Decoder, Message};
use crate::node_record::NodeKey;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// A connection whose peer has proven to hold the key of `peer`.
pub(crate) struct Dialled {
    pub stream: Rc<Stream>,
    pub peer: Fingerprint,
    pub address: SocketAddr,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum DialError {
    /// The endpoint is this server's own Bolt port.
    Own,
    /// In words.
    Failed(String),
}

/// Looks up, connects, shakes hands.
pub(crate) async fn endpoint(
    rt: &Rt,
    endpoint: &Endpoint,
    key: &NodeKey,
    pin: Option<Fingerprint>,
    own_bolt_port: u16,
    patience: Duration,
) -> Result<Dialled, DialError> {
    let host = match endpoint.host() {
        Host::Address(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    let addresses = rt
        .resolve(&host, endpoint.port())
        .await
        .map_err(|e| DialError::Failed(format!("the name {host} cannot be looked up: {e}")))?;
    let mut last = String::from("the name has no address");
    for found in addresses.into_iter().take(ADDRESSES_MAX) {
        match address(rt, found, key, pin, own_bolt_port, patience).await {
            Ok(dialled) => return Ok(dialled),
            Err(DialError::Own) => return Err(DialError::Own),
            Err(DialError::Failed(why)) => last = why,
        }
    }
    Err(DialError::Failed(last))
}

/// Connects and shakes hands.
pub(crate) async fn address(
    rt: &Rt,
    address: SocketAddr,
    key: &NodeKey,
    pin: Option<Fingerprint>,
    own_bolt_port: u16,
    patience: Duration,
) -> Result<Dialled, DialError> {
    let failed =
        |what: &str, e: &dyn std::fmt::Display| DialError::Failed(format!("{what} {address}: {e}"));
    let config = keys::client_config(key, pin).map_err(|e| failed("no key for", &e))?;
    let stream = rt
        .connect(address, patience)
        .await
        .map_err(|e| failed("no connection to", &e))?;
    if stream.local_addr().ip() == stream.peer_addr().ip() && address.port() == own_bolt_port {
        return Err(DialError::Own);
    }
    let name = ServerName::try_from(SERVER_NAME).expect("the constant is a name");
    let shaken = rt
        .timeout(rt.now() + patience, tls::connect(stream, config, name))
        .await;
    let (stream, peer) = shaken
        .map_err(|e| failed("no answer in TLS from", &e))?
        .map_err(|e| failed("the keys do not fit, or no replica listens at", &e))?;
    let certificate = peer
        .certificates
        .first()
        .ok_or_else(|| failed("no certificate from", &"TLS"))?;
    Ok(Dialled {
        stream: Rc::new(stream),
        peer: Fingerprint::of_certificate(certificate),
        address,
    })
}

/// The next message on a stream.
pub(crate) async fn next_message(
    stream: &Stream,
    decoder: &mut Decoder,
) -> Result<Message, String> {
    loop {
        if let Some(message) = decoder.next_message().map_err(|e| e.to_string())? {
            return Ok(message);
        }
        let arrived = stream.recv().await.map_err(|e| match e.kind() {
            // rustls' own words explain TLS, not what happened here.
            std::io::ErrorKind::UnexpectedEof => "the connection was cut".to_owned(),
            _ => e.to_string(),
        })?;
        if arrived.is_eof() {
            return Err("the peer closed the connection".into());
        }
        decoder.push(&arrived);
    }
}
