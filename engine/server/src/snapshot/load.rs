//! Starting from a snapshot.
//!
//! Owns which snapshot is taken ([`choose`]) and its loading by all cores ([`load`]). Called by `start`, before the log is recovered.
//! What always holds: every block of the snapshot was verified before the first is loaded, so that one which cannot be read is passed over
//! for an older one, or for the log alone, and the graph has nothing of it; blocks of a kind are loaded when all of the kind before are.

use super::lock;
use crate::report;
use quoit_graph::image::{BlockKind, ImageError, Loader};
use quoit_graph::{AppliedSetting, Core};
use quoit_log::snapshot::{Block, Listed, PartReader, SnapshotInfo};
use quoit_log::{LogError, SnapshotStore};
use quoit_rt::Rt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Why a snapshot that was verified could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its files.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What is in them.
    #[error(
        "the snapshot file {path} was written as it is, and cannot be loaded: {error}; move the snapshot aside to start from an older one or from the log"
    )]
    Image {
        /// The part.
        path: PathBuf,
        /// What does not fit.
        error: ImageError,
    },
    /// A block of a kind that this version does not know, or out of order.
    #[error(
        "the snapshot file {path} has a block of kind {kind} where none is expected; it was written by a newer version, which can read it. Or move the snapshot aside to start from an older one or from the log"
    )]
    Kind {
        /// The part.
        path: PathBuf,
        /// The kind.
        kind: u16,
    },
}

/// What the cores that load a snapshot share.
#[derive(Default)]
pub(crate) struct Loading {
    /// Cores that have loaded all their blocks of each kind.
    arrived: [AtomicUsize; BlockKind::ALL.len()],
    has_failed: AtomicBool,
    settings: Mutex<Vec<AppliedSetting>>,
}

/// The newest snapshot that is whole, every byte verified. What is not is told and passed over: the log has everything.
///
/// # Errors
/// [`LogError::Io`]: the directory cannot be read.
pub(crate) async fn choose(
    rt: &Rt,
    store: &SnapshotStore,
) -> Result<Option<SnapshotInfo>, LogError> {
    let disk = rt.disk();
    for listed in store.list(&disk).await? {
        let info = match listed {
            Listed::Good(info) => info,
            Listed::Bad(error) => {
                report::warning(format_args!(
                    "{error}; an older snapshot or the log is used"
                ));
                continue;
            }
        };
        match store.verify(&disk, &info).await {
            Ok(()) => return Ok(Some(info)),
            Err(error) => report::warning(format_args!(
                "{error}; an older snapshot or the log is used"
            )),
        }
    }
    Ok(None)
}

impl Loading {
    /// The settings in the snapshot, once it is loaded.
    pub(crate) fn settings(&self) -> Vec<AppliedSetting> {
        std::mem::take(&mut *lock(&self.settings))
    }

    /// Loads this core's share; ends when all cores have loaded theirs, or one has failed.
    ///
    /// # Errors
    /// See [`LoadError`]; the graph is not to be used then.
    pub(crate) async fn load(
        &self,
        rt: &Rt,
        core: &Core,
        store: &SnapshotStore,
        info: &SnapshotInfo,
    ) -> Result<(), LoadError> {
        let loaded = self.load_share(rt, core, store, info).await;
        if loaded.is_err() {
            self.has_failed.store(true, Ordering::Release);
        }
        loaded
    }

    async fn load_share(
        &self,
        rt: &Rt,
        core: &Core,
        store: &SnapshotStore,
        info: &SnapshotInfo,
    ) -> Result<(), LoadError> {
        let (disk, cores) = (rt.disk(), rt.cores());
        let mut parts = Vec::new();
        for part in (0..info.head.parts).filter(|part| part % cores == rt.core().0) {
            let mut reader = store.open_part(&disk, info, part).await?;
            let next = reader.next().await?;
            parts.push(Part {
                loader: Loader::new(core, info.head.commit),
                reader,
                next,
            });
        }
        for (round, kind) in BlockKind::ALL.into_iter().enumerate() {
            for part in &mut parts {
                part.load(rt, kind).await?;
            }
            self.arrived[round].fetch_add(1, Ordering::AcqRel);
            while self.arrived[round].load(Ordering::Acquire) < usize::from(cores) {
                if self.has_failed.load(Ordering::Acquire) || rt.shutting_down() {
                    return Ok(());
                }
                rt.sleep(Duration::from_micros(200)).await;
            }
        }
        for part in parts {
            let path = part.reader.path().to_owned();
            if let Some((kind, _)) = part.next {
                return Err(LoadError::Kind { path, kind });
            }
            let settings = part.loader.finish();
            let settings = settings.map_err(|error| LoadError::Image { path, error })?;
            lock(&self.settings).extend(settings);
        }
        Ok(())
    }
}

/// One part that is being loaded.
struct Part {
    loader: Loader,
    reader: PartReader,
    next: Option<Block>,
}

impl Part {
    /// Loads the blocks of a kind, which are the next ones.
    async fn load(&mut self, rt: &Rt, kind: BlockKind) -> Result<(), LoadError> {
        while let Some((_, block)) = self.next.take_if(|(code, _)| *code == kind as u16) {
            let loaded = self.loader.load(kind, &block);
            loaded.map_err(|error| LoadError::Image {
                path: self.reader.path().to_owned(),
                error,
            })?;
            self.next = self.reader.next().await?;
            rt.yield_if_needed().await;
        }
        Ok(())
    }
}
