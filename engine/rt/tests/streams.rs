//! Streams over both live backends: every promise of `Stream`, on real sockets.

use bytes::Bytes;
use quoit_rt::{
    Config, CoreId, ListenOptions, Priority, Rng, Rt, SocketBackend, Stream, mesh, start,
};
use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

const BACKENDS: [SocketBackend; 2] = [SocketBackend::OwnRing, SocketBackend::Glommio];
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a scene on one core of each backend, and fails when it does not end.
fn on_each_backend<Fut: Future<Output = ()> + 'static>(
    scene: impl Fn(Rt) -> Fut + Copy + Send + 'static,
) {
    for backend in BACKENDS {
        on_core(
            Config {
                backend,
                ..Config::with_cores(1)
            },
            scene,
        );
    }
}

fn on_core<Fut: Future<Output = ()> + 'static>(
    config: Config,
    scene: impl Fn(Rt) -> Fut + Copy + Send + 'static,
) {
    let backend = config.backend;
    let running = start(config, move |_| {
        move |rt: Rt| async move {
            let deadline = rt.now() + PATIENCE;
            rt.timeout(deadline, scene(rt.clone()))
                .await
                .unwrap_or_else(|_| panic!("{backend:?}: hangs"));
        }
    })
    .expect("a core");
    running.join().expect("the scene holds");
}

fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Two ends of one connection.
async fn pair(rt: &Rt) -> (Stream, Stream) {
    let listener = rt
        .listen(anywhere(), ListenOptions::default())
        .expect("a port");
    let ours = rt
        .connect(listener.local_addr(), PATIENCE)
        .await
        .expect("a connection");
    let theirs = rt
        .adopt(listener.accept().await.expect("it arrived"))
        .expect("it lives");
    assert_eq!(ours.local_addr(), theirs.peer_addr());
    assert_eq!(ours.peer_addr(), theirs.local_addr());
    (ours, theirs)
}

async fn read_to_end(stream: &Stream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let part = stream.recv().await?;
        if part.is_eof() {
            return Ok(all);
        }
        all.extend_from_slice(&part);
    }
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&rng.next_u64().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

async fn echo(stream: Stream) -> io::Result<()> {
    loop {
        let part = stream.recv().await?;
        if part.is_eof() {
            return stream.close().await;
        }
        stream.send(part.to_vec())?;
        stream.send_drained(1 << 20).await?;
    }
}

#[test]
fn bytes_of_any_size_and_cut_come_back_in_order() {
    on_each_backend(|rt| async move {
        for (case, len) in [1, 2, 63, 4096, 4097, 65_536, 1_000_003, 10 << 20]
            .into_iter()
            .enumerate()
        {
            let (client, server) = pair(&rt).await;
            rt.spawn(Priority::Latency, async move {
                echo(server).await.expect("the echo ends well")
            });
            let client = Rc::new(client);
            let sent = noise(case as u64, len);
            let (writer, mut rest) = (client.clone(), Bytes::from(sent.clone()));
            rt.spawn(Priority::Background, async move {
                let mut rng = Rng::new(len as u64);
                while !rest.is_empty() {
                    let cut = (1 + rng.below(40_000) as usize).min(rest.len());
                    if rng.one_in(2) {
                        writer.send(rest.split_to(cut).to_vec()).expect("open");
                    } else {
                        let (a, b) = (rest.split_to(cut / 2), rest.split_to(cut - cut / 2));
                        writer.send_all([a, b]).expect("open");
                    }
                    writer.send_drained(256 << 10).await.expect("open");
                }
                writer.shutdown_send();
            });
            assert!(
                read_to_end(&client).await.expect("no error") == sent,
                "{len} bytes come back"
            );
        }
    });
}

