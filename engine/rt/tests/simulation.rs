//! The simulated world: determinism, the network's promises, and what a power cut may leave.

use bytes::Bytes;
use quoit_rt::{
    AlignedBuf, CoreId, ListenOptions, OpenMode, Priority, Rt, mesh,
    sim::{DiskFault, FaultKind, Sim},
};
use std::{net::SocketAddr, time::Duration};

async fn serve_echo(rt: Rt) {
    let listener = rt
        .listen(
            SocketAddr::from(([0, 0, 0, 0], 7687)),
            ListenOptions::default(),
        )
        .expect("a port");
    loop {
        let stream = rt
            .adopt(listener.accept().await.expect("alive"))
            .expect("alive");
        rt.spawn(Priority::Latency, async move {
            while let Ok(part) = stream.recv().await {
                if part.is_eof() || stream.send(part.to_vec()).is_err() {
                    break;
                }
            }
            let _ = stream.close().await;
        });
    }
}

/// Three nodes; two clients echo through the third. Gives the trace.
fn echo_run(seed: u64) -> u64 {
    let mut sim = Sim::new(seed);
    let nodes: Vec<_> = (0..3).map(|_| sim.add_node()).collect();
    for &node in &nodes {
        sim.boot(node, 2);
    }
    let server = sim.rt(nodes[0], CoreId(0)).expect("up");
    server.spawn(Priority::Latency, serve_echo(server.clone()));
    drop(server);
    for &node in &nodes[1..] {
        let rt = sim.rt(node, CoreId(1)).expect("up");
        let of_core = rt.clone();
        let client = rt.spawn(Priority::Latency, async move {
            let to = of_core.resolve("node-0", 7687).await.expect("known")[0];
            let stream = loop {
                match of_core.connect(to, Duration::from_secs(1)).await {
                    Ok(stream) => break stream,
                    Err(_) => of_core.sleep(Duration::from_millis(1)).await,
                }
            };
            for i in 1..50usize {
                stream.send(vec![i as u8; i * 97]).expect("open");
                let mut back = Vec::new();
                while back.len() < i * 97 {
                    back.extend_from_slice(&stream.recv().await.expect("open"));
                }
                assert!(back.iter().all(|&b| b == i as u8));
                of_core.yield_if_needed().await;
            }
            true
        });
        drop(rt);
        assert_eq!(sim.block_on(node, CoreId(0), client), Some(Some(true)));
    }
    sim.trace()
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    assert_eq!(echo_run(1), echo_run(1));
    assert_ne!(echo_run(1), echo_run(2));
}

#[test]
fn virtual_time_passes_without_waiting() {
    Sim::run(3, |rt| async move {
        let before = rt.now();
        rt.sleep(Duration::from_secs(86_400)).await;
        assert!(rt.now() - before >= Duration::from_secs(86_400));
        assert!(
            rt.timeout(
                rt.now() + Duration::from_secs(5),
                std::future::pending::<()>()
            )
            .await
            .is_err()
        );
    });
}

#[test]
fn cores_of_a_node_talk_over_the_mesh_and_notifiers() {
    let mut sim = Sim::new(4);
    let node = sim.add_node();
    let cores = sim.boot(node, 2);
    let mut ends = mesh::mesh_with_capacity::<u32>(2, 2).into_iter();
    let (sender, _keep) = ends.next().expect("two").bind(&cores[0]);
    let (_sender, mut receiver) = ends.next().expect("two").bind(&cores[1]);
    cores[0].spawn(Priority::Latency, async move {
        for i in 0..100 {
            sender.send(CoreId(1), i).await.expect("alive");
        }
    });
    let all = sim.block_on(node, CoreId(1), async move {
        let mut got = Vec::new();
        while got.len() < 100 {
            got.push(receiver.recv().await.1);
        }
        got
    });
    assert_eq!(all, Some((0..100).collect()));
}

