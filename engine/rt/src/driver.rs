//! The driver: the one task of a core that turns its ring, delivers notifications, and puts the core to sleep.
//!
//! A turn: submit what was queued and reap what completed (`ring`), deliver what other cores raised (`notify`), then
//! let every task it woke have its turn, and begin again. When a turn finds nothing it spins for a while, if that has
//! paid lately; then it arms the ring's doorbell, announces sleep on the wake board, and waits for the doorbell
//! through glommio, which runs other queues, and parks the thread when there is nothing at all to do.
//!
//! What always holds: before each wait both looks are taken again after the announcement (`arm_doorbell`,
//! `announce_sleep`), so no completion and no notification is slept through.

use crate::{
    Notified, Rt,
    doorbell::{Doorbell, DoorbellWait},
    live::{LiveMachine, ReactorVisits},
    ring::HotRing,
    task,
};
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

/// One core, ready to run.
pub(crate) struct Driver {
    rt: Rt,
    machine: Rc<LiveMachine>,
    ring: Option<Rc<HotRing>>,
    shutdown: Notified,
    bell: DoorbellWait,
    visits: Rc<ReactorVisits>,
    spin: Spin,
    stop: Cell<bool>,
    /// Turns that found something to do.
    turns: Cell<u64>,
    /// What stopped the driver, if anything did.
    failed: RefCell<Option<io::Error>>,
}

impl Driver {
    /// Must be called on the core's executor.
    pub(crate) fn new(
        rt: Rt,
        machine: Rc<LiveMachine>,
        ring: Option<Rc<HotRing>>,
        shutdown: Notified,
        visits: Rc<ReactorVisits>,
        spin_max: Duration,
    ) -> io::Result<Driver> {
        let bell: &Doorbell = &rt.0.all[rt.core().index()].doorbell;
        let on_ring = visits.clone();
        let (bell, listen) = DoorbellWait::new(bell, move || on_ring.visited())?;
        machine.spawn_latency(Box::pin(listen));
        Ok(Driver {
            rt,
            machine,
            ring,
            shutdown,
            bell,
            visits,
            spin: Spin::new(spin_max),
            stop: Cell::new(false),
            turns: Cell::new(0),
            failed: RefCell::new(None),
        })
    }

    /// Runs the core's main future beside the driver, until the main future returns.
    ///
    /// # Panics
    /// When the kernel refuses the ring's service altogether: the core cannot go on, and says so by ending.
    pub(crate) async fn run(self, main: impl Future<Output = ()> + 'static) {
        let driver = Rc::new(self);
        let (runner, main) = task::task(main);
        driver.machine.spawn_latency(Box::pin(runner));
        let (runner, turning) = task::task(turn_until_stopped(driver.clone()));
        driver.machine.spawn_latency(Box::pin(runner));
        for nth in 0..WATCHES {
            driver
                .machine
                .spawn_latency(Box::pin(watch(driver.clone(), nth)));
        }
        let mut turning = Box::pin(turning);
        let mut main = Box::pin(main);
        poll_fn(|cx| {
            if turning.as_mut().poll(cx).is_ready() {
                Poll::Ready(())
            } else {
                main.as_mut().poll(cx).map(drop)
            }
        })
        .await;
        driver.stop.set(true);
        if let Some(ring) = &driver.ring {
            ring.close();
        }
        if let Some(e) = driver.failed.take() {
            panic!("the hot ring of core {} failed: {e}", driver.rt.core().0);
        }
    }
}

