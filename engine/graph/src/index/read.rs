//! Reading indexes: seeks by equality, ranges in both directions, for vertices and for edges.
//!
//! Owned here: [`IndexRef`], [`EdgeIndexRef`], [`Seek`], [`Cursor`]. Called by `query`, `analysis`, tests.
//! Always holds: everything given is visible to the view and has the properties asked for, each thing once; a range comes in the order
//! of its values over all shards, whatever writers do meanwhile; a cursor holds no pointer, so it may be parked across epochs.
//! Left to others: which index to read (`query`'s planner).

use super::definition::{Bound, IndexDefinition, KeyRange, NextKey, Order};
use super::{Index, KEY_MAX};
use crate::ids::{KeyId, VertexId};
use crate::tree::{Ascent, Descending, Tree};
use crate::value::sort_key::{self, SortKey};
use crate::value::{Edge, Value, ValueRef};
use crate::view::{EdgeRef, VertexRef, View};
use smallvec::SmallVec;
use std::cmp::Ordering as Cmp;

/// An index on vertices as one transaction sees it.
#[derive(Clone, Copy)]
pub struct IndexRef<'e> {
    pub(crate) index: &'e Index,
    pub(crate) view: View<'e>,
}

/// An index on edges as one transaction sees it.
#[derive(Clone, Copy)]
pub struct EdgeIndexRef<'e> {
    pub(crate) index: &'e Index,
    pub(crate) view: View<'e>,
}

/// Where a range goes on.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The last entry looked at.
    last: Option<SortKey>,
    done: bool,
}

impl Cursor {
    /// Whether the range has been read to its end.
    pub fn is_done(&self) -> bool {
        self.done
    }
}

/// What an index leads to.
pub trait Target<'e>: Copy {
    /// Its id.
    type Id: Copy;
    /// It, seen.
    type Seen: Copy;

    fn index(&self) -> &'e Index;
    fn view(&self) -> View<'e>;
    /// What an entry leads to, if that exists for the view and belongs to the index.
    fn find(&self, entry: &[u8]) -> Option<(Self::Id, Self::Seen)>;
    fn property(seen: Self::Seen, key: KeyId) -> Option<ValueRef<'e>>;

    /// As [`Target::find`], if it has the entry's key.
    fn verified(&self, entry: &[u8]) -> Option<(Self::Id, Self::Seen)> {
        let found = self.find(entry)?;
        let index = self.index();
        let key = index.key_of(|name| Self::property(found.1, name))?;
        (key.as_slice() == index.key(entry)).then_some(found)
    }
}

impl<'e> Target<'e> for IndexRef<'e> {
    type Id = VertexId;
    type Seen = VertexRef<'e>;

    fn index(&self) -> &'e Index {
        self.index
    }

    fn view(&self) -> View<'e> {
        self.view
    }

    fn find(&self, entry: &[u8]) -> Option<(VertexId, VertexRef<'e>)> {
        let id = self.index.vertex_of(entry);
        let vertex = self.view.vertex(id)?;
        let label = self.index.definition.label()?;
        vertex.has_label(label).then_some((id, vertex))
    }

    fn property(seen: VertexRef<'e>, key: KeyId) -> Option<ValueRef<'e>> {
        seen.property(key)
    }
}

impl<'e> Target<'e> for EdgeIndexRef<'e> {
    type Id = Edge;
    type Seen = EdgeRef<'e>;

    fn index(&self) -> &'e Index {
        self.index
    }

    fn view(&self) -> View<'e> {
        self.view
    }

    fn find(&self, entry: &[u8]) -> Option<(Edge, EdgeRef<'e>)> {
        let type_ = self.index.definition.edge_type()?;
        let edge = self.index.edge_of(entry, type_);
        Some((edge, self.view.edge_at(edge)?))
    }

    fn property(seen: EdgeRef<'e>, key: KeyId) -> Option<ValueRef<'e>> {
        seen.property(key)
    }

    /// An edge of the type alone needs no look at its properties.
    fn verified(&self, entry: &[u8]) -> Option<(Edge, EdgeRef<'e>)> {
        let found = self.find(entry)?;
        if self.index.definition.keys().is_empty() {
            return Some(found);
        }
        let key = self.index.key_of(|name| found.1.property(name))?;
        (key.as_slice() == self.index.key(entry)).then_some(found)
    }
}

