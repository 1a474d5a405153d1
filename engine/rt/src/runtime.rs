//! [`Rt`]: the handle through which everything on a core reaches its runtime.
//!
//! It is made by [`start`](crate::start) (or by a simulation) once a core, cloned freely, and never leaves its core.
//! What always holds: no method blocks the core; those that must wait are futures.

use crate::{
    Accepted, Disk, Instant, ListenOptions, Listener, Notified, Notifier, Stream, Task,
    buffer::BufferStore,
    machine::Machine,
    notify::{CoreShared, NotifySlots},
    start::Lifecycle,
    task,
};
use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// A core of this process, counted from 0: an index into what is kept per core, not a CPU number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CoreId(pub u16);

impl CoreId {
    /// The id as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The queue a task runs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Priority {
    /// Sessions, links, the log: short turns, run before background work, waiting 2 ms at most for it.
    Latency,
    /// Long work that yields: scans, snapshots, folding. Gets the core's spare time and a small share at least.
    Background,
}

/// The deadline of [`Rt::timeout`] came first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("timed out")]
pub struct TimedOut;

impl From<TimedOut> for io::Error {
    fn from(_: TimedOut) -> io::Error {
        io::ErrorKind::TimedOut.into()
    }
}

/// One core's runtime. `Clone`, and neither `Send` nor `Sync`.
#[derive(Clone)]
pub struct Rt(pub(crate) Rc<CoreState>);

/// What the handles of one core share.
pub(crate) struct CoreState {
    pub(crate) core: CoreId,
    pub(crate) all: Arc<[Arc<CoreShared>]>,
    pub(crate) slots: Rc<NotifySlots>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) shutdown_waiters: RefCell<slab::Slab<Waker>>,
    pub(crate) buffers: Rc<BufferStore>,
    pub(crate) machine: Rc<dyn Machine>,
}

impl Rt {
    /// This core.
    pub fn core(&self) -> CoreId {
        self.0.core
    }

    /// How many cores run in this process (in a simulation: on this node).
    pub fn cores(&self) -> u16 {
        self.0.all.len() as u16
    }

