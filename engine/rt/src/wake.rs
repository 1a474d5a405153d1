//! The wake board: how any thread makes a core look up, without a lost wake-up and almost without a system call.
//!
//! Owned by one core, written by all. A raiser sets its bit; the core takes all set bits at each turn of its
//! driver. A sleeping core is rung through its doorbell (an eventfd, see `doorbell`), and only then.
//!
//! The argument for "no lost wake-up" is the store-buffer pattern of two threads that each write, fence and read:
//!
//! | raiser | core about to sleep |
//! | --- | --- |
//! | 1. set bit, set group | 1. store `asleep` |
//! | 2. `fence(SeqCst)` | 2. `fence(SeqCst)` |
//! | 3. load `asleep` → ring if set | 3. load groups → stay awake if any |
//!
//! The two fences have one order in every execution, so at least one side sees the other's store: either the core
//! stays awake or the raiser rings. `tests/loom_notifier.rs` walks every interleaving of this file, and finds a
//! lost wake-up when either fence is taken out.
//!
//! What it leaves to others: what a bit means (`notify`), and how a core sleeps (`driver`).

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Words of 64 slots each; one bit of the group word stands for each. Two are enough for a model.
#[cfg(not(loom))]
const GROUPS: usize = 64;
#[cfg(loom)]
const GROUPS: usize = 2;

/// Slots of one board. More notifiers than this share slots, which costs spurious wake-ups and nothing else.
pub const SLOTS: usize = GROUPS * 64;

/// The shared flags of one core.
pub struct WakeBoard {
    /// Bit `g` set: some bit of `slots[g]` is set, or was set a moment ago.
    groups: AtomicU64,
    /// The core has announced that it sleeps, and nobody has rung since.
    asleep: AtomicBool,
    slots: [AtomicU64; GROUPS],
}

impl Default for WakeBoard {
    fn default() -> Self {
        WakeBoard {
            groups: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            slots: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl WakeBoard {
    /// Raises `slot` (modulo [`SLOTS`]). True: the core sleeps and the caller, who alone got this answer, must ring
    /// its doorbell. Everything the caller wrote before is visible to whoever takes the slot.
    #[must_use]
    pub fn raise(&self, slot: usize) -> bool {
        let slot = slot % SLOTS;
        let (group, bit) = (slot / 64, 1u64 << (slot % 64));
        // Partner: the swap in `take`. Release: what the caller wrote; Acquire: keeps a coalesced raise ordered
        // after the one it joins. Whoever set the bit first goes on to set the group and to ring.
        if self.slots[group].fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return false;
        }
        self.groups.fetch_or(1 << group, Ordering::Release);
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }

    /// True when something may have been raised. One relaxed load: cheap enough for the inner loop of a scan.
    pub fn is_raised(&self) -> bool {
        self.groups.load(Ordering::Relaxed) != 0
    }

    /// Takes every raised slot, calling `each` with its number. Only the owning core calls this.
    pub fn take(&self, mut each: impl FnMut(usize)) {
        let mut groups = self.groups.swap(0, Ordering::Acquire);
        while groups != 0 {
            let group = groups.trailing_zeros() as usize;
            groups &= groups - 1;
            let mut bits = self.slots[group].swap(0, Ordering::AcqRel);
            while bits != 0 {
                each(group * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// Announces sleep. True: the core may wait for its doorbell. False: something was raised; do not sleep.
    #[must_use]
    pub fn announce_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.groups.load(Ordering::Relaxed) != 0 {
            self.asleep.store(false, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Takes the announcement back. A ring that is already on its way arrives as a spurious one.
    pub fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }
}
