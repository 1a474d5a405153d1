//! One core's share of the server: what every session on it uses.
//!
//! Owns [`Node`], made once a core at start, and [`Shared`], what all cores count together. Sessions hold it in an
//! `Rc`; nothing in it is changed by a request except counters and caches.

use crate::isolation::Global;
use crate::mates::Mates;
use crate::open::{Board, Sessions};
use crate::options::Options;
use crate::peers::Peers;
use crate::wire::columns::ColumnCache;
use quoit_graph::Core;
use quoit_log::{Log, LogCore};
use quoit_query::QueryCore;
use quoit_query::parallel::Crew;
use quoit_replication::ReplicationCore;
use quoit_rt::Rt;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

/// What a session reaches.
pub(crate) struct Node {
    /// This core.
    pub(crate) rt: Rt,
    /// What the server was started with.
    pub(crate) options: Arc<Options>,
    /// The graph, as this core sees it.
    pub(crate) core: Core,
    /// Plans.
    pub(crate) queries: QueryCore,
    /// The log, this core's share.
    pub(crate) log_core: Rc<LogCore>,
    /// Replication, this core's share.
    pub(crate) replication: Rc<ReplicationCore>,
    /// What all cores count.
    pub(crate) shared: Arc<Shared>,
    /// What this core's sessions have open.
    pub(crate) sessions: Sessions,
    /// The way to the other cores' sessions.
    pub(crate) peers: Peers,
    /// The way to the other cores for statements that all work on.
    pub(crate) mates: Rc<Mates>,
    /// The same, as executions know it.
    pub(crate) crew: Rc<dyn Crew>,
    /// Columns of statements that ran lately.
    pub(crate) columns: RefCell<ColumnCache>,
    /// The cluster's id once there is one: it never changes then, and asking replication takes a lock.
    cluster: Cell<Option<u128>>,
}

impl Node {
    /// A core's share, made of its handles; `cores`: of how many.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        rt: Rt,
        options: Arc<Options>,
        core: Core,
        queries: QueryCore,
        log_core: Rc<LogCore>,
        replication: Rc<ReplicationCore>,
        shared: Arc<Shared>,
        peers: Peers,
        mates: Rc<Mates>,
        cores: usize,
    ) -> Node {
        Node {
            sessions: Sessions::new(rt.core().index(), cores),
            peers,
            crew: mates.clone(),
            mates,
            rt,
            options,
            core,
            queries,
            log_core,
            replication,
            shared,
            columns: RefCell::new(ColumnCache::new()),
            cluster: Cell::new(None),
        }
    }

    /// The id of this node's cluster; 0 while it has none.
    pub(crate) fn cluster(&self) -> u128 {
        if let Some(id) = self.cluster.get() {
            return id;
        }
        let id = self
            .replication
            .shared()
            .identity()
            .cluster
            .map(|cluster| cluster.0);
        self.cluster.set(id);
        id.unwrap_or(0)
    }

    /// The log.
    pub(crate) fn log(&self) -> &Arc<Log> {
        self.log_core.log()
    }
}

/// What the cores of a server count and know together.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What transactions see of others, unless their session has chosen.
    pub(crate) isolation: Global,
    /// Connections that are open. Relaxed everywhere: a bound on memory, nothing is published by it.
    pub(crate) connections: AtomicUsize,
    /// The last connection id given out.
    pub(crate) connection_id: AtomicU64,
    /// The snapshot that is being written.
    pub(crate) snapshots: crate::snapshot::Board,
    /// Old transactions of every core.
    pub(crate) board: Board,
    /// Bolt sessions that ended in a panic: a defect, and an operator's first question.
    pub(crate) panics: AtomicU64,
}

impl Shared {
    /// Of a server that starts with `options`.
    pub(crate) fn new(options: &Options, cores: usize) -> Shared {
        Shared {
            isolation: Global::new(options.isolation),
            connections: AtomicUsize::new(0),
            connection_id: AtomicU64::new(0),
            snapshots: crate::snapshot::Board::default(),
            board: Board::new(cores),
            panics: AtomicU64::new(0),
        }
    }
}

/// The name of the one database, as clients are told.
pub(crate) const DATABASE: &str = "memgraph";

/// Whether a client may call the one database so. Applications hard-code the names of both worlds.
pub(crate) fn is_database(name: &str) -> bool {
    let mut known = DATABASES.iter();
    name.is_empty() || known.any(|known| known.eq_ignore_ascii_case(name))
}

/// What the one database may be called, in any case.
pub(crate) const DATABASES: &[&str] = &[DATABASE, "neo4j", "quoit", "system"];
