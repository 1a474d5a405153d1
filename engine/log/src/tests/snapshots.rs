//! Snapshot files: every bit and every cut of a small one is noticed, a power cut leaves a whole one or none, and recovery goes on from one.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use quoit_rt::sim::{NodeId, Sim};
use quoit_rt::{AlignedBuf, CoreId, Disk, OpenMode, Rt};

use crate::snapshot::{Listed, PartSummary, SnapshotHead, SnapshotInfo, SnapshotStore};
use crate::*;

const DIRECTORY: &str = "/data/snapshots";

fn store() -> SnapshotStore {
    SnapshotStore::new(PathBuf::from(DIRECTORY))
}

fn head(commit: u64, parts: u16) -> SnapshotHead {
    SnapshotHead {
        id: 0x1234_5678_9abc_def0 + commit,
        log_id: 7,
        unix_ms: 1_700_000_000_000,
        position: LogPosition {
            term: Term { counter: 2, id: 3 },
            incarnation: Incarnation { number: 4, id: 5 },
            group: GroupSeq(6),
            commit: CommitSeq(commit - 1),
            chain: Chain(8),
        },
        commit: CommitSeq(commit),
        parts,
    }
}

/// Writes a snapshot whose blocks name their part and number.
async fn written(
    disk: &Disk,
    commit: u64,
    parts: u16,
    blocks: u16,
) -> Result<SnapshotInfo, LogError> {
    let store = store();
    let draft = store.begin(disk, head(commit, parts)).await?;
    let mut summaries: Vec<PartSummary> = Vec::new();
    for part in 0..parts {
        let mut writer = draft.part(disk, part).await?;
        for block in 0..blocks {
            let payload = [part as u8, block as u8].repeat(usize::from(block) + 1);
            writer.write(block + 1, &payload).await?;
        }
        summaries.push(writer.finish().await?);
    }
    store.finish(disk, draft, summaries).await
}

async fn bytes_of(disk: &Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, OpenMode::read()).await.unwrap();
    let size = file.size().await.unwrap() as usize;
    let (read, buffer) = file.read_at(AlignedBuf::zeroed(size), 0).await;
    buffer[..read.unwrap()].to_vec()
}

async fn put(disk: &Disk, path: &Path, bytes: &[u8]) {
    let mode = OpenMode {
        truncate: true,
        ..OpenMode::read_write()
    };
    let file = disk.open(path, mode).await.unwrap();
    let whole = Bytes::copy_from_slice(bytes);
    file.write_at(whole, 0).await.0.unwrap();
}

/// Whether the only snapshot in the directory can be used.
async fn is_usable(disk: &Disk) -> bool {
    let store = store();
    match &store.list(disk).await.unwrap()[..] {
        [Listed::Good(info)] => store.verify(disk, info).await.is_ok(),
        _ => false,
    }
}

fn on_a_node(work: impl AsyncFnOnce(Rt) + 'static) -> (Sim, NodeId) {
    let mut sim = Sim::new(11);
    let node = sim.add_node();
    let rt = sim.boot(node, 1).remove(0);
    let done = sim.block_on(node, CoreId(0), async move { work(rt).await });
    done.expect("it ends");
    (sim, node)
}

#[test]
fn what_is_written_is_read_back_part_by_part_and_the_oldest_go() {
    on_a_node(async |rt| {
        let (disk, store) = (rt.disk(), store());
        assert!(store.list(&disk).await.unwrap().is_empty());
        for commit in [5, 9, 20] {
            let info = written(&disk, commit, 2, 40).await.unwrap();
            for part in 0..2 {
                let mut reader = store.open_part(&disk, &info, part).await.unwrap();
                for block in 0..40_u16 {
                    let (kind, payload) = reader.next().await.unwrap().unwrap();
                    assert_eq!(kind, block + 1);
                    assert_eq!(payload.len(), 2 * (usize::from(block) + 1));
                    assert_eq!(payload[..2], [part as u8, block as u8]);
                }
                assert_eq!(reader.next().await.unwrap(), None);
                assert_eq!(reader.next().await.unwrap(), None);
            }
        }
        assert_eq!(store.retain(&disk, 2).await.unwrap(), 1);
        let commits = store
            .list(&disk)
            .await
            .unwrap()
            .into_iter()
            .map(|listed| match listed {
                Listed::Good(info) => info.head.commit.0,
                Listed::Bad(error) => panic!("{error}"),
            });
        assert_eq!(commits.collect::<Vec<_>>(), [20, 9]);
        assert_eq!(
            disk.list(DIRECTORY).await.unwrap().len(),
            6,
            "two manifests, four parts"
        );
    });
}

