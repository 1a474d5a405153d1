//! What the cores of one process share about replication.
//!
//! Owns the role word, the roster of registered replicas, the node record behind a lock, and every core's bell.
//! Made once by [`Replication::open`]; each core's [`crate::ReplicationCore`] holds it. Always: the role and the
//! roster's version are single loads on request paths; the locks are taken only when the version has changed or by
//! statements; the record in memory is the one on disk.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::time::Duration;

use quoit_log::{Durability, GroupSeq};
use quoit_rt::Notifier;

use crate::durability::{Shortfall, shortfall};
use crate::identity::{ClusterId, Fingerprint, NodeId};
use crate::keys::{self, KeyError};
use crate::lag::LagClock;
use crate::node_record::{NodeRecord, NodeRecordError, NodeRecordFile, RoleRecord};
use crate::statement::{Refusal, Role};
use crate::words::ReplicaWords;

/// What replication is told by the server.
#[derive(Clone, Debug)]
pub struct ReplicationConfig {
    /// The data directory; it exists and is locked by this process.
    pub data_directory: PathBuf,
    /// Cores of this process.
    pub cores: u16,
    /// Where this server speaks Bolt: told to the MAIN for routing tables, and no port to replicate on.
    pub bolt_port: u16,
    /// `--replica-timeout`: SYNC gives a replica up after so long without progress. 5 s unless set.
    pub replica_timeout: Duration,
    /// What the log runs with.
    pub durability: Durability,
    /// Bytes sent from the commit path to one replica and not acknowledged, over all lanes; beyond it the replica is fed
    /// from the log. 32 MiB unless set.
    pub queue_bytes: usize,
    /// Says one line to the operator.
    pub say: fn(&str),
}

impl ReplicationConfig {
    /// The defaults.
    pub fn new(
        data_directory: PathBuf,
        cores: u16,
        bolt_port: u16,
        durability: Durability,
    ) -> ReplicationConfig {
        ReplicationConfig {
            data_directory,
            cores,
            bolt_port,
            replica_timeout: Duration::from_secs(5),
            durability,
            queue_bytes: 32 << 20,
            say: |line| eprintln!("quoit: {line}"),
        }
    }
}

/// Why replication could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The node record.
    #[error(transparent)]
    Record(#[from] NodeRecordError),
    /// The node's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A registered replica's mode promises what this server's durability cannot keep.
    #[error(
        "replica '{replica}' is registered as {}, which needs --durability {}, and this server was started with --durability {}; \
         start it with --durability commit (to change the mode, DROP REPLICA {replica} then)",
        .lacks.mode, .lacks.needed, .lacks.running.as_str()
    )]
    Durability {
        /// Its name.
        replica: String,
        /// What is missing.
        lacks: Shortfall,
    },
}

/// Who this node is, for the banner and `SHOW STORAGE INFO`.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The node.
    pub node: NodeId,
    /// Its certificate; compare it on both sides of a first contact.
    pub fingerprint: Fingerprint,
    /// Its cluster.
    pub cluster: Option<ClusterId>,
}

/// What is counted, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls refused by this replica: strangers, old terms, wrong clusters, garbage.
    pub refused: u64,
    /// Sessions that ended by a lost lane.
    pub lost: u64,
    /// Commits that were answered with a warning.
    pub warned: u64,
}

/// The shared part. `Send + Sync`.
pub struct Replication {
    pub(crate) config: ReplicationConfig,
    pub(crate) fingerprint: Fingerprint,
    role: AtomicU8,
    record: Mutex<Stored>,
    roster: Mutex<Arc<Vec<Arc<ReplicaWords>>>>,
    roster_version: AtomicU64,
    pub(crate) cores: Box<[OnceLock<Seat>]>,
    pub(crate) lag: LagClock,
    /// The last group formed here: nothing beyond it can be acknowledged.
    formed: AtomicU64,
    pub(crate) counts: Counts,
}

/// How a core is reached.
pub(crate) struct Seat {
    pub bell: Notifier,
    pub mail: mpsc::Sender<crate::core::Mail>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub refused: AtomicU64,
    pub lost: AtomicU64,
    pub warned: AtomicU64,
}

struct Stored {
    file: NodeRecordFile,
    record: NodeRecord,
}

/// The role word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RoleWord {
    /// Before [`crate::ReplicationCore::start`], or while the role changes.
    ChangingMain = 0,
    ChangingReplica = 1,
    Main = 2,
    Replica = 3,
    Fenced = 4,
}

impl Replication {
    /// Reads the node record, or makes one (with a new identity and key) in a directory that has none. Blocking; called
    /// once, before the cores start.
    ///
    /// # Errors
    /// When the record is damaged, newer than this server, or cannot be written; and when a MAIN's registrations
    /// promise what the durability cannot keep (nothing has been touched then).
    pub fn open(config: ReplicationConfig) -> Result<Arc<Replication>, OpenError> {
        let key = keys::make_key()?;
        let first = || NodeRecord {
            node: NodeId(u128::from_le_bytes(keys::random_bytes())),
            key,
            cluster: None,
            term: None,
            fenced: false,
            role: RoleRecord::Main(Vec::new()),
        };
        let (file, record) = NodeRecordFile::open_or_create(&config.data_directory, first)?;
        // Refuse a key that cannot be used at start, not at the first link.
        keys::server_config(&record.key)?;
        check_registrations(&record, config.durability)?;
        let role = match record.role {
            RoleRecord::Main(_) => RoleWord::ChangingMain,
            RoleRecord::Replica { .. } => RoleWord::ChangingReplica,
        };
        Ok(Arc::new(Replication {
            fingerprint: Fingerprint::of_certificate(&record.key.certificate),
            role: AtomicU8::new(role as u8),
            record: Mutex::new(Stored { file, record }),
            roster: Mutex::new(Arc::new(Vec::new())),
            roster_version: AtomicU64::new(1),
            cores: (0..config.cores).map(|_| OnceLock::new()).collect(),
            lag: LagClock::new(),
            formed: AtomicU64::new(0),
            counts: Counts::default(),
            config,
        }))
    }