macro_rules! reads {
    ($reference:ident, $id:ty, $things:literal) => {
        impl<'e> $reference<'e> {
            /// What the index is of.
            pub fn definition(&self) -> &'e IndexDefinition {
                &self.index.definition
            }

            /// Entries, those of states not yet forgotten included.
            pub fn size(&self) -> u64 {
                self.index.entries()
            }

            /// About how many distinct values the first `n` keys have (1 to the number of keys).
            pub fn distinct(&self, n: usize) -> u64 {
                self.index.distinct(n)
            }

            #[doc = concat!("Visible ", $things, " whose first properties equal `values` (up to one a key), in the sense of Cypher's `=`,")]
            /// so null and NaN find nothing. In order of shards. Allocates nothing for keys of up to 64 bytes.
            pub fn seek(&self, values: &[Value]) -> Seek<'e, $reference<'e>> {
                Seek::new(*self, values)
            }

            #[doc = concat!("Appends up to `limit` visible ", $things, " of a range, going on behind `cursor`: call again with the same")]
            /// range and cursor until [`Cursor::is_done`]. Those whose keys are cut at the same [`KEY_MAX`] bytes come at once, in the order of
            /// their whole values, so that there may be more than `limit`.
            pub fn scan(
                &self,
                range: &KeyRange<'_>,
                cursor: &mut Cursor,
                limit: usize,
                out: &mut Vec<$id>,
            ) {
                scan(*self, range, cursor, limit, |id, _| out.push(id));
            }

            /// The first value of the first key in an order: the least or the greatest that is visible.
            pub fn first(&self, order: Order) -> Option<Value> {
                let name = *self.index.definition.keys().first()?;
                let mut found = None;
                scan(
                    *self,
                    &KeyRange::all(order),
                    &mut Cursor::default(),
                    1,
                    |_, seen| {
                        found = found.take().or(<Self as Target>::property(seen, name)
                            .map(|value| value.to_value()))
                    },
                );
                found
            }
        }
    };
}

reads!(IndexRef, VertexId, "vertices");
reads!(EdgeIndexRef, Edge, "edges");

/// The bytes between which a range lies: from the first on, below the second (to the end, where there is none).
struct Span {
    from: SortKey,
    below: Option<SortKey>,
}

/// The least string above all that start with `prefix`.
fn above(prefix: &[u8]) -> Option<SortKey> {
    let at = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut next = SortKey::from_slice(&prefix[..=at]);
    next[at] += 1;
    Some(next)
}

fn equals_itself(value: &Value) -> bool {
    value.equals(value) == Some(true)
}

/// Where a range can lie; nothing if it is empty whatever is in the index. It may be wider than the range by keys that are cut.
fn span(range: &KeyRange<'_>, keys: usize) -> Option<Span> {
    if !range.equal.iter().all(equals_itself) {
        return None;
    }
    let mut base = SortKey::new();
    for value in range.equal {
        sort_key::append(value, &mut base);
    }
    let with = |value: &Value| {
        let mut key = base.clone();
        sort_key::append(value, &mut key);
        key
    };
    let with_rank = |value: &Value| {
        let mut key = with(value);
        key.truncate(base.len() + 1);
        key
    };
    let all = |base: SortKey| Span {
        below: above(&base),
        from: base,
    };
    let mut span = if range.equal.len() >= keys {
        all(base)
    } else {
        match range.next {
            NextKey::Any => all(base),
            NextKey::Present | NextKey::Between(Bound::Unbounded, Bound::Unbounded) => Span {
                below: Some(with(&Value::Null)),
                from: base,
            },
            NextKey::StartsWith(prefix) => {
                sort_key::append_prefix(prefix, &mut base);
                all(base)
            }
            NextKey::Between(lower, upper) => {
                let (from, below);
                match (lower, upper) {
                    (Bound::Included(value), _) => from = Some(with(value)),
                    (Bound::Excluded(value), _) => from = above(&with(value)),
                    // With one bound the range stays within the types that compare with it.
                    (_, Bound::Included(value) | Bound::Excluded(value)) => {
                        from = Some(with_rank(value))
                    }
                    (Bound::Unbounded, Bound::Unbounded) => unreachable!("matched above"),
                }
                match (upper, lower) {
                    (Bound::Included(value), _) => below = above(&with(value)),
                    (Bound::Excluded(value), _) => below = Some(with(value)),
                    (_, Bound::Included(value) | Bound::Excluded(value)) => {
                        below = above(&with_rank(value))
                    }
                    (Bound::Unbounded, Bound::Unbounded) => unreachable!("matched above"),
                }
                Span { from: from?, below }
            }
        }
    };
    // A bound that is cut lies within what entries can hold again: entries that are cut alike are decided by their values.
    if span.from.len() > KEY_MAX {
        span.from.truncate(KEY_MAX);
    }
    if let Some(below) = span.below.take_if(|below| below.len() > KEY_MAX) {
        span.below = above(&below[..KEY_MAX]);
    }
    Some(span)
}

