//! The settled part of a list, or of a piece of it: sorted, dense, immutable, without stamps.
//!
//! Owned here: the layout of a chunk's words, packing and searching. Called by the rest of `adjacency`.
//!
//! ```text
//! head:   recent | tag of the only run, or number of runs | shape: entries, width of ordinals, what is there
//! words:  runs (tag, end) if several | neighbours, lower halves | records if any | ordinals in 1, 2 or 4 bytes
//! ```
//!
//! A run is the entries of one type whose neighbours agree in the bits beyond 32: so neighbours take four bytes each whatever their size,
//! and a type costs nothing while a vertex has edges of one type only.
//! Always holds: entries ascend by key, equal keys in the order of their making; runs ascend by tag and none is empty.
//! Left to others: what hangs in front (`recent`), how many entries a chunk should have (`merge`).

use super::merge::Kept;
use super::recent::RecentHead;
use super::{Chunk, HIGH_BITS, Key, NO_RECORD, base};
use crate::ids::{TypeId, VertexId};
use crate::memory::{Charged, Link, MemoryOwner};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::AtomicU64;
use zerocopy::{FromBytes, IntoBytes};

/// What stands before a chunk's words.
#[derive(Default)]
pub(crate) struct ChunkHead {
    /// Null when the chunk is at rest.
    pub(super) recent: Link<RecentHead, AtomicU64>,
    /// The tag of the only run, or how many runs there are.
    tag_or_runs: u32,
    shape: Shape,
}

impl Charged for ChunkHead {
    const OWNER: MemoryOwner = MemoryOwner::Adjacency;
}

/// Number of entries, and what stands beside them.
#[derive(Clone, Copy, Default)]
pub(super) struct Shape(u32);

const LEN_BITS: u32 = 24;
/// The most entries a chunk can say it has.
pub(super) const LEN_MAX: usize = (1 << LEN_BITS) - 1;
const WIDTH_SHIFT: u32 = LEN_BITS;
const RUNS: u32 = 1 << 26;
const RECORDS: u32 = 1 << 27;

impl Shape {
    #[inline]
    fn len(self) -> usize {
        (self.0 & LEN_MAX as u32) as usize
    }

    /// Bytes of an ordinal.
    fn width(self) -> usize {
        1 << (self.0 >> WIDTH_SHIFT & 3)
    }

    #[inline]
    fn has(self, part: u32) -> bool {
        self.0 & part != 0
    }
}

/// Whole words for `len` ordinals of `width` bytes.
fn ordinal_words(len: usize, width: usize) -> usize {
    (len * width).div_ceil(4)
}

/// A chunk's settled entries as slices.
#[derive(Clone, Copy)]
pub(super) struct Settled<'g> {
    tag_or_runs: u32,
    shape: Shape,
    words: &'g [u32],
}

/// The entries of one type and one upper part of neighbours.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) tag: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Run {
    /// The type of its entries.
    #[inline]
    pub(super) fn type_(&self) -> TypeId {
        TypeId(self.tag >> HIGH_BITS)
    }

    /// The neighbour with this lower half.
    #[inline]
    pub(super) fn neighbour(&self, low: u32) -> VertexId {
        VertexId(base(self.tag) | u64::from(low))
    }

    /// Whether a vertex can be a neighbour here.
    fn may_hold(&self, vertex: VertexId) -> bool {
        base(self.tag) == vertex.0 >> 32 << 32
    }
}

impl<'g> Settled<'g> {
    /// Of a chunk.
    #[inline]
    pub(super) fn of(chunk: Chunk<'g>) -> Settled<'g> {
        let head = chunk.header();
        Settled {
            tag_or_runs: head.tag_or_runs,
            shape: head.shape,
            words: chunk.items(),
        }
    }

    /// Of no chunk.
    pub(super) fn none() -> Settled<'g> {
        Settled {
            tag_or_runs: 0,
            shape: Shape(0),
            words: &[],
        }
    }

