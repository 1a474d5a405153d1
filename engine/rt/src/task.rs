//! A task of one core: started by [`Rt::spawn`](crate::Rt::spawn), awaited, cancelled, or let go.
//!
//! The same wrapper serves every executor: the executor runs an opaque future; this module keeps the result, the
//! waiter and the wish to cancel beside it. What always holds: a task is polled on its own core only; dropping its
//! handle lets it run on; cancelling drops its future at its next turn, never in the middle of a poll.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// The handle of a spawned task. Dropping it detaches the task.
///
/// Awaiting gives `Some(output)`, or `None` when the task was cancelled before it finished.
pub struct Task<T> {
    cell: Rc<RefCell<TaskCell<T>>>,
}

struct TaskCell<T> {
    output: Option<T>,
    finished: bool,
    cancelled: bool,
    awaiter: Option<Waker>,
    runner: Option<Waker>,
}

impl<T> Task<T> {
    /// Asks the task to stop: its future is dropped the next time the executor reaches it. Idempotent; without
    /// effect on a task that has finished.
    pub fn cancel(&self) {
        let runner = {
            let mut cell = self.cell.borrow_mut();
            cell.cancelled = true;
            cell.runner.take()
        };
        if let Some(runner) = runner {
            runner.wake();
        }
    }

    /// True once the task has returned or its future has been dropped.
    pub fn is_finished(&self) -> bool {
        self.cell.borrow().finished
    }

    /// Lets the task run on by itself; the same as dropping the handle, said aloud.
    pub fn detach(self) {}
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut cell = self.cell.borrow_mut();
        if cell.finished {
            return Poll::Ready(cell.output.take());
        }
        cell.awaiter = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The future an executor runs for a task.
pub(crate) struct Runner<F: Future> {
    future: Pin<Box<F>>,
    guard: FinishGuard<F::Output>,
}

/// Marks the task finished however its future ends: by returning, by being cancelled, or by being dropped with
/// its executor.
struct FinishGuard<T>(Rc<RefCell<TaskCell<T>>>);

impl<T> Drop for FinishGuard<T> {
    fn drop(&mut self) {
        let awaiter = {
            let mut cell = self.0.borrow_mut();
            cell.finished = true;
            cell.runner = None;
            cell.awaiter.take()
        };
        if let Some(awaiter) = awaiter {
            awaiter.wake();
        }
    }
}

/// Splits a future into what the executor runs and the handle its starter holds.
pub(crate) fn task<F: Future + 'static>(future: F) -> (Runner<F>, Task<F::Output>) {
    let cell = Rc::new(RefCell::new(TaskCell {
        output: None,
        finished: false,
        cancelled: false,
        awaiter: None,
        runner: None,
    }));
    (
        Runner {
            future: Box::pin(future),
            guard: FinishGuard(cell.clone()),
        },
        Task { cell },
    )
}

impl<F: Future> Future for Runner<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        {
            let mut cell = self.guard.0.borrow_mut();
            if cell.cancelled {
                return Poll::Ready(());
            }
            if !cell
                .runner
                .as_ref()
                .is_some_and(|w| w.will_wake(cx.waker()))
            {
                cell.runner = Some(cx.waker().clone());
            }
        }
        match self.future.as_mut().poll(cx) {
            Poll::Ready(output) => {
                self.guard.0.borrow_mut().output = Some(output);
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
