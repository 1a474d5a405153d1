//! The plain arrays that the engine is compared with: all neighbours in one array, and searches over it level by level.
//!
//! Called by the storage's goals and by the `levels` binary, which `perf/run language` runs. Always holds: no visibility, no properties,
//! no filters: it is the least that a search can cost on this machine. What is found are ends of walks: edges may be used twice.

/// Outgoing neighbours of all vertices in one array.
pub struct Csr {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Csr {
    /// Of `edges`, pairs of source and target below `vertices`, ascending by source.
    pub fn new(vertices: usize, edges: &[(u32, u32)]) -> Csr {
        let mut starts = vec![0_u32; vertices + 1];
        for &(source, _) in edges {
            starts[source as usize + 1] += 1;
        }
        for at in 0..vertices {
            starts[at + 1] += starts[at];
        }
        let targets = edges.iter().map(|&(_, target)| target).collect();
        Csr { starts, targets }
    }

    /// How many vertices.
    pub fn vertices(&self) -> usize {
        self.starts.len() - 1
    }

    /// The targets of a vertex' edges.
    #[inline]
    pub fn of(&self, vertex: u32) -> &[u32] {
        let vertex = vertex as usize;
        &self.targets[self.starts[vertex] as usize..self.starts[vertex + 1] as usize]
    }
}

/// Vertices met, by the number of the level that met them last.
pub struct Seen {
    last: Vec<u32>,
    level: u32,
}

impl Seen {
    /// Nothing met yet, of so many vertices.
    pub fn new(vertices: usize) -> Seen {
        Seen {
            last: vec![0; vertices],
            level: 0,
        }
    }

    /// Begins a level: nothing is met in it yet.
    #[inline]
    pub fn begin(&mut self) {
        self.level += 1;
    }

    /// Whether a vertex is met for the first time in this level.
    #[inline]
    pub fn is_new(&mut self, vertex: usize) -> bool {
        let last = &mut self.last[vertex];
        let new = *last != self.level;
        *last = self.level;
        new
    }
}

/// A search's levels, kept between searches so that none allocates.
#[derive(Default)]
pub struct Levels {
    level: Vec<u32>,
    next: Vec<u32>,
}

impl Levels {
    /// The distinct ends of the walks of exactly `hops` hops from `first`, in the order in which they were met.
    pub fn search(&mut self, csr: &Csr, first: u32, hops: usize, seen: &mut Seen) -> &[u32] {
        self.level.clear();
        self.level.push(first);
        for _ in 0..hops {
            seen.begin();
            self.next.clear();
            for &vertex in &self.level {
                for &target in csr.of(vertex) {
                    if seen.is_new(target as usize) {
                        self.next.push(target);
                    }
                }
            }
            std::mem::swap(&mut self.level, &mut self.next);
        }
        &self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_each_end_of_its_last_level_once() {
        // 0 -> 1, 2; 1 -> 2, 3; 2 -> 0, 3; 3 has none.
        let csr = Csr::new(4, &[(0, 1), (0, 2), (1, 2), (1, 3), (2, 0), (2, 3)]);
        let (mut levels, mut seen) = (Levels::default(), Seen::new(csr.vertices()));
        let mut ends = |hops| {
            let mut ends = levels.search(&csr, 0, hops, &mut seen).to_vec();
            ends.sort_unstable();
            ends
        };
        assert_eq!(ends(1), [1, 2]);
        assert_eq!(ends(2), [0, 2, 3]);
        assert_eq!(ends(3), [0, 1, 2, 3]);
        assert_eq!(ends(1), [1, 2]);
    }
}
