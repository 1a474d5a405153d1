//! The deterministic twin: whole clusters of cores on one thread, under virtual time, from one seed (feature `sim`).
//!
//! A [`Sim`] holds nodes; a node holds cores, each with an [`Rt`] like any other, and a [`SimDisk`]. Code above this
//! crate runs unchanged. The seed decides the order of tasks, the delays and cuts of messages, when work is told to
//! yield, and what a power cut leaves on a disk; the same seed gives the same run, which [`Sim::trace`] shows.
//!
//! What always holds: one task step at a time; time moves only when nothing is runnable; a crashed node's tasks are
//! gone before anything else runs, and of its disk there is what a real one could have kept (see `disk`).
//!
//! What it leaves out: threads of its own making, and bugs of the kernel.

mod disk;
mod executor;
mod machine;
mod network;

pub use disk::{DiskFault, FaultKind, SimDisk};

use crate::{
    CoreId, Instant, Rng, Rt,
    buffer::BufferStore,
    doorbell::Doorbell,
    notify::{CoreShared, NotifySlots},
    runtime::CoreState,
    start::{Lifecycle, SHUTDOWN_SLOT},
    wake::WakeBoard,
};
use executor::Executor;
use machine::SimMachine;
use network::Network;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// A node of a simulation, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u16);

impl NodeId {
    /// The node's address: 10.0.0.0 plus its number plus one.
    pub fn ip(self) -> IpAddr {
        let n = self.0 + 1;
        IpAddr::V4(Ipv4Addr::new(10, 0, (n >> 8) as u8, n as u8))
    }
}

/// What nodes and machines share.
pub(crate) struct World {
    pub(crate) now: Cell<Instant>,
    pub(crate) rng: RefCell<Rng>,
    pub(crate) executor: Executor,
    pub(crate) network: Network,
    /// Folded over every step, delivery and disk operation.
    trace: Cell<u64>,
}

impl World {
    /// Notes that something happened.
    pub(crate) fn note(&self, what: u64) {
        let mut mixed =
            Rng::new(self.trace.get() ^ what.rotate_left(17) ^ self.now.get().as_nanos());
        self.trace.set(mixed.next_u64());
    }

    pub(crate) fn random_below(&self, bound: u64) -> u64 {
        self.rng.borrow_mut().below(bound)
    }
}

struct Node {
    disk: SimDisk,
    /// One for each core, while the node is up.
    cores: Vec<Rt>,
    life: u32,
}

/// A simulation.
pub struct Sim {
    world: Rc<World>,
    nodes: Vec<Node>,
}

impl Sim {
    /// An empty world whose every chance follows from `seed`.
    pub fn new(seed: u64) -> Sim {
        let world = World {
            now: Cell::new(Instant::from_nanos(1_000_000_000)),
            rng: RefCell::new(Rng::new(seed)),
            executor: Executor::default(),
            network: Network::default(),
            trace: Cell::new(seed),
        };
        Sim {
            world: Rc::new(world),
            nodes: Vec::new(),
        }
    }

    /// Runs one future on one core of one new node, to its end: what most tests of a single room want.
    ///
    /// # Panics
    /// When nothing can happen any more and the future has not ended.
    pub fn run<F, Fut>(seed: u64, scene: F) -> Fut::Output
    where
        F: FnOnce(Rt) -> Fut,
        Fut: Future + 'static,
        Fut::Output: 'static,
    {
        let mut sim = Sim::new(seed);
        let node = sim.add_node();
        let rt = sim.boot(node, 1).remove(0);
        let output = sim.block_on(node, CoreId(0), scene(rt));
        output.expect("the scene ends")
    }

    /// A new node with an empty disk, not yet running.
    pub fn add_node(&mut self) -> NodeId {
        let id = NodeId(self.nodes.len() as u16);
        self.nodes.push(Node {
            disk: SimDisk::new(self.world.clone()),
            cores: Vec::new(),
            life: 0,
        });
        id
    }

    /// Starts a node with `cores` cores and gives their runtimes; spawn on them what the node runs.
    ///
    /// # Panics
    /// When it is already running.
    pub fn boot(&mut self, node: NodeId, cores: u16) -> Vec<Rt> {
        let place = &mut self.nodes[usize::from(node.0)];
        assert!(place.cores.is_empty(), "{node:?} is already running");
        place.life += 1;
        let shared: Arc<[Arc<CoreShared>]> = (0..cores)
            .map(|_| {
                Arc::new(CoreShared {
                    board: WakeBoard::default(),
                    doorbell: Doorbell::Silent,
                })
            })
            .collect();
        let lifecycle = Arc::new(Lifecycle::new(shared.clone()));
        for core in 0..cores {
            let home = executor::Home {
                node,
                life: place.life,
                core: CoreId(core),
            };
            let buffers = Rc::new(BufferStore::default());
            let machine = SimMachine::new(self.world.clone(), home, place.disk.clone());
            let slots = Rc::new(NotifySlots::default());
            // Slot 0 is the shutdown's, as on a live core.
            std::mem::forget(slots.pair(&shared[usize::from(core)]).1);
            place.cores.push(Rt(Rc::new(CoreState {
                core: CoreId(core),
                all: shared.clone(),
                slots,
                lifecycle: lifecycle.clone(),
                shutdown_waiters: Default::default(),
                buffers,
                machine: Rc::new(machine),
            })));
        }
        place.cores.clone()
    }