/// Whether a thing lies in a range: asked of everything found, so that what lies in the span by a cut key, or by a type that does not
/// compare, is left out.
fn within<'e>(
    range: &KeyRange<'_>,
    keys: &[KeyId],
    property: impl Fn(KeyId) -> Option<ValueRef<'e>>,
) -> bool {
    let next = match range.next {
        NextKey::Any => None,
        _ => keys.get(range.equal.len()),
    };
    let Some(&next) = next else { return true };
    let Some(value) = property(next) else {
        return false;
    };
    match range.next {
        NextKey::Any | NextKey::Present => true,
        NextKey::StartsWith(prefix) => {
            matches!(value, ValueRef::String(text) if text.starts_with(prefix))
        }
        NextKey::Between(lower, upper) => {
            let value = value.to_value();
            let above = match lower {
                Bound::Unbounded => true,
                Bound::Included(bound) => value.compare(bound).is_some_and(Cmp::is_ge),
                Bound::Excluded(bound) => value.compare(bound).is_some_and(Cmp::is_gt),
            };
            above
                && match upper {
                    Bound::Unbounded => true,
                    Bound::Included(bound) => value.compare(bound).is_some_and(Cmp::is_le),
                    Bound::Excluded(bound) => value.compare(bound).is_some_and(Cmp::is_lt),
                }
        }
    }
}

/// Whether the first properties are these values: asked where a key is cut.
fn are<'e>(
    values: &[Value],
    keys: &[KeyId],
    property: impl Fn(KeyId) -> Option<ValueRef<'e>>,
) -> bool {
    keys.iter()
        .zip(values)
        .all(|(&key, value)| property(key).is_some_and(|found| found.is(value)))
}

/// One shard's entries, in either direction.
enum Strings<'e> {
    Up(Ascent<'e>),
    Down(Descending<'e>),
}

impl<'e> Iterator for Strings<'e> {
    type Item = &'e [u8];

    fn next(&mut self) -> Option<&'e [u8]> {
        match self {
            Strings::Up(strings) => strings.next(),
            Strings::Down(strings) => strings.next(),
        }
    }
}

/// The entries of all shards in one order.
struct Merged<'e> {
    heads: SmallVec<[(&'e [u8], Strings<'e>); 8]>,
    order: Order,
}

impl<'e> Merged<'e> {
    fn new(
        trees: &'e [Tree],
        view: View<'e>,
        span: &Span,
        last: Option<&[u8]>,
        order: Order,
    ) -> Merged<'e> {
        // No entry is a prefix of another, so the next one behind `last` lies above it and a zero.
        let after = last.map(|last| {
            let mut after = SortKey::from_slice(last);
            after.push(0);
            after
        });
        let heads = trees.iter().filter_map(|tree| {
            let mut strings = match order {
                Order::Ascending => {
                    Strings::Up(tree.from(after.as_deref().unwrap_or(&span.from), view.guard()))
                }
                Order::Descending => {
                    Strings::Down(tree.before(last.or(span.below.as_deref()), view.guard()))
                }
            };
            Some((strings.next()?, strings))
        });
        Merged {
            heads: heads.collect(),
            order,
        }
    }

    fn peek(&self) -> Option<(usize, &'e [u8])> {
        let heads = self.heads.iter().map(|head| head.0).enumerate();
        match self.order {
            Order::Ascending => heads.min_by_key(|head| head.1),
            Order::Descending => heads.max_by_key(|head| head.1),
        }
    }

    fn advance(&mut self, at: usize) {
        match self.heads[at].1.next() {
            Some(next) => self.heads[at].0 = next,
            None => {
                self.heads.swap_remove(at);
            }
        }
    }
}

