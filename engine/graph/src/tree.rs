//! An ordered set of byte strings that one writer changes and many read: a B+tree, copied where it changes (design D8).
//!
//! Owned here: nodes, search, insertion, removal. Called by `index` (one tree a shard; the writer holds the shard's token).
//! Always holds: a node's strings never change; a change makes a new node and swaps one pointer in the parent, or a new parent
//! where the number of children changes; a reader that stands in an old node sees an older, whole state.
//! Left to others: what the strings mean, and whether an entry is visible.
//!
//! A node's bytes are `n + 1` offsets (u16) and then its strings. A branch has `n` separators and `n + 1` children: child `i` holds
//! strings below separator `i` and not below separator `i - 1`.

use crate::memory::{Alone, BlockRef, Charged, Guard, Heap, Link, MemoryOwner, Owned, Unlinked};

/// The longest string.
pub(crate) const STRING_MAX: usize = 1024 + 16;
const STRINGS_MAX: usize = 64;
/// A node is split above this many bytes of strings, if it has more than three.
const BYTES_MAX: usize = 4096;
const _: () = assert!(BYTES_MAX + 4 * STRING_MAX < u16::MAX as usize);

type NodeLink = Link<NodeHead, u8>;
type Node<'g> = BlockRef<'g, NodeHead, u8>;
type Children = Link<ChildrenHead, NodeLink>;

struct NodeHead {
    strings: u16,
    /// Null in a leaf.
    children: Children,
}

impl Charged for NodeHead {
    const OWNER: MemoryOwner = MemoryOwner::Indexes;
}

/// What stands before the links to a branch's children.
struct ChildrenHead;

impl Charged for ChildrenHead {
    const OWNER: MemoryOwner = MemoryOwner::Indexes;
}

/// See the module.
#[derive(Default)]
pub(crate) struct Tree {
    root: NodeLink,
}

fn string(node: Node<'_>, at: usize) -> &[u8] {
    let bytes = node.items();
    let offset = |i: usize| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]) as usize;
    let data = 2 * (node.header().strings as usize + 1);
    &bytes[data + offset(at)..data + offset(at + 1)]
}

fn len(node: Node<'_>) -> usize {
    node.header().strings as usize
}

/// The first string not below `key`, or not at or below it.
fn position(node: Node<'_>, below: impl Fn(&[u8]) -> bool) -> usize {
    let (mut low, mut high) = (0, len(node));
    while low < high {
        let middle = (low + high) / 2;
        if below(string(node, middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn children<'g>(node: Node<'g>, guard: &'g Guard<'_>) -> Option<&'g [NodeLink]> {
    Some(node.header().children.load(guard)?.items())
}

fn build<'h>(heap: &'h Heap, strings: &[&[u8]], children: Children) -> Owned<'h, NodeHead, u8> {
    let mut bytes = Vec::with_capacity(
        2 * (strings.len() + 1) + strings.iter().map(|s| s.len()).sum::<usize>(),
    );
    let mut offset = 0;
    for s in strings {
        bytes.extend_from_slice(&(offset as u16).to_le_bytes());
        offset += s.len();
    }
    bytes.extend_from_slice(&(offset as u16).to_le_bytes());
    for s in strings {
        bytes.extend_from_slice(s);
    }
    heap.block(
        NodeHead {
            strings: strings.len() as u16,
            children,
        },
        bytes.len(),
        |i| bytes[i],
    )
}

fn build_branch<'h>(
    heap: &'h Heap,
    separators: &[&[u8]],
    below: Vec<NodeLink>,
) -> Owned<'h, NodeHead, u8> {
    debug_assert_eq!(below.len(), separators.len() + 1);
    let mut below = below.into_iter();
    let children = heap.block(ChildrenHead, separators.len() + 1, |_| {
        below.next().expect("one more child than separators")
    });
    build(heap, separators, Link::owning(children))
}

fn too_large(strings: &[&[u8]]) -> bool {
    strings.len() > STRINGS_MAX
        || (strings.len() > 3 && strings.iter().map(|s| s.len()).sum::<usize>() > BYTES_MAX)
}

