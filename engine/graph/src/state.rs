//! States: what a vertex, or an edge's properties, look like at one moment, in whichever form it stands.
//!
//! Owned here: [`State`] (a version block, or a settled row) and [`PropertiesRef`], its properties as callers see them. Called by
//! `view` (reads), `write` and `housekeeping` (the newest state), `index` (through [`Record`]).
//! Always holds: a state lives as long as the epoch it was read in and never changes.
//! Left to others: which state a transaction sees (`column`).

use crate::column::table::Row;
use crate::draft::Draft;
use crate::ids::{KeyId, LabelSetId};
use crate::long::{self, LongList, LongValue};
use crate::stamp::SETTLED;
use crate::value::ValueRef;
use crate::value::codec::{Properties, tag};
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
            State::Recent(version) => version::property(*version, key),
            State::Settled(row) => row.get(key),
        }
    }

    /// All properties.
    pub(crate) fn properties(&self) -> PropertiesRef<'g> {
        PropertiesRef(match self {
            State::Recent(version) => Form::Version(*version),
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
#[derive(Clone, Copy, Default)]
pub struct PropertiesRef<'e>(Form<'e>);

#[derive(Clone, Copy, Default)]
enum Form<'e> {
    #[default]
    None,
    Version(Version<'e>),
    Row(Row<'e>),
}

/// A property as it stands.
pub(crate) enum Part<'e> {
    /// Its encoding.
    Encoded(&'e [u8]),
    /// In a column.
    Value(ValueRef<'e>),
    /// In a block of its own.
    Long(LongValue<'e>),
}

impl<'e> PropertiesRef<'e> {
    /// The value of a key.
    #[inline]
    pub fn get(&self, key: KeyId) -> Option<ValueRef<'e>> {
        match self.0 {
            Form::None => None,
            Form::Version(version) => version::property(version, key),
            Form::Row(row) => row.get(key),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The pairs in ascending order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, ValueRef<'e>)> + use<'e> {
        let Standing {
            columns,
            encoded,
            longs,
            at,
        } = self.standing();
        let short = Merged {
            a: columns.into_iter().flat_map(Row::columns).peekable(),
            b: encoded.iter().peekable(),
        };
        let long = longs.of_slot(at);
        Merged {
            a: short.peekable(),
            b: long
                .map(|(key, block)| (key, long::value(block)))
                .peekable(),
        }
    }

    fn parts(&self) -> impl Iterator<Item = (KeyId, Part<'e>)> + use<'e> {
        let Standing {
            columns,
            encoded,
            longs,
            at,
        } = self.standing();
        let columns = columns.into_iter().flat_map(Row::columns);
        let encoded = encoded.raw();
        let short = Merged {
            a: columns
                .map(|(key, value)| (key, Part::Value(value)))
                .peekable(),
            b: encoded
                .map(|(key, bytes)| (key, Part::Encoded(bytes)))
                .peekable(),
        };
        let long = longs.of_slot(at);
        Merged {
            a: short.peekable(),
            b: long.map(|(key, block)| (key, Part::Long(block))).peekable(),
        }
    }

    fn standing(&self) -> Standing<'e> {
        match self.0 {
            Form::None => Standing::default(),
            Form::Version(version) => Standing {
                columns: None,
                encoded: version::short(version),
                longs: version::longs(version),
                at: 0,
            },
            Form::Row(row) => Standing {
                columns: Some(row),
                encoded: row.rest(),
                longs: row.longs(),
                at: row.at(),
            },
        }
    }

    /// These properties with changes laid over them (null removes).
    pub(crate) fn overlaid(&self, changes: Properties<'e>) -> Draft<'e> {
        let mut draft = Draft::default();
        let mut changes = changes.raw().peekable();
        for (key, part) in self.parts() {
            while let Some((other, value)) = changes.next_if(|change| change.0 < key) {
                draft.set(other, value);
            }
            match changes.next_if(|change| change.0 == key) {
                Some((_, value)) => draft.set(key, value),
                None => draft.keep(key, part),
            }
        }
        changes.for_each(|(key, value)| draft.set(key, value));
        draft.finished()
    }

    /// As [`PropertiesRef::overlaid`]; nothing where no property is set and none removed that is there.
    pub(crate) fn overlaid_if_changed(&self, changes: Properties<'e>) -> Option<Draft<'e>> {
        let changed =
            |(key, value): (KeyId, &[u8])| value[0] != tag::NULL || self.get(key).is_some();
        changes.raw().any(changed).then(|| self.overlaid(changes))
    }
}

/// Where properties stand: the columns and the rest of a row, or the encoding of a version; and long ones, in a list.
#[derive(Default)]
struct Standing<'e> {
    columns: Option<Row<'e>>,
    encoded: Properties<'e>,
    longs: LongList<'e>,
    /// The slot in the list.
    at: usize,
}

impl std::fmt::Debug for PropertiesRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Two ascending lists without a common key as one.
struct Merged<A: Iterator, B: Iterator> {
    a: Peekable<A>,
    b: Peekable<B>,
}

impl<V, A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = (KeyId, V)>,
    B: Iterator<Item = (KeyId, V)>,
{
    type Item = (KeyId, V);

    fn next(&mut self) -> Option<Self::Item> {
        match (self.a.peek(), self.b.peek()) {
            (Some((a, _)), Some((b, _))) if b < a => self.b.next(),
            (Some(_), _) => self.a.next(),
            (None, _) => self.b.next(),
        }
    }
}
