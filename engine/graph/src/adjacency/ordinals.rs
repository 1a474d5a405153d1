//! Ordinals of dead edges, which are used again when a vertex has had so many edges that new ones run out (design D3).
//!
//! Owned here: [`Ordinals`], which a shard keeps for the few vertices that need it, and the search for free ordinals. Called by `write`
//! (under the token of the source's shard).
//! Always holds: an ordinal is given only if no entry of the source's list has it, and at most once until then. An entry leaves its list
//! when no snapshot sees the edge, active or to come, and no stamp in flight marks it; so nobody can name a dead edge whose ordinal is
//! given again. What is left of it elsewhere says by stamps that it is not meant: its entry at the target, which stands in front of the
//! new one's even under the same key; its record, which has a number of its own; entries of indexes, which are verified
//! against the edge and decided anew from what stands in the list. A replica takes what the log says: its readers may be older, and
//! find the dead entry beside the live one.
//! Left to others: inserting an edge at once with the ordinal that was given, before another is asked for.
//!
//! The search goes through the list twice, a chunk for each new edge: it counts ordinals by windows, and then collects those of the emptiest
//! window. So a new edge costs a chunk more while a search is on, and nothing before ordinals become scarce; only who has
//! run out waits for the search to end.

use super::chunk::Settled;
use super::recent;
use super::{Chunk, Key, List, directory};
use crate::memory::{Either, Guard};
use std::sync::atomic::{AtomicU32, Ordering};

/// Windows that the ordinals of a vertex are cut into.
const WINDOWS: u32 = 64;

/// Ordinals of one window: a bit for each that may be in use.
struct Window {
    first: u32,
    used: Vec<u64>,
    /// How many are free.
    left: u32,
    /// No word before this one has a free one.
    next: usize,
}

impl Window {
    /// All of `first..end` free.
    fn new(first: u32, end: u32) -> Window {
        let len = end - first;
        let mut used = vec![0; (len as usize).div_ceil(64)];
        if let Some(last) = used.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = u64::MAX << (len % 64);
        }
        Window {
            first,
            used,
            left: len,
            next: 0,
        }
    }

    /// Takes an ordinal out, if it is in here.
    fn mark(&mut self, ordinal: u32) {
        let Some(at) = ordinal.checked_sub(self.first) else {
            return;
        };
        if let Some(word) = self.used.get_mut(at as usize / 64) {
            let bit = 1 << (at % 64);
            self.left -= u32::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Takes out the first free one.
    fn take(&mut self) -> Option<u32> {
        let from = &self.used[self.next..];
        self.next += from.iter().position(|&word| word != u64::MAX)?;
        let bit = (!self.used[self.next]).trailing_zeros();
        let ordinal = self.first + self.next as u32 * 64 + bit;
        self.mark(ordinal);
        Some(ordinal)
    }
}

/// A search under way.
struct Search {
    stage: Stage,
    /// From here on the list has not been looked at in this stage.
    from: Key,
}

enum Stage {
    /// How many entries have an ordinal in each window.
    Count(Vec<u32>),
    /// Which of a window are free.
    Collect(Window),
}

/// What a step of a search has come to.
#[derive(PartialEq, Eq)]
enum Step {
    More,
    Found,
    Nothing,
}

/// The list of a source, what its counter of ordinals says, and how many ordinals there are.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) list: &'a List,
    pub(crate) counter: &'a AtomicU32,
    pub(crate) limit: u32,
    pub(crate) guard: &'a Guard<'a>,
}

impl<'a> Source<'a> {
    /// The next ordinal that has never been given.
    fn counted(&self) -> u32 {
        self.counter.load(Ordering::Relaxed)
    }

    /// Whether so many can be given without a thought.
    #[inline]
    pub(crate) fn are_plenty(&self, n: usize) -> bool {
        self.counted() as usize + n + self.reserve() as usize <= self.limit as usize
    }

    /// The ordinal of a new edge, which is inserted before anything else happens to the list; nothing where they are scarce.
    #[inline]
    pub(crate) fn next_of_plenty(&self) -> Option<u32> {
        let counted = self.counted();
        (counted < self.limit.saturating_sub(self.reserve())).then(|| {
            self.counter.store(counted + 1, Ordering::Relaxed);
            counted
        })
    }

    /// Never given: how many.
    fn fresh(&self) -> u32 {
        self.limit.saturating_sub(self.counted())
    }

    fn window(&self) -> u32 {
        self.limit.div_ceil(WINDOWS).next_multiple_of(64)
    }

    /// Fewer than this are scarce. A list of so many ordinals has no more than twice as many chunks, so the usual search ends in time.
    fn reserve(&self) -> u32 {
        (self.limit >> 8).max(16)
    }