#[test]
fn many_connections_echo_at_once() {
    on_each_backend(|rt| async move {
        let listener = rt
            .listen(anywhere(), ListenOptions::default())
            .expect("a port");
        let address = listener.local_addr();
        let of_server = rt.clone();
        let server = rt.spawn(Priority::Latency, async move {
            loop {
                let stream = of_server
                    .adopt(listener.accept().await.expect("alive"))
                    .expect("alive");
                of_server.spawn(Priority::Latency, async move {
                    // The last ones are still closing when the core ends.
                    let _ = echo(stream).await;
                });
            }
        });
        let clients: Vec<_> = (0..200u64)
            .map(|i| {
                let rt2 = rt.clone();
                rt.spawn(Priority::Latency, async move {
                    let stream = rt2.connect(address, PATIENCE).await.expect("a connection");
                    for round in 0..20 {
                        let sent =
                            noise(i * 100 + round, 1 + (i * 37 + round * 911) as usize % 9000);
                        stream.send(sent.clone()).expect("open");
                        let mut back = Vec::new();
                        while back.len() < sent.len() {
                            back.extend_from_slice(&stream.recv().await.expect("open"));
                        }
                        assert!(back == sent);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("not cancelled");
        }
        server.cancel();
    });
}

#[test]
fn a_burst_on_many_idle_connections_is_seen_whole() {
    // The kernel runs deferred work in portions (20 at a time in 6.18): none may stay behind.
    on_each_backend(|rt| async move {
        let listener = rt
            .listen(anywhere(), ListenOptions::default())
            .expect("a port");
        let address = listener.local_addr();
        let mut streams = Vec::new();
        let mut sockets = Vec::new();
        for _ in 0..300 {
            sockets.push(std::net::TcpStream::connect(address).expect("the backlog takes it"));
            streams.push(
                rt.adopt(listener.accept().await.expect("a connection"))
                    .expect("alive"),
            );
        }
        for round in 0..20u8 {
            let readers: Vec<_> = streams
                .drain(..)
                .map(|stream| {
                    rt.spawn(Priority::Latency, async move {
                        assert_eq!(&stream.recv().await.expect("open")[..], &[round]);
                        stream
                    })
                })
                .collect();
            rt.sleep(Duration::from_millis(5)).await;
            // One core, so nothing is read until all of it has arrived.
            for socket in &mut sockets {
                io::Write::write_all(socket, &[round]).expect("open");
            }
            for reader in readers {
                streams.push(reader.await.expect("not cancelled"));
            }
        }
    });
}

#[test]
fn thousands_of_connections_come_and_go() {
    on_each_backend(|rt| async move {
        let listener = rt
            .listen(anywhere(), ListenOptions::default())
            .expect("a port");
        let address = listener.local_addr();
        for _ in 0..20 {
            let dialled: Vec<_> = (0..150)
                .map(|_| {
                    let rt2 = rt.clone();
                    rt.spawn(Priority::Latency, async move {
                        let stream = rt2.connect(address, PATIENCE).await.expect("a connection");
                        stream.send(b"hello".to_vec()).expect("open");
                        stream.close().await.expect("sent");
                    })
                })
                .collect();
            for _ in 0..150 {
                let stream = rt
                    .adopt(listener.accept().await.expect("a connection"))
                    .expect("alive");
                assert_eq!(read_to_end(&stream).await.expect("ends"), b"hello");
            }
            for dial in dialled {
                dial.await.expect("not cancelled");
            }
        }
    });
}

#[test]
fn a_peer_that_closes_while_we_send_is_an_error_and_frees_what_was_queued() {
    on_each_backend(|rt| async move {
        let (ours, theirs) = pair(&rt).await;
        ours.send(vec![1; 8 << 20]).expect("open");
        ours.send(vec![2; 8 << 20]).expect("open");
        assert!(!theirs.recv().await.expect("some of it").is_eof());
        assert!(ours.unsent() > 0, "16 MiB do not fit the socket buffers");
        drop(theirs);
        ours.flush().await.expect_err("the peer has gone");
        assert_eq!(ours.unsent(), 0);
        ours.send(vec![3]).expect_err("stays failed");
    });
}

#[test]
fn dropping_a_stream_with_sends_in_flight_closes_it() {
    on_each_backend(|rt| async move {
        for _ in 0..50 {
            let (ours, theirs) = pair(&rt).await;
            ours.send(vec![1; 16 << 20]).expect("open");
            rt.yield_now().await;
            assert!(!theirs.recv().await.expect("some of it").is_eof());
            drop(ours);
            // The peer reads what the kernel had taken, then the end or a reset: it never waits for ever.
            let read = read_to_end(&theirs)
                .await
                .map(|bytes| bytes.len())
                .unwrap_or(0);
            assert!(read < 16 << 20);
        }
    });
}

#[test]
fn what_was_sent_just_before_a_drop_arrives() {
    on_each_backend(|rt| async move {
        let (ours, theirs) = pair(&rt).await;
        ours.send(b"good".to_vec()).expect("open");
        ours.send(b"bye".to_vec()).expect("open");
        drop(ours);
        assert_eq!(read_to_end(&theirs).await.expect("ends"), b"goodbye");
    });
}

#[test]
fn a_cancelled_receive_loses_nothing() {
    on_each_backend(|rt| async move {
        let (ours, theirs) = pair(&rt).await;
        let mut got = Vec::new();
        for i in 0..100u8 {
            let deadline = rt.now() + Duration::from_micros(200);
            let mut receive = Box::pin(theirs.recv());
            if let Ok(part) = rt.timeout(deadline, &mut receive).await {
                got.extend_from_slice(&part.expect("open"));
            }
            drop(receive);
            ours.send(vec![i; 10]).expect("open");
        }
        ours.shutdown_send();
        got.extend_from_slice(&read_to_end(&theirs).await.expect("ends"));
        let sent: Vec<u8> = (0..100u8).flat_map(|i| [i; 10]).collect();
        assert!(got == sent);
    });
}

#[test]
fn try_recv_gives_what_has_arrived_and_never_waits() {
    on_each_backend(|rt| async move {
        let (ours, theirs) = pair(&rt).await;
        assert!(theirs.try_recv().is_none());
        ours.send(b"now".to_vec()).expect("open");
        let got = loop {
            match theirs.try_recv() {
                Some(got) => break got.expect("open"),
                None => rt.sleep(Duration::from_micros(50)).await,
            }
        };
        assert_eq!(&got[..], b"now");
        ours.shutdown_send();
        while theirs.try_recv().is_none() {
            rt.sleep(Duration::from_micros(50)).await;
        }
        assert!(theirs.recv().await.expect("the end").is_eof());
    });
}

#[test]
fn a_refused_connection_is_an_error_and_a_silent_one_times_out() {
    on_each_backend(|rt| async move {
        let closed = {
            let listener = rt
                .listen(anywhere(), ListenOptions::default())
                .expect("a port");
            listener.local_addr()
        };
        // The listener's socket closes a turn after it is dropped.
        rt.sleep(Duration::from_millis(20)).await;
        let refused = rt
            .connect(closed, PATIENCE)
            .await
            .expect_err("nobody listens");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        let (ours, _theirs) = pair(&rt).await;
        let deadline = rt.now() + Duration::from_millis(5);
        rt.timeout(deadline, ours.recv())
            .await
            .expect_err("nobody sends");
    });
}

#[test]
fn slow_readers_do_not_starve_others_of_receive_buffers() {
    let config = Config {
        recv_buffers: 16,
        ..Config::with_cores(1)
    };
    on_core(config, |rt| async move {
        // Twenty peers each send far more than all sixteen buffers hold, and nobody reads.
        let mut idle = Vec::new();
        for _ in 0..20 {
            let (ours, theirs) = pair(&rt).await;
            ours.send(vec![9; 1 << 20]).expect("open");
            idle.push((ours, theirs));
        }
        rt.sleep(Duration::from_millis(50)).await;
        // One more connection still works, and holding a buffer of it does no harm.
        let (ours, theirs) = pair(&rt).await;
        let mut held = Vec::new();
        for i in 0..100u8 {
            ours.send(vec![i; 100]).expect("open");
            let part = theirs.recv().await.expect("open");
            assert_eq!(&part[..], &[i; 100]);
            held.push(part);
        }
        drop(held);
        // And the slow ones lose nothing once they are read.
        for (ours, theirs) in idle {
            ours.shutdown_send();
            let all = read_to_end(&theirs).await.expect("ends");
            assert_eq!(all.len(), 1 << 20);
            assert!(all.iter().all(|&b| b == 9));
        }
    });
}

#[test]
fn accepted_sockets_are_dealt_over_the_cores() {
    for backend in BACKENDS {
        let mut ends: Vec<_> = mesh::dealer(2).into_iter().map(Some).collect();
        let (port, ports) = std::sync::mpsc::channel();
        let (served, serves) = std::sync::mpsc::channel();
        let running = start(
            Config {
                backend,
                ..Config::with_cores(2)
            },
            |core| {
                let end = ends[core.index()].take().expect("once a core");
                let (port, served) = (port.clone(), served.clone());
                move |rt: Rt| async move {
                    let (dealer, mut arrivals) = end.bind(&rt);
                    if rt.core() == CoreId(0) {
                        let listener = rt
                            .listen(anywhere(), ListenOptions::default())
                            .expect("a port");
                        port.send(listener.local_addr()).expect("the test listens");
                        rt.spawn(Priority::Latency, async move {
                            loop {
                                dealer
                                    .deal(listener.accept().await.expect("alive"))
                                    .await
                                    .expect("both cores live");
                            }
                        });
                    }
                    for _ in 0..4 {
                        let (_, accepted) = arrivals.recv().await;
                        let stream = rt.adopt(accepted).expect("alive");
                        stream.send(vec![rt.core().0 as u8]).expect("open");
                        stream.close().await.expect("sent");
                        served.send(()).expect("the test listens");
                    }
                    rt.shutdown_requested().await;
                }
            },
        )
        .expect("two cores");
        let address = ports.recv().expect("a port");
        let mut by_core = [0; 2];
        for _ in 0..8 {
            let mut byte = [0];
            let mut socket = std::net::TcpStream::connect(address).expect("a connection");
            io::Read::read_exact(&mut socket, &mut byte).expect("the core's number");
            by_core[usize::from(byte[0])] += 1;
        }
        assert_eq!(by_core, [4, 4]);
        (0..8).for_each(|_| serves.recv().expect("all served"));
        running.shut_down();
        running.join().expect("no core panics");
    }
}
