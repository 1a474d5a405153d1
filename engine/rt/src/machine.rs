//! What a runtime is made of: the seam between [`Rt`](crate::Rt) and whatever carries it.
//!
//! Implemented by `live` (glommio, with the hot ring or with glommio's own sockets) and by `sim` (the deterministic
//! twin). A method here is something a core needs from the world; everything else is built on these in `runtime`.

use crate::{
    Accepted, Instant, Priority,
    disk::Storage,
    net::{Accept, Link, ListenOptions},
};
use std::{future::Future, io, net::SocketAddr, pin::Pin, rc::Rc, task::Context};

/// A future of this core.
pub(crate) type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A connected link with its two addresses: ours, the peer's.
pub(crate) type Connected = (Box<dyn Link>, SocketAddr, SocketAddr);

pub(crate) trait Machine {
    fn spawn(&self, priority: Priority, future: LocalFuture<()>);
    fn now(&self) -> Instant;
    fn wall_clock_us(&self) -> u64;
    fn random(&self) -> u64;
    fn need_preempt(&self) -> bool;
    /// Called when the running task is about to yield: has it woken when its next turn comes.
    fn yield_task(&self, cx: &mut Context<'_>);
    fn sleep_until(&self, deadline: Instant) -> LocalFuture<()>;
    /// Runs blocking work aside. It has finished when the future has; it runs on when the future is dropped.
    fn run_aside(&self, work: Box<dyn FnOnce() + Send>) -> LocalFuture<()>;
    fn listen(&self, addr: SocketAddr, options: ListenOptions) -> io::Result<Box<dyn Accept>>;
    fn adopt(&self, accepted: Accepted) -> io::Result<Connected>;
    fn connect(&self, addr: SocketAddr) -> LocalFuture<io::Result<Connected>>;
    /// A look-up that this world answers by itself, without the system's resolver.
    fn resolve_here(&self, host: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>>;
    fn storage(&self) -> Rc<dyn Storage>;
}
