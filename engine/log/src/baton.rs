//! The writer role: one value that one core at a time may hold.
//!
//! Owns the hand-over of the right to write the log (design D11). Called by the leader, the follower
//! and the marker of every core. What always holds: at most one [`Held`] of a [`Baton`] exists; what
//! its holder did to the value is seen by the next. Nobody waits here: who finds the baton taken goes
//! away, and the protocol of [`Baton::arrive`] and [`Held::release`] makes sure that its work is seen:
//!
//! * who has work **publishes it, fences, then tries to take** the baton ([`Baton::arrive`]);
//! * who holds it **puts it down, fences, then looks** for work once more ([`Held::release`]).
//!
//! One of the two sees the other: without the fence in between, a core could seal while the holder
//! looked a moment too early, both would go away, and the commit would wait for the next one. The
//! model in `tests/loom_baton.rs` walks all interleavings, and fails when a fence is taken out.

#![allow(unsafe_code)]

use super::primitive::{AtomicBool, Ordering, UnsafeCell, fence};

/// A value with one holder at a time.
pub(crate) struct Baton<T> {
    held: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is only reached by whoever set `held` from false to true (acquire), until it sets
// it back (release), so it moves between threads but is never shared: `T: Send` suffices.
unsafe impl<T: Send> Sync for Baton<T> {}

/// The value in the hands of its holder; goes back when dropped.
pub(crate) struct Held<'a, T> {
    baton: &'a Baton<T>,
    value: Option<T>,
}

impl<T> Baton<T> {
    pub(crate) fn new(value: T) -> Baton<T> {
        Baton {
            held: AtomicBool::new(false),
            value: UnsafeCell::new(Some(value)),
        }
    }

    /// Takes the baton if nobody holds it. Work that the caller published before this call is either
    /// done by the caller, or seen by the present holder when it looks again after letting go.
    pub(crate) fn arrive(&self) -> Option<Held<'_, T>> {
        fence(Ordering::SeqCst);
        self.try_take()
    }

    fn try_take(&self) -> Option<Held<'_, T>> {
        // A look before the exchange, so that a crowd of committing cores shares the line.
        if self.held.load(Ordering::Relaxed)
            || self
                .held
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
        {
            return None;
        }
        // SAFETY: `held` went from false to true here, so no other thread is between its own exchange
        // and its store of false; the acquire makes the previous holder's write visible.
        let value = self.value.with_mut(|value| unsafe { (*value).take() });
        Some(Held { baton: self, value })
    }
}

impl<T> Held<'_, T> {
    /// Puts the baton down and then asks `look` whether there is work nobody has taken. When it says
    /// yes, the caller must arrive again.
    pub(crate) fn release<R>(self, look: impl FnOnce() -> R) -> R {
        drop(self);
        fence(Ordering::SeqCst);
        look()
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        let value = self.value.take();
        // SAFETY: this `Held` exists, so this thread holds the baton and no other touches the value.
        self.baton.value.with_mut(|place| unsafe { *place = value });
        self.baton.held.store(false, Ordering::Release);
    }
}

impl<T> std::ops::Deref for Held<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value
            .as_ref()
            .expect("the value is here until the baton is put down")
    }
}

impl<T> std::ops::DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value
            .as_mut()
            .expect("the value is here until the baton is put down")
    }
}
