//! The simulated network: byte streams that are in order, delayed, cut to pieces, held back and broken.
//!
//! Each direction of a connection is a queue of segments with the moment each arrives. A segment never arrives before
//! the one sent earlier. A partition holds segments back; a cut or a dead node resets both ends.

use super::{NodeId, World, executor::sleep_until};
use crate::{
    Instant,
    buffer::{RecvBuf, SendBuf},
    machine::Connected,
    net::{Accept, Accepted, AcceptedSocket, Link},
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// 20 µs to 1 ms: from the same rack to the same city.
const DELAY_MIN_NS: u64 = 20_000;
const DELAY_SPREAD_NS: u64 = 1_000_000;
/// What the peer's receive buffer takes before the sender's `unsent` grows.
const WINDOW_BYTES: usize = 256 << 10;

#[derive(Default)]
pub(crate) struct Network {
    listeners: RefCell<BTreeMap<SocketAddr, Vec<Rc<Port>>>>,
    /// Ends by number; a connection's two ends are `2k` and `2k + 1`.
    ends: RefCell<BTreeMap<u64, Rc<End>>>,
    next_connection: Cell<u64>,
    next_port: Cell<u16>,
    apart: RefCell<BTreeSet<(NodeId, NodeId)>>,
}

struct Port {
    node: NodeId,
    waiting: RefCell<VecDeque<(u64, SocketAddr)>>,
    waiter: RefCell<Option<Waker>>,
}

/// One end of a connection, and the segments on their way to it.
struct End {
    node: NodeId,
    peer_node: NodeId,
    local: SocketAddr,
    peer: SocketAddr,
    segments: RefCell<VecDeque<Segment>>,
    /// When the last segment towards this end arrives: later ones come no earlier.
    last: Cell<Instant>,
    eof_read: Cell<bool>,
    reset: Cell<bool>,
    /// Bytes from this end that the peer's window has not room for.
    queue: RefCell<VecDeque<SendBuf>>,
    unsent: Cell<usize>,
    in_window: Cell<usize>,
    shut: Cell<bool>,
    fin_sent: Cell<bool>,
    dropped: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<(usize, Waker)>>,
}

struct Segment {
    arrives: Instant,
    /// Empty: the end of the stream.
    bytes: Vec<u8>,
}

fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

fn wake(slot: &RefCell<Option<Waker>>) {
    let waker = slot.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl End {
    fn wake_all(&self) {
        wake(&self.reader);
        let writer = self.writer.borrow_mut().take();
        if let Some((_, waker)) = writer {
            waker.wake();
        }
    }

    fn break_off(&self) {
        self.reset.set(true);
        self.queue.borrow_mut().clear();
        self.unsent.set(0);
        self.wake_all();
    }
}

impl Network {
    pub(super) fn listen(
        &self,
        world: &Rc<World>,
        node: NodeId,
        addr: SocketAddr,
    ) -> io::Result<Box<dyn Accept>> {
        let port = match addr.port() {
            0 => self.fresh_port(),
            port => port,
        };
        let everywhere = addr.ip().is_unspecified() || addr.ip().is_loopback();
        if !everywhere && addr.ip() != node.ip() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let local = SocketAddr::new(node.ip(), port);
        let listening = Rc::new(Port {
            node,
            waiting: RefCell::default(),
            waiter: RefCell::default(),
        });
        self.listeners
            .borrow_mut()
            .entry(local)
            .or_default()
            .push(listening.clone());
        Ok(Box::new(SimListener {
            world: world.clone(),
            port: listening,
            local,
        }))
    }

    fn fresh_port(&self) -> u16 {
        let next = self.next_port.get().max(40_000);
        self.next_port
            .set(if next == u16::MAX { 40_000 } else { next + 1 });
        next
    }

    pub(super) fn adopt(&self, world: &Rc<World>, end: u64) -> io::Result<Connected> {
        let number = end;
        let end = self
            .ends
            .borrow()
            .get(&end)
            .cloned()
            .ok_or(io::ErrorKind::ConnectionReset)?;
        let (local, peer) = (end.local, end.peer);
        Ok((
            Box::new(SimLink {
                world: world.clone(),
                number,
                end,
            }),
            local,
            peer,
        ))
    }

    pub(super) fn partition(&self, a: NodeId, b: NodeId) {
        self.apart.borrow_mut().insert(pair(a, b));
    }

    pub(super) fn heal(&self, a: NodeId, b: NodeId) {
        self.apart.borrow_mut().remove(&pair(a, b));
        for end in self.between(|end| pair(end.node, end.peer_node) == pair(a, b)) {
            wake(&end.reader);
        }
    }

    pub(super) fn cut(&self, a: NodeId, b: NodeId) {
        for end in self.between(|end| pair(end.node, end.peer_node) == pair(a, b)) {
            end.break_off();
        }
    }

    pub(super) fn node_gone(&self, node: NodeId) {
        for ports in self.listeners.borrow_mut().values_mut() {
            ports.retain(|port| port.node != node);
        }
        for end in self.between(|end| end.node == node || end.peer_node == node) {
            end.break_off();
        }
        self.ends.borrow_mut().retain(|_, end| end.node != node);
    }

    pub(super) fn clear(&self) {
        let ends = std::mem::take(&mut *self.ends.borrow_mut());
        let listeners = std::mem::take(&mut *self.listeners.borrow_mut());
        drop((ends, listeners));
    }

    fn between(&self, which: impl Fn(&End) -> bool) -> Vec<Rc<End>> {
        self.ends
            .borrow()
            .values()
            .filter(|end| which(end))
            .cloned()
            .collect()
    }

    fn is_apart(&self, a: NodeId, b: NodeId) -> bool {
        self.apart.borrow().contains(&pair(a, b))
    }
}

fn delay(world: &World) -> Duration {
    Duration::from_nanos(DELAY_MIN_NS + world.random_below(DELAY_SPREAD_NS))
}

/// Connects a node to an address: refused where nobody listens, silent across a partition.
pub(super) async fn connect(
    world: Rc<World>,
    node: NodeId,
    addr: SocketAddr,
) -> io::Result<Connected> {
    let addr = if addr.ip().is_loopback() {
        SocketAddr::new(node.ip(), addr.port())
    } else {
        addr
    };
    let there = world.now.get() + delay(&world);
    sleep_until(world.clone(), there).await;
    let network = &world.network;
    let ports = network
        .listeners
        .borrow()
        .get(&addr)
        .cloned()
        .unwrap_or_default();
    if ports.is_empty() {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    let port = ports[world.random_below(ports.len() as u64) as usize].clone();
    while network.is_apart(node, port.node) {
        let again = world.now.get() + Duration::from_millis(10);
        sleep_until(world.clone(), again).await;
    }
    let local = SocketAddr::new(node.ip(), network.fresh_port());
    let connection = network
        .next_connection
        .replace(network.next_connection.get() + 1)
        * 2;
    let end = |node, peer_node, local, peer| {
        Rc::new(End {
            node,
            peer_node,
            local,
            peer,
            segments: RefCell::default(),
            last: Cell::new(Instant::ZERO),
            eof_read: Cell::new(false),
            reset: Cell::new(false),
            queue: RefCell::default(),
            unsent: Cell::new(0),
            in_window: Cell::new(0),
            shut: Cell::new(false),
            fin_sent: Cell::new(false),
            dropped: Cell::new(false),
            reader: RefCell::default(),
            writer: RefCell::default(),
        })
    };
    network
        .ends
        .borrow_mut()
        .insert(connection, end(node, port.node, local, addr));
    network
        .ends
        .borrow_mut()
        .insert(connection + 1, end(port.node, node, addr, local));
    port.waiting.borrow_mut().push_back((connection + 1, local));
    wake(&port.waiter);
    network.adopt(&world, connection)
}

struct SimListener {
    world: Rc<World>,
    port: Rc<Port>,
    local: SocketAddr,
}

impl Accept for SimListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        if let Some((end, peer)) = self.port.waiting.borrow_mut().pop_front() {
            return Poll::Ready(Ok(Accepted {
                socket: AcceptedSocket::Simulated(end),
                peer,
            }));
        }
        *self.port.waiter.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut listeners = self.world.network.listeners.borrow_mut();
        if let Some(ports) = listeners.get_mut(&self.local) {
            ports.retain(|port| !Rc::ptr_eq(port, &self.port));
            if ports.is_empty() {
                listeners.remove(&self.local);
            }
        }
    }
}

struct SimLink {
    world: Rc<World>,
    number: u64,
    end: Rc<End>,
}

/// The other end of a connection, while its node is up.
fn other_end(world: &World, number: u64) -> Option<Rc<End>> {
    world.network.ends.borrow().get(&(number ^ 1)).cloned()
}

/// Puts what the window of end `number` has room for on its way to the peer, in pieces.
fn transmit(world: &World, number: u64, end: &End) {
    let Some(peer) = other_end(world, number) else {
        return end.break_off();
    };
    if peer.dropped.get() && end.unsent.get() > 0 {
        return end.break_off();
    }
    let post = |bytes: Vec<u8>| {
        let arrives = (world.now.get() + delay(world)).max(peer.last.get());
        peer.last.set(arrives);
        peer.segments
            .borrow_mut()
            .push_back(Segment { arrives, bytes });
    };
    let mut posted = false;
    while end.in_window.get() < WINDOW_BYTES {
        let Some(buf) = end.queue.borrow_mut().pop_front() else {
            break;
        };
        end.in_window.set(end.in_window.get() + buf.len());
        end.unsent.set(end.unsent.get() - buf.len());
        let mut rest = &buf[..];
        while !rest.is_empty() {
            let cut = 1 + world.random_below(rest.len() as u64) as usize;
            post(rest[..cut].to_vec());
            rest = &rest[cut..];
        }
        posted = true;
    }
    if end.shut.get() && end.queue.borrow().is_empty() && !end.fin_sent.replace(true) {
        post(Vec::new());
        posted = true;
    }
    if posted {
        wake(&peer.reader);
    }
    let mut writer = end.writer.borrow_mut();
    let ready = writer
        .as_ref()
        .is_some_and(|(limit, _)| end.unsent.get() <= *limit);
    let waker = if ready { writer.take() } else { None };
    drop(writer);
    if let Some((_, waker)) = waker {
        waker.wake();
    }
}

impl SimLink {
    fn peer(&self) -> Option<Rc<End>> {
        other_end(&self.world, self.number)
    }

    fn transmit(&self) {
        transmit(&self.world, self.number, &self.end);
    }

    /// What has arrived by now.
    fn take(&self) -> Option<io::Result<RecvBuf>> {
        if self.end.eof_read.get() {
            return Some(Ok(RecvBuf::end_of_stream()));
        }
        if self.end.reset.get() {
            return Some(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self
            .world
            .network
            .is_apart(self.end.node, self.end.peer_node)
        {
            return None;
        }
        let first = {
            let mut segments = self.end.segments.borrow_mut();
            match segments.front() {
                Some(first) if first.arrives <= self.world.now.get() => segments.pop_front()?,
                _ => return None,
            }
        };
        self.world
            .note(first.bytes.len() as u64 | self.number << 32);
        if first.bytes.is_empty() {
            self.end.eof_read.set(true);
            return Some(Ok(RecvBuf::end_of_stream()));
        }
        if let Some(peer) = self.peer() {
            peer.in_window
                .set(peer.in_window.get().saturating_sub(first.bytes.len()));
            transmit(&self.world, self.number ^ 1, &peer);
        }
        Some(Ok(RecvBuf::heap(first.bytes)))
    }
}

impl Link for SimLink {
    fn try_recv(&self) -> Option<io::Result<RecvBuf>> {
        self.take()
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<RecvBuf>> {
        if let Some(result) = self.take() {
            return Poll::Ready(result);
        }
        let arrives = self
            .end
            .segments
            .borrow()
            .front()
            .map(|first| first.arrives);
        if let Some(arrives) = arrives
            && arrives > self.world.now.get()
        {
            self.world.executor.alarm(arrives, cx.waker().clone());
        }
        *self.end.reader.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn send(&self, buf: SendBuf) -> io::Result<()> {
        if self.end.reset.get() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.end.shut.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.end.unsent.set(self.end.unsent.get() + buf.len());
        self.end.queue.borrow_mut().push_back(buf);
        self.transmit();
        Ok(())
    }

    fn unsent(&self) -> usize {
        self.end.unsent.get()
    }

    fn poll_unsent_at_most(&self, limit: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.reset.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.end.unsent.get() <= limit {
            return Poll::Ready(Ok(()));
        }
        *self.end.writer.borrow_mut() = Some((limit, cx.waker().clone()));
        Poll::Pending
    }

    fn shutdown_send(&self) {
        if !self.end.shut.replace(true) && !self.end.reset.get() {
            self.transmit();
        }
    }
}

impl Drop for SimLink {
    fn drop(&mut self) {
        self.end.queue.borrow_mut().clear();
        self.end.unsent.set(0);
        self.end.dropped.set(true);
        if !self.end.reset.get() {
            self.shutdown_send();
        }
        // The peer's sends meet a closed door.
        if let Some(peer) = self.peer()
            && !peer.queue.borrow().is_empty()
        {
            peer.break_off();
        }
    }
}
