//! The atomics of [`crate::baton`], in one place so that loom's can stand in.
//!
//! `tests/loom_baton.rs` compiles `baton.rs` beside a `primitive` module of loom's types.

#![allow(unsafe_code)]

pub(crate) use std::sync::atomic::{AtomicBool, Ordering, fence};

/// `std::cell::UnsafeCell` with loom's shape of access.
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    /// Gives the pointer to `f`, which may write through it while it is the only one that may.
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
