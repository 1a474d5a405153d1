//! Starting the cores of a process, and what can go wrong there.
//!
//! [`start`] makes one pinned executor thread a core, gives each an [`Rt`], and returns when all of them run or one
//! cannot. [`Running`] ends them. Called by the server and by tests; how a core then waits is `driver`'s.
//!
//! What always holds: either every core runs its future or none does; a panic on one core asks all others to shut
//! down and is reported by [`Running::join`], so no process goes on with a part of its cores.

use crate::{
    CoreId, Rt,
    buffer::BufferStore,
    doorbell::Doorbell,
    driver,
    live::{LiveMachine, ReactorVisits},
    notify::{CoreShared, NotifySlots},
    probe,
    ring::HotRing,
    runtime::CoreState,
    wake::WakeBoard,
};
use glommio::{LocalExecutorBuilder, Placement};
use std::{
    future::Future,
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Which CPUs the cores run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// That many cores, dealt over the CPUs this process may use, beginning at one chosen by the process id so that
    /// several small servers on one machine do not all sit on the first. More cores than CPUs share them.
    Count(u16),
    /// One core on each CPU named, in this order; a CPU may be named twice.
    List(Vec<usize>),
}

/// What carries sockets and file data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketBackend {
    /// The hot ring: kernel 6.1 or newer.
    OwnRing,
    /// glommio's sockets and helper threads for files: kernel 5.8 or newer.
    Glommio,
}

/// How to start. [`Config::default`] is one core a CPU, the own ring, no spinning.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cores.
    pub cpus: Cpus,
    /// What carries sockets and file data.
    pub backend: SocketBackend,
    /// How long an idle core may spin for work before it parks, 50 µs at most being useful; zero: never. The runtime
    /// spins only while that pays, and not at all when cores share CPUs or leave none of the machine's to clients.
    pub spin_max: Duration,
    /// Receive buffers of a core, of 4 KiB each; a power of two up to 32,768.
    pub recv_buffers: u16,
    /// Memory that glommio registers for its own files, in bytes a core. Counts against `RLIMIT_MEMLOCK`.
    pub io_memory_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cpus: Cpus::Count(probe::usable_cpus().len().max(1) as u16),
            backend: SocketBackend::OwnRing,
            spin_max: Duration::ZERO,
            recv_buffers: 1024,
            io_memory_bytes: 1 << 20,
        }
    }
}

impl Config {
    /// The default with `n` cores (at least one).
    pub fn with_cores(n: u16) -> Config {
        Config {
            cpus: Cpus::Count(n.max(1)),
            ..Config::default()
        }
    }
}

/// Why the cores did not start. Each says what to do; [`exit_code`](StartError::exit_code) is part of the
/// operational interface.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// io_uring is forbidden here.
    #[error(
        "io_uring is denied ({0}); allow it: set sysctl kernel.io_uring_disabled=0, or in a container permit the \
         io_uring system calls in the seccomp profile"
    )]
    IoUringDenied(#[source] io::Error),
    /// Rings need locked memory.
    #[error(
        "locked memory is limited to {limit_bytes} bytes, {needed_bytes} are needed; raise it with `ulimit -l` or \
         LimitMEMLOCK=infinity"
    )]
    MemlockTooLow {
        /// The limit found.
        limit_bytes: u64,
        /// What the cores asked for.
        needed_bytes: u64,
    },
    /// Something listens there already.
    #[error("address in use: {0}")]
    AddressInUse(std::net::SocketAddr),
    /// The kernel lacks what the chosen backend needs.
    #[error(
        "kernel {found} is too old for {needs}; use kernel 6.1 or newer, or the glommio socket backend (5.8)"
    )]
    KernelTooOld {
        /// The running kernel's release.
        found: String,
        /// What was missing.
        needs: &'static str,
    },
    /// A CPU that is not there or not ours.
    #[error("CPU {0} does not exist or this process may not run on it")]
    NoSuchCpu(usize),
    /// No core was asked for.
    #[error("at least one core is needed")]
    NoCores,
    /// Anything else the system refused.
    #[error("core {core}: cannot {what}: {source}")]
    System {
        /// The core that failed.
        core: u16,
        /// What it was doing.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    /// The process exit status for this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::IoUringDenied(_) => 15,
            StartError::MemlockTooLow { .. } => 16,
            StartError::AddressInUse(_) => 17,
            StartError::KernelTooOld { .. } => 20,
            StartError::NoSuchCpu(_) | StartError::NoCores => 2,
            StartError::System { .. } => 1,
        }
    }
}

/// A core ended by a panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("core {} panicked", .0.0)]
pub struct CoreFailed(pub CoreId);

/// The wish to stop, shared by all cores of a process.
pub(crate) struct Lifecycle {
    /// Set once, never cleared. Release in `shut_down` pairs with Acquire in `shutting_down`.
    shutdown: AtomicBool,
    cores: Arc<[Arc<CoreShared>]>,
}

