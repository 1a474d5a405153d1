//! The live machine: glommio's executor, with the hot ring or with glommio's own sockets.
//!
//! Called through [`Machine`] by `runtime`. Two task queues a core: *latency* (sessions, links, the log, the driver)
//! and *background*, which gets the time that is left and at least a tenth.

use crate::{
    Accepted, Instant, Priority,
    buffer::BufferStore,
    disk::{Storage, local::LocalStorage},
    machine::{Connected, LocalFuture, Machine},
    net::{Accept, AcceptedSocket, ListenOptions, stock},
    notify::CoreShared,
    random::{Rng, seed_from_system},
    ring::{HotRing, kernel::Op, listen::RingListener, stream::RingLink},
};
use glommio::{Latency, Shares, TaskQueueHandle};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

pub(crate) struct LiveMachine {
    latency: TaskQueueHandle,
    background: TaskQueueHandle,
    ring: Option<Rc<HotRing>>,
    buffers: Rc<BufferStore>,
    rng: RefCell<Rng>,
    /// The driver of a core without a hot ring, while it is parked.
    driver: RefCell<Option<Waker>>,
    raised: Cell<bool>,
    visits: Rc<ReactorVisits>,
}

impl LiveMachine {
    /// Must be called on the core's executor.
    pub(crate) fn new(
        ring: Option<Rc<HotRing>>,
        buffers: Rc<BufferStore>,
        visits: Rc<ReactorVisits>,
    ) -> LiveMachine {
        let executor = glommio::executor();
        LiveMachine {
            // Not `Latency::Matters`: that would shorten glommio's preemption timer (see `ReactorVisits`).
            latency: executor.create_task_queue(
                Shares::Static(1000),
                Latency::NotImportant,
                "latency",
            ),
            background: executor.create_task_queue(
                Shares::Static(100),
                Latency::NotImportant,
                "background",
            ),
            ring,
            buffers,
            rng: RefCell::new(Rng::new(seed_from_system())),
            driver: RefCell::new(None),
            raised: Cell::new(false),
            visits,
        }
    }

    pub(crate) fn spawn_latency(&self, future: LocalFuture<()>) {
        self.spawn(Priority::Latency, future);
    }

    /// For a driver without a ring: was it asked for? If not, remembers whom to wake.
    pub(crate) fn raised_or_park(&self, driver: &Waker) -> bool {
        if self.raised.replace(false) {
            return true;
        }
        let old = self.driver.borrow_mut().replace(driver.clone());
        drop(old);
        false
    }
}

/// Preemption by our own clock: every 2 ms of continuous work, glommio's reactor gets a turn (its timers, the
/// doorbell, the helper thread's results).
///
/// glommio's own preemption timer does that too, but with a flaw (0.9): `run_task_queues` answers "nothing ran" when
/// the timer has fired before the first queue has run, and `run` takes that for "nothing to do" and parks with
/// runnable tasks, at worst for ever. A thread that loses its CPU for 2 ms at the wrong moment is enough, and was
/// seen on a machine with more threads than CPUs. So that timer is set far away (see `start`), and when a visit is
/// due, whoever yields waits for it instead of going to the end of its queue: the queues run dry, glommio turns to
/// its reactor, finds our doorbell rung, and the task that listens to it wakes everyone.
pub(crate) struct ReactorVisits {
    core: Arc<CoreShared>,
    last: Cell<Instant>,
    asked: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

/// 2 ms: the longest that a timer or a message waits behind background work (design D1).
const VISIT_EVERY: Duration = Duration::from_millis(2);

impl ReactorVisits {
    pub(crate) fn new(core: Arc<CoreShared>) -> Rc<ReactorVisits> {
        Rc::new(ReactorVisits {
            core,
            last: Cell::new(Instant::monotonic()),
            asked: Cell::new(false),
            waiting: RefCell::default(),
        })
    }

    pub(crate) fn is_due(&self) -> bool {
        self.asked.get() || Instant::monotonic().saturating_since(self.last.get()) >= VISIT_EVERY
    }

    /// Has `cx` woken after the visit.
    pub(crate) fn wait(&self, cx: &mut Context<'_>) {
        self.waiting.borrow_mut().push(cx.waker().clone());
        if !self.asked.replace(true) {
            self.core.doorbell.ring();
        }
    }

    /// The reactor has been visited: the doorbell's read came back.
    pub(crate) fn visited(&self) {
        self.last.set(Instant::monotonic());
        self.asked.set(false);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits for a visit if one is due; else goes to the end of the running task's own queue.
    pub(crate) async fn requeue(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            if self.is_due() {
                self.wait(cx)
            } else {
                cx.waker().wake_by_ref()
            }
            Poll::Pending
        })
        .await;
    }
}

