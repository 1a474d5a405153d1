//! Starting and stopping a server.
//!
//! Owns the order of things: the data directory and its lock, the port, the node record, the cores, recovery, the role,
//! the listeners; and the same backwards. Called by `quoit server`. What always holds: until the listeners run nobody is
//! answered; whatever cannot be had ends the start with one line that says what to do, and an exit code of its own;
//! after a shutdown what was acknowledged is synced and marked.

use crate::housekeeping;
use crate::listener;
use crate::listing;
use crate::mates::{self, Mates};
use crate::node::{Node, Shared};
use crate::options::Options;
use crate::peers::{self, Peers};
use crate::report;
use crate::snapshot;
use crate::snapshot::load::{LoadError, Loading};
use quoit_graph::door::Journal;
use quoit_graph::{Core, Graph, GraphConfig};
use quoit_log::{
    GraphLedger, Ledger, Log, LogCore, LogError, LogOptions, RecoverAs, RecoveryReport,
    SnapshotInfo, SnapshotStore,
};
use quoit_query::parallel::Offer;
use quoit_query::{Division, QueryCore, QueryOptions};
use quoit_replication::{OpenError, Replication, ReplicationConfig, ReplicationCore, Role};
use quoit_rt::mesh::{self, DealerEnd, MeshEnd};
use quoit_rt::{Config, Cpus, ListenOptions, Priority, Rt, Running};
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// How long a taken port is tried again.
const PORT_TIME: Duration = Duration::from_secs(2);

/// How long sessions may take to end at shutdown.
const SESSIONS_TIME: Duration = Duration::from_secs(5);

/// How long a core waits for the others in a step of the way down, beyond what they may take for it.
const STEP_DOWN_TIME: Duration = Duration::from_secs(10);

/// Offers to help that wait between one core and another; what is offered beyond that is not taken up.
const OFFERS_MAX: usize = 64;

/// Why a server did not start, or stopped. `Display` is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(
        "the data directory {path} cannot be used: {error}; choose another with --data-directory, or mend its permissions"
    )]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another server has it.
    #[error(
        "the data directory {0} is locked by another server; stop that one, or choose another with --data-directory"
    )]
    Locked(PathBuf),
    /// The Bolt port cannot be listened on.
    #[error("{address} is in use; stop what listens there, or choose another with --bolt-port")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The Bolt port cannot be listened on for another reason.
    #[error(
        "{address} cannot be listened on: {error}; choose another with --bolt-port and --bolt-address"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The node record or key.
    #[error(transparent)]
    Replication(#[from] OpenError),
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] quoit_rt::StartError),
    /// The log could not be recovered.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A snapshot could not be loaded.
    #[error(transparent)]
    Snapshot(#[from] LoadError),
    /// The recorded role could not be taken up.
    #[error(transparent)]
    Role(#[from] quoit_replication::StartError),
    /// A core ended in a panic.
    #[error("{0}; the server stopped, since its other cores cannot do that one's work")]
    Core(#[from] quoit_rt::CoreFailed),
}

impl StartError {
    /// The process's exit status.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::DataDirectory { .. } => 12,
            StartError::Core(_) => 1,
            StartError::Locked(_) => 14,
            StartError::AddressInUse { .. } => 17,
            StartError::Listen { .. } => 1,
            StartError::Replication(OpenError::Durability { .. }) => 2,
            StartError::Replication(_) => 18,
            StartError::Runtime(error) => error.exit_code(),
            StartError::Log(LogError::Fatal(fatal)) => fatal.exit_code() as u8,
            StartError::Log(LogError::Snapshot(_)) | StartError::Snapshot(_) => {
                quoit_log::EXIT_LOG_DAMAGED as u8
            }
            StartError::Log(_) => 1,
            StartError::Role(quoit_replication::StartError::Listen { error, .. })
                if error.kind() == io::ErrorKind::AddrInUse =>
            {
                17
            }
            StartError::Role(_) => 1,
        }
    }
}

