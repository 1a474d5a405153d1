//! TLS over both live backends: the same stream, encrypted, with both sides authenticated.

use quoit_rt::{Config, ListenOptions, Priority, Rt, SocketBackend, Stream, start, tls};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, ServerName},
    server::WebPkiClientVerifier,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

struct Identity {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

fn identity(name: &str) -> Identity {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()])
        .expect("a name")
        .self_signed(&key)
        .expect("signed");
    Identity { certificate, key }
}

impl Identity {
    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.der().clone())
            .expect("a certificate");
        Arc::new(roots)
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }
}

fn server_config(own: &Identity, trusted: &Identity) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(trusted.roots(), provider.clone())
        .build()
        .expect("a verifier");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![own.certificate.der().clone()], own.private())
        .expect("a pair");
    Arc::new(config)
}

fn client_config(own: &Identity, trusted: &Identity) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(trusted.roots())
        .with_client_auth_cert(vec![own.certificate.der().clone()], own.private())
        .expect("a pair");
    Arc::new(config)
}

fn on_each_backend<Fut: Future<Output = ()> + 'static>(
    scene: impl Fn(Rt) -> Fut + Copy + Send + 'static,
) {
    for backend in [SocketBackend::OwnRing, SocketBackend::Glommio] {
        let running = start(
            Config {
                backend,
                ..Config::with_cores(1)
            },
            move |_| {
                move |rt: Rt| async move {
                    let deadline = rt.now() + Duration::from_secs(60);
                    rt.timeout(deadline, scene(rt.clone()))
                        .await
                        .unwrap_or_else(|_| panic!("{backend:?}: hangs"));
                }
            },
        )
        .expect("a core");
        running.join().expect("the scene holds");
    }
}

async fn pair(rt: &Rt) -> (Stream, Stream) {
    let listener = rt
        .listen(
            SocketAddr::from(([127, 0, 0, 1], 0)),
            ListenOptions::default(),
        )
        .expect("a port");
    let ours = rt
        .connect(listener.local_addr(), Duration::from_secs(5))
        .await
        .expect("a connection");
    let theirs = rt
        .adopt(listener.accept().await.expect("it arrived"))
        .expect("alive");
    (ours, theirs)
}

async fn secured(rt: &Rt) -> (Stream, Stream) {
    let (main, replica) = (identity("main.test"), identity("replica.test"));
    let (client_side, server_side) = (
        client_config(&main, &replica),
        server_config(&replica, &main),
    );
    let (ours, theirs) = pair(rt).await;
    let accepting = rt.spawn(Priority::Latency, tls::accept(theirs, server_side));
    let name = ServerName::try_from("replica.test").expect("a name");
    let (ours, about_server) = tls::connect(ours, client_side, name)
        .await
        .expect("the server is the one named");
    let (theirs, about_client) = accepting
        .await
        .expect("not cancelled")
        .expect("the client is trusted");
    assert_eq!(about_server.certificates[0], *replica.certificate.der());
    assert_eq!(about_client.certificates[0], *main.certificate.der());
    (ours, theirs)
}

#[test]
fn bytes_go_both_ways_and_the_end_is_announced() {
    on_each_backend(|rt| async move {
        let (ours, theirs) = secured(&rt).await;
        let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i * 7) as u8).collect();
        let copy = sent.clone();
        let reading = rt.spawn(Priority::Latency, async move {
            let mut all = Vec::new();
            loop {
                let part = theirs.recv().await.expect("no error");
                if part.is_eof() {
                    break;
                }
                all.extend_from_slice(&part);
            }
            theirs.send(b"thanks".to_vec()).expect("our side is open");
            theirs.close().await.expect("sent");
            all
        });
        for part in copy.chunks(70_000) {
            ours.send(part.to_vec()).expect("open");
            ours.send_drained(1 << 18).await.expect("open");
        }
        ours.shutdown_send();
        assert!(reading.await.expect("not cancelled") == sent);
        let mut answer = Vec::new();
        loop {
            let part = ours.recv().await.expect("no error");
            if part.is_eof() {
                break;
            }
            answer.extend_from_slice(&part);
        }
        assert_eq!(answer, b"thanks");
    });
}

#[test]
fn records_of_any_size_are_read_late_and_whole() {
    on_each_backend(|rt| async move {
        for record in [1, 300, 10_000, 16_384, 150_000] {
            let (ours, theirs) = secured(&rt).await;
            let sent: Vec<u8> = (0..600_000u32).map(|i| (i * 11) as u8).collect();
            for part in sent[..if record == 1 { 5_000 } else { sent.len() }].chunks(record) {
                ours.send(part.to_vec()).expect("open");
            }
            ours.shutdown_send();
            rt.sleep(Duration::from_millis(20)).await;
            let mut all = Vec::new();
            loop {
                let part = theirs.recv().await.expect("no error");
                if part.is_eof() {
                    break;
                }
                all.extend_from_slice(&part);
            }
            assert!(all == sent[..all.len()], "records of {record} bytes");
            assert!(
                record == 1 || all.len() == sent.len(),
                "{} bytes",
                all.len()
            );
        }
    });
}

#[test]
fn a_connection_cut_without_notice_is_an_error_not_an_end() {
    on_each_backend(|rt| async move {
        let (ours, theirs) = secured(&rt).await;
        ours.send(b"partial".to_vec()).expect("open");
        ours.flush().await.expect("open");
        drop(ours);
        let mut last = theirs.recv().await;
        while let Ok(part) = &last {
            assert!(!part.is_eof(), "nobody announced the end");
            last = theirs.recv().await;
        }
        // A reset where the peer left something unread (its session tickets), an end without notice where not.
        let kind = last.expect_err("cut").kind();
        assert!(
            matches!(
                kind,
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ),
            "{kind:?}"
        );
    });
}

#[test]
fn a_stranger_is_refused_by_the_client_and_by_the_server() {
    on_each_backend(|rt| async move {
        let (main, replica, stranger) = (
            identity("main.test"),
            identity("replica.test"),
            identity("replica.test"),
        );
        for (client, server) in [
            (
                client_config(&main, &replica),
                server_config(&stranger, &main),
            ),
            (
                client_config(&stranger, &replica),
                server_config(&replica, &main),
            ),
        ] {
            let (ours, theirs) = pair(&rt).await;
            let accepting = rt.spawn(Priority::Latency, tls::accept(theirs, server));
            let name = ServerName::try_from("replica.test").expect("a name");
            // In TLS 1.3 the client is done before the server has judged it, so it learns at its first read.
            let connected = match tls::connect(ours, client, name).await {
                Ok((stream, _)) => stream.recv().await.map(drop),
                Err(e) => Err(e),
            };
            let accepted = accepting.await.expect("not cancelled").map(drop);
            assert!(
                connected.is_err() && accepted.is_err(),
                "neither side goes on"
            );
        }
    });
}

#[test]
fn a_peer_that_does_not_speak_tls_is_refused() {
    on_each_backend(|rt| async move {
        let (main, replica) = (identity("main.test"), identity("replica.test"));
        let (ours, theirs) = pair(&rt).await;
        ours.send(b"GET / HTTP/1.1\r\n\r\n".to_vec()).expect("open");
        let refused = tls::accept(theirs, server_config(&replica, &main))
            .await
            .expect_err("not TLS");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    });
}