/// The slot of each core's board that says "look at the shutdown flag".
pub(crate) const SHUTDOWN_SLOT: usize = 0;

impl Lifecycle {
    pub(crate) fn new(cores: Arc<[Arc<CoreShared>]>) -> Lifecycle {
        Lifecycle {
            shutdown: AtomicBool::new(false),
            cores,
        }
    }

    pub(crate) fn shutting_down(&self) -> bool {
        self.shutdown.load(Ordering::Acquire)
    }

    pub(crate) fn shut_down(&self) {
        if !self.shutdown.swap(true, Ordering::AcqRel) {
            self.cores
                .iter()
                .for_each(|core| core.notify(SHUTDOWN_SLOT));
        }
    }
}

/// The running cores of a process.
pub struct Running {
    threads: Vec<JoinHandle<io::Result<()>>>,
    stopper: Stopper,
}

/// Asks the cores to stop, from any thread (a signal handler's, say).
#[derive(Clone)]
pub struct Stopper(Arc<Lifecycle>);

impl Stopper {
    /// Sets the flag that [`Rt::shutdown_requested`] waits for. Idempotent.
    pub fn shut_down(&self) {
        self.0.shut_down();
    }

    /// True once a shutdown was asked for.
    pub fn shutting_down(&self) -> bool {
        self.0.shutting_down()
    }
}

impl Running {
    /// Asks every core to shut down; what that means is up to their futures.
    pub fn shut_down(&self) {
        self.stopper.shut_down();
    }

    /// A handle that asks the same from elsewhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits until every core's future has returned.
    ///
    /// # Errors
    /// [`CoreFailed`] with the first core that panicked; the others were asked to shut down and have ended too.
    pub fn join(self) -> Result<(), CoreFailed> {
        let mut outcome = Ok(());
        for (core, thread) in self.threads.into_iter().enumerate() {
            if !matches!(thread.join(), Ok(Ok(()))) && outcome.is_ok() {
                outcome = Err(CoreFailed(CoreId(core as u16)));
            }
        }
        outcome
    }
}

/// Starts the cores. `per_core` is called here, once a core in order, and gives what that core runs: a function that
/// is sent there and makes the core's future of its [`Rt`]. When the future returns the core ends, with all tasks
/// it still has.
///
/// ```no_run
/// let running = quoit_rt::start(quoit_rt::Config::with_cores(2), |core| {
///     move |rt: quoit_rt::Rt| async move {
///         println!("core {} of {}", core.0, rt.cores());
///         rt.shutdown_requested().await;
///     }
/// })?;
/// running.shut_down();
/// running.join().expect("no core panics");
/// # Ok::<(), quoit_rt::StartError>(())
/// ```
///
/// # Errors
/// See [`StartError`]; no core is left running.
pub fn start<M, F, Fut>(config: Config, mut per_core: M) -> Result<Running, StartError>
where
    M: FnMut(CoreId) -> F,
    F: FnOnce(Rt) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let placed = place(&config.cpus)?;
    probe::check_before_start(config.backend, placed.cpus.len())?;
    let config = Config {
        spin_max: if placed.shared || !placed.leaves_a_cpu() {
            Duration::ZERO
        } else {
            config.spin_max
        },
        ..config
    };

    let mut cores = Vec::with_capacity(placed.cpus.len());
    for core in 0..placed.cpus.len() {
        let doorbell = Doorbell::eventfd().map_err(|source| StartError::System {
            core: core as u16,
            what: "make an eventfd",
            source,
        })?;
        cores.push(Arc::new(CoreShared {
            board: WakeBoard::default(),
            doorbell,
        }));
    }
    let cores: Arc<[Arc<CoreShared>]> = cores.into();
    let lifecycle = Arc::new(Lifecycle::new(cores.clone()));

    let (report, reports) = mpsc::channel();
    let mut go = Vec::new();
    let mut threads = Vec::new();
    let mut failed = None;
    for (index, &cpu) in placed.cpus.iter().enumerate() {
        let core = CoreId(index as u16);
        let main = per_core(core);
        let (go_core, wait_for_all) = mpsc::channel::<()>();
        go.push(go_core);
        let builder = executor(&config, placed.pinned.then_some(cpu));
        let (config, cores, lifecycle, report) = (
            config.clone(),
            cores.clone(),
            lifecycle.clone(),
            report.clone(),
        );
        let body = move || async move {
            let guard = PanicGuard(lifecycle.clone());
            match build(core, &config, cores, lifecycle) {
                Ok((rt, core_driver)) => {
                    let _ = report.send(None);
                    drop(report);
                    // A core that cannot start makes the starter drop its end: then nobody runs.
                    if wait_for_all.recv().is_ok() {
                        core_driver.run(main(rt)).await;
                    }
                }
                Err(e) => {
                    let _ = report.send(Some(e));
                }
            }
            drop(guard);
        };
        // Not `LocalExecutorBuilder::spawn`, whose threads have the default stack.
        let thread = thread::Builder::new()
            .name(format!("quoit-core-{index}"))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let executor = builder
                    .make()
                    .map_err(|e| io::Error::other(e.to_string()))?;
                executor.run(body());
                Ok(())
            });
        match thread {
            Ok(thread) => threads.push(thread),
            Err(e) => {
                failed = Some(StartError::System {
                    core: core.0,
                    what: "start an executor",
                    source: e,
                });
                break;
            }
        }
    }
    drop(report);
    let mut ready = 0;
    for outcome in reports {
        match outcome {
            None => ready += 1,
            Some(e) => failed = failed.or(Some(e)),
        }
    }
    if failed.is_none() && ready == placed.cpus.len() {
        go.iter().for_each(|core| {
            let _ = core.send(());
        });
        return Ok(Running {
            threads,
            stopper: Stopper(lifecycle),
        });
    }
    drop(go);
    for (core, thread) in threads.into_iter().enumerate() {
        // An executor that cannot make its own rings says so here.
        if let Ok(Err(source)) = thread.join() {
            failed = failed.or(Some(StartError::System {
                core: core as u16,
                what: "make the executor's rings",
                source,
            }));
        }
    }
    Err(failed.unwrap_or(StartError::NoCores))
}