impl Machine for LiveMachine {
    fn spawn(&self, priority: Priority, future: LocalFuture<()>) {
        let queue = match priority {
            Priority::Latency => self.latency,
            Priority::Background => self.background,
        };
        // Both queues live as long as the executor, so the handle is valid.
        glommio::spawn_local_into(future, queue)
            .expect("the core's own task queue")
            .detach();
    }

    fn now(&self) -> Instant {
        Instant::monotonic()
    }

    fn wall_clock_us(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
    }

    fn random(&self) -> u64 {
        self.rng.borrow_mut().next_u64()
    }

    fn need_preempt(&self) -> bool {
        self.ring.as_ref().is_some_and(|ring| ring.has_waiting())
            || self.visits.is_due()
            || glommio::executor().need_preempt()
    }

    fn yield_task(&self, cx: &mut Context<'_>) {
        // The driver may be parked while this core is busy: it must see what made us yield.
        match &self.ring {
            Some(ring) => ring.kick(),
            None => {
                self.raised.set(true);
                let driver = self.driver.borrow_mut().take();
                if let Some(driver) = driver {
                    driver.wake();
                }
            }
        }
        if self.visits.is_due() {
            self.visits.wait(cx);
            return;
        }
        // Wakes us at the end of our queue, and marks the queue as yielding, so that another is picked.
        let executor = glommio::executor();
        let _ = pin!(executor.yield_task_queue_now()).poll(cx);
    }

    fn sleep_until(&self, deadline: Instant) -> LocalFuture<()> {
        Box::pin(async move {
            let left = deadline.saturating_since(Instant::monotonic());
            if !left.is_zero() {
                glommio::timer::sleep(left).await;
            }
        })
    }

    fn run_aside(&self, work: Box<dyn FnOnce() + Send>) -> LocalFuture<()> {
        let done = glommio::executor().spawn_blocking(work);
        Box::pin(done)
    }

    fn listen(&self, addr: SocketAddr, options: ListenOptions) -> io::Result<Box<dyn Accept>> {
        let socket = Socket::new(
            Domain::for_address(addr),
            Type::STREAM.cloexec(),
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        let local = ip_address(socket.local_addr()?)?;
        Ok(match &self.ring {
            Some(ring) => Box::new(RingListener::new(ring.clone(), socket.into(), local)),
            None => Box::new(stock::StockListener::new(socket.into(), local)),
        })
    }

    fn adopt(&self, accepted: Accepted) -> io::Result<Connected> {
        match accepted.socket {
            AcceptedSocket::Fd(fd) => self.link(fd.into()),
            #[cfg(any(test, feature = "sim"))]
            AcceptedSocket::Simulated(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn connect(&self, addr: SocketAddr) -> LocalFuture<io::Result<Connected>> {
        let socket = || {
            Socket::new(
                Domain::for_address(addr),
                Type::STREAM.cloexec(),
                Some(Protocol::TCP),
            )
        };
        let Some(ring) = self.ring.clone() else {
            let buffers = self.buffers.clone();
            return Box::pin(async move { stock::connect(addr, buffers).await });
        };
        let socket = match socket() {
            Ok(socket) => socket,
            Err(e) => return Box::pin(std::future::ready(Err(e))),
        };
        Box::pin(async move {
            let fd = Rc::new(OwnedFd::from(socket));
            let op = Op::Connect {
                socket: fd.clone(),
                to: Box::new(addr.into()),
            };
            let (op, result) = ring.operate(op).await?;
            drop(op);
            if result < 0 {
                return Err(io::Error::from_raw_os_error(-result));
            }
            let (local, peer) = prepare(&fd)?;
            let link: Box<dyn crate::net::Link> = Box::new(RingLink::new(ring, fd));
            Ok((link, local, peer))
        })
    }

    fn resolve_here(&self, _host: &str, _port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
        None
    }

    fn storage(&self) -> Rc<dyn Storage> {
        Rc::new(LocalStorage::new(self.ring.clone()))
    }
}

impl LiveMachine {
    fn link(&self, socket: Socket) -> io::Result<Connected> {
        let fd = OwnedFd::from(socket);
        let (local, peer) = prepare(&fd)?;
        Ok(match &self.ring {
            Some(ring) => (
                Box::new(RingLink::new(ring.clone(), Rc::new(fd))),
                local,
                peer,
            ),
            None => (
                Box::new(stock::StockLink::adopt(fd, self.buffers.clone())),
                local,
                peer,
            ),
        })
    }
}

/// Sets what every connection has, and asks for its addresses.
pub(crate) fn prepare(fd: &OwnedFd) -> io::Result<(SocketAddr, SocketAddr)> {
    let socket = socket2::SockRef::from(fd);
    socket.set_tcp_nodelay(true)?;
    // A peer that vanished without a word is found after about 30 + 3 * 10 seconds.
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    Ok((
        ip_address(socket.local_addr()?)?,
        ip_address(socket.peer_addr()?)?,
    ))
}

fn ip_address(addr: socket2::SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket()
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