async fn turn_until_stopped(driver: Rc<Driver>) {
    let board = driver.rt.0.all.clone();
    let board = &board[driver.rt.core().index()].board;
    while !driver.stop.get() {
        let mut progress = false;
        if let Some(ring) = &driver.ring {
            match ring.turn() {
                Ok(turned) => progress |= turned,
                Err(e) => {
                    *driver.failed.borrow_mut() = Some(e);
                    return;
                }
            }
        }
        progress |= driver.rt.0.slots.deliver(board);
        if driver.shutdown.take() {
            driver.rt.announce_shutdown();
        }
        if progress {
            driver.turns.set(driver.turns.get() + 1);
            driver.visits.requeue().await;
            continue;
        }
        let has_work =
            || board.is_raised() || driver.ring.as_ref().is_some_and(|ring| ring.has_waiting());
        if driver
            .spin
            .until(&driver.rt, &driver.visits, has_work)
            .await
        {
            continue;
        }
        if driver
            .ring
            .as_ref()
            .is_some_and(|ring| !ring.arm_doorbell())
        {
            continue;
        }
        if board.announce_sleep() {
            poll_fn(|cx| driver.poll_wake(cx.waker(), cx)).await;
            board.awake();
        }
        if let Some(ring) = &driver.ring {
            ring.disarm_doorbell();
        }
    }
}

impl Driver {
    fn poll_wake(&self, waker: &Waker, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let kicked = match &self.ring {
            Some(ring) => ring.kicked_or_park(waker),
            None => self.machine.raised_or_park(waker),
        };
        if kicked {
            return Poll::Ready(());
        }
        match self.bell.poll_rung(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(e)) => {
                *self.failed.borrow_mut() = Some(e);
                self.stop.set(true);
                Poll::Ready(())
            }
        }
    }
}

/// Timers that keep the executor from sleeping on with work in its queues.
///
/// They stand behind `ReactorVisits`, which tells the flaw of glommio 0.9 and makes it most unlikely: a core that
/// parks with runnable tasks sleeps until some event reaches one of glommio's rings, and any timer is such an event.
/// One that is hit by the same flaw is not armed again before its task runs, so there are several, staggered.
const WATCHES: u32 = 3;
/// A core that worked during the last period looks every 2 ms.
const WATCH_BUSY: Duration = Duration::from_millis(2);
/// An idle core looks every 20 ms, which costs less than a thousandth of it.
const WATCH_IDLE: Duration = Duration::from_millis(20);

async fn watch(driver: Rc<Driver>, nth: u32) {
    driver.rt.sleep(WATCH_BUSY * nth).await;
    let mut turns = 0;
    while !driver.stop.get() {
        let busy = turns != driver.turns.get();
        turns = driver.turns.get();
        driver
            .rt
            .sleep(if busy { WATCH_BUSY } else { WATCH_IDLE } * WATCHES)
            .await;
    }
}

/// Spinning before sleep, as long as it pays: waking a sleeping core costs tens of microseconds, a spinning one
/// nothing but the power and whoever else wanted the CPU.
struct Spin {
    max: Duration,
    /// Parks to skip before spinning is tried again.
    skip: Cell<u32>,
    /// Consecutive spins in vain; each doubles the parks skipped.
    vain: Cell<u32>,
}

/// What giving way takes at most when nobody takes the turn.
const NOTHING: Duration = Duration::from_micros(10);
/// Up to 2^10 parks without a spin after ten in vain: then it costs a thousandth.
const VAIN_MAX: u32 = 10;

impl Spin {
    fn new(max: Duration) -> Spin {
        Spin {
            max,
            skip: Cell::new(0),
            vain: Cell::new(0),
        }
    }

    /// Spins, letting the other tasks of the queue run, until there is work (true) or it has taken too long.
    async fn until(&self, rt: &Rt, visits: &ReactorVisits, has_work: impl Fn() -> bool) -> bool {
        if self.max.is_zero() {
            return false;
        }
        if self.skip.get() > 0 {
            self.skip.set(self.skip.get() - 1);
            return false;
        }
        let mut now = rt.now();
        let deadline = now + self.max;
        while now < deadline {
            if has_work() {
                self.vain.set(0);
                return true;
            }
            // Whoever else wants this CPU gets it, and then this spin was in vain.
            std::thread::yield_now();
            let back = rt.now();
            if back.saturating_since(now) > NOTHING {
                break;
            }
            visits.requeue().await;
            now = rt.now();
            if now.saturating_since(back) > NOTHING {
                // The core's own tasks have work: it is not idle, and they wake this task when they yield.
                return false;
            }
        }
        self.vain.set((self.vain.get() + 1).min(VAIN_MAX));
        self.skip.set((1 << self.vain.get()) - 2);
        false
    }
}