/// Where to split: in the middle by bytes, at least one string on each side.
fn middle(strings: &[&[u8]]) -> usize {
    let half = strings.iter().map(|s| s.len()).sum::<usize>() / 2;
    let mut bytes = 0;
    let at = strings.iter().position(|s| {
        bytes += s.len();
        bytes > half
    });
    at.unwrap_or(strings.len() / 2).clamp(1, strings.len() - 1)
}

/// The nodes from the root to a leaf, with the child taken in each branch.
struct Descent<'g> {
    branches: Vec<(Node<'g>, usize)>,
    leaf: Node<'g>,
}

impl Tree {
    fn descend<'g>(&self, key: &[u8], guard: &'g Guard<'_>) -> Option<Descent<'g>> {
        let mut node = self.root.load(guard)?;
        let mut branches = Vec::new();
        while let Some(below) = children(node, guard) {
            let child = position(node, |s| s <= key);
            branches.push((node, child));
            node = below[child]
                .load(guard)
                .expect("a branch has all its children");
        }
        Some(Descent {
            branches,
            leaf: node,
        })
    }

    /// The link that owns the node at a depth of a descent.
    fn owner<'g>(
        &'g self,
        descent: &Descent<'g>,
        depth: usize,
        guard: &'g Guard<'_>,
    ) -> &'g NodeLink {
        match depth.checked_sub(1) {
            None => &self.root,
            Some(above) => {
                let (branch, child) = descent.branches[above];
                &children(branch, guard).expect("a branch has children")[child]
            }
        }
    }

    /// Adds a string; `false` if it is there already.
    pub(crate) fn insert(&self, key: &[u8], guard: &Guard<'_>) -> bool {
        debug_assert!(key.len() <= STRING_MAX);
        let heap = guard.heap();
        let Some(descent) = self.descend(key, guard) else {
            let none = self.root.set(build(heap, &[key], Link::default()));
            debug_assert!(none.is_none());
            return true;
        };
        let at = position(descent.leaf, |s| s < key);
        if at < len(descent.leaf) && string(descent.leaf, at) == key {
            return false;
        }
        let mut strings: Vec<&[u8]> = (0..len(descent.leaf))
            .map(|i| string(descent.leaf, i))
            .collect();
        strings.insert(at, key);
        let mut depth = descent.branches.len();
        if !too_large(&strings) {
            let old =
                self.owner(&descent, depth, guard)
                    .set(build(heap, &strings, Link::default()));
            retire(heap, old);
            return true;
        }
        let cut = middle(&strings);
        let (left, right) = strings.split_at(cut);
        let common = left[cut - 1]
            .iter()
            .zip(right[0])
            .take_while(|(a, b)| a == b)
            .count();
        let mut separator: Vec<u8> = right[0][..common + 1].to_vec();
        let mut halves = (
            Link::owning(build(heap, left, Link::default())),
            Link::owning(build(heap, right, Link::default())),
        );
        // One level up at a time, until a branch has room for one more child.
        loop {
            let Some(above) = depth.checked_sub(1) else {
                let root = build_branch(heap, &[&separator], vec![halves.0, halves.1]);
                retire(heap, self.root.set(root));
                return true;
            };
            let (branch, child) = descent.branches[above];
            let split = children(branch, guard).expect("a branch has children")[child].inherit();
            let mut below: Vec<NodeLink> = copied(branch, guard);
            below.splice(child..child + 1, [halves.0, halves.1]);
            let mut separators: Vec<&[u8]> = (0..len(branch)).map(|i| string(branch, i)).collect();
            separators.insert(child, &separator);
            retire(heap, split);
            depth = above;
            if !too_large(&separators) {
                retire(
                    heap,
                    self.owner(&descent, depth, guard)
                        .set(build_branch(heap, &separators, below)),
                );
                return true;
            }
            let cut = middle(&separators);
            let right_below = below.split_off(cut + 1);
            let up = separators[cut].to_vec();
            halves = (
                Link::owning(build_branch(heap, &separators[..cut], below)),
                Link::owning(build_branch(heap, &separators[cut + 1..], right_below)),
            );
            separator = up;
        }
    }

    /// Takes a string out; `false` if it is not there.
    pub(crate) fn remove(&self, key: &[u8], guard: &Guard<'_>) -> bool {
        let heap = guard.heap();
        let Some(descent) = self.descend(key, guard) else {
            return false;
        };
        let at = position(descent.leaf, |s| s < key);
        if at == len(descent.leaf) || string(descent.leaf, at) != key {
            return false;
        }
        let strings: Vec<&[u8]> = (0..len(descent.leaf))
            .filter(|&i| i != at)
            .map(|i| string(descent.leaf, i))
            .collect();
        let mut depth = descent.branches.len();
        if !strings.is_empty() {
            let old =
                self.owner(&descent, depth, guard)
                    .set(build(heap, &strings, Link::default()));
            retire(heap, old);
            return true;
        }
        // An empty node goes, and with it each branch of which it was the only child.
        loop {
            let Some(above) = depth.checked_sub(1) else {
                retire(heap, self.root.take());
                return true;
            };
            let (branch, child) = descent.branches[above];
            let links = children(branch, guard).expect("a branch has children");
            retire(heap, links[child].inherit());
            depth = above;
            if links.len() == 1 {
                continue;
            }
            let mut below: Vec<NodeLink> = copied(branch, guard);
            below.remove(child);
            let gone = child.min(len(branch) - 1);
            let separators: Vec<&[u8]> = (0..len(branch))
                .filter(|&i| i != gone)
                .map(|i| string(branch, i))
                .collect();
            retire(
                heap,
                self.owner(&descent, depth, guard)
                    .set(build_branch(heap, &separators, below)),
            );
            return true;
        }
    }

    /// The strings from `from` on, ascending; nothing is allocated.
    pub(crate) fn from<'g>(&'g self, from: &[u8], guard: &'g Guard<'_>) -> Ascent<'g> {
        let mut ascent = Ascent {
            tree: self,
            guard,
            leaf: None,
            at: 0,
            fence: None,
        };
        ascent.seek(from);
        ascent
    }

    /// The strings below `below` (all, where there is none), descending; nothing is allocated.
    pub(crate) fn before<'g>(
        &'g self,
        below: Option<&[u8]>,
        guard: &'g Guard<'_>,
    ) -> Descending<'g> {
        let mut descending = Descending {
            tree: self,
            guard,
            leaf: None,
            at: 0,
            fence: None,
        };
        descending.seek(below);
        descending
    }

    /// Frees all nodes at once.
    pub(crate) fn free(&mut self, heap: &Heap) {
        fn below(node: Option<Unlinked<NodeHead, u8>>, heap: &Heap, alone: &mut Alone) {
            if let Some(node) = node {
                if let Some(links) = node.header().children.inherit() {
                    for link in links.items() {
                        below(link.inherit(), heap, alone);
                    }
                    heap.free_block(links, alone);
                }
                heap.free_block(node, alone);
            }
        }
        Alone::with(self, |tree, alone| below(tree.root.take(), heap, alone));
    }
}