    /// The role; one load.
    pub fn role(&self) -> Role {
        match self.role_word() {
            RoleWord::ChangingMain | RoleWord::Main | RoleWord::Fenced => Role::Main,
            RoleWord::ChangingReplica | RoleWord::Replica => Role::Replica,
        }
    }

    /// Whether writes are taken; one load.
    ///
    /// # Errors
    /// Why not.
    pub fn writable(&self) -> Result<(), Refusal> {
        match self.role_word() {
            RoleWord::Main => Ok(()),
            RoleWord::Replica => Err(Refusal::Replica),
            RoleWord::Fenced => Err(Refusal::Fenced),
            RoleWord::ChangingMain | RoleWord::ChangingReplica => Err(Refusal::Changing),
        }
    }

    /// Who this node is.
    pub fn identity(&self) -> Identity {
        let stored = self.stored();
        Identity {
            node: stored.record.node,
            fingerprint: self.fingerprint,
            cluster: stored.record.cluster,
        }
    }

    /// Where this replica listens; `None` on a MAIN.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        match self.stored().record.role {
            RoleRecord::Replica { listen, .. } => Some(listen),
            RoleRecord::Main(_) => None,
        }
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        Counters {
            refused: self.counts.refused.load(SeqCst),
            lost: self.counts.lost.load(SeqCst),
            warned: self.counts.warned.load(SeqCst),
        }
    }

    pub(crate) fn role_word(&self) -> RoleWord {
        match self.role.load(SeqCst) {
            0 => RoleWord::ChangingMain,
            1 => RoleWord::ChangingReplica,
            2 => RoleWord::Main,
            3 => RoleWord::Replica,
            _ => RoleWord::Fenced,
        }
    }

    pub(crate) fn set_role_word(&self, role: RoleWord) {
        self.role.store(role as u8, SeqCst);
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.record.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A copy of the node record.
    pub(crate) fn record(&self) -> NodeRecord {
        self.stored().record.clone()
    }

    /// Changes the node record and stores it. Blocking (a sync): called on a helper thread.
    pub(crate) fn change_record(&self, change: impl FnOnce(&mut NodeRecord)) -> Result<(), String> {
        let mut stored = self.stored();
        let mut record = stored.record.clone();
        change(&mut record);
        if record != stored.record {
            stored.file.store(&record).map_err(|e| e.to_string())?;
            stored.record = record;
        }
        Ok(())
    }

    /// The version that [`Replication::roster`] has now.
    pub(crate) fn roster_version(&self) -> u64 {
        self.roster_version.load(SeqCst)
    }

    /// The registered replicas, with the version they have.
    pub(crate) fn roster(&self) -> (u64, Arc<Vec<Arc<ReplicaWords>>>) {
        let roster = self.roster.lock().unwrap_or_else(|e| e.into_inner());
        (self.roster_version(), roster.clone())
    }

    /// Publishes a new roster and rings every core.
    pub(crate) fn set_roster(&self, replicas: Vec<Arc<ReplicaWords>>) {
        {
            let mut roster = self.roster.lock().unwrap_or_else(|e| e.into_inner());
            *roster = Arc::new(replicas);
            self.roster_version.fetch_add(1, SeqCst);
        }
        self.ring_all();
    }

    pub(crate) fn ring_all(&self) {
        self.cores
            .iter()
            .filter_map(OnceLock::get)
            .for_each(|seat| seat.bell.notify());
    }

    pub(crate) fn ring(&self, core: usize) {
        if let Some(seat) = self.cores.get(core).and_then(OnceLock::get) {
            seat.bell.notify();
        }
    }

    /// Rings the core on which sessions live.
    pub(crate) fn ring_home(&self) {
        self.ring(HOME);
    }

    /// Hands something to a core; it is there when the core next looks, which it is told to do.
    pub(crate) fn send(&self, core: usize, mail: crate::core::Mail) {
        if let Some(seat) = self.cores.get(core).and_then(OnceLock::get)
            && seat.mail.send(mail).is_ok()
        {
            seat.bell.notify();
        }
    }

    pub(crate) fn formed(&self) -> GroupSeq {
        GroupSeq(self.formed.load(SeqCst))
    }

    pub(crate) fn group_formed(&self, group: GroupSeq) {
        self.formed.fetch_max(group.0, SeqCst);
    }
}

/// The core on which sessions, the listener and the statements live.
pub(crate) const HOME: usize = 0;

/// A fenced MAIN answers no commit, so it promises nothing.
fn check_registrations(record: &NodeRecord, durability: Durability) -> Result<(), OpenError> {
    let RoleRecord::Main(replicas) = &record.role else {
        return Ok(());
    };
    if record.fenced {
        return Ok(());
    }
    for replica in replicas {
        if let Some(lacks) = shortfall(replica.mode, durability.into()) {
            return Err(OpenError::Durability {
                replica: replica.name.clone(),
                lacks,
            });
        }
    }
    Ok(())
}
