//! Readers of lists: what a snapshot sees of them.
//!
//! Owned here: [`Walk`], entry by entry with types, ordinals and records, and [`neighbours`], the other ends alone at the speed of an array.
//! Called by `view`.
//! Always holds: what is given is what the list held, for this sight, when the reader came to the chunk; nothing is allocated; chunks at
//! rest are read without looking at a stamp.
//! Left to others: which list.

use super::chunk::{Ordinals, Settled, each_neighbour};
use super::directory::{Branch, Wanted};
use super::recent::{self, Columns, Tail};
use super::{Chunk, HIGH_BITS, Key, List, NO_RECORD, base};
use crate::ids::{TypeId, VertexId};
use crate::memory::{Either, Guard};
use crate::stamp::Sight;
use std::ops::{ControlFlow, Range};

/// An entry that a reader sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    /// Type, other end, ordinal.
    pub(crate) key: Key,
    record: u32,
}

impl Hop {
    /// The number of its property record.
    pub(crate) fn record(&self) -> Option<u32> {
        (self.record != NO_RECORD).then_some(self.record)
    }
}

/// A walk over a list: what it sees, of some types or all, towards one neighbour or all; chunk by chunk, in each the settled entries in
/// order, then the recent ones.
pub(crate) struct Walk<'e, 't> {
    sight: Sight<'e>,
    wanted: Wanted<'t>,
    guard: &'e Guard<'e>,
    /// The chunks to come.
    branches: &'e [Branch],
    next_branch: usize,
    /// The chunk it stands in.
    settled: Settled<'e>,
    lows: &'e [u32],
    ordinals: Ordinals<'e>,
    columns: Columns<'e>,
    tail: Tail<'e>,
    next_in_tail: usize,
    next_run: usize,
    /// The run it stands in.
    tag: u32,
    run: Range<usize>,
}

impl<'e, 't> Walk<'e, 't> {
    /// Over what the list is now; `types` empty means all.
    pub(crate) fn new(
        list: Option<&List>,
        sight: Sight<'e>,
        types: &'t [TypeId],
        towards: Option<VertexId>,
        guard: &'e Guard<'e>,
    ) -> Walk<'e, 't> {
        let mut walk = Walk {
            sight,
            wanted: Wanted { types, towards },
            guard,
            branches: &[],
            next_branch: 0,
            settled: Settled::none(),
            lows: &[],
            ordinals: Ordinals::One(&[]),
            columns: Columns::default(),
            tail: Tail::none(),
            next_in_tail: 0,
            next_run: 0,
            tag: 0,
            run: 0..0,
        };
        match list.and_then(|list| list.load(guard)) {
            None => {}
            Some(Either::First(chunk)) => walk.stand_in(chunk),
            Some(Either::Second(directory)) => {
                walk.branches = walk.wanted.branches(directory.items());
            }
        }
        walk
    }

    fn stand_in(&mut self, chunk: Chunk<'e>) {
        self.settled = Settled::of(chunk);
        self.lows = self.settled.lows();
        self.ordinals = self.settled.ordinals();
        (self.tail, self.columns) =
            recent::of(chunk, self.guard).unwrap_or((Tail::none(), Columns::default()));
        (self.next_in_tail, self.next_run, self.run) = (0, 0, 0..0);
    }

    /// Moves to the next chunk that may hold something wanted.
    fn next_chunk(&mut self) -> bool {
        while self.next_branch < self.branches.len() {
            let at = self.next_branch;
            self.next_branch += 1;
            if self.wanted.may_be_in(self.branches, at) {
                self.stand_in(self.branches[at].chunk(self.guard));
                return true;
            }
        }
        false
    }

    /// Moves to the next run with something wanted.
    fn next_run(&mut self) -> bool {
        while self.next_run < self.settled.runs() {
            let run = self.settled.run(self.next_run);
            self.next_run += 1;
            if !self.wanted.type_(run.type_()) {
                continue;
            }
            self.tag = run.tag;
            self.run = match self.wanted.towards {
                None => run.start..run.end,
                Some(vertex) => self.settled.towards(run, vertex),
            };
            if !self.run.is_empty() {
                return true;
            }
        }
        false
    }

    /// How many it would give; without looking at each entry where nothing is stamped.
    pub(crate) fn count_all(mut self) -> u64 {
        let mut n = 0;
        loop {
            if self.columns.no_stamps() {
                while self.next_run() {
                    n += self.run.len() as u64;
                }
                self.run = 0..0;
            }
            while self.next_here().is_some() {
                n += 1;
            }
            if !self.next_chunk() {
                return n;
            }
        }
    }