/// Links to a branch's children for the branch that takes its place.
fn copied(branch: Node<'_>, guard: &Guard<'_>) -> Vec<NodeLink> {
    children(branch, guard)
        .expect("a branch has children")
        .iter()
        .map(|link| Link::to(link.load(guard)))
        .collect()
}

/// Retires a node and its array of children, not the children.
fn retire(heap: &Heap, node: Option<Unlinked<NodeHead, u8>>) {
    if let Some(node) = node {
        if let Some(links) = node.header().children.inherit() {
            heap.retire_block(links);
        }
        heap.retire_block(node);
    }
}

/// Strings in ascending order.
pub(crate) struct Ascent<'g> {
    tree: &'g Tree,
    guard: &'g Guard<'g>,
    leaf: Option<Node<'g>>,
    at: usize,
    /// The separator above the leaf: the next leaf starts there.
    fence: Option<&'g [u8]>,
}

impl<'g> Ascent<'g> {
    fn seek(&mut self, from: &[u8]) {
        self.leaf = None;
        self.fence = None;
        let Some(mut node) = self.tree.root.load(self.guard) else {
            return;
        };
        while let Some(below) = children(node, self.guard) {
            let child = position(node, |s| s <= from);
            if child < len(node) {
                self.fence = Some(string(node, child));
            }
            node = below[child]
                .load(self.guard)
                .expect("a branch has all its children");
        }
        self.at = position(node, |s| s < from);
        self.leaf = Some(node);
    }
}