    /// Starts a task on this core. It runs on when the handle is dropped.
    pub fn spawn<F>(&self, priority: Priority, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
    {
        let (runner, task) = task::task(future);
        self.0.machine.spawn(priority, Box::pin(runner));
        task
    }

    /// Lets every other runnable task of this core have a turn.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            self.0.machine.yield_task(cx);
            Poll::Pending
        })
        .await;
    }

    /// True when something on this core waits for a turn: 2 ms have passed, the hot ring has completions, or another
    /// core has notified this one. A few loads and a look at the clock; long work looks at it at most 100 µs apart.
    pub fn need_preempt(&self) -> bool {
        self.0.all[self.0.core.index()].board.is_raised() || self.0.machine.need_preempt()
    }

    /// Yields if [`need_preempt`](Self::need_preempt).
    pub async fn yield_if_needed(&self) {
        if self.need_preempt() {
            self.yield_now().await;
        }
    }

    /// Now, on the monotonic clock.
    pub fn now(&self) -> Instant {
        self.0.machine.now()
    }

    /// Microseconds since 1970-01-01 UTC, by the wall clock: it may jump.
    pub fn wall_clock_us(&self) -> u64 {
        self.0.machine.wall_clock_us()
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }

    /// Waits until `deadline`; returns at once when it has passed.
    pub async fn sleep_until(&self, deadline: Instant) {
        if deadline > self.now() {
            self.0.machine.sleep_until(deadline).await;
        }
    }

    /// Runs `future` until `deadline` at most. On [`TimedOut`] the future has been dropped. A future that is ready
    /// wins over a deadline that has passed: what has arrived is taken in first.
    pub async fn timeout<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> Result<F::Output, TimedOut> {
        let mut future = pin!(future);
        let mut alarm = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let alarm = alarm.get_or_insert_with(|| self.0.machine.sleep_until(deadline));
            alarm.as_mut().poll(cx).map(|()| Err(TimedOut))
        })
        .await
    }

    /// 64 random bits; not for secrets. In a simulation they follow from its seed.
    pub fn random(&self) -> u64 {
        self.0.machine.random()
    }

    /// Runs blocking work (a password hash, a look-up in the name service) on a helper thread and waits for it.
    ///
    /// The work runs to its end even when this future is dropped. Panics of the work reach the caller.
    pub async fn block_on_helper<T, F>(&self, work: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (result, output) = std::sync::mpsc::sync_channel(1);
        self.0
            .machine
            .run_aside(Box::new(move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                let _ = result.send(outcome);
            }))
            .await;
        match output
            .try_recv()
            .expect("the helper reports before it is done")
        {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// The addresses of `host`, an IP address or a name, in the resolver's order. Never empty.
    ///
    /// # Errors
    /// What the resolver says; `NotFound` when it knows no address.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        if let Some(answer) = self.0.machine.resolve_here(host, port) {
            return answer;
        }
        let host = host.to_owned();
        let found: Vec<SocketAddr> = self
            .block_on_helper(move || {
                std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), port))
                    .map(Iterator::collect)
            })
            .await?;
        if found.is_empty() {
            Err(io::ErrorKind::NotFound.into())
        } else {
            Ok(found)
        }
    }

    /// Listens on `addr`. Every core may listen on the same address (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// `AddrInUse` when a socket outside this process has the address; whatever bind and listen say.
    pub fn listen(&self, addr: SocketAddr, options: ListenOptions) -> io::Result<Listener> {
        Ok(Listener::new(self.0.machine.listen(addr, options)?))
    }

    /// Makes a stream of an accepted socket on this core, whichever core accepted it.
    pub fn adopt(&self, accepted: Accepted) -> io::Result<Stream> {
        self.0.machine.adopt(accepted).map(Stream::new)
    }

    /// Connects to `addr` within `timeout`. TCP_NODELAY and keepalive are set.
    ///
    /// # Errors
    /// `TimedOut`, or what the peer's machine answered.
    pub async fn connect(&self, addr: SocketAddr, timeout: Duration) -> io::Result<Stream> {
        let deadline = self.now() + timeout;
        let connected = self
            .timeout(deadline, self.0.machine.connect(addr))
            .await??;
        Ok(Stream::new(connected))
    }

    /// Files and directories, through this core.
    pub fn disk(&self) -> Disk {
        Disk::new(self.0.machine.storage())
    }

    /// A new pair: any thread tells this core's receiver to look again.
    pub fn notifier(&self) -> (Notifier, Notified) {
        self.0.slots.pair(&self.0.all[self.0.core.index()])
    }

    /// An empty vector from this core's store of spent send buffers, to encode into and give to
    /// [`Stream::send`].
    pub fn send_vec(&self) -> Vec<u8> {
        self.0.buffers.take()
    }

    /// True once a shutdown was asked for.
    pub fn shutting_down(&self) -> bool {
        self.0.lifecycle.shutting_down()
    }

    /// Asks every core of the process to shut down.
    pub fn shut_down(&self) {
        self.0.lifecycle.shut_down();
    }

    /// Waits until a shutdown is asked for. Any number of tasks may wait.
    pub async fn shutdown_requested(&self) {
        ShutdownRequested {
            rt: self,
            key: None,
        }
        .await;
    }

    /// Wakes this core's waiters for shutdown, if it was asked for.
    pub(crate) fn announce_shutdown(&self) {
        if self.shutting_down() {
            let waiters: Vec<Waker> = self.0.shutdown_waiters.borrow_mut().drain().collect();
            waiters.into_iter().for_each(Waker::wake);
        }
    }
}

struct ShutdownRequested<'a> {
    rt: &'a Rt,
    key: Option<usize>,
}

impl Future for ShutdownRequested<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Registered first, looked at second: the announcement comes from this same thread, after the flag is set.
        let mut waiters = self.rt.0.shutdown_waiters.borrow_mut();
        if self.rt.shutting_down() {
            return Poll::Ready(());
        }
        match self.key {
            Some(key) => waiters[key].clone_from(cx.waker()),
            None => {
                let key = waiters.insert(cx.waker().clone());
                drop(waiters);
                self.key = Some(key);
            }
        }
        Poll::Pending
    }
}

impl Drop for ShutdownRequested<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // Absent once announced; keys are not reused after that, since nobody registers any more.
            let _ = self.rt.0.shutdown_waiters.borrow_mut().try_remove(key);
        }
    }
}

impl std::fmt::Debug for Rt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rt(core {} of {})", self.0.core.0, self.cores())
    }
}
