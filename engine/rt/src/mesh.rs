//! The mesh: a bounded queue from every core to every core, and the dealing of sockets over it.
//!
//! [`mesh`] makes one [`MeshEnd`] a core before the cores start; each core binds its own to its runtime and gets a
//! [`MeshSender`] and a [`MeshReceiver`]. Each ordered pair of cores has a ring of its own (`rtrb`: one producer, one
//! consumer, no locks), so messages from one core to another arrive in order and a flood from one core does not
//! shut the others out.
//!
//! What always holds: nothing is lost or doubled while both ends live; a sender to a full queue waits or is told; a
//! receiver that sleeps is rung (see `wake`), one that is awake sees the message at its next driver turn.
//!
//! What it leaves to others: what the messages mean. They are closed enums of ids and owned data.

use crate::{Accepted, CoreId, Notified, Notifier, Rt};
use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering, fence},
    },
    task::{Context, Poll},
};

/// Messages that fit between one core and another, unless [`mesh_with_capacity`] says otherwise.
pub const CAPACITY: usize = 1024;

/// One core's part of a mesh, before it is bound. `Send`: made where the cores are started.
pub struct MeshEnd<M> {
    me: usize,
    to: Vec<rtrb::Producer<M>>,
    from: Vec<rtrb::Consumer<M>>,
    shared: Arc<Shared>,
}

/// What the ends know of each other.
struct Shared {
    /// By core: how to wake its receiver and its senders. Set when the end is bound; never changes.
    ends: Vec<OnceLock<Bound>>,
    /// By `receiver * cores + sender`: the sender found the queue full and waits for room.
    waits_for_room: Vec<AtomicBool>,
}

struct Bound {
    messages: Notifier,
    room: Notifier,
}

/// The ends of a new mesh between `cores` cores, in the order of their ids.
pub fn mesh<M: Send>(cores: u16) -> Vec<MeshEnd<M>> {
    mesh_with_capacity(cores, CAPACITY)
}

/// As [`mesh`], with room for `capacity` messages between any two cores.
pub fn mesh_with_capacity<M: Send>(cores: u16, capacity: usize) -> Vec<MeshEnd<M>> {
    let n = usize::from(cores);
    let shared = Arc::new(Shared {
        ends: (0..n).map(|_| OnceLock::new()).collect(),
        waits_for_room: (0..n * n).map(|_| AtomicBool::new(false)).collect(),
    });
    let mut to: Vec<Vec<_>> = (0..n).map(|_| Vec::with_capacity(n)).collect();
    let mut from: Vec<Vec<_>> = (0..n).map(|_| Vec::with_capacity(n)).collect();
    for sender in &mut to {
        for receiver in &mut from {
            let (producer, consumer) = rtrb::RingBuffer::new(capacity.max(1));
            sender.push(producer);
            receiver.push(consumer);
        }
    }
    to.into_iter()
        .zip(from)
        .enumerate()
        .map(|(me, (to, from))| MeshEnd {
            me,
            to,
            from,
            shared: shared.clone(),
        })
        .collect()
}

/// What [`MeshSender::try_send`] gives back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendRefused<M> {
    /// The queue is full: wait, or do without.
    Full(M),
    /// The receiving core has ended or never had that id.
    Closed(M),
}

/// The receiving core has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the receiving core has ended")]
pub struct PeerGone;

impl<M: 'static> MeshEnd<M> {
    /// Binds this end to its core.
    ///
    /// # Panics
    /// When `rt` is not the core this end was made for: a mistake of wiring, found at the first start.
    pub fn bind(self, rt: &Rt) -> (MeshSender<M>, MeshReceiver<M>) {
        assert_eq!(
            self.me,
            rt.core().index(),
            "a mesh end is bound on its own core"
        );
        let (messages, messages_seen) = rt.notifier();
        let (room, room_seen) = rt.notifier();
        let bound = self.shared.ends[self.me].set(Bound { messages, room });
        assert!(bound.is_ok(), "a mesh end is bound once");
        // Partner: the fence in `Pushing::push`. A sender that did not see us bound pushed before our first look.
        fence(Ordering::SeqCst);
        let sender = Rc::new(Senders {
            me: self.me,
            to: RefCell::new(self.to),
            shared: self.shared.clone(),
            room_seen,
        });
        let receiver = MeshReceiver {
            from: self.from,
            next: 0,
            me: self.me,
            shared: self.shared,
            messages_seen,
        };
        (MeshSender(sender), receiver)
    }
}

/// The sending side of one core: to every core, itself included. Cheap to clone.
pub struct MeshSender<M>(Rc<Senders<M>>);

impl<M> Clone for MeshSender<M> {
    fn clone(&self) -> Self {
        MeshSender(self.0.clone())
    }
}

struct Senders<M> {
    me: usize,
    to: RefCell<Vec<rtrb::Producer<M>>>,
    shared: Arc<Shared>,
    room_seen: Notified,
}

