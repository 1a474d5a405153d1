//! All interleavings of the hand-over of the writer role, walked by loom.
//!
//! The module under test is compiled here a second time, beside loom's atomics instead of the
//! standard library's. The third test takes a fence out and demands that the model notices.

#![allow(unsafe_code)]

mod primitive {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering, fence};
}

#[path = "../src/baton.rs"]
mod baton;

use baton::Baton;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;

/// What the leader does, reduced to numbers: commits sealed, and the value in the baton, commits
/// gathered.
struct Log {
    sealed: AtomicU64,
    gathered: AtomicU64,
    baton: Baton<u64>,
}

impl Log {
    fn new() -> Arc<Log> {
        Arc::new(Log {
            sealed: AtomicU64::new(0),
            gathered: AtomicU64::new(0),
            baton: Baton::new(0),
        })
    }

    fn unled(&self) -> bool {
        self.sealed.load(Ordering::Relaxed) > self.gathered.load(Ordering::Relaxed)
    }

    fn lead_once(&self, held: &mut u64) {
        *held = self.sealed.load(Ordering::Acquire);
        self.gathered.store(*held, Ordering::Relaxed);
    }

    /// A core commits and then leads for as long as there is work that nobody leads.
    fn commit(&self) {
        self.sealed.fetch_add(1, Ordering::Release);
        while let Some(mut held) = self.baton.arrive() {
            self.lead_once(&mut held);
            if !held.release(|| self.unled()) {
                return;
            }
        }
    }

    /// As [`Log::commit`], but looks again without the fence.
    fn commit_without_fence(&self) {
        self.sealed.fetch_add(1, Ordering::Release);
        while let Some(mut held) = self.baton.arrive() {
            self.lead_once(&mut held);
            drop(held);
            if !self.unled() {
                return;
            }
        }
    }
}

fn model(commit: fn(&Log)) {
    loom::model(move || {
        let log = Log::new();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let log = log.clone();
                thread::spawn(move || commit(&log))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        fence(Ordering::SeqCst);
        assert_eq!(
            log.gathered.load(Ordering::Relaxed),
            2,
            "a sealed commit was led by nobody"
        );
    });
}

#[test]
fn every_sealed_commit_is_led_by_somebody() {
    model(Log::commit);
}

#[test]
fn the_value_is_never_in_two_hands() {
    loom::model(|| {
        let baton = Arc::new(Baton::new(0));
        let other = baton.clone();
        let thread = thread::spawn(move || {
            if let Some(mut held) = other.arrive() {
                *held += 1;
            }
        });
        if let Some(mut held) = baton.arrive() {
            *held += 1;
        }
        thread.join().unwrap();
        assert!(*baton.arrive().expect("nobody holds it") >= 1);
    });
}

#[test]
#[should_panic(expected = "a sealed commit was led by nobody")]
fn without_the_fence_a_commit_can_be_left_behind() {
    model(Log::commit_without_fence);
}
