//! Names of labels, edge types and property keys, interned to dense numbers.
//!
//! Owned here: [`Names`], one table a kind. Called by `query` (look-ups while planning), `txn` (interning while writing),
//! `apply` (names defined by a log).
//! Always holds: an id has one name for ever; look-ups from any core take no lock; `defined` of a name is the first commit whose
//! frame carries its definition, so that a writer knows whether its own frame must carry it again (design D10).
//! Left to others: which frame defines what (`txn`).
//!
//! A reader finds a name by probing an array of ids, and its text by the id. Arrays grow by being built anew beside the old
//! ones, which stay (together they are never larger than the newest), so no reader ever holds a freed one.

use crate::delta::{NAME_BYTES_MAX, NameKind};
use crate::growing::Growing;
use crate::ids::{CommitSeq, KeyId, LabelId, TypeId};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The most names of one kind.
pub const NAMES_MAX: u32 = 1 << 20;

/// Why a name got no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There are [`NAMES_MAX`] names of this kind already.
    #[error("there are already {NAMES_MAX} names of this kind")]
    TooMany,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("a name of {0} bytes is longer than {NAME_BYTES_MAX}")]
    TooLong(usize),
    /// A log gives an id a second name, or a name a second id.
    #[error("the log defines {kind:?} {id} as {name:?}, which contradicts an earlier definition")]
    Contradiction {
        /// Label, type or key.
        kind: NameKind,
        /// The id.
        id: u32,
        /// The name it should get.
        name: String,
    },
}

struct Entry {
    name: Arc<str>,
    /// The commit that defined it for the log; `u64::MAX` while none has.
    defined: AtomicU64,
}

/// One kind of names.
struct Table {
    kind: NameKind,
    entries: Growing<OnceLock<Entry>>,
    /// Arrays of id + 1 by hash, linear probing, at most half full; the newest is number `newest`.
    probes: [OnceLock<Box<[AtomicU32]>>; 20],
    newest: AtomicU32,
    /// One past the largest id in use.
    limit: AtomicU32,
    /// What texts take, in bytes.
    text_bytes: AtomicUsize,
    hasher: RandomState,
    /// Interning is rare and goes one at a time; it holds the number of names.
    writer: Mutex<usize>,
}

const FIRST_PROBES: usize = 128;

impl Table {
    fn new(kind: NameKind) -> Table {
        let table = Table {
            kind,
            entries: Growing::default(),
            probes: [const { OnceLock::new() }; 20],
            newest: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            text_bytes: AtomicUsize::new(0),
            hasher: RandomState::new(),
            writer: Mutex::new(0),
        };
        table.probes[0].get_or_init(|| (0..FIRST_PROBES).map(|_| AtomicU32::new(0)).collect());
        table
    }

    fn entry(&self, id: u32) -> Option<&Entry> {
        self.entries.get(id as usize)?.get()
    }

    /// What it takes, in bytes.
    fn bytes(&self) -> usize {
        let names = self.limit.load(Ordering::Relaxed) as usize;
        let newest = self.newest.load(Ordering::Relaxed);
        let probes = FIRST_PROBES * ((2 << newest) - 1) * size_of::<AtomicU32>();
        let texts = self.text_bytes.load(Ordering::Relaxed);
        Growing::<OnceLock<Entry>>::bytes_of(names) + probes + texts
    }

    fn find(&self, name: &str) -> Option<u32> {
        let probes = self.probes[self.newest.load(Ordering::Acquire) as usize].get()?;
        let mut at = self.hasher.hash_one(name) as usize;
        loop {
            at &= probes.len() - 1;
            let id = probes[at].load(Ordering::Acquire).checked_sub(1)?;
            if self.entry(id).is_some_and(|entry| &*entry.name == name) {
                return Some(id);
            }
            at += 1;
        }
    }

    fn insert_probe(&self, probes: &[AtomicU32], id: u32, name: &str) {
        let mut at = self.hasher.hash_one(name) as usize & (probes.len() - 1);
        while probes[at].load(Ordering::Relaxed) != 0 {
            at = (at + 1) & (probes.len() - 1);
        }
        probes[at].store(id + 1, Ordering::Release);
    }

