//! Who takes what: the counter of morsels and the seats of those that may help.
//!
//! Owned here: [`Morsels`] and [`Seat`], the two words that cores contend for. Called by `job` and the operator that scans.
//! Always holds: a morsel is given once; a seat that the leader has withdrawn takes no morsel, and one that was taken is waited
//! for (model-checked).

#[cfg(loom)]
use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use quoit_graph::SlotBits;
use quoit_graph::ids::{PAGE_SLOTS, PageId};

/// Parts of a page that are dealt out one by one where there are few pages.
const PARTS: usize = 8;

/// Pages for each core from which on they are dealt out whole.
const PAGES_EACH: usize = 16;

/// Vertices to be looked at, in portions.
#[derive(Debug)]
pub struct Morsels {
    pages: Box<[PageId]>,
    /// Portions that a page is dealt out in.
    parts: usize,
    /// The next portion. Relaxed: it publishes nothing.
    next: AtomicUsize,
}

/// A portion: some slots of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Morsel {
    /// The page.
    pub page: PageId,
    /// Which slots of it, from the first up to the last, that one not included: multiples of 64.
    slots: (usize, usize),
}

impl Morsel {
    /// The slots of the page that belong to it; none: all of them.
    pub fn part(&self) -> Option<SlotBits> {
        let (first, end) = self.slots;
        (self.slots != (0, PAGE_SLOTS)).then(|| {
            std::array::from_fn(|word| match word * 64 {
                at if (first..end).contains(&at) => u64::MAX,
                _ => 0,
            })
        })
    }
}

impl Morsels {
    /// The vertices of these pages, for so many cores.
    pub fn new(pages: Vec<PageId>, cores: u16) -> Morsels {
        let many = pages.len() >= PAGES_EACH * usize::from(cores);
        Morsels {
            parts: if many || cores == 1 { 1 } else { PARTS },
            pages: pages.into(),
            next: AtomicUsize::new(0),
        }
    }

    /// How many there are, taken or not.
    pub fn count(&self) -> usize {
        self.pages.len() * self.parts
    }

    /// The next one, which nobody else gets.
    pub fn take(&self) -> Option<Morsel> {
        // So that asking again and again at the end does not run the counter over.
        if self.next.load(Ordering::Relaxed) >= self.count() {
            return None;
        }
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let page = *self.pages.get(next / self.parts)?;
        let part = next % self.parts;
        let slots = PAGE_SLOTS / self.parts;
        Some(Morsel {
            page,
            slots: (part * slots, (part + 1) * slots),
        })
    }
}

const FREE: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// The place of one core that may help.
#[derive(Debug, Default)]
pub(super) struct Seat(AtomicU8);

impl Seat {
    /// For the helper: may it begin? It must, before it takes a morsel.
    pub(super) fn take(&self) -> bool {
        self.set(TAKEN)
    }

    /// For the leader: true if the core has not begun, and now never will.
    pub(super) fn withdraw(&self) -> bool {
        self.set(WITHDRAWN) || self.0.load(Ordering::Relaxed) == WITHDRAWN
    }

    fn set(&self, state: u8) -> bool {
        self.0
            .compare_exchange(FREE, state, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A leader and a helper share two morsels; `heeds` is whether the leader withdraws the seat before it ends without the helper.
    fn share(heeds: bool) {
        loom::model(move || {
            let shared = Arc::new((
                Morsels::new(vec![PageId(0), PageId(1)], 1),
                Seat::default(),
                AtomicUsize::new(0),
            ));
            let helper = {
                let shared = shared.clone();
                thread::spawn(move || {
                    let (morsels, seat, found) = &*shared;
                    if seat.take() {
                        while morsels.take().is_some() {
                            found.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            };
            let (morsels, seat, found) = &*shared;
            let mut own = 0;
            while morsels.take().is_some() {
                own += 1;
            }
            let alone = !heeds || seat.withdraw();
            helper.join().unwrap();
            let helped = found.load(Ordering::Relaxed);
            assert_eq!(own + helped, 2, "each morsel is taken once");
            assert!(!alone || helped == 0, "the leader ended without a morsel");
        });
    }

    #[test]
    fn loom_a_leader_waits_for_whoever_took_a_morsel() {
        share(true);
    }

    #[test]
    #[should_panic(expected = "the leader ended without a morsel")]
    fn loom_a_leader_that_withdraws_no_seat_ends_too_early() {
        share(false);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn all_vertices_are_in_one_morsel_each_whatever_the_number_of_pages() {
        for (pages, cores) in [(0, 2), (1, 2), (3, 4), (40, 2), (3, 1)] {
            let morsels = Morsels::new((0..pages).map(PageId).collect(), cores);
            let mut seen = vec![0; pages as usize * PAGE_SLOTS];
            let mut taken = 0;
            while let Some(morsel) = morsels.take() {
                taken += 1;
                let part = morsel.part().unwrap_or([u64::MAX; PAGE_SLOTS / 64]);
                for slot in quoit_graph::each_slot(&part) {
                    seen[morsel.page.0 as usize * PAGE_SLOTS + slot] += 1;
                }
            }
            assert_eq!(taken, morsels.count());
            assert!(seen.iter().all(|times| *times == 1), "{pages} pages");
        }
    }
}