#[test]
fn every_bit_and_every_cut_of_a_small_snapshot_is_noticed() {
    on_a_node(async |rt| {
        let disk = rt.disk();
        let info = written(&disk, 5, 2, 3).await.unwrap();
        assert!(is_usable(&disk).await);
        let names = disk.list(DIRECTORY).await.unwrap();
        for (name, path) in names
            .iter()
            .map(|name| (name, Path::new(DIRECTORY).join(name)))
        {
            let good = bytes_of(&disk, &path).await;
            let part = name.ends_with("0001");
            let meant = match name.contains(".part-") {
                true => info.parts[usize::from(part)].bytes as usize,
                false => good.len(),
            };
            for bit in 0..meant * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                put(&disk, &path, &bad).await;
                assert!(!is_usable(&disk).await, "{name}: bit {bit}");
            }
            for len in 0..meant {
                put(&disk, &path, &good[..len]).await;
                assert!(!is_usable(&disk).await, "{name}: cut to {len}");
            }
            put(&disk, &path, &good).await;
            assert!(is_usable(&disk).await);
        }
        // Parts in each other's place, and one that is not there.
        let paths =
            [0, 1].map(|part| Path::new(DIRECTORY).join(format!("{}.part-{part:04}", info.name)));
        let parts = [
            bytes_of(&disk, &paths[0]).await,
            bytes_of(&disk, &paths[1]).await,
        ];
        put(&disk, &paths[0], &parts[1]).await;
        put(&disk, &paths[1], &parts[0]).await;
        assert!(!is_usable(&disk).await);
        disk.remove(&paths[1]).await.unwrap();
        put(&disk, &paths[0], &parts[0]).await;
        assert!(!is_usable(&disk).await);
    });
}

#[test]
fn a_newer_version_is_refused_by_name() {
    on_a_node(async |rt| {
        let (disk, store) = (rt.disk(), store());
        let info = written(&disk, 5, 1, 1).await.unwrap();
        let mut manifest = bytes_of(&disk, &info.path).await;
        manifest[8] = 2;
        put(&disk, &info.path, &manifest).await;
        match &store.list(&disk).await.unwrap()[..] {
            [Listed::Bad(error)] => {
                assert!(error.to_string().contains("format version 2"), "{error}")
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_power_cut_leaves_a_whole_snapshot_or_none() {
    let (mut whole, mut none) = (0, 0);
    for seed in 0..60 {
        let mut sim = Sim::new(seed);
        let node = sim.add_node();
        let rt = sim.boot(node, 1).remove(0);
        let first = sim.block_on(node, CoreId(0), {
            let rt = rt.clone();
            async move { written(&rt.disk(), 5, 2, 10).await.is_ok() }
        });
        assert_eq!(first, Some(true));
        rt.clone().spawn(quoit_rt::Priority::Latency, async move {
            let _ = written(&rt.disk(), 9, 2, 10).await;
        });
        sim.run_for(std::time::Duration::from_micros(seed * 250));
        sim.crash(node);
        let rt = sim.boot(node, 1).remove(0);
        let found = sim.block_on(node, CoreId(0), async move {
            let (disk, store) = (rt.disk(), store());
            let mut commits = Vec::new();
            for listed in store.list(&disk).await.unwrap() {
                match listed {
                    Listed::Good(info) => {
                        store.verify(&disk, &info).await.unwrap();
                        commits.push(info.head.commit.0);
                    }
                    Listed::Bad(error) => panic!("{error}"),
                }
            }
            // What is left of the other is gone with the next one.
            written(&disk, 30, 1, 1).await.unwrap();
            let names = disk.list(DIRECTORY).await.unwrap();
            assert_eq!(names.len(), 3 * commits.len() + 2, "{names:?}");
            commits
        });
        match found.expect("it ends")[..] {
            [5] => none += 1,
            [9, 5] => whole += 1,
            ref other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(whole > 0 && none > 0, "{whole} whole, {none} none");
}