    fn intern(&self, name: &str) -> Result<u32, NameError> {
        if let Some(id) = self.find(name) {
            return Ok(id);
        }
        let mut count = self
            .writer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(id) = self.find(name) {
            return Ok(id);
        }
        let id = self.limit.load(Ordering::Relaxed);
        self.place(&mut count, id, name)?;
        Ok(id)
    }

    fn define(&self, id: u32, name: &str) -> Result<(), NameError> {
        let contradiction = || NameError::Contradiction {
            kind: self.kind,
            id,
            name: name.to_owned(),
        };
        let mut count = self
            .writer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match (self.entry(id), self.find(name)) {
            (Some(entry), Some(found)) if found == id && &*entry.name == name => Ok(()),
            (None, None) => self.place(&mut count, id, name),
            _ => Err(contradiction()),
        }
    }

    /// Puts a name that is not there at an id that is free; the caller holds `writer`.
    fn place(&self, count: &mut usize, id: u32, name: &str) -> Result<(), NameError> {
        if id >= NAMES_MAX {
            return Err(NameError::TooMany);
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong(name.len()));
        }
        let entry = Entry {
            name: Arc::from(name),
            defined: AtomicU64::new(u64::MAX),
        };
        assert!(
            self.entries.get_or_make(id as usize).set(entry).is_ok(),
            "a free id has no name"
        );
        *count += 1;
        // An `Arc` has two counts before the text.
        let bytes = name.len() + 2 * size_of::<usize>();
        self.text_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.limit.fetch_max(id + 1, Ordering::AcqRel);
        let newest = self.newest.load(Ordering::Relaxed) as usize;
        let probes = self.probes[newest]
            .get()
            .expect("the newest array of probes exists");
        if *count * 2 <= probes.len() {
            self.insert_probe(probes, id, name);
            return Ok(());
        }
        let larger: Box<[AtomicU32]> = (0..probes.len() * 2).map(|_| AtomicU32::new(0)).collect();
        for id in 0..self.limit.load(Ordering::Relaxed) {
            if let Some(entry) = self.entry(id) {
                self.insert_probe(&larger, id, &entry.name);
            }
        }
        assert!(
            self.probes[newest + 1].set(larger).is_ok(),
            "arrays of probes are built once"
        );
        self.newest.store(newest as u32 + 1, Ordering::Release);
        Ok(())
    }
}

/// All interned names of a graph.
pub struct Names {
    labels: Table,
    types: Table,
    keys: Table,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            labels: Table::new(NameKind::Label),
            types: Table::new(NameKind::Type),
            keys: Table::new(NameKind::Key),
        }
    }
}

