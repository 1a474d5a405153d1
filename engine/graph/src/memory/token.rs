//! The token: the right to write one shard, held by one core at a time (design D2).
//!
//! Owned here: [`Token`] and its guard. Called by `shard`.
//! Always holds: whoever has the guard is alone with the shard's state; the guard stays on its thread and is never held across
//! a yield; unwinding with a guard in hand aborts the process, since nobody could say what state the shard is in.
//! The Release store in the guard's `drop` publishes all that was written under it; its partner is the Acquire exchange in
//! [`Token::acquire`]. Any core takes a free token, also that of a core that sleeps.
//! Left to others: the order in which several tokens are taken (`shard` sorts them).

use crate::sync::{AtomicU32, Ordering, Padded, UnsafeCell, yield_now};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Tries before the waiting thread gives its turn to another.
const SPINS: u32 = if cfg!(loom) { 0 } else { 64 };

/// State that only the holder of the token touches. `ORDERED` is false only in the model that shows what the ordering is for.
#[derive(Debug)]
pub(crate) struct Token<T, const ORDERED: bool = true> {
    /// 0, or one more than the number of the core that holds it.
    holder: Padded<AtomicU32>,
    state: UnsafeCell<T>,
}

// SAFETY: the state is reached only through a guard, and the exchange in `acquire` gives out one guard at a time; the state moves
// between threads with the token, hence `T: Send`, and is never shared, hence no `T: Sync`.
unsafe impl<T: Send, const ORDERED: bool> Sync for Token<T, ORDERED> {}

/// The right to write; `!Send`.
pub(crate) struct TokenGuard<'t, T, const ORDERED: bool = true> {
    token: &'t Token<T, ORDERED>,
    stays: PhantomData<*const ()>,
    /// Whether it was taken while a panic was unwinding already: to undo what a session had written, by code that did not fail.
    unwinding: bool,
}

impl<T, const ORDERED: bool> Token<T, ORDERED> {
    /// A free token.
    pub(crate) fn new(state: T) -> Token<T, ORDERED> {
        Token {
            holder: Padded(AtomicU32::new(0)),
            state: UnsafeCell::new(state),
        }
    }

    /// Takes the token for core `core`, waiting for whoever has it. Holders do a batch and let go, so the wait is short.
    pub(crate) fn acquire(&self, core: u16) -> TokenGuard<'_, T, ORDERED> {
        let mut tries = 0;
        loop {
            match self.holder.0.compare_exchange(
                0,
                u32::from(core) + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    return TokenGuard {
                        token: self,
                        stays: PhantomData,
                        unwinding: std::thread::panicking(),
                    };
                }
                Err(holder) => assert!(
                    holder != u32::from(core) + 1,
                    "core {core} takes a token that it holds"
                ),
            }
            if tries < SPINS {
                tries += 1;
                std::hint::spin_loop();
            } else {
                yield_now();
            }
        }
    }
}

impl<T, const ORDERED: bool> Deref for TokenGuard<'_, T, ORDERED> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one; `&self` rules out a `&mut` from it.
        self.token.state.with(|state| unsafe { &*state })
    }
}

impl<T, const ORDERED: bool> DerefMut for TokenGuard<'_, T, ORDERED> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, and `&mut self` makes this the only reference from it.
        self.token.state.with_mut(|state| unsafe { &mut *state })
    }
}

impl<T, const ORDERED: bool> Drop for TokenGuard<'_, T, ORDERED> {
    fn drop(&mut self) {
        // A model that shows a race panics on purpose.
        if cfg!(not(loom)) && !self.unwinding && std::thread::panicking() {
            eprintln!("quoit: a writer failed while it held a shard; stopping");
            std::process::abort();
        }
        self.token.holder.0.store(
            0,
            if ORDERED {
                Ordering::Release
            } else {
                Ordering::Relaxed
            },
        );
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Two cores add to what they find; loom's cell notices any access that is not ordered behind the last.
    fn hand_over<const ORDERED: bool>() {
        loom::model(|| {
            let token: Arc<Token<u32, ORDERED>> = Arc::new(Token::new(0));
            let other = {
                let token = token.clone();
                thread::spawn(move || *token.acquire(1) += 1)
            };
            *token.acquire(0) += 1;
            other.join().unwrap();
            assert_eq!(*token.acquire(0), 2);
        });
    }

    #[test]
    fn loom_each_holder_sees_what_the_one_before_wrote() {
        hand_over::<true>();
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn loom_without_release_the_next_holder_can_miss_it() {
        hand_over::<false>();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn a_panic_with_a_token_in_hand_stops_the_process() {
        const CHILD: &str = "QUOIT_TEST_TOKEN_PANIC";
        let token: Token<u32> = Token::new(0);
        if std::env::var_os(CHILD).is_some() {
            let _guard = token.acquire(0);
            panic!("in the middle of a write");
        }
        let this = "memory::token::tests::a_panic_with_a_token_in_hand_stops_the_process";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this])
            .env(CHILD, "1")
            .output();
        let child = child.expect("the test binary starts again");
        // SIGABRT
        assert_eq!(
            child.status.signal(),
            Some(6),
            "{}",
            String::from_utf8_lossy(&child.stderr)
        );
    }

    #[test]
    fn a_core_that_takes_a_token_twice_is_told_so() {
        let token: Token<u32> = Token::new(0);
        assert_eq!(*token.acquire(0), 0);
        let guard = std::mem::ManuallyDrop::new(token.acquire(3));
        let again =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(token.acquire(3))));
        assert!(again.is_err());
        drop(std::mem::ManuallyDrop::into_inner(guard));
    }
}