/// Runs a server until it is told to stop. Says on standard output what it runs on, and when it is ready.
///
/// # Errors
/// See [`StartError`].
pub fn run(options: Options) -> Result<(), StartError> {
    let server = Server::start(options)?;
    let stopper = server.running.stopper();
    stop_on_signals(move || stopper.shut_down());
    if server.wait_until_ready() {
        server.tell_ready();
    }
    server.join()?;
    report::info("stopped");
    Ok(())
}

/// A server that runs in this process.
///
/// ```no_run
/// let server = quoit_server::Server::start(quoit_server::Options::default())?;
/// if server.wait_until_ready() {
///     println!("clients connect to {}", server.bolt());
/// }
/// server.shut_down();
/// server.join()?;
/// # Ok::<(), quoit_server::StartError>(())
/// ```
pub struct Server {
    start: Arc<Start>,
    running: Running,
    /// Held as long as the cores run.
    _lock: File,
}

impl Server {
    /// Starts the cores; they recover what the data directory holds, and then listen.
    ///
    /// # Errors
    /// What can be known before the cores run. What they meet themselves is told by [`join`](Self::join).
    pub fn start(mut options: Options) -> Result<Server, StartError> {
        report::set_level(options.log_level);
        let lock = take_directory(&options.data_directory)?;
        let bolt = SocketAddr::new(
            options
                .bolt_address
                .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            options.bolt_port,
        );
        let bolt = find_port(bolt)?;
        options.bolt_port = bolt.port();
        if options
            .bolt_address
            .is_some_and(|address| !address.is_loopback())
        {
            report::warning(
                "Bolt listens beyond this machine, and without users nobody can be refused",
            );
        }
        let options = Arc::new(options);

        let config = Config {
            cpus: options.cpus.clone(),
            backend: options.socket_backend,
            spin_max: options.spin_max,
            ..Config::default()
        };
        let cores = match &config.cpus {
            Cpus::Count(count) => *count,
            Cpus::List(list) => list.len() as u16,
        };
        let replication = Replication::open(ReplicationConfig {
            replica_timeout: options.replica_timeout,
            say: |line| report::info(line),
            ..ReplicationConfig::new(
                options.data_directory.clone(),
                cores,
                options.bolt_port,
                options.durability,
            )
        })?;
        let log = Log::new(LogOptions {
            durability: options.durability,
            on_fatal: Arc::new(|fatal| {
                report::error(fatal);
                // Nothing that was not synced may be acknowledged, so nothing else may run (design D11).
                std::process::exit(fatal.exit_code());
            }),
            ..LogOptions::new(options.data_directory.join("log"), cores)
        });
        let journal: Arc<dyn Journal> = log.clone();
        let graph = Graph::new(GraphConfig {
            shards: cores,
            cores,
            journal,
        });
        graph.set_memory_limit(options.memory_limit);
        let shared = Arc::new(Shared::new(&options, usize::from(cores)));
        let start = Arc::new(Start {
            options,
            bolt,
            cores: usize::from(cores),
            replication,
            log,
            graph,
            shared,
            gate: Gate::default(),
            chosen: OnceLock::new(),
            loading: Loading::default(),
            failure: Mutex::new(None),
        });

        let mut dealers: Vec<Option<DealerEnd>> =
            mesh::dealer(cores).into_iter().map(Some).collect();
        let mut meshes: Vec<Option<MeshEnd<peers::Message>>> =
            mesh::mesh(cores).into_iter().map(Some).collect();
        let mut offers: Vec<Option<MeshEnd<Offer>>> = mesh::mesh_with_capacity(cores, OFFERS_MAX)
            .into_iter()
            .map(Some)
            .collect();
        let running = {
            let start = start.clone();
            quoit_rt::start(config, move |core| {
                let start = start.clone();
                let dealer = dealers[core.index()].take().expect("each core starts once");
                let mesh = meshes[core.index()].take().expect("each core starts once");
                let offers = offers[core.index()].take().expect("each core starts once");
                let ends = Ends {
                    dealer,
                    mesh,
                    offers,
                };
                move |rt: Rt| async move { start.run_core(rt, ends).await }
            })?
        };
        Ok(Server {
            start,
            running,
            _lock: lock,
        })
    }

