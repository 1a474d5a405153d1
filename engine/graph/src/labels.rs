//! Label sets: each combination of labels that occurs, interned to a small number on this node.
//!
//! Owned here: [`LabelSets`]. Called by `write` (interning) and `view` (labels of a vertex).
//! Always holds: a set's labels are ascending and never change; number 0 is the empty set; looking up by number takes no lock.
//! Cores keep what they have interned (`core`), so the lock is met once a set and core.

use crate::delta::Labels;
use crate::growing::Growing;
use crate::ids::{LabelId, LabelSetId};
use hashbrown::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// The most combinations of labels.
pub(crate) const LABEL_SETS_MAX: usize = 1 << 20;

/// See the module.
pub(crate) struct LabelSets {
    sets: Growing<OnceLock<Box<[LabelId]>>>,
    by_labels: Mutex<HashMap<Labels, LabelSetId>>,
    /// How many, and the labels of all of them.
    count: AtomicUsize,
    members: AtomicUsize,
}

impl Default for LabelSets {
    fn default() -> LabelSets {
        let sets = LabelSets {
            sets: Growing::default(),
            by_labels: Mutex::default(),
            count: AtomicUsize::new(0),
            members: AtomicUsize::new(0),
        };
        assert_eq!(sets.intern(&Labels::new()), Some(LabelSetId(0)));
        sets
    }
}

impl LabelSets {
    /// The number of ascending labels; `None` when there are too many sets.
    pub(crate) fn intern(&self, labels: &Labels) -> Option<LabelSetId> {
        debug_assert!(labels.is_sorted());
        let mut by_labels = self
            .by_labels
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(id) = by_labels.get(labels) {
            return Some(*id);
        }
        let id = LabelSetId(by_labels.len() as u32);
        if by_labels.len() == LABEL_SETS_MAX {
            return None;
        }
        let fresh = self
            .sets
            .get_or_make(id.0 as usize)
            .set(labels.as_slice().into());
        assert!(fresh.is_ok(), "numbers of label sets are given once");
        by_labels.insert(labels.clone(), id);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.members.fetch_add(labels.len(), Ordering::Relaxed);
        Some(id)
    }

    /// What they take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let count = self.count.load(Ordering::Relaxed);
        let members = self.members.load(Ordering::Relaxed) * size_of::<LabelId>();
        // A map has room for up to twice as many.
        let map = 2 * count * size_of::<(Labels, LabelSetId)>();
        Growing::<OnceLock<Box<[LabelId]>>>::bytes_of(count) + members + map
    }

    /// The labels of a set, ascending.
    #[inline]
    pub(crate) fn labels(&self, id: LabelSetId) -> &[LabelId] {
        self.sets
            .get(id.0 as usize)
            .and_then(OnceLock::get)
            .expect("a version's label set has been interned")
    }
}
