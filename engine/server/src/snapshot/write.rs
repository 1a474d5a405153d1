//! Writing a snapshot, on all cores.
//!
//! Owns the leader's work ([`create`]), each core's part ([`help`]) and the schedule ([`keep`]). Called by admin statements, `housekeeping`, `start`.
//! What always holds: the snapshot is lent to the cores for one block at a time; dropping the leader's work takes the loan back, so that all
//! parts end soon and nothing of them counts.

use super::{Job, lock};
use crate::isolation;
use crate::node::Node;
use crate::report;
use quoit_graph::image::Capture;
use quoit_graph::{Access, Isolation};
use quoit_log::snapshot::{Listed, PartSummary, SnapshotHead, SnapshotInfo};
use quoit_log::{LogError, SnapshotStore};
use quoit_rt::Priority;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How soon the leader looks again whether all parts have ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Why no snapshot was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Another is.
    #[error("a snapshot is being written already; SHOW SNAPSHOTS has it when it is done")]
    Running,
    /// Files or the log.
    #[error("the snapshot was given up: {0}")]
    Log(#[from] LogError),
}

/// Where this server's snapshots lie.
pub(crate) fn store(node: &Node) -> SnapshotStore {
    SnapshotStore::new(node.options.data_directory.join("snapshots"))
}

/// Writes a snapshot of what readers see now, and removes those beyond the number to keep.
///
/// # Errors
/// See [`WriteError`]; nothing is left of it then that counts.
pub(crate) async fn create(node: &Rc<Node>) -> Result<SnapshotInfo, WriteError> {
    let board = &node.shared.snapshots;
    let _running = board.begin().ok_or(WriteError::Running)?;
    let (rt, disk, store) = (&node.rt, node.rt.disk(), store(node));
    let began = rt.now();
    let position = node.log_core.written().await;
    node.log_core.durable(position.commit).await?;
    let mut txn = node.core.begin(Access::Read, Isolation::Snapshot);
    let statement = txn.begin_statement(true);
    let commit = txn.snapshot();
    let lent = txn.lend(&statement);
    let cores = rt.cores();
    let head = SnapshotHead {
        id: rt.random(),
        log_id: node.log().log_id(),
        unix_ms: rt.wall_clock_us() / 1000,
        position,
        commit,
        parts: cores,
    };
    let draft = store.begin(&disk, head).await?;
    let job = Arc::new(Job {
        loan: lent.loan(),
        draft: draft.clone(),
        settings: settings(node),
        ended: Default::default(),
    });
    board.post(job.clone());
    let ended = loop {
        let failed = {
            let ended = lock(&job.ended);
            if ended.len() == usize::from(cores) {
                break ended.clone();
            }
            ended.iter().any(Result::is_err)
        };
        // The others see that the loan was taken back.
        if failed {
            break lock(&job.ended).clone();
        }
        rt.sleep(LOOK_EVERY).await;
    };
    drop((lent, statement, txn));
    let parts: Result<Vec<PartSummary>, LogError> = ended.into_iter().collect();
    let finished = async {
        let parts = parts?;
        node.log_core.written_and_synced(commit).await?;
        store.finish(&disk, draft.clone(), parts).await
    };
    match finished.await {
        Ok(info) => {
            store.retain(&disk, node.options.snapshots_kept).await?;
            report::info(format_args!(
                "snapshot {} of commit {} written: {} bytes within {:?}",
                info.name,
                commit.0,
                info.bytes(),
                rt.now() - began
            ));
            Ok(info)
        }
        Err(error) => {
            // What cannot be removed now is removed with the next one.
            let _ = store.discard(&disk, draft).await;
            Err(error.into())
        }
    }
}

/// The settings that the log keeps, as they stand. One that is made at the same time is in the log behind the snapshot.
fn settings(node: &Node) -> Vec<(String, Vec<u8>)> {
    let level = node.shared.isolation.set_level();
    let level = level.map(|level| isolation::word(level).as_bytes().to_vec());
    let level = level.map(|value| (isolation::SETTING.to_owned(), value));
    level.into_iter().collect()
}

/// Takes this core's part of a snapshot that is being written, if there is one and it was not taken; the number of the job that was seen
/// last. To be called now and then.
pub(crate) fn help(node: &Rc<Node>, seen: u64) -> u64 {
    let Some((number, job)) = node.shared.snapshots.after(seen) else {
        return seen;
    };
    let helper = node.clone();
    node.rt.spawn(Priority::Background, async move {
        let ended = write_part(&helper, &job).await;
        lock(&job.ended).push(ended);
    });
    number
}

async fn write_part(node: &Node, job: &Job) -> Result<PartSummary, LogError> {
    let (rt, part, parts) = (&node.rt, node.rt.core().0, node.rt.cores());
    let mut writer = job.draft.part(&rt.disk(), part).await?;
    let mut capture = None;
    let mut block = Vec::new();
    loop {
        block.clear();
        let kind = {
            // Held for one block: whoever gave the snapshot up waits for nobody.
            let in_use = job.loan.begin().ok_or(LogError::Stopped)?;
            let txn = node.core.begin_lent(&in_use);
            let epoch = node.core.enter();
            let view = txn.view(&epoch);
            let capture = capture.get_or_insert_with(|| {
                let settings = (part == 0).then(|| job.settings.clone());
                Capture::new(&view, |shard| shard.0 % parts == part, settings)
            });
            capture.step(&view, &mut block)
        };
        let Some(kind) = kind else { break };
        if !block.is_empty() {
            writer.write(kind as u16, &block).await?;
        }
        rt.yield_if_needed().await;
    }
    writer.finish().await
}

/// Writes a snapshot every so often, for ever, if that was asked for and something was committed since the last. On one core.
pub(crate) async fn keep(node: Rc<Node>) {
    let Some(interval) = node.options.snapshot_interval else {
        return;
    };
    let rt = &node.rt;
    loop {
        let due = rt.wall_clock_us() / 1000 + interval.as_millis() as u64;
        let next = &node.shared.snapshots.next_due_ms;
        next.store(due, Ordering::Relaxed);
        rt.sleep(interval).await;
        let newest = match store(&node).list(&rt.disk()).await {
            Ok(listed) => listed.into_iter().find_map(|listed| match listed {
                Listed::Good(info) => Some(info.head.commit),
                Listed::Bad(_) => None,
            }),
            Err(_) => None,
        };
        let visible = node.core.graph().door().visible();
        if visible.0 == 0 || newest == Some(visible) {
            continue;
        }
        match create(&node).await {
            Ok(_) | Err(WriteError::Running) => {}
            Err(error) => report::warning(format_args!(
                "{error}; the log still has everything, and the next one is tried in {interval:?}"
            )),
        }
    }
}