    /// How many entries.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.shape.len()
    }

    /// How many runs.
    #[inline]
    pub(super) fn runs(&self) -> usize {
        if self.shape.has(RUNS) {
            self.tag_or_runs as usize
        } else {
            usize::from(self.len() > 0)
        }
    }

    #[inline]
    fn run_words(&self) -> usize {
        if self.shape.has(RUNS) {
            2 * self.tag_or_runs as usize
        } else {
            0
        }
    }

    /// Run `at`.
    #[inline]
    pub(super) fn run(&self, at: usize) -> Run {
        if !self.shape.has(RUNS) {
            return Run {
                tag: self.tag_or_runs,
                start: 0,
                end: self.len(),
            };
        }
        Run {
            tag: self.words[2 * at],
            start: if at == 0 {
                0
            } else {
                self.words[2 * at - 1] as usize
            },
            end: self.words[2 * at + 1] as usize,
        }
    }

    /// Lower halves of all neighbours.
    #[inline]
    pub(super) fn lows(&self) -> &'g [u32] {
        let start = self.run_words();
        &self.words[start..start + self.len()]
    }

    /// The tag of its only run, and the lower halves of its neighbours, unless it has several: the usual chunk at a glance.
    #[inline]
    pub(super) fn neighbours_of_only_run(&self) -> Option<(u32, &'g [u32])> {
        (!self.shape.has(RUNS)).then(|| (self.tag_or_runs, &self.words[..self.len()]))
    }

    /// The record of an entry.
    #[inline]
    pub(super) fn record(&self, at: usize) -> u32 {
        if self.shape.has(RECORDS) {
            self.words[self.run_words() + self.len() + at]
        } else {
            NO_RECORD
        }
    }

    /// The ordinals, in the width they have.
    #[inline]
    pub(super) fn ordinals(&self) -> Ordinals<'g> {
        let parts = 1 + usize::from(self.shape.has(RECORDS));
        let words = &self.words[self.run_words() + parts * self.len()..];
        match self.shape.width() {
            1 => Ordinals::One(words.as_bytes()),
            2 => Ordinals::Two(
                <[u16]>::ref_from_bytes(words.as_bytes()).expect("whole words hold whole halves"),
            ),
            _ => Ordinals::Four(words),
        }
    }

    /// The tag of its only run, and its entries into `entries`; nothing if it has several runs, or records, or no entry.
    pub(super) fn only_run(&self, entries: &mut Vec<u64>) -> Option<u32> {
        if self.shape.has(RUNS) || self.shape.has(RECORDS) || self.len() == 0 {
            return None;
        }
        let lows = self.lows().iter();
        let word = |(&low, ordinal): (&u32, u32)| u64::from(low) << 32 | u64::from(ordinal);
        match self.ordinals() {
            Ordinals::One(all) => entries.extend(lows.zip(all.iter().map(|&o| o.into())).map(word)),
            Ordinals::Two(all) => entries.extend(lows.zip(all.iter().map(|&o| o.into())).map(word)),
            Ordinals::Four(all) => entries.extend(lows.zip(all.iter().copied()).map(word)),
        }
        Some(self.tag_or_runs)
    }

    /// The entries with this key: none, or one, or a few of which at most one is alive.
    pub(super) fn find(&self, key: Key) -> Range<usize> {
        let Some(run) = self.run_tagged(key.tag) else {
            return 0..0;
        };
        let near = self.between(run, key.low);
        let ordinals = self.ordinals();
        let start = lower_bound(near.clone(), |at| ordinals.get(at) < key.ordinal);
        let end = lower_bound(start..near.end, |at| ordinals.get(at) <= key.ordinal);
        start..end
    }

    fn run_tagged(&self, tag: u32) -> Option<Run> {
        let at = lower_bound(0..self.runs(), |at| self.run(at).tag < tag);
        (at < self.runs())
            .then(|| self.run(at))
            .filter(|run| run.tag == tag)
    }

    /// The entries of a run whose neighbour has this lower half.
    fn between(&self, run: Run, low: u32) -> Range<usize> {
        let lows = &self.lows()[run.start..run.end];
        let start = lows.partition_point(|&x| x < low);
        let count = lows[start..].partition_point(|&x| x == low);
        run.start + start..run.start + start + count
    }

    /// The entries of a run towards a vertex.
    pub(super) fn towards(&self, run: Run, vertex: VertexId) -> Range<usize> {
        if run.may_hold(vertex) {
            self.between(run, vertex.0 as u32)
        } else {
            0..0
        }
    }
}