impl<M> MeshSender<M> {
    /// Sends if there is room.
    ///
    /// # Errors
    /// The message, and why.
    pub fn try_send(&self, to: CoreId, message: M) -> Result<(), SendRefused<M>> {
        let mut rings = self.0.to.borrow_mut();
        let Some(ring) = rings.get_mut(to.index()) else {
            return Err(SendRefused::Closed(message));
        };
        if ring.is_abandoned() {
            return Err(SendRefused::Closed(message));
        }
        match ring.push(message) {
            Ok(()) => {
                drop(rings);
                // Partner: the fence in `bind`: an end that is not yet bound looks at its queues when it is.
                fence(Ordering::SeqCst);
                if let Some(bound) = self.0.shared.ends[to.index()].get() {
                    bound.messages.notify();
                }
                Ok(())
            }
            Err(rtrb::PushError::Full(message)) => Err(SendRefused::Full(message)),
        }
    }

    /// Sends, waiting for room.
    ///
    /// # Errors
    /// [`PeerGone`] when the receiving core has ended; the message is lost with it.
    pub async fn send(&self, to: CoreId, message: M) -> Result<(), PeerGone> {
        let mut pending = Some(message);
        poll_fn(|cx| {
            for announced in [false, true] {
                let message = pending.take().expect("polled after it was ready");
                match self.try_send(to, message) {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(SendRefused::Closed(_)) => return Poll::Ready(Err(PeerGone)),
                    Err(SendRefused::Full(message)) => pending = Some(message),
                }
                if !announced {
                    // Announce, fence, try again: partner is the fence in `MeshReceiver::make_room`.
                    self.0.room_seen.watch(cx);
                    let n = self.0.shared.ends.len();
                    self.0.shared.waits_for_room[to.index() * n + self.0.me]
                        .store(true, Ordering::Relaxed);
                    fence(Ordering::SeqCst);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// The receiving side of one core.
pub struct MeshReceiver<M> {
    from: Vec<rtrb::Consumer<M>>,
    /// The core whose queue is looked at first, so that none is always last.
    next: usize,
    me: usize,
    shared: Arc<Shared>,
    messages_seen: Notified,
}

impl<M> MeshReceiver<M> {
    /// The next message and who sent it, waiting for one.
    pub async fn recv(&mut self) -> (CoreId, M) {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The polling form of [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<(CoreId, M)> {
        loop {
            if let Some(message) = self.try_recv() {
                return Poll::Ready(message);
            }
            if self.messages_seen.poll_notified(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// The next message, if one is here.
    pub fn try_recv(&mut self) -> Option<(CoreId, M)> {
        let n = self.from.len();
        for i in 0..n {
            let sender = (self.next + i) % n;
            if let Ok(message) = self.from[sender].pop() {
                self.next = (sender + 1) % n;
                self.make_room(sender);
                return Some((CoreId(sender as u16), message));
            }
        }
        None
    }

    /// Tells a sender that waits that there is room now.
    fn make_room(&self, sender: usize) {
        // Partner: the fence in `MeshSender::send`. Either it sees the room we made, or we see that it waits.
        fence(Ordering::SeqCst);
        let waits = &self.shared.waits_for_room[self.me * self.shared.ends.len() + sender];
        if waits.load(Ordering::Relaxed)
            && waits.swap(false, Ordering::AcqRel)
            && let Some(bound) = self.shared.ends[sender].get()
        {
            bound.room.notify();
        }
    }
}

impl<M> Drop for MeshReceiver<M> {
    fn drop(&mut self) {
        self.from.clear();
        // Whoever waits for room learns that there will be none.
        for bound in self.shared.ends.iter().filter_map(OnceLock::get) {
            bound.room.notify();
        }
    }
}

/// Deals accepted sockets over the cores, round-robin: the kernel's hash may give all of four connections to one
/// core. All cores deal from one counter.
pub struct Dealer {
    next: Arc<AtomicUsize>,
    cores: usize,
    sender: MeshSender<Accepted>,
}

/// One core's part of the dealing, before it is bound.
pub struct DealerEnd {
    next: Arc<AtomicUsize>,
    end: MeshEnd<Accepted>,
}

/// The ends of a new dealing between `cores` cores.
pub fn dealer(cores: u16) -> Vec<DealerEnd> {
    let next = Arc::new(AtomicUsize::new(0));
    mesh(cores)
        .into_iter()
        .map(|end| DealerEnd {
            next: next.clone(),
            end,
        })
        .collect()
}

impl DealerEnd {
    /// Binds this end to its core: accepted sockets go into the [`Dealer`] and come out of the receiver of the core
    /// whose turn it is.
    pub fn bind(self, rt: &Rt) -> (Dealer, MeshReceiver<Accepted>) {
        let (sender, arrivals) = self.end.bind(rt);
        (
            Dealer {
                next: self.next,
                cores: usize::from(rt.cores()),
                sender,
            },
            arrivals,
        )
    }
}

impl Dealer {
    /// Gives the socket to the next core in turn.
    ///
    /// # Errors
    /// [`PeerGone`] when that core has ended; the socket is closed.
    pub async fn deal(&self, accepted: Accepted) -> Result<(), PeerGone> {
        let core = self.next.fetch_add(1, Ordering::Relaxed) % self.cores;
        self.sender.send(CoreId(core as u16), accepted).await
    }
}