    /// The address of the Bolt listener, with the port that was found if port 0 was asked for.
    pub fn bolt(&self) -> SocketAddr {
        self.start.bolt
    }

    /// Waits until every core listens; false when the server stops before that.
    pub fn wait_until_ready(&self) -> bool {
        let stopper = self.running.stopper();
        while !self.start.gate.is_passed(LISTENING, self.start.cores) {
            if stopper.shutting_down() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Asks the server to stop: sessions end, then replication, then the log.
    pub fn shut_down(&self) {
        self.running.shut_down();
    }

    /// Waits until the server has stopped.
    ///
    /// # Errors
    /// The first thing that went wrong on its cores.
    pub fn join(self) -> Result<(), StartError> {
        self.running.join()?;
        match self
            .start
            .failure
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .take()
        {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn tell_ready(&self) {
        let start = &self.start;
        let identity = start.replication.identity();
        let backend = match start.options.socket_backend {
            quoit_rt::SocketBackend::OwnRing => "own ring",
            quoit_rt::SocketBackend::Glommio => "glommio",
        };
        println!("Quoit {}", env!("CARGO_PKG_VERSION"));
        println!("  cores           {} (sockets: {backend})", start.cores);
        println!(
            "  durability      {}",
            crate::admin::durability(&start.options)
        );
        println!(
            "  data directory  {}",
            start.options.data_directory.display()
        );
        println!("  role            {}", start.replication.role().as_str());
        println!("  fingerprint     {}", identity.fingerprint);
        println!("  bolt            {}", start.bolt);
        println!("ready");
    }
}

/// Makes the data directory if it is missing, and takes its lock for the life of the guard.
fn take_directory(path: &Path) -> Result<File, StartError> {
    let refused = |error| StartError::DataDirectory {
        path: path.to_owned(),
        error,
    };
    if !path.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(refused)?;
    }
    let lock = File::create(path.join(".lock")).map_err(refused)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

/// The address that the cores will listen on: asked of the kernel before anything slow happens, so that a taken port
/// is said early; port 0 becomes a free one. A server that was killed a moment ago still has its port: the kernel takes
/// its rings apart, and with them their sockets, after the process is gone. So a taken port is tried for a while.
fn find_port(address: SocketAddr) -> Result<SocketAddr, StartError> {
    let deadline = std::time::Instant::now() + PORT_TIME;
    loop {
        match TcpListener::bind(address).and_then(|listener| listener.local_addr()) {
            Ok(found) => return Ok(found),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                return Err(StartError::Listen { address, error });
            }
            Err(_) if std::time::Instant::now() > deadline => {
                return Err(StartError::AddressInUse { address });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// First SIGINT or SIGTERM: `stop`. Second: the process ends now.
fn stop_on_signals(stop: impl Fn() + Send + 'static) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]);
    let Ok(mut signals) = signals else {
        report::warning("signals cannot be caught; stop the server with SIGKILL");
        return;
    };
    std::thread::spawn(move || {
        for (received, _) in signals.forever().enumerate() {
            if received > 0 {
                std::process::exit(1);
            }
            report::info("stopping");
            stop();
        }
    });
}

/// What the cores of a starting server share.
struct Start {
    options: Arc<Options>,
    bolt: SocketAddr,
    cores: usize,
    replication: Arc<Replication>,
    log: Arc<Log>,
    graph: Arc<Graph>,
    shared: Arc<Shared>,
    gate: Gate,
    /// The snapshot to start from, once it is known which.
    chosen: OnceLock<Option<SnapshotInfo>>,
    loading: Loading,
    /// The first thing that went wrong.
    failure: Mutex<Option<StartError>>,
}

/// A core's ends of the queues between cores.
struct Ends {
    dealer: DealerEnd,
    mesh: MeshEnd<peers::Message>,
    offers: MeshEnd<Offer>,
}

/// Steps that all cores take together. At start and stop only, so it polls.
#[derive(Default)]
struct Gate {
    arrived: [AtomicUsize; STEPS],
}

const STEPS: usize = 8;
const SNAPSHOT_CHOSEN: usize = 0;
const SNAPSHOT_LOADED: usize = 1;
const RECOVERED: usize = 2;
const HANDLES: usize = 3;
const ROLE_TAKEN: usize = 4;
const LISTENING: usize = 5;
const SESSIONS_ENDED: usize = 6;
const LOG_CLOSED: usize = 7;

impl Gate {
    fn arrive(&self, step: usize) {
        self.arrived[step].fetch_add(1, Ordering::AcqRel);
    }

    fn is_passed(&self, step: usize, count: usize) -> bool {
        self.arrived[step].load(Ordering::Acquire) >= count
    }

    /// On the way up: waits until `count` cores have arrived; false when the start was given up.
    async fn pass(&self, step: usize, count: usize, rt: &Rt) -> bool {
        while !self.is_passed(step, count) {
            if rt.shutting_down() {
                return false;
            }
            rt.sleep(Duration::from_millis(1)).await;
        }
        true
    }

    /// On the way down: waits until `count` cores have arrived, and not for ever, since a core that failed never does.
    async fn pass_down(&self, step: usize, count: usize, rt: &Rt) {
        let deadline = rt.now() + STEP_DOWN_TIME;
        while !self.is_passed(step, count) && rt.now() < deadline {
            rt.sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Start {
    /// One core's life.
    async fn run_core(self: Arc<Self>, rt: Rt, ends: Ends) {
        if let Err(error) = self.live(&rt, ends).await {
            self.failure
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .get_or_insert(error);
            rt.shut_down();
        }
    }

    async fn live(&self, rt: &Rt, ends: Ends) -> Result<(), StartError> {
        let (dealer, dealt) = ends.dealer.bind(rt);
        let (sender, asked) = ends.mesh.bind(rt);
        let peers = Peers::new(sender, self.cores as u16);
        let (sender, offers) = ends.offers.bind(rt);
        let mates = Rc::new(Mates::new(rt, sender));
        let home = rt.core().0 == 0;
        let cores = self.cores;
        let core = self.graph.core(rt.core().0);
        let shared = self.shared.clone();
        let ledger: Rc<dyn Ledger> = Rc::new(GraphLedger::new(
            core.clone(),
            Rc::new(move |setting| shared.isolation.applied(&setting)),
        ));
        if !self.load_snapshot(rt, &core, home).await? {
            return Ok(());
        }
        if home {
            for setting in self.loading.settings() {
                self.shared.isolation.applied(&setting);
            }
            let recover_as = match self.replication.role() {
                Role::Main => RecoverAs::Main,
                Role::Replica => RecoverAs::Replica,
            };
            let report = {
                let snapshot = self.chosen.get().and_then(Option::as_ref);
                self.log
                    .recover_from(rt, &*ledger, recover_as, snapshot)
                    .await?
            };
            tell_recovery(&report);
            self.gate.arrive(RECOVERED);
        }
        if !self.gate.pass(RECOVERED, 1, rt).await {
            return Ok(());
        }
        let log_core = LogCore::new(&self.log, ledger, rt);
        let replication = ReplicationCore::new(&self.replication, rt, &log_core);
        self.gate.arrive(HANDLES);
        if home {
            if !self.gate.pass(HANDLES, cores, rt).await {
                return Ok(());
            }
            replication.start().await?;
            self.gate.arrive(ROLE_TAKEN);
        }
        if !self.gate.pass(ROLE_TAKEN, 1, rt).await {
            return Ok(());
        }
        let node = Rc::new(Node::new(
            rt.clone(),
            self.options.clone(),
            core,
            QueryCore::new(self.query_options()),
            log_core,
            replication,
            self.shared.clone(),
            peers,
            mates,
            cores,
        ));
        listing::register(&node);
        rt.spawn(Priority::Latency, peers::answer(node.clone(), asked));
        rt.spawn(Priority::Latency, mates::help(node.clone(), offers));
        rt.spawn(Priority::Background, housekeeping::keep(node.clone()));
        if home {
            rt.spawn(Priority::Background, snapshot::keep(node.clone()));
        }
        rt.spawn(
            Priority::Latency,
            listener::serve_dealt(node.clone(), dealt),
        );
        let listening = rt
            .listen(self.bolt, ListenOptions::default())
            .map_err(|error| StartError::Listen {
                address: self.bolt,
                error,
            })?;
        let accepting = rt.spawn(
            Priority::Latency,
            listener::accept(node.clone(), listening, dealer),
        );
        self.gate.arrive(LISTENING);
        rt.shutdown_requested().await;
        accepting.cancel();
        self.end(node, home).await
    }

    /// Gives the graph the newest good snapshot, if there is one; false when the start was given up.
    async fn load_snapshot(&self, rt: &Rt, core: &Core, home: bool) -> Result<bool, StartError> {
        let store = SnapshotStore::new(self.options.data_directory.join("snapshots"));
        let began = rt.now();
        if home {
            let chosen = snapshot::load::choose(rt, &store).await?;
            self.chosen.set(chosen).expect("it is chosen once");
            self.gate.arrive(SNAPSHOT_CHOSEN);
        }
        if !self.gate.pass(SNAPSHOT_CHOSEN, 1, rt).await {
            return Ok(false);
        }
        let Some(info) = self.chosen.get().and_then(Option::as_ref) else {
            return Ok(true);
        };
        self.loading.load(rt, core, &store, info).await?;
        self.gate.arrive(SNAPSHOT_LOADED);
        if !self.gate.pass(SNAPSHOT_LOADED, self.cores, rt).await {
            return Ok(false);
        }
        if home {
            report::info(format_args!(
                "loaded snapshot {} of commit {}: {} bytes, verified and read within {:?}",
                info.name,
                info.head.commit.0,
                info.bytes(),
                rt.now() - began
            ));
        }
        Ok(true)
    }

    fn query_options(&self) -> QueryOptions {
        let all = self.cores as u16;
        let cores = match self.options.query_parallelism {
            0 => all,
            cores => cores.min(all),
        };
        let division = Division {
            cores,
            ..Division::default()
        };
        QueryOptions {
            division,
            databases: crate::node::DATABASES,
            ..QueryOptions::default()
        }
    }

    /// The way down: sessions end, then replication, then the log writes its mark.
    async fn end(&self, node: Rc<Node>, home: bool) -> Result<(), StartError> {
        let rt = &node.rt;
        let deadline = rt.now() + SESSIONS_TIME;
        while self.shared.connections.load(Ordering::Relaxed) > 0 && rt.now() < deadline {
            rt.sleep(Duration::from_millis(2)).await;
        }
        self.gate.arrive(SESSIONS_ENDED);
        if home {
            self.gate.pass_down(SESSIONS_ENDED, self.cores, rt).await;
            if self.options.snapshot_on_exit
                && let Err(error) = snapshot::create(&node).await
            {
                report::warning(format_args!("{error}; the log has everything"));
            }
            node.replication.stop();
            node.log_core.close().await?;
            self.gate.arrive(LOG_CLOSED);
        }
        // The other cores stay until the log is closed: home may need them to let go of it, and for their parts of a snapshot.
        while self.options.snapshot_on_exit
            && !self.gate.is_passed(LOG_CLOSED, 1)
            && (self.shared.snapshots.is_running() || rt.now() < deadline)
        {
            rt.sleep(Duration::from_millis(2)).await;
        }
        self.gate.pass_down(LOG_CLOSED, 1, rt).await;
        Ok(())
    }
}

fn tell_recovery(report: &RecoveryReport) {
    if report.groups > 0 {
        report::info(format_args!(
            "recovered {} transactions in {} groups within {:?}; the log ends at {}",
            report.frames, report.groups, report.took, report.position
        ));
    }
    if !report.cut.is_empty() {
        report::warning(format_args!(
            "the end of the log was cut ({}); what was cut may hold commits whose answer was on its way, and is kept in {:?}",
            report.cut_reason, report.cut
        ));
    }
}