    /// A running node's core.
    pub fn rt(&self, node: NodeId, core: CoreId) -> Option<Rt> {
        self.nodes[usize::from(node.0)]
            .cores
            .get(core.index())
            .cloned()
    }

    /// A node's disk, up or down: for faults, and for looking at what is durable.
    pub fn disk(&self, node: NodeId) -> SimDisk {
        self.nodes[usize::from(node.0)].disk.clone()
    }

    /// The power of a node fails: its tasks are gone, its connections cut, and its disk keeps what it had been told
    /// to keep, and by chance some of the rest.
    pub fn crash(&mut self, node: NodeId) {
        self.stop(node);
        self.nodes[usize::from(node.0)].disk.power_cut();
    }

    /// The process of a node is killed: as [`crash`](Self::crash), but the disk keeps everything written.
    pub fn kill(&mut self, node: NodeId) {
        self.stop(node);
    }

    fn stop(&mut self, node: NodeId) {
        self.world.note(u64::from(node.0) | 1 << 40);
        let place = &mut self.nodes[usize::from(node.0)];
        place.cores.clear();
        let gone = self.world.executor.remove(|home| home.node == node);
        drop(gone);
        self.world.network.node_gone(node);
        place.disk.process_gone();
    }

    /// Holds back everything between two nodes until [`heal`](Self::heal); nothing is lost.
    pub fn partition(&self, a: NodeId, b: NodeId) {
        self.world.network.partition(a, b);
    }

    /// Ends a partition: what was held back arrives.
    pub fn heal(&self, a: NodeId, b: NodeId) {
        self.world.network.heal(a, b);
    }

    /// Cuts every connection between two nodes: both sides see a reset.
    pub fn cut(&self, a: NodeId, b: NodeId) {
        self.world.network.cut(a, b);
    }

    /// Now, in virtual time.
    pub fn now(&self) -> Instant {
        self.world.now.get()
    }

    /// A number that depends on everything that has happened: two runs with the same value went the same way.
    pub fn trace(&self) -> u64 {
        self.world.trace.get()
    }

    /// Runs until `deadline` in virtual time. True when by then nothing can happen any more: every task waits for
    /// something that will not come by itself.
    pub fn run_until(&mut self, deadline: Instant) -> bool {
        while self.step(Some(deadline)) {}
        self.world.now.set(deadline.max(self.now()));
        self.world.executor.next_alarm().is_none()
    }

    /// Runs until nothing can happen any more. Does not return while a task keeps a timer going.
    pub fn run_until_idle(&mut self) {
        while self.step(None) {}
    }

    /// One step: a task, or else the next alarm up to `deadline`. False when there is neither.
    fn step(&mut self, deadline: Option<Instant>) -> bool {
        self.deliver();
        if self.world.executor.step(&self.world) {
            return true;
        }
        match self.world.executor.next_alarm() {
            Some(next) if deadline.is_none_or(|deadline| next <= deadline) => {
                self.world.now.set(next.max(self.now()));
                self.world.executor.fire(self.now());
                true
            }
            _ => false,
        }
    }

    /// Runs for `duration` of virtual time.
    pub fn run_for(&mut self, duration: Duration) -> bool {
        self.run_until(self.now() + duration)
    }

    /// Runs one future on a core until it ends; `None` when nothing can happen any more before it does (or the core
    /// is not running). Everything else goes on meanwhile.
    pub fn block_on<F>(&mut self, node: NodeId, core: CoreId, future: F) -> Option<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let output = Rc::new(RefCell::new(None));
        let result = output.clone();
        let rt = self.rt(node, core)?;
        rt.spawn(crate::Priority::Latency, async move {
            let value = future.await;
            *result.borrow_mut() = Some(value);
        });
        drop(rt);
        while output.borrow().is_none() && self.step(None) {}
        output.take()
    }

    /// What a live core's driver does at each turn.
    fn deliver(&self) {
        for node in &self.nodes {
            for rt in &node.cores {
                let board = &rt.0.all[rt.core().index()].board;
                if board.is_raised() {
                    rt.0.slots.deliver(board);
                    rt.announce_shutdown();
                }
            }
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // Tasks hold the world and the world holds tasks: let them go first.
        let all: Vec<NodeId> = (0..self.nodes.len() as u16).map(NodeId).collect();
        all.into_iter().for_each(|node| self.stop(node));
        self.world.network.clear();
    }
}

const _: () = assert!(SHUTDOWN_SLOT == 0);
