//! Keys: a node's self-signed certificate, and TLS between nodes that pin each other's.
//!
//! Owns the making of the key at first start and the rustls configurations of both ends. Called by the node record's
//! opening and by the links. Always: TLS 1.3 only; both ends prove that they hold the key of the certificate they show;
//! *which* certificate is acceptable is decided by its fingerprint: at once where one is pinned (the MAIN's end), by
//! the machine's table after the hello elsewhere (the replica's end). Names and dates in certificates mean nothing
//! here: a pinned key is not a name, and a node without a clock must still find its MAIN.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme, version::TLS13,
};

use crate::identity::Fingerprint;
use crate::node_record::NodeKey;

/// What both ends agree to speak inside TLS: a Bolt client that finds this port is turned away by name.
const ALPN: &[u8] = b"quoit-replication/1";

/// The name in every certificate and every call; it identifies nobody.
pub const SERVER_NAME: &str = "quoit-node";

/// A key could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Making it failed.
    #[error("the node's key could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// rustls does not take it.
    #[error("the node's key cannot be used: {0}")]
    Use(#[from] Error),
}

/// A new key pair and its self-signed certificate.
pub fn make_key() -> Result<NodeKey, KeyError> {
    let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
    Ok(NodeKey {
        certificate: made.cert.der().to_vec(),
        private_key: made.signing_key.serialize_der(),
    })
}

/// The calling end. With a `pin` the handshake fails unless the replica shows that certificate; without, the caller
/// learns which one it showed.
pub fn client_config(
    key: &NodeKey,
    pin: Option<Fingerprint>,
) -> Result<Arc<ClientConfig>, KeyError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(PinnedPeer {
        pin,
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain(key), private_key(key))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A session is long and its resumption would hide a changed key.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The listening end: whoever calls must show a certificate and prove its key.
pub fn server_config(key: &NodeKey) -> Result<Arc<ServerConfig>, KeyError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(PinnedPeer {
        pin: None,
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(key), private_key(key))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn chain(key: &NodeKey) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from(key.certificate.clone())]
}

fn private_key(key: &NodeKey) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.private_key.clone()))
}

/// Judges a certificate by its fingerprint alone, and its holder by the handshake's signature.
#[derive(Debug)]
struct PinnedPeer {
    pin: Option<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedPeer {
    fn judge(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match self.pin {
            Some(pin) if pin != Fingerprint::of_certificate(certificate) => Err(
                Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
            ),
            _ => Ok(()),
        }
    }
}

impl ServerCertVerifier for PinnedPeer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("replication links speak TLS 1.3".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PinnedPeer {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("replication links speak TLS 1.3".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Random bits for identities, from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    use ::ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system has random bits");
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::{ClientConnection, Connection, ServerConnection};

    use super::*;

    /// Carries bytes between two ends until neither has any; the error of the first that fails.
    fn shake(client: &mut Connection, server: &mut Connection) -> Result<(), Error> {
        for _ in 0..10 {
            carry(client, server)?;
            carry(server, client)?;
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        Ok(())
    }

    fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
        let mut wire = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut wire).unwrap();
        }
        let mut wire = &wire[..];
        while !wire.is_empty() {
            to.read_tls(&mut wire).unwrap();
            to.process_new_packets()?;
        }
        Ok(())
    }

    fn ends(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> (Connection, Connection) {
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        (
            ClientConnection::new(client, name).unwrap().into(),
            ServerConnection::new(server).unwrap().into(),
        )
    }

    #[test]
    fn two_nodes_meet_and_learn_each_others_fingerprints() {
        let (main, replica) = (make_key().unwrap(), make_key().unwrap());
        let fingerprint = |key: &NodeKey| Fingerprint::of_certificate(&key.certificate);
        for pin in [None, Some(fingerprint(&replica))] {
            let (mut client, mut server) = ends(
                client_config(&main, pin).unwrap(),
                server_config(&replica).unwrap(),
            );
            shake(&mut client, &mut server).unwrap();
            let shown = |end: &Connection| {
                Fingerprint::of_certificate(&end.peer_certificates().unwrap()[0])
            };
            assert_eq!(shown(&client), fingerprint(&replica));
            assert_eq!(shown(&server), fingerprint(&main));
            client.writer().write_all(b"hello").unwrap();
            carry(&mut client, &mut server).unwrap();
            let mut read = [0; 5];
            server.reader().read_exact(&mut read).unwrap();
            assert_eq!(&read, b"hello");
        }
    }

    #[test]
    fn a_replica_with_another_key_than_the_pinned_one_is_refused() {
        let (main, replica, other) = (
            make_key().unwrap(),
            make_key().unwrap(),
            make_key().unwrap(),
        );
        let pin = Fingerprint::of_certificate(&other.certificate);
        let (mut client, mut server) = ends(
            client_config(&main, Some(pin)).unwrap(),
            server_config(&replica).unwrap(),
        );
        let error = shake(&mut client, &mut server).unwrap_err();
        assert!(matches!(error, Error::InvalidCertificate(_)), "{error}");
    }

    #[test]
    fn a_caller_without_a_certificate_or_without_its_key_is_refused() {
        let (main, replica, thief) = (
            make_key().unwrap(),
            make_key().unwrap(),
            make_key().unwrap(),
        );
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(PinnedPeer {
            pin: None,
            algorithms: provider.signature_verification_algorithms,
        });
        let mut anonymous = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        anonymous.alpn_protocols = vec![ALPN.to_vec()];
        let (mut client, mut server) = ends(Arc::new(anonymous), server_config(&replica).unwrap());
        assert!(shake(&mut client, &mut server).is_err());
        // The MAIN's certificate, another's key: rustls itself refuses the pair.
        let stolen = NodeKey {
            certificate: main.certificate,
            private_key: thief.private_key,
        };
        assert!(matches!(
            client_config(&stolen, None),
            Err(KeyError::Use(_))
        ));
    }

    #[test]
    fn a_caller_that_speaks_something_else_inside_tls_is_refused() {
        let (main, replica) = (make_key().unwrap(), make_key().unwrap());
        let mut config = Arc::into_inner(client_config(&main, None).unwrap()).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let (mut client, mut server) = ends(Arc::new(config), server_config(&replica).unwrap());
        assert!(shake(&mut client, &mut server).is_err());
    }
}
