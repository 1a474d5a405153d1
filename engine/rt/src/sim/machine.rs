//! The simulated machine: [`Machine`] over the world's executor, network and disk.

use super::{
    SimDisk, World,
    executor::{Home, sleep_until},
};
use crate::{
    Accepted, Instant, Priority,
    disk::Storage,
    machine::{Connected, LocalFuture, Machine},
    net::{Accept, AcceptedSocket, ListenOptions},
};
use std::{io, net::SocketAddr, rc::Rc, task::Context};

pub(super) struct SimMachine {
    world: Rc<World>,
    home: Home,
    disk: SimDisk,
}

impl SimMachine {
    pub(super) fn new(world: Rc<World>, home: Home, disk: SimDisk) -> SimMachine {
        SimMachine { world, home, disk }
    }
}

impl Machine for SimMachine {
    /// Priorities are not simulated: any order of tasks may happen, which is more than they allow.
    fn spawn(&self, _priority: Priority, future: LocalFuture<()>) {
        self.world.executor.spawn(self.home, future);
    }

    fn now(&self) -> Instant {
        self.world.now.get()
    }

    fn wall_clock_us(&self) -> u64 {
        /// 2024-01-01T00:00:00Z: where the virtual wall clock begins.
        const EPOCH_US: u64 = 1_704_067_200_000_000;
        EPOCH_US + self.world.now.get().as_nanos() / 1000
    }

    fn random(&self) -> u64 {
        self.world.rng.borrow_mut().next_u64()
    }

    fn need_preempt(&self) -> bool {
        self.world.rng.borrow_mut().one_in(8)
    }

    fn yield_task(&self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    fn sleep_until(&self, deadline: Instant) -> LocalFuture<()> {
        Box::pin(sleep_until(self.world.clone(), deadline))
    }

    /// The work is done at once, and seen to be done up to a millisecond later.
    fn run_aside(&self, work: Box<dyn FnOnce() + Send>) -> LocalFuture<()> {
        work();
        let later = self.world.random_below(1_000_000);
        let done = self.world.now.get() + std::time::Duration::from_nanos(later);
        self.sleep_until(done)
    }

    fn listen(&self, addr: SocketAddr, _options: ListenOptions) -> io::Result<Box<dyn Accept>> {
        self.world.network.listen(&self.world, self.home.node, addr)
    }

    fn adopt(&self, accepted: Accepted) -> io::Result<Connected> {
        match accepted.socket {
            AcceptedSocket::Simulated(end) => self.world.network.adopt(&self.world, end),
            AcceptedSocket::Fd(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn connect(&self, addr: SocketAddr) -> LocalFuture<io::Result<Connected>> {
        let (world, node) = (self.world.clone(), self.home.node);
        Box::pin(async move { super::network::connect(world, node, addr).await })
    }

    /// Names are `node-<number>` and `localhost`.
    fn resolve_here(&self, host: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
        let ip = match host.strip_prefix("node-").and_then(|n| n.parse().ok()) {
            Some(node) => super::NodeId(node).ip(),
            None if host == "localhost" => self.home.node.ip(),
            None => return Some(Err(io::ErrorKind::NotFound.into())),
        };
        Some(Ok(vec![SocketAddr::new(ip, port)]))
    }

    fn storage(&self) -> Rc<dyn Storage> {
        self.disk.storage()
    }
}