/// The stack of a core's thread, of which the kernel gives what is touched: deep queries recurse, within the bounds that their planner sets.
const STACK_BYTES: usize = 256 << 20;

fn executor(config: &Config, cpu: Option<usize>) -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .io_memory(config.io_memory_bytes.clamp(64 << 10, 16 << 20))
        // Far away: we preempt by our own clock, since glommio's has a flaw (see `live::ReactorVisits`).
        .preempt_timer(Duration::from_secs(1))
}

/// Makes what one core needs, on its own thread.
fn build(
    core: CoreId,
    config: &Config,
    cores: Arc<[Arc<CoreShared>]>,
    lifecycle: Arc<Lifecycle>,
) -> Result<(Rt, driver::Driver), StartError> {
    let failed = |what| {
        move |source| StartError::System {
            core: core.0,
            what,
            source,
        }
    };
    let shared = cores[core.index()].clone();
    let buffers = Rc::new(BufferStore::default());
    let ring = match config.backend {
        SocketBackend::OwnRing => Some(
            HotRing::new(&shared.doorbell, config.recv_buffers, buffers.clone())
                .map_err(failed("make the hot ring"))?,
        ),
        SocketBackend::Glommio => None,
    };
    let slots = Rc::new(NotifySlots::default());
    // Slot 0 is the shutdown's; a pair that is never dropped keeps it taken.
    let shutdown = slots.pair(&shared).1;
    let visits = ReactorVisits::new(shared.clone());
    let machine = Rc::new(LiveMachine::new(
        ring.clone(),
        buffers.clone(),
        visits.clone(),
    ));
    let rt = Rt(Rc::new(CoreState {
        core,
        all: cores,
        slots,
        lifecycle,
        shutdown_waiters: Default::default(),
        buffers,
        machine: machine.clone(),
    }));
    let driver = driver::Driver::new(rt.clone(), machine, ring, shutdown, visits, config.spin_max)
        .map_err(failed("open the doorbell"))?;
    Ok((rt, driver))
}

/// Asks the other cores to stop when its thread unwinds.
struct PanicGuard(Arc<Lifecycle>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.shut_down();
        }
    }
}

struct Placed {
    cpus: Vec<usize>,
    /// Some CPU carries more than one core.
    shared: bool,
    pinned: bool,
}

impl Placed {
    /// Whether the machine has a CPU that no core runs on.
    fn leaves_a_cpu(&self) -> bool {
        probe::machine_cpus().is_some_and(|machine| machine > self.cpus.len())
    }
}

fn place(cpus: &Cpus) -> Result<Placed, StartError> {
    let usable = probe::usable_cpus();
    match cpus {
        Cpus::Count(0) => Err(StartError::NoCores),
        Cpus::List(list) if list.is_empty() || list.len() > usize::from(u16::MAX) => {
            Err(StartError::NoCores)
        }
        Cpus::Count(n) => {
            let n = usize::from(*n);
            if usable.is_empty() {
                // The affinity mask cannot be read (some sandboxes): run unpinned.
                return Ok(Placed {
                    cpus: vec![0; n],
                    shared: true,
                    pinned: false,
                });
            }
            let first = if n < usable.len() {
                std::process::id() as usize
            } else {
                0
            };
            let cpus = (0..n).map(|i| usable[(first + i) % usable.len()]).collect();
            Ok(Placed {
                cpus,
                shared: n > usable.len(),
                pinned: true,
            })
        }
        Cpus::List(list) => {
            if let Some(&cpu) = list.iter().find(|cpu| !usable.contains(cpu)) {
                return Err(StartError::NoSuchCpu(cpu));
            }
            let mut distinct = list.clone();
            distinct.sort_unstable();
            distinct.dedup();
            Ok(Placed {
                cpus: list.clone(),
                shared: distinct.len() < list.len(),
                pinned: true,
            })
        }
    }
}
