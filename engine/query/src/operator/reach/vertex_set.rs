//! Sets of vertices as bits: ids are dense within a page, so a page that is touched has a bit for each of its slots.
//!
//! Called by the level sets and by searches breadth first. Always holds: a set keeps its memory when it is cleared, and clearing costs what was
//! touched; asking and inserting allocate nothing within a page that was touched before.

use quoit_graph::ids::{PAGE_SLOTS, PageId, VertexId};

/// The bits of a page.
pub type PageBits = [u64; PAGE_SLOTS / 64];

/// See the module.
#[derive(Debug, Default)]
pub struct VertexSet {
    /// For each page its place in `bits` plus one; 0: not touched.
    places: Vec<u32>,
    pages: Vec<PageId>,
    bits: Vec<PageBits>,
    len: usize,
}

impl VertexSet {
    /// Bytes that it keeps.
    pub fn bytes(&self) -> u64 {
        (self.places.capacity() * 4
            + self.pages.capacity() * 4
            + self.bits.capacity() * size_of::<PageBits>()) as u64
    }

    /// How many vertices it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a vertex; whether it is new.
    #[inline]
    pub fn insert(&mut self, vertex: VertexId) -> bool {
        let at = match self.places.get(vertex.page().0 as usize) {
            Some(place) if *place != 0 => *place - 1,
            _ => self.touch(vertex.page()),
        };
        let word = &mut self.bits[at as usize][vertex.slot() / 64];
        let bit = 1 << (vertex.slot() % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += usize::from(is_new);
        is_new
    }

    /// Whether it has a vertex.
    #[inline]
    pub fn contains(&self, vertex: VertexId) -> bool {
        match self.places.get(vertex.page().0 as usize) {
            Some(place) if *place != 0 => {
                self.bits[*place as usize - 1][vertex.slot() / 64] >> (vertex.slot() % 64) & 1 == 1
            }
            _ => false,
        }
    }

    #[cold]
    fn touch(&mut self, page: PageId) -> u32 {
        let number = page.0 as usize;
        if number >= self.places.len() {
            self.places.resize((number + 1).next_power_of_two(), 0);
        }
        self.pages.push(page);
        self.bits.push([0; PAGE_SLOTS / 64]);
        self.places[number] = self.pages.len() as u32;
        self.places[number] - 1
    }

    /// Empties it.
    pub fn clear(&mut self) {
        for page in self.pages.drain(..) {
            self.places[page.0 as usize] = 0;
        }
        self.bits.clear();
        self.len = 0;
    }

    /// Takes the vertices of one page out, if there are any: the pages in no order.
    pub fn pop_page(&mut self) -> Option<(PageId, PageBits)> {
        let (page, bits) = (self.pages.pop()?, self.bits.pop()?);
        self.places[page.0 as usize] = 0;
        self.len -= bits
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum::<usize>();
        Some((page, bits))
    }
}

/// The slots whose bits are set, ascending.
pub fn slots(bits: &PageBits) -> impl Iterator<Item = usize> {
    bits.iter().enumerate().flat_map(|(at, word)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(at * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_since_it_was_cleared() {
        let mut set = VertexSet::default();
        let far = VertexId::new(PageId(700), 1023);
        for _ in 0..3 {
            assert!(!set.contains(far));
            assert!(set.insert(VertexId(5)) && set.insert(far) && !set.insert(far));
            assert!(set.contains(far) && !set.contains(VertexId(6)));
            set.clear();
        }
        set.insert(VertexId(1));
        set.insert(far);
        set.insert(VertexId(900));
        assert_eq!(set.len(), 3);
        let mut all = Vec::new();
        while let Some((page, bits)) = set.pop_page() {
            all.extend(slots(&bits).map(|slot| VertexId::new(page, slot)));
        }
        all.sort_unstable();
        assert_eq!(all, [VertexId(1), VertexId(900), far]);
        assert_eq!(set.len(), 0);
        assert!(!set.contains(far) && set.insert(far));
    }
}