/// The first of `range` for which `before` does not hold.
fn lower_bound(range: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut start, mut end) = (range.start, range.end);
    while start < end {
        let middle = start + (end - start) / 2;
        if before(middle) {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    start
}

/// Ordinals in 1, 2 or 4 bytes.
#[derive(Clone, Copy)]
pub(super) enum Ordinals<'g> {
    One(&'g [u8]),
    Two(&'g [u16]),
    Four(&'g [u32]),
}

impl Ordinals<'_> {
    #[inline]
    pub(super) fn get(&self, at: usize) -> u32 {
        match self {
            Ordinals::One(all) => u32::from(all[at]),
            Ordinals::Two(all) => u32::from(all[at]),
            Ordinals::Four(all) => all[at],
        }
    }
}

/// A head and words for these entries, which are in order; the words replace what `words` held.
pub(super) fn pack(kept: &[Kept], words: &mut Vec<u32>) -> ChunkHead {
    assert!(
        kept.len() <= LEN_MAX,
        "a key stands in a list millions of times"
    );
    debug_assert!(kept.windows(2).all(|w| w[0].key <= w[1].key));
    words.clear();
    let several = match (kept.first(), kept.last()) {
        (Some(first), Some(last)) => first.key.tag != last.key.tag,
        _ => false,
    };
    let mut shape = kept.len() as u32;
    if several {
        shape |= RUNS;
        for (at, entry) in kept.iter().enumerate() {
            let runs = words.len();
            if runs == 0 || words[runs - 2] != entry.key.tag {
                words.extend([entry.key.tag, at as u32 + 1]);
            } else {
                words[runs - 1] = at as u32 + 1;
            }
        }
    }
    let tag_or_runs = if several {
        words.len() as u32 / 2
    } else {
        kept.first().map_or(0, |entry| entry.key.tag)
    };
    words.extend(kept.iter().map(|entry| entry.key.low));
    if kept.iter().any(|entry| entry.record != NO_RECORD) {
        shape |= RECORDS;
        words.extend(kept.iter().map(|entry| entry.record));
    }
    shape |= put_ordinals(kept.iter().map(|entry| entry.key.ordinal), words);
    ChunkHead {
        recent: Link::default(),
        tag_or_runs,
        shape: Shape(shape),
    }
}

/// Appends ordinals in the width that the largest asks for; that width as part of a shape.
fn put_ordinals(ordinals: impl ExactSizeIterator<Item = u32> + Clone, words: &mut Vec<u32>) -> u32 {
    // It has the highest bit of the largest.
    let bits = ordinals.clone().fold(0, |all, ordinal| all | ordinal);
    let width_bits = u32::from(bits > 0xff) + u32::from(bits > 0xffff);
    let start = words.len();
    words.resize(start + ordinal_words(ordinals.len(), 1 << width_bits), 0);
    let room = words[start..].as_mut_bytes();
    match width_bits {
        0 => {
            for (to, ordinal) in room.iter_mut().zip(ordinals) {
                *to = ordinal as u8;
            }
        }
        1 => {
            for (to, ordinal) in room.chunks_exact_mut(2).zip(ordinals) {
                to.copy_from_slice(&(ordinal as u16).to_ne_bytes());
            }
        }
        _ => {
            for (to, ordinal) in words[start..].iter_mut().zip(ordinals) {
                *to = ordinal;
            }
        }
    }
    width_bits << WIDTH_SHIFT
}

/// An entry of a run in one word: entries are ordered as their words are.
#[inline]
pub(super) fn run_word(key: Key) -> u64 {
    u64::from(key.low) << 32 | u64::from(key.ordinal)
}

/// As [`pack`], for entries of the run of `tag` without records, given by their words.
pub(super) fn pack_run(tag: u32, entries: &[u64], words: &mut Vec<u32>) -> ChunkHead {
    debug_assert!(entries.len() <= LEN_MAX && entries.is_sorted());
    words.clear();
    words.extend(entries.iter().map(|entry| (entry >> 32) as u32));
    let ordinals = entries.iter().map(|&entry| entry as u32);
    ChunkHead {
        recent: Link::default(),
        tag_or_runs: tag,
        shape: Shape(entries.len() as u32 | put_ordinals(ordinals, words)),
    }
}

/// A head like that of `chunk`, at rest: for a copy of its words.
pub(super) fn head_at_rest(chunk: Chunk<'_>) -> ChunkHead {
    let head = chunk.header();
    ChunkHead {
        recent: Link::default(),
        tag_or_runs: head.tag_or_runs,
        shape: head.shape,
    }
}

/// The keys of all entries, in order.
pub(super) fn keys<'g>(settled: Settled<'g>) -> impl Iterator<Item = Key> + use<'g> {
    let (lows, ordinals) = (settled.lows(), settled.ordinals());
    (0..settled.runs()).flat_map(move |at| {
        let run = settled.run(at);
        (run.start..run.end).map(move |at| Key {
            tag: run.tag,
            low: lows[at],
            ordinal: ordinals.get(at),
        })
    })
}

/// The neighbours of a run, until it is told to stop.
#[inline(always)]
pub(super) fn each_neighbour(
    run: Run,
    lows: &[u32],
    give: &mut impl FnMut(VertexId) -> ControlFlow<()>,
) -> ControlFlow<()> {
    lows[run.start..run.end]
        .iter()
        .try_for_each(|&low| give(run.neighbour(low)))
}