/// See [`IndexRef::scan`].
pub(crate) fn scan<'e, T: Target<'e>>(
    target: T,
    range: &KeyRange<'_>,
    cursor: &mut Cursor,
    limit: usize,
    mut give: impl FnMut(T::Id, T::Seen),
) {
    if cursor.done {
        return;
    }
    let index = target.index();
    let keys = index.definition.keys();
    let Some(span) = span(range, keys.len()) else {
        cursor.done = true;
        return;
    };
    let mut merged = Merged::new(
        &index.trees,
        target.view(),
        &span,
        cursor.last.as_deref(),
        range.order,
    );
    let inside = |entry: &[u8]| match range.order {
        Order::Ascending => span.below.as_deref().is_none_or(|below| entry < below),
        Order::Descending => entry >= &span.from[..],
    };
    let mut left = limit;
    let mut alike: Vec<(T::Id, T::Seen)> = Vec::new();
    while left > 0 {
        let Some((at, entry)) = merged.peek().filter(|(_, entry)| inside(entry)) else {
            cursor.done = true;
            return;
        };
        merged.advance(at);
        let key = index.key(entry);
        if key.len() < KEY_MAX {
            cursor.last = Some(SortKey::from_slice(entry));
            if let Some((id, seen)) = target.verified(entry)
                && within(range, keys, |name| T::property(seen, name))
            {
                give(id, seen);
                left -= 1;
            }
            continue;
        }
        // Cut keys: all that share the part that was kept are put in order by their values.
        let mut next = Some(entry);
        while let Some(entry) = next {
            cursor.last = Some(SortKey::from_slice(entry));
            alike.extend(target.verified(entry).filter(|&(_, seen)| {
                let property = |name| T::property(seen, name);
                are(range.equal, keys, property) && within(range, keys, property)
            }));
            next = merged
                .peek()
                .filter(|(_, next)| index.key(next) == key)
                .map(|(at, next)| {
                    merged.advance(at);
                    next
                });
        }
        alike.sort_by(|a, b| {
            let order = by_values::<T>(keys, a.1, b.1);
            match range.order {
                Order::Ascending => order,
                Order::Descending => order.reverse(),
            }
        });
        left = left.saturating_sub(alike.len());
        alike.drain(..).for_each(|(id, seen)| give(id, seen));
    }
}

fn by_values<'e, T: Target<'e>>(keys: &[KeyId], a: T::Seen, b: T::Seen) -> Cmp {
    let value = |seen, key| T::property(seen, key).map_or(Value::Null, |value| value.to_value());
    keys.iter()
        .map(|&key| value(a, key).cmp(&value(b, key)))
        .find(|order| order.is_ne())
        .unwrap_or(Cmp::Equal)
}

/// What [`IndexRef::seek`] finds.
pub struct Seek<'e, T> {
    target: T,
    key: SortKey,
    /// The values themselves, where their key was cut.
    exact: Option<Vec<Value>>,
    shard: usize,
    strings: Option<Ascent<'e>>,
}

impl<'e, T: Target<'e>> Seek<'e, T> {
    fn new(target: T, values: &[Value]) -> Seek<'e, T> {
        debug_assert!(values.len() <= target.index().definition.keys().len());
        let mut key = SortKey::new();
        for value in values {
            sort_key::append(value, &mut key);
        }
        let cut = key.len() >= KEY_MAX;
        key.truncate(KEY_MAX);
        let found = values.iter().all(equals_itself);
        Seek {
            target,
            key,
            exact: cut.then(|| values.to_vec()),
            shard: if found { 0 } else { target.index().trees.len() },
            strings: None,
        }
    }
}

impl<'e, T: Target<'e>> Iterator for Seek<'e, T> {
    type Item = T::Id;

    #[inline]
    fn next(&mut self) -> Option<T::Id> {
        let index = self.target.index();
        loop {
            let tree = index.trees.get(self.shard)?;
            let strings = self
                .strings
                .get_or_insert_with(|| tree.from(&self.key, self.target.view().guard()));
            let Some(entry) = strings.next().filter(|entry| entry.starts_with(&self.key)) else {
                self.strings = None;
                self.shard += 1;
                continue;
            };
            let Some((id, seen)) = self.target.verified(entry) else {
                continue;
            };
            let equal = self.exact.as_ref().is_none_or(|values| {
                are(values, index.definition.keys(), |name| {
                    T::property(seen, name)
                })
            });
            if equal {
                return Some(id);
            }
        }
    }
}
