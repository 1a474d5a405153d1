//! The hot ring of a core: sockets and file data over an io_uring of our own.
//!
//! It owns the connections and waiting operations of its core and turns kernel events into wake-ups. The driver
//! calls [`HotRing::turn`]; links (`stream`), listeners (`listen`) and files (`disk::local`) queue operations between
//! turns. `kernel` owns all memory that the kernel may touch; this file and its other children are safe code.
//!
//! What always holds: one send in flight a connection, so bytes keep their order; wakers are called and dropped
//! outside every borrow, since dropping one may drop a task and with it a stream of this very ring.
//!
//! It leaves to the driver when to turn, when to spin and when to sleep.

pub(crate) mod kernel;
pub(crate) mod listen;
pub(crate) mod operation;
pub(crate) mod provided;
pub(crate) mod stream;

use crate::{buffer::BufferStore, doorbell::Doorbell};
use kernel::{Event, KernelRing, Token};
use listen::Listening;
use operation::Wait;
use slab::Slab;
use smallvec::SmallVec;
use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::Waker,
};
use stream::Conn;

/// One core's ring, shared by what uses it on that core.
pub(crate) struct HotRing {
    state: RefCell<State>,
    /// The driver, while it is parked or about to be.
    driver: RefCell<Option<Waker>>,
    /// Something was queued since the last turn.
    kicked: Cell<bool>,
    spent: Rc<BufferStore>,
}

/// Everything behind the one borrow.
pub(super) struct State {
    /// Gone once the core is ending.
    kernel: Option<KernelRing>,
    conns: Slab<Conn>,
    listeners: Slab<Listening>,
    waits: Slab<Wait>,
    /// Connections with something to send that is not yet queued.
    dirty: Vec<usize>,
    /// Connections whose receive ended for want of buffers.
    starved: Vec<usize>,
    events: Vec<Event>,
    /// Wakers to call once the borrow has ended.
    wake: Wakers,
}

pub(super) type Wakers = SmallVec<[Waker; 16]>;

impl HotRing {
    /// Makes the ring of the calling thread's core.
    pub(crate) fn new(
        doorbell: &Doorbell,
        recv_buffers: u16,
        spent: Rc<BufferStore>,
    ) -> io::Result<Rc<HotRing>> {
        let bell = doorbell.fd().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Rc::new(HotRing {
            state: RefCell::new(State {
                kernel: Some(KernelRing::new(bell, recv_buffers)?),
                conns: Slab::new(),
                listeners: Slab::new(),
                waits: Slab::new(),
                dirty: Vec::new(),
                starved: Vec::new(),
                events: Vec::with_capacity(1024),
                wake: Wakers::new(),
            }),
            driver: RefCell::new(None),
            kicked: Cell::new(false),
            spent,
        }))
    }

    /// One turn: queues what connections have to send, enters the kernel, hands out what has completed. True when
    /// anything happened.
    pub(crate) fn turn(&self) -> io::Result<bool> {
        let kicked = self.kicked.replace(false);
        let mut state = self.state.borrow_mut();
        state.queue_sends();
        let mut events = std::mem::take(&mut state.events);
        let turned = match &mut state.kernel {
            Some(kernel) => kernel.turn(&mut events),
            None => Ok(()),
        };
        let progress = kicked || !events.is_empty();
        for event in events.drain(..) {
            state.handle(event, &self.spent);
        }
        state.events = events;
        state.rearm_starved();
        drop(state);
        self.wake_all();
        turned.map(|()| progress)
    }

    /// True when a turn would find something to do. A few loads.
    pub(crate) fn has_waiting(&self) -> bool {
        if self.kicked.get() {
            return true;
        }
        match self.state.try_borrow_mut() {
            Ok(mut state) => state.kernel.as_mut().is_some_and(KernelRing::has_waiting),
            Err(_) => false,
        }
    }

    /// Before sleeping: true when the doorbell will ring for whatever comes.
    pub(crate) fn arm_doorbell(&self) -> bool {
        !self.kicked.get()
            && self
                .state
                .borrow_mut()
                .kernel
                .as_mut()
                .is_none_or(KernelRing::arm_doorbell)
    }

    /// After sleeping.
    pub(crate) fn disarm_doorbell(&self) {
        if let Some(kernel) = &mut self.state.borrow_mut().kernel {
            kernel.disarm_doorbell();
        }
    }

    /// Has something been queued since the last turn? If not, remembers whom to wake when it is.
    pub(crate) fn kicked_or_park(&self, driver: &Waker) -> bool {
        if self.kicked.get() {
            return true;
        }
        let old = self.driver.borrow_mut().replace(driver.clone());
        drop(old);
        false
    }

    /// Gets the driver to take a turn soon.
    pub(crate) fn kick(&self) {
        self.kicked.set(true);
        let driver = self.driver.borrow_mut().take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Ends the ring: cancels everything, waits for the kernel to let go, and fails whoever still waits.
    pub(crate) fn close(&self) {
        let (kernel, conns, listeners, waits, wake) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            state
                .conns
                .iter_mut()
                .for_each(|(_, conn)| conn.fail(libc::ECANCELED, &mut state.wake));
            (
                state.kernel.take(),
                std::mem::take(&mut state.conns),
                std::mem::take(&mut state.listeners),
                std::mem::take(&mut state.waits),
                std::mem::take(&mut state.wake),
            )
        };
        // Each of these may run foreign code as it goes (wakers that drop tasks), so none under the borrow.
        drop(kernel);
        drop((conns, listeners, waits));
        wake.into_iter().for_each(Waker::wake);
    }

    fn wake_all(&self) {
        let wake = std::mem::take(&mut self.state.borrow_mut().wake);
        wake.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn handle(&mut self, event: Event, spent: &BufferStore) {
        match event {
            Event::Accepted {
                token: Token::Listener(key),
                result,
                more,
            } => self.accepted(key, result, more),
            Event::Received {
                token: Token::Recv(key),
                result,
                more,
            } => self.received(key, result, more),
            Event::Done {
                token: Token::Send(key),
                op,
                result,
            } => self.sent(key, op, result, spent),
            Event::Done {
                token: Token::Wait(key),
                op,
                result,
            } => self.waited(key, op, result),
            _ => unreachable!("an operation reports to the kind of token it was submitted with"),
        }
    }
}

/// The error of a ring that has ended with its core.
pub(super) fn core_ended() -> io::Error {
    io::Error::other("the core is shutting down")
}