    /// The chunk where a key belongs, and the least key of the next one.
    fn chunk(&self, key: Key) -> (Option<Chunk<'a>>, Option<Key>) {
        match self.list.load(self.guard) {
            None => (None, None),
            Some(Either::First(chunk)) => (Some(chunk), None),
            Some(Either::Second(directory)) => {
                let (branches, at) = (directory.items(), directory::index(directory, key));
                let next = branches.get(at + 1).map(|branch| branch.bound);
                (Some(branches[at].chunk(self.guard)), next)
            }
        }
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Ordinals {
    free: Vec<Window>,
    search: Option<Search>,
}

impl Ordinals {
    /// What it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let windows = self.free.iter().map(|window| window.used.len() * 8);
        let search = match self.search.as_ref().map(|search| &search.stage) {
            None => 0,
            Some(Stage::Count(counts)) => counts.len() * 4,
            Some(Stage::Collect(window)) => window.used.len() * 8,
        };
        windows.sum::<usize>() + search
    }

    /// How many can be given at once.
    pub(crate) fn available(&self, source: Source<'_>) -> usize {
        let free = self.free.iter().map(|window| window.left as usize);
        source.fresh() as usize + free.sum::<usize>()
    }

    /// Sees to it that `n` can be given; whether there are so many.
    pub(crate) fn ensure(&mut self, n: usize, source: Source<'_>) -> bool {
        while self.available(source) < n {
            // One that was begun before may not have seen what has gone since.
            let begun_before = self.search.is_some();
            let found = loop {
                match self.step(source) {
                    Step::More => {}
                    end => break end == Step::Found,
                }
            };
            if !found && !begun_before {
                return false;
            }
        }
        true
    }

    /// As [`Source::next_of_plenty`], where they are scarce; nothing if there is none. See [`Ordinals::ensure`].
    pub(crate) fn next(&mut self, source: Source<'_>) -> Option<u32> {
        if self.available(source) < source.reserve() as usize {
            self.step(source);
        }
        let counted = source.counted();
        if counted < source.limit {
            source.counter.store(counted + 1, Ordering::Relaxed);
            return Some(counted);
        }
        self.free.retain(|window| window.left > 0);
        self.free.last_mut()?.take()
    }

    /// Looks at one chunk.
    fn step(&mut self, source: Source<'_>) -> Step {
        let windows = source.limit.div_ceil(source.window()) as usize;
        let search = self.search.get_or_insert_with(|| Search {
            stage: Stage::Count(vec![0; windows]),
            from: Key::FIRST,
        });
        let (chunk, next) = source.chunk(search.from);
        if let Some(chunk) = chunk {
            let (settled, tail) = (Settled::of(chunk), recent::tail(chunk, source.guard));
            let of_settled = settled.ordinals();
            let of_settled = (0..settled.len()).map(|at| of_settled.get(at));
            let of_tail = (0..tail.len()).map(|at| tail.key(at).ordinal());
            for ordinal in of_settled.chain(of_tail) {
                match &mut search.stage {
                    Stage::Collect(window) => window.mark(ordinal),
                    Stage::Count(counts) => {
                        if let Some(n) = counts.get_mut((ordinal / source.window()) as usize) {
                            *n += 1;
                        }
                    }
                }
            }
        }
        if let Some(next) = next {
            search.from = next;
            return Step::More;
        }
        match self.search.take().map(|search| search.stage) {
            Some(Stage::Count(counts)) => match self.emptiest(&counts, source) {
                Some(window) => {
                    self.search = Some(Search {
                        stage: Stage::Collect(window),
                        from: Key::FIRST,
                    });
                    Step::More
                }
                None => Step::Nothing,
            },
            Some(Stage::Collect(window)) if window.left > 0 => {
                self.free.push(window);
                Step::Found
            }
            _ => Step::Nothing,
        }
    }

    /// The window with the fewest ordinals in use. None that is being given, and nothing that the counter has not reached: so no ordinal
    /// of it is given while the search goes through the list.
    fn emptiest(&self, counts: &[u32], source: Source<'_>) -> Option<Window> {
        let bounds = |at: usize| {
            let first = at as u32 * source.window();
            let end = (first + source.window()).min(source.counted());
            (first, end.max(first))
        };
        let room = |at: usize| {
            let (first, end) = bounds(at);
            let given = self
                .free
                .iter()
                .any(|window| window.left > 0 && window.first == first);
            if given {
                0
            } else {
                (end - first).saturating_sub(counts[at])
            }
        };
        let best = (0..counts.len()).max_by_key(|&at| room(at))?;
        let (first, end) = bounds(best);
        (room(best) > 0).then(|| Window::new(first, end))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_window_gives_each_ordinal_that_is_not_marked_once() {
        for len in [1, 63, 64, 65, 200] {
            let mut window = Window::new(128, 128 + len);
            for marked in [0, 127, 128, 130, 191, 192, 128 + len, 4_000_000] {
                window.mark(marked);
                window.mark(marked);
            }
            let expected: Vec<u32> = (128..128 + len)
                .filter(|ordinal| ![128, 130, 191, 192].contains(ordinal))
                .collect();
            assert_eq!(window.left as usize, expected.len());
            let taken: Vec<u32> = std::iter::from_fn(|| window.take()).collect();
            assert_eq!(taken, expected);
            assert_eq!(window.left, 0);
        }
    }
}
