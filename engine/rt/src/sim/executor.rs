//! The executor of a simulation: tasks in seeded order, alarms in virtual time.

use super::{NodeId, World};
use crate::{CoreId, Instant, machine::LocalFuture};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
};

/// Where a task lives: tasks of an earlier life of a node are gone with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    pub(crate) node: NodeId,
    pub(crate) life: u32,
    pub(crate) core: CoreId,
}

/// Task numbers that are runnable. Behind a mutex only because `Waker` asks for `Send + Sync`; one thread uses it.
type Runnable = Arc<Mutex<BTreeSet<u64>>>;

struct TaskWaker {
    task: u64,
    runnable: Runnable,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.runnable
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .insert(self.task);
    }
}

struct SimTask {
    home: Home,
    /// Absent while it is being polled.
    future: Option<LocalFuture<()>>,
    waker: Waker,
}

#[derive(Default)]
pub(crate) struct Executor {
    tasks: RefCell<BTreeMap<u64, SimTask>>,
    runnable: Runnable,
    next_task: Cell<u64>,
    alarms: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next_alarm: Cell<u64>,
}

impl Executor {
    pub(crate) fn spawn(&self, home: Home, future: LocalFuture<()>) {
        let task = self.next_task.replace(self.next_task.get() + 1);
        let waker = Waker::from(Arc::new(TaskWaker {
            task,
            runnable: self.runnable.clone(),
        }));
        waker.wake_by_ref();
        self.tasks.borrow_mut().insert(
            task,
            SimTask {
                home,
                future: Some(future),
                waker,
            },
        );
    }

    /// Polls one runnable task, chosen by the world's chance. False when there is none.
    pub(crate) fn step(&self, world: &World) -> bool {
        let task = {
            let mut runnable = self.runnable.lock().unwrap_or_else(|e| e.into_inner());
            if runnable.is_empty() {
                return false;
            }
            let nth = world.random_below(runnable.len() as u64) as usize;
            let task = runnable.iter().nth(nth).copied().expect("below the length");
            runnable.remove(&task);
            task
        };
        let Some((mut future, waker)) = self
            .tasks
            .borrow_mut()
            .get_mut(&task)
            .and_then(|t| t.future.take().map(|future| (future, t.waker.clone())))
        else {
            // It has ended; a late wake-up.
            return true;
        };
        world.note(task);
        let done = future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        if done {
            drop(future);
            let gone = self.tasks.borrow_mut().remove(&task);
            drop(gone);
        } else if let Some(t) = self.tasks.borrow_mut().get_mut(&task) {
            t.future = Some(future);
        }
        true
    }

    /// Takes out all tasks of some homes; the caller drops them when nothing is borrowed.
    pub(crate) fn remove(&self, which: impl Fn(&Home) -> bool) -> Vec<LocalFuture<()>> {
        let mut tasks = self.tasks.borrow_mut();
        let gone: Vec<u64> = tasks
            .iter()
            .filter(|(_, t)| which(&t.home))
            .map(|(&id, _)| id)
            .collect();
        gone.into_iter()
            .filter_map(|id| tasks.remove(&id).and_then(|t| t.future))
            .collect()
    }

    /// Wakes `waker` at `at`.
    pub(crate) fn alarm(&self, at: Instant, waker: Waker) -> (Instant, u64) {
        let key = (at, self.next_alarm.replace(self.next_alarm.get() + 1));
        self.alarms.borrow_mut().insert(key, waker);
        key
    }

    pub(crate) fn silence(&self, key: (Instant, u64)) {
        let waker = self.alarms.borrow_mut().remove(&key);
        drop(waker);
    }

    pub(crate) fn next_alarm(&self) -> Option<Instant> {
        self.alarms.borrow().keys().next().map(|key| key.0)
    }

    /// Wakes everyone whose time has come.
    pub(crate) fn fire(&self, now: Instant) {
        loop {
            let due = {
                let mut alarms = self.alarms.borrow_mut();
                match alarms.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove(),
                    _ => return,
                }
            };
            due.wake();
        }
    }
}

/// Waits for a moment of virtual time.
pub(crate) async fn sleep_until(world: std::rc::Rc<World>, deadline: Instant) {
    struct Armed {
        world: std::rc::Rc<World>,
        key: Option<(Instant, u64)>,
    }
    impl Drop for Armed {
        fn drop(&mut self) {
            if let Some(key) = self.key {
                self.world.executor.silence(key);
            }
        }
    }
    let mut armed = Armed { world, key: None };
    std::future::poll_fn(|cx| {
        if let Some(key) = armed.key.take() {
            armed.world.executor.silence(key);
        }
        if armed.world.now.get() >= deadline {
            return std::task::Poll::Ready(());
        }
        armed.key = Some(armed.world.executor.alarm(deadline, cx.waker().clone()));
        std::task::Poll::Pending
    })
    .await;
}
