//! States: what a vertex, or an edge's properties, look like at one moment, in whichever form it stands.
//!
//! Owned here: [`State`] (a version block, or a settled row) and [`PropertiesRef`], its properties as callers see them. Called by
//! `view` (reads), `write` and `housekeeping` (the newest state), `index` (through [`Record`]).
//! Always holds: a state lives as long as the epoch it was read in and never changes.
//! Left to others: which state a transaction sees (`column`).

use crate::column::table::Row;
use crate::ids::{KeyId, LabelSetId};
use crate::stamp::SETTLED;
use crate::value::ValueRef;
use crate::value::codec::{Properties, encode_ref, put_varint};
use crate::version::{self, Record, Version};
use std::iter::Peekable;

/// See the module.
#[derive(Clone, Copy)]
pub(crate) enum State<'g> {
    /// A version, with a stamp of its own.
    Recent(Version<'g>),
    /// A row that everyone agrees on.
    Settled(Row<'g>),
}

impl<'g> State<'g> {
    /// The stamp as it stands now.
    pub(crate) fn stamp(&self) -> u64 {
        match self {
            State::Recent(version) => version.header().stamp(),
            State::Settled(_) => SETTLED,
        }
    }

    /// The version, if it is one.
    pub(crate) fn version(&self) -> Option<Version<'g>> {
        match self {
            State::Recent(version) => Some(*version),
            State::Settled(_) => None,
        }
    }

    /// One property, in place.
    #[inline]
    pub(crate) fn get(&self, key: KeyId) -> Option<ValueRef<'g>> {
        match self {
            State::Recent(version) => version::properties(*version).get(key),
            State::Settled(row) => row.get(key),
        }
    }

    /// All properties.
    pub(crate) fn properties(&self) -> PropertiesRef<'g> {
        PropertiesRef(match self {
            State::Recent(version) => Form::Encoded(version::properties(*version)),
            State::Settled(row) => Form::Row(*row),
        })
    }
}

impl Record for State<'_> {
    fn label_set(&self) -> LabelSetId {
        match self {
            State::Recent(version) => version.header().labels,
            State::Settled(row) => row.label_set(),
        }
    }

    fn property(&self, key: KeyId) -> Option<ValueRef<'_>> {
        self.get(key)
    }

    fn is_deleted(&self) -> bool {
        matches!(self, State::Recent(version) if version.header().deleted)
    }
}

/// The properties of a vertex or an edge, in place: pairs of key and value, ascending by key, no null. Reading allocates nothing.
#[derive(Clone, Copy)]
pub struct PropertiesRef<'e>(Form<'e>);

#[derive(Clone, Copy)]
enum Form<'e> {
    Encoded(Properties<'e>),
    Row(Row<'e>),
}

impl Default for PropertiesRef<'_> {
    fn default() -> Self {
        PropertiesRef(Form::Encoded(Properties::default()))
    }
}

impl<'e> PropertiesRef<'e> {
    /// The value of a key.
    #[inline]
    pub fn get(&self, key: KeyId) -> Option<ValueRef<'e>> {
        match self.0 {
            Form::Encoded(properties) => properties.get(key),
            Form::Row(row) => row.get(key),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        match self.0 {
            Form::Encoded(properties) => properties.is_empty(),
            Form::Row(_) => self.iter().next().is_none(),
        }
    }

    /// The pairs in ascending order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, ValueRef<'e>)> + use<'e> {
        let (encoded, row) = match self.0 {
            Form::Encoded(properties) => (properties, None),
            Form::Row(row) => (row.rest(), Some(row)),
        };
        let columns = row.into_iter().flat_map(Row::columns).peekable();
        Merged {
            columns,
            rest: encoded.iter().peekable(),
        }
    }

    /// The same as encoded bytes: those of a version as they stand, those of a row written to `buffer`.
    pub(crate) fn encoded<'b>(&self, buffer: &'b mut Vec<u8>) -> Properties<'b>
    where
        'e: 'b,
    {
        if let Form::Encoded(properties) = self.0 {
            return properties;
        }
        buffer.clear();
        for (key, value) in self.iter() {
            put_varint(buffer, u64::from(key.0));
            encode_ref(value, buffer);
        }
        Properties::trusted(buffer)
    }
}

impl std::fmt::Debug for PropertiesRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Two ascending lists without a common key as one.
struct Merged<A: Iterator, B: Iterator> {
    columns: Peekable<A>,
    rest: Peekable<B>,
}

impl<'e, A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = (KeyId, ValueRef<'e>)>,
    B: Iterator<Item = (KeyId, ValueRef<'e>)>,
{
    type Item = (KeyId, ValueRef<'e>);

    fn next(&mut self) -> Option<Self::Item> {
        match (self.columns.peek(), self.rest.peek()) {
            (Some((a, _)), Some((b, _))) if b < a => self.rest.next(),
            (Some(_), _) => self.columns.next(),
            (None, _) => self.rest.next(),
        }
    }
}