    /// How many it would give of each type, in parts; without looking at each entry where nothing is stamped.
    pub(crate) fn count_by_type(mut self, mut give: impl FnMut(TypeId, u64)) {
        loop {
            if self.columns.no_stamps() {
                while self.next_run() {
                    let run = self.settled.run(self.next_run - 1);
                    give(run.type_(), self.run.len() as u64);
                }
                self.run = 0..0;
            }
            while let Some(hop) = self.next_here() {
                give(hop.key.type_(), 1);
            }
            if !self.next_chunk() {
                return;
            }
        }
    }

    /// How many chunks and entries it looks at before it ends.
    #[cfg(test)]
    pub(crate) fn looks_at(mut self) -> usize {
        let mut looked_at = self.branches.len();
        loop {
            while self.next_run() {
                looked_at += self.run.len();
            }
            looked_at += self.tail.len();
            if !self.next_chunk() {
                return looked_at;
            }
        }
    }

    /// The next one in the chunk it stands in.
    #[inline]
    fn next_here(&mut self) -> Option<Hop> {
        loop {
            while let Some(at) = self.run.next() {
                if !self.columns.no_stamps()
                    && (!self.sight.sees(self.columns.born(at))
                        || self.sight.sees(self.columns.died(at)))
                {
                    continue;
                }
                let key = Key {
                    tag: self.tag,
                    low: self.lows[at],
                    ordinal: self.ordinals.get(at),
                };
                let record = self.columns.record(at);
                let record = record.unwrap_or_else(|| self.settled.record(at));
                return Some(Hop { key, record });
            }
            if !self.next_run() {
                break;
            }
        }
        while self.next_in_tail < self.tail.len() {
            let at = self.next_in_tail;
            self.next_in_tail += 1;
            let key = self.tail.key(at);
            if self.wanted.key(key)
                && self.sight.sees(self.tail.created(at))
                && !self.sight.sees(self.tail.deleted(at))
            {
                let record = self.tail.record(at);
                return Some(Hop { key, record });
            }
        }
        None
    }
}

impl Iterator for Walk<'_, '_> {
    type Item = Hop;

    #[inline]
    fn next(&mut self) -> Option<Hop> {
        loop {
            if let Some(hop) = self.next_here() {
                return Some(hop);
            }
            if !self.next_chunk() {
                return None;
            }
        }
    }
}

/// Gives the other end of every edge that `sight` sees, of some types or (`types` empty) all, until it is told to stop.
#[inline(always)]
pub(crate) fn neighbours(
    list: &List,
    sight: &Sight<'_>,
    types: &[TypeId],
    guard: &Guard<'_>,
    give: &mut impl FnMut(VertexId) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let wanted = Wanted {
        types,
        towards: None,
    };
    match list.load(guard) {
        None => {}
        Some(Either::First(chunk)) => neighbours_in(chunk, sight, wanted, guard, give)?,
        Some(Either::Second(directory)) => {
            let branches = wanted.branches(directory.items());
            for at in 0..branches.len() {
                if wanted.may_be_in(branches, at) {
                    neighbours_in(branches[at].chunk(guard), sight, wanted, guard, give)?;
                }
            }
        }
    }
    ControlFlow::Continue(())
}

#[inline(always)]
fn neighbours_in(
    chunk: Chunk<'_>,
    sight: &Sight<'_>,
    wanted: Wanted<'_>,
    guard: &Guard<'_>,
    give: &mut impl FnMut(VertexId) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let settled = Settled::of(chunk);
    let recent = recent::of(chunk, guard);
    if recent.is_none()
        && let Some((tag, lows)) = settled.neighbours_of_only_run()
    {
        if wanted.type_(TypeId(tag >> HIGH_BITS)) {
            let base = base(tag);
            lows.iter()
                .try_for_each(|&low| give(VertexId(base | u64::from(low))))?;
        }
        return ControlFlow::Continue(());
    }
    let lows = settled.lows();
    let Some((tail, columns)) = recent else {
        for at in 0..settled.runs() {
            let run = settled.run(at);
            if wanted.type_(run.type_()) {
                each_neighbour(run, lows, give)?;
            }
        }
        return ControlFlow::Continue(());
    };
    for at in 0..settled.runs() {
        let run = settled.run(at);
        if !wanted.type_(run.type_()) {
            continue;
        }
        if columns.no_stamps() {
            each_neighbour(run, lows, give)?;
            continue;
        }
        for (&low, at) in lows[run.start..run.end].iter().zip(run.start..) {
            if sight.sees(columns.born(at)) && !sight.sees(columns.died(at)) {
                give(run.neighbour(low))?;
            }
        }
    }
    for at in 0..tail.len() {
        let key = tail.key(at);
        if wanted.type_(key.type_())
            && sight.sees(tail.created(at))
            && !sight.sees(tail.deleted(at))
        {
            give(key.neighbour())?;
        }
    }
    ControlFlow::Continue(())
}