impl<'g> Iterator for Ascent<'g> {
    type Item = &'g [u8];

    #[inline]
    fn next(&mut self) -> Option<&'g [u8]> {
        loop {
            let leaf = self.leaf?;
            if self.at < len(leaf) {
                self.at += 1;
                return Some(string(leaf, self.at - 1));
            }
            match self.fence {
                Some(fence) => self.seek(fence),
                None => self.leaf = None,
            }
        }
    }
}

/// Strings in descending order.
pub(crate) struct Descending<'g> {
    tree: &'g Tree,
    guard: &'g Guard<'g>,
    leaf: Option<Node<'g>>,
    /// How many of the leaf's strings are still to come.
    at: usize,
    /// The separator below the leaf: what is left lies below it.
    fence: Option<&'g [u8]>,
}

impl<'g> Descending<'g> {
    fn seek(&mut self, below: Option<&[u8]>) {
        self.leaf = None;
        self.fence = None;
        let Some(mut node) = self.tree.root.load(self.guard) else {
            return;
        };
        let left = |node| below.map_or(len(node), |below| position(node, |s| s < below));
        while let Some(links) = children(node, self.guard) {
            let child = left(node);
            if child > 0 {
                self.fence = Some(string(node, child - 1));
            }
            node = links[child]
                .load(self.guard)
                .expect("a branch has all its children");
        }
        self.at = left(node);
        self.leaf = Some(node);
    }
}

impl<'g> Iterator for Descending<'g> {
    type Item = &'g [u8];

    #[inline]
    fn next(&mut self) -> Option<&'g [u8]> {
        loop {
            let leaf = self.leaf?;
            if self.at > 0 {
                self.at -= 1;
                return Some(string(leaf, self.at));
            }
            match self.fence {
                Some(fence) => self.seek(Some(fence)),
                None => self.leaf = None,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::memory::Account;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    #[test]
    fn a_tree_holds_what_a_sorted_set_holds_and_gives_its_memory_back() {
        let account = Arc::new(Account::new(1));
        let heap = Heap::new(account.clone(), 0);
        let mut tree = Tree::default();
        let mut model: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for round in 0..60_000u64 {
            let guard = heap.enter();
            let long = if random() % 50 == 0 { 900 } else { 3 };
            let key = [
                &(random() % 4096).to_be_bytes()[4..],
                &vec![7; (random() % long) as usize][..],
            ]
            .concat();
            // Grows, then shrinks to nothing.
            if random() % 100 < if round < 30_000 { 70 } else { 20 } {
                assert_eq!(tree.insert(&key, &guard), model.insert(key));
            } else {
                let near = model.range(key.clone()..).next().cloned().unwrap_or(key);
                assert_eq!(tree.remove(&near, &guard), model.remove(&near));
            }
            if round % 997 == 0 {
                let from = (random() % 4096).to_be_bytes()[4..].to_vec();
                assert!(
                    tree.from(&from, &guard)
                        .eq(model.range(from.clone()..).map(|s| &s[..])),
                    "round {round}"
                );
                assert!(
                    tree.before(Some(&from), &guard)
                        .eq(model.range(..from).rev().map(|s| &s[..])),
                    "round {round}"
                );
                assert!(
                    tree.before(None, &guard)
                        .eq(model.iter().rev().map(|s| &s[..])),
                    "round {round}"
                );
            }
            drop(guard);
            heap.collect(100);
        }
        for key in std::mem::take(&mut model) {
            assert!(tree.remove(&key, &heap.enter()));
        }
        heap.collect(usize::MAX);
        assert_eq!(account.live_bytes(), 0);
        tree.free(&heap);
    }
}
