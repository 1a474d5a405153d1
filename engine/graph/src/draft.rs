//! Drafts: the properties of a state that is going to be written, the long ones apart from the others.
//!
//! Owned here: [`Draft`], and which values are long. Called by `write` (which makes drafts and asks them for index entries and unique
//! keys) and `version` (which writes them).
//! Always holds: the values that are not long take up at most [`ROW_BYTES_MAX`] bytes together, each at most [`SHORT_BYTES_MAX`]; so a
//! page has a size that its slots bound, and so has what a fold copies. A long value that another state has already is shared, not copied.
//! Left to others: the blocks (`long`), the version (`version`).

use crate::ids::KeyId;
use crate::long::{self, LongEntry, LongValue, Longs};
use crate::memory::{Heap, Link};
use crate::state::{Part, PropertiesRef};
use crate::value::ValueRef;
use crate::value::codec::{Properties, Reader, encode_ref, put_varint, tag};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The longest value that is not long, in encoded bytes.
pub(crate) const SHORT_BYTES_MAX: usize = 1 << 10;
/// What the values of a row that are not long take up at most, in encoded bytes with their keys.
pub(crate) const ROW_BYTES_MAX: usize = 16 << 10;

/// See the module.
#[derive(Default)]
pub(crate) struct Draft<'a> {
    short: Cow<'a, [u8]>,
    /// Ascending by key.
    long: SmallVec<[(KeyId, Source<'a>); 1]>,
}

/// Where a long value comes from.
enum Source<'a> {
    /// The author, encoded.
    New(Cow<'a, [u8]>),
    /// The state before.
    Kept(LongValue<'a>),
}

impl<'a> Draft<'a> {
    /// Of properties that are all new.
    pub(crate) fn of(properties: Properties<'a>) -> Draft<'a> {
        let bytes = properties.bytes();
        let short = |value: &[u8]| value.len() <= SHORT_BYTES_MAX;
        let all_short = bytes.len() <= SHORT_BYTES_MAX
            || (bytes.len() <= ROW_BYTES_MAX && properties.raw().all(|(_, value)| short(value)));
        if all_short {
            return Draft {
                short: Cow::Borrowed(bytes),
                long: SmallVec::new(),
            };
        }
        PropertiesRef::default().overlaid(properties)
    }

    /// Sets a property; keys ascend.
    pub(crate) fn set(&mut self, key: KeyId, encoded: &'a [u8]) {
        if encoded[0] == tag::NULL {
            return;
        }
        if encoded.len() > SHORT_BYTES_MAX {
            self.long.push((key, Source::New(Cow::Borrowed(encoded))));
        } else {
            self.keep(key, Part::Encoded(encoded));
        }
    }

    /// Takes over a property of the state before; keys ascend.
    pub(crate) fn keep(&mut self, key: KeyId, part: Part<'a>) {
        let short = self.short.to_mut();
        match part {
            Part::Encoded(bytes) => {
                put_varint(short, u64::from(key.0));
                short.extend_from_slice(bytes);
            }
            Part::Value(value) => {
                put_varint(short, u64::from(key.0));
                encode_ref(value, short);
            }
            Part::Long(value) => self.long.push((key, Source::Kept(value))),
        }
    }

    /// All has been set. Where what is not long is too much together, the longest of it counts as long.
    pub(crate) fn finished(mut self) -> Draft<'a> {
        if self.short.len() <= ROW_BYTES_MAX {
            return self;
        }
        let mut pairs: Vec<(KeyId, &[u8])> = Properties::trusted(&self.short).raw().collect();
        pairs.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let mut left = self.short.len();
        let spilled = pairs.iter().take_while(|(_, value)| {
            let over = left > ROW_BYTES_MAX;
            left -= value.len();
            over
        });
        let (spilled, kept) = pairs.split_at(spilled.count());
        let apart = |&(key, value): &(KeyId, &[u8])| (key, Source::New(Cow::Owned(value.to_vec())));
        self.long.extend(spilled.iter().map(apart));
        self.long.sort_by_key(|(key, _)| *key);
        let mut kept = kept.to_vec();
        kept.sort_by_key(|(key, _)| *key);
        let mut short = Vec::with_capacity(ROW_BYTES_MAX);
        for (key, value) in kept {
            put_varint(&mut short, u64::from(key.0));
            short.extend_from_slice(value);
        }
        self.short = Cow::Owned(short);
        self
    }

    /// One property.
    pub(crate) fn get(&self, key: KeyId) -> Option<ValueRef<'_>> {
        let long = || {
            let at = self.long.binary_search_by_key(&key, |(key, _)| *key).ok()?;
            Some(match &self.long[at].1 {
                Source::New(encoded) => Reader::new(encoded)
                    .value()
                    .expect("it was encoded or checked before it came here"),
                Source::Kept(value) => long::value(*value),
            })
        };
        Properties::trusted(&self.short).get(key).or_else(long)
    }

    /// The values that are not long, encoded.
    pub(crate) fn short(&self) -> &[u8] {
        &self.short
    }

    /// A list with the long values, for a version; the token of its page's shard is held.
    pub(crate) fn longs(&self, heap: &Heap) -> Longs {
        if self.long.is_empty() {
            return Link::default();
        }
        let mut entries = self.long.iter().map(|(key, source)| match source {
            Source::New(encoded) => LongEntry::of(0, *key, long::write(encoded, heap)),
            Source::Kept(value) => LongEntry::beside(0, *key, *value),
        });
        Link::owning(heap.block(long::LongsHead, self.long.len(), |_| {
            entries.next().expect("an entry for each")
        }))
    }
}