impl Names {
    /// What they take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let tables = [&self.labels, &self.types, &self.keys];
        tables.into_iter().map(Table::bytes).sum()
    }

    fn table(&self, kind: NameKind) -> &Table {
        match kind {
            NameKind::Label => &self.labels,
            NameKind::Type => &self.types,
            NameKind::Key => &self.keys,
        }
    }

    /// The label of a name that has been interned. Readers use these: looking up never makes an id.
    pub fn label(&self, name: &str) -> Option<LabelId> {
        self.labels.find(name).map(LabelId)
    }

    /// The edge type of a name that has been interned.
    pub fn edge_type(&self, name: &str) -> Option<TypeId> {
        self.types.find(name).map(TypeId)
    }

    /// The property key of a name that has been interned.
    pub fn key(&self, name: &str) -> Option<KeyId> {
        self.keys.find(name).map(KeyId)
    }

    /// The label of a name, made if need be. Only writers on a MAIN use these three.
    pub fn intern_label(&self, name: &str) -> Result<LabelId, NameError> {
        self.labels.intern(name).map(LabelId)
    }

    /// The edge type of a name, made if need be.
    pub fn intern_type(&self, name: &str) -> Result<TypeId, NameError> {
        self.types.intern(name).map(TypeId)
    }

    /// The property key of a name, made if need be.
    pub fn intern_key(&self, name: &str) -> Result<KeyId, NameError> {
        self.keys.intern(name).map(KeyId)
    }

    /// The name of a label.
    pub fn label_name(&self, id: LabelId) -> Option<&Arc<str>> {
        self.labels.entry(id.0).map(|entry| &entry.name)
    }

    /// The name of an edge type.
    pub fn type_name(&self, id: TypeId) -> Option<&Arc<str>> {
        self.types.entry(id.0).map(|entry| &entry.name)
    }

    /// The name of a property key.
    pub fn key_name(&self, id: KeyId) -> Option<&Arc<str>> {
        self.keys.entry(id.0).map(|entry| &entry.name)
    }

    /// One past the largest id of a kind; ids below it may be missing on a replica.
    pub fn limit(&self, kind: NameKind) -> u32 {
        self.table(kind).limit.load(Ordering::Acquire)
    }

    /// The text of an id.
    pub fn name(&self, kind: NameKind, id: u32) -> Option<&Arc<str>> {
        self.table(kind).entry(id).map(|entry| &entry.name)
    }

    /// A log's definition: fixes an id's name and marks it defined by `seq`.
    pub fn define(
        &self,
        kind: NameKind,
        id: u32,
        name: &str,
        seq: CommitSeq,
    ) -> Result<(), NameError> {
        self.table(kind).define(id, name)?;
        self.mark_defined(kind, id, seq);
        Ok(())
    }

    /// The commit whose frame carries the definition of an id, if any does.
    pub fn defined(&self, kind: NameKind, id: u32) -> Option<CommitSeq> {
        let defined = self.table(kind).entry(id)?.defined.load(Ordering::Acquire);
        (defined != u64::MAX).then_some(CommitSeq(defined))
    }

    /// Notes that the frame of `seq` carries the definition of an id.
    pub fn mark_defined(&self, kind: NameKind, id: u32, seq: CommitSeq) {
        if let Some(entry) = self.table(kind).entry(id) {
            entry.defined.fetch_min(seq.0, Ordering::AcqRel);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_ids_while_the_table_grows() {
        let names = Names::default();
        let ids: Vec<_> = (0..5_000)
            .map(|i| names.intern_key(&format!("key {i}")).unwrap())
            .collect();
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(id.0 as usize, i);
            assert_eq!(names.key(&format!("key {i}")), Some(*id));
            assert_eq!(names.key_name(*id).unwrap().as_ref(), format!("key {i}"));
        }
        assert_eq!(names.key("absent"), None);
        assert_eq!(names.label("key 1"), None);
    }

    #[test]
    fn a_log_may_repeat_a_definition_but_not_contradict_it() {
        let names = Names::default();
        names
            .define(NameKind::Label, 7, "Person", CommitSeq(3))
            .unwrap();
        names
            .define(NameKind::Label, 7, "Person", CommitSeq(9))
            .unwrap();
        assert_eq!(names.defined(NameKind::Label, 7), Some(CommitSeq(3)));
        assert!(
            names
                .define(NameKind::Label, 7, "City", CommitSeq(9))
                .is_err()
        );
        assert!(
            names
                .define(NameKind::Label, 8, "Person", CommitSeq(9))
                .is_err()
        );
        assert_eq!(
            names.define(NameKind::Label, u32::MAX, "City", CommitSeq(9)),
            Err(NameError::TooMany)
        );
        assert_eq!(names.intern_label("City").unwrap(), LabelId(8));
        assert_eq!(names.defined(NameKind::Label, 8), None);
    }

    #[test]
    fn threads_that_intern_the_same_names_agree() {
        let names = Names::default();
        let all: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500)
                            .map(|i| names.intern_type(&i.to_string()).unwrap().0)
                            .collect()
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .collect()
        });
        assert!(all.iter().all(|ids| ids == &all[0]));
    }
}