#[test]
fn a_partition_holds_messages_back_and_a_cut_breaks_the_stream() {
    let mut sim = Sim::new(5);
    let (a, b) = (sim.add_node(), sim.add_node());
    sim.boot(a, 1);
    sim.boot(b, 1);
    let server = sim.rt(a, CoreId(0)).expect("up");
    server.spawn(Priority::Latency, serve_echo(server.clone()));
    drop(server);
    sim.run_for(Duration::from_millis(1));
    let rt = sim.rt(b, CoreId(0)).expect("up");
    let stream = sim
        .block_on(b, CoreId(0), async move {
            rt.connect(SocketAddr::new(a.ip(), 7687), Duration::from_secs(1))
                .await
                .expect("connected")
        })
        .expect("it connects");
    sim.partition(a, b);
    stream.send(b"held".to_vec()).expect("open");
    sim.run_for(Duration::from_secs(10));
    assert!(stream.try_recv().is_none());
    sim.heal(a, b);
    sim.run_for(Duration::from_secs(1));
    let mut back = Vec::new();
    while let Some(part) = stream.try_recv() {
        back.extend_from_slice(&part.expect("open"));
    }
    assert_eq!(back, b"held");
    sim.cut(a, b);
    assert!(stream.try_recv().expect("broken").is_err());
    assert!(stream.send(b"lost".to_vec()).is_err());
}

#[test]
fn a_crash_keeps_what_was_synced_and_any_mix_of_the_rest() {
    let mut kept_some_unsynced = false;
    let mut lost_some_unsynced = false;
    let mut torn = false;
    for seed in 0..200 {
        let mut sim = Sim::new(seed);
        let node = sim.add_node();
        let rt = sim.boot(node, 1).remove(0);
        sim.block_on(node, CoreId(0), async move {
            let disk = rt.disk();
            disk.create_dir("/data").await.expect("made");
            let file = disk
                .open("/data/log", OpenMode::create_new())
                .await
                .expect("made");
            disk.sync_dir("/").await.expect("synced");
            disk.sync_dir("/data").await.expect("synced");
            file.write_at(Bytes::from(vec![1; 4096]), 0)
                .await
                .0
                .expect("written");
            file.sync().await.expect("synced");
            file.write_at(Bytes::from(vec![2; 2048]), 2048)
                .await
                .0
                .expect("written");
            file.write_at(Bytes::from(vec![3; 2048]), 4096)
                .await
                .0
                .expect("written");
        })
        .expect("it ends");
        let before = sim.disk(node).contents("/data/log").expect("there");
        sim.crash(node);
        let after = sim
            .disk(node)
            .contents("/data/log")
            .expect("synced into its folder");
        assert!((4096..=6144).contains(&after.len()));
        assert!(
            after[..2048].iter().all(|&b| b == 1),
            "synced and untouched since"
        );
        for (i, &byte) in after.iter().enumerate() {
            let old = if i < 4096 { 1 } else { 0 };
            assert!(byte == old || byte == before[i], "byte {i} is old or new");
        }
        for sector in after[2048..4096].chunks(512) {
            let new = sector.iter().filter(|&&b| b == 2).count();
            kept_some_unsynced |= new == 512;
            lost_some_unsynced |= new == 0;
            torn |= new != 0 && new != 512;
        }
    }
    assert!(
        kept_some_unsynced && lost_some_unsynced && torn,
        "all three happen"
    );
}

