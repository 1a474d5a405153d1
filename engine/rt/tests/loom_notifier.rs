//! The wake board under every interleaving (loom). Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p quoit-rt --test loom_notifier --release`.
#![cfg(loom)]

#[path = "../src/wake.rs"]
mod wake;

use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};
use wake::WakeBoard;

/// A core that sleeps as the driver does, and the bell it sleeps on.
struct Core {
    board: WakeBoard,
    /// Rings that the core has not yet heard.
    rings: AtomicUsize,
    /// What raisers write before they raise; relaxed, so that only the board orders it.
    written: [AtomicBool; 2],
}

fn core() -> Arc<Core> {
    Arc::new(Core {
        board: WakeBoard::default(),
        rings: AtomicUsize::new(0),
        written: [AtomicBool::new(false), AtomicBool::new(false)],
    })
}

fn raise(core: &Core, slot: usize, writer: usize) {
    core.written[writer].store(true, Ordering::Relaxed);
    if core.board.raise(slot) {
        core.rings.fetch_add(1, Ordering::SeqCst);
    }
}

/// Takes what is raised; true when all `expected` slots have been seen, each with what was written before it.
fn look(core: &Core, seen: &mut [bool; 2], slots: [usize; 2]) {
    core.board.take(|slot| {
        for (i, &s) in slots.iter().enumerate() {
            if s == slot {
                seen[i] = true;
            }
        }
    });
}

/// One raiser and a core that looks, announces sleep, and would sleep: afterwards either it has seen the slot, or it
/// sleeps with a ring on its way.
#[test]
fn a_raise_is_seen_or_rings() {
    loom::model(|| {
        let core = core();
        let raiser = {
            let core = core.clone();
            thread::spawn(move || raise(&core, 3, 0))
        };
        let mut seen = [false; 2];
        look(&core, &mut seen, [3, 3]);
        let sleeps = !seen[0] && core.board.announce_sleep();
        raiser.join().unwrap();
        if sleeps {
            assert_eq!(
                core.rings.load(Ordering::SeqCst),
                1,
                "a sleeping core is rung"
            );
        }
        core.board.awake();
        look(&core, &mut seen, [3, 3]);
        assert!(seen[0], "the raise is on the board");
        assert!(
            core.written[0].load(Ordering::Relaxed),
            "what was written before the raise is visible"
        );
    });
}

/// Two raisers, in two groups or on one slot: a sleeping core is rung exactly once, and nothing is lost.
fn two_raisers(slots: [usize; 2]) {
    loom::model(move || {
        let core = core();
        let raisers: Vec<_> = (0..2)
            .map(|i| {
                let core = core.clone();
                thread::spawn(move || raise(&core, slots[i], i))
            })
            .collect();
        let mut seen = [false; 2];
        let sleeps = core.board.announce_sleep();
        for raiser in raisers {
            raiser.join().unwrap();
        }
        let rings = core.rings.load(Ordering::SeqCst);
        assert!(rings <= 1, "one ring wakes it");
        if sleeps {
            assert_eq!(rings, 1, "a sleeping core is rung");
        }
        core.board.awake();
        look(&core, &mut seen, slots);
        assert_eq!(seen, [true, true]);
        assert!(core.written.iter().all(|w| w.load(Ordering::Relaxed)));
    });
}

#[test]
fn two_raisers_of_different_groups_ring_once() {
    two_raisers([1, 65]);
}

#[test]
fn two_raisers_of_one_slot_ring_once() {
    two_raisers([7, 7]);
}

/// A raise while the core takes: whoever's bit was taken early has its writes seen, and none stays behind unseen.
#[test]
fn a_raise_during_a_take_is_seen_then_or_later() {
    loom::model(|| {
        let core = core();
        let raiser = {
            let core = core.clone();
            thread::spawn(move || {
                raise(&core, 1, 0);
                raise(&core, 2, 1);
            })
        };
        let mut seen = [false; 2];
        look(&core, &mut seen, [1, 2]);
        if seen[1] {
            assert!(
                core.written[0].load(Ordering::Relaxed) && core.written[1].load(Ordering::Relaxed)
            );
        }
        raiser.join().unwrap();
        look(&core, &mut seen, [1, 2]);
        assert_eq!(seen, [true, true]);
    });
}