#[test]
fn a_synced_write_survives_when_it_has_completed_and_a_kill_loses_nothing() {
    for seed in 0..50 {
        let mut sim = Sim::new(seed);
        let node = sim.add_node();
        let rt = sim.boot(node, 1).remove(0);
        sim.block_on(node, CoreId(0), async move {
            let disk = rt.disk();
            let segment = disk
                .open("/segment", OpenMode::create_new().for_log())
                .await
                .expect("made");
            segment.preallocate_zeroed(16_384).await.expect("room");
            disk.sync_dir("/").await.expect("synced");
            let mut group = AlignedBuf::zeroed(4096);
            group.fill(7);
            segment.write_at(group, 4096).await.0.expect("durable");
            let note = disk
                .open("/note", OpenMode::create_new())
                .await
                .expect("made");
            note.write_at(Bytes::from_static(b"unsynced"), 0)
                .await
                .0
                .expect("written");
        })
        .expect("it ends");
        sim.kill(node);
        assert_eq!(
            sim.disk(node)
                .contents("/note")
                .expect("a kill loses nothing"),
            b"unsynced"
        );
        sim.crash(node);
        let after = sim.disk(node).contents("/segment").expect("there");
        assert_eq!(after.len(), 16_384);
        assert!(after[4096..8192].iter().all(|&b| b == 7));
        assert!(after[..4096].iter().chain(&after[8192..]).all(|&b| b == 0));
        // The node comes back and reads it.
        let rt = sim.boot(node, 1).remove(0);
        let read = sim.block_on(node, CoreId(0), async move {
            let file = rt
                .disk()
                .open("/segment", OpenMode::read())
                .await
                .expect("there");
            file.read_at(AlignedBuf::zeroed(4096), 4096)
                .await
                .0
                .expect("readable")
        });
        assert_eq!(read, Some(4096));
    }
}

#[test]
fn names_that_were_not_synced_survive_as_a_prefix_of_what_was_done() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let mut sim = Sim::new(seed);
        let node = sim.add_node();
        let rt = sim.boot(node, 1).remove(0);
        sim.block_on(node, CoreId(0), async move {
            let disk = rt.disk();
            disk.open("/old", OpenMode::create_new())
                .await
                .expect("made");
            disk.sync_dir("/").await.expect("synced");
            disk.open("/new", OpenMode::create_new())
                .await
                .expect("made");
            disk.rename("/new", "/old").await.expect("renamed");
            disk.open("/later", OpenMode::create_new())
                .await
                .expect("made");
        })
        .expect("it ends");
        sim.crash(node);
        let rt = sim.boot(node, 1).remove(0);
        let names = sim.block_on(node, CoreId(0), async move {
            rt.disk().list("/").await.expect("there")
        });
        outcomes.insert(names.expect("it ends"));
    }
    let allowed = [vec!["old"], vec!["new", "old"], vec!["later", "old"]];
    let allowed: std::collections::BTreeSet<Vec<String>> = allowed
        .iter()
        .map(|names| names.iter().map(|n| (*n).to_owned()).collect())
        .collect();
    assert_eq!(outcomes, allowed);
}

#[test]
fn injected_faults_reach_the_operation_they_are_meant_for() {
    let mut sim = Sim::new(9);
    let node = sim.add_node();
    sim.disk(node).inject(DiskFault {
        path_contains: "log".into(),
        after: 1,
        times: 1,
        kind: FaultKind::NoSpace,
    });
    sim.disk(node).inject(DiskFault {
        path_contains: "sync".into(),
        after: 0,
        times: 1,
        kind: FaultKind::Io,
    });
    let rt = sim.boot(node, 1).remove(0);
    sim.block_on(node, CoreId(0), async move {
        let log = rt
            .disk()
            .open("/log", OpenMode::create_new())
            .await
            .expect("made");
        log.write_at(Bytes::from_static(b"a"), 0)
            .await
            .0
            .expect("the first passes");
        let full = log
            .write_at(Bytes::from_static(b"b"), 1)
            .await
            .0
            .expect_err("the second does not");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        log.write_at(Bytes::from_static(b"c"), 1)
            .await
            .0
            .expect("the third passes");
        let sync = rt
            .disk()
            .open("/sync", OpenMode::create_new())
            .await
            .expect("made");
        sync.sync().await.expect_err("the sync fails");
    })
    .expect("it ends");
}
