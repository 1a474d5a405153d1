//! A graph shaped like Pokec, from a seed, without files: what the storage's goals are measured on.
//!
//! Owned here: [`Pokec`] and the recipe (ARCHITECTURE.md, "Data for measuring"; `perf/pokec.py` is the same for whole servers).
//! Always holds: the number of edges is exact, there are no loops and no duplicates, and a seed gives the same graph everywhere.
//! Left to others: properties, and the order in which edges are loaded.

use crate::storage::Numbers;

/// How large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 10,000 vertices, 121,716 edges.
    Small,
    /// 100,000 vertices, 1,768,515 edges.
    Medium,
}

/// The share of vertices without outgoing edges.
const SINK_SHARE: f64 = 0.12;
const OUT_DEGREE_MAX: usize = 9_000;
/// The share of edges that end near their source, and how far near is.
const NEAR_SHARE: f64 = 0.45;
const NEAR_DISTANCE_MAX: f64 = 4_096.0;
/// The share of edges that are answered by one back.
const RECIPROCAL_SHARE: f64 = 0.40;

/// Vertices 0 to `vertices` - 1 and edges as pairs, ascending by (source, target).
pub struct Pokec {
    /// How many vertices.
    pub vertices: usize,
    /// Source and target.
    pub edges: Vec<(u32, u32)>,
}

/// What is checked of a graph.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The share of vertices without outgoing edges.
    pub sinks: f64,
    /// The share of edges with one back.
    pub reciprocity: f64,
    /// How many edges start, on the mean, where an edge ends.
    pub growth: f64,
    /// The largest out-degree.
    pub degree_max: usize,
}

/// A number between 0 and 1.
fn share(numbers: &mut Numbers) -> f64 {
    (numbers.next_number() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number of the normal distribution (Box and Muller).
fn normal(numbers: &mut Numbers) -> f64 {
    let radius = (-2.0 * (1.0 - share(numbers)).ln()).sqrt();
    radius * (std::f64::consts::TAU * share(numbers)).cos()
}

/// Sums up to each place, for drawing in proportion.
fn sums(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

fn draw(sums: &[f64], numbers: &mut Numbers) -> usize {
    let at = share(numbers) * sums.last().expect("there are weights");
    sums.partition_point(|&sum| sum <= at).min(sums.len() - 1)
}

impl Pokec {
    /// The graph of a size and a seed (not zero).
    pub fn new(size: Size, seed: u64) -> Pokec {
        let (vertices, edges, sigma) = match size {
            Size::Small => (10_000, 121_716, 1.15),
            Size::Medium => (100_000, 1_768_515, 1.30),
        };
        let numbers = &mut Numbers::new(seed);
        let fitness: Vec<f64> = (0..vertices)
            .map(|_| {
                let fitness = (sigma * normal(numbers)).exp();
                if share(numbers) < SINK_SHARE {
                    0.0
                } else {
                    fitness
                }
            })
            .collect();
        let mean = fitness.iter().sum::<f64>() / vertices as f64;
        let starts = sums(fitness.iter().copied());
        let ends = sums(fitness.iter().map(|f| f + 0.05 * mean));
        let mut keys: Vec<u64> = Vec::new();
        while keys.len() < edges {
            // Edges back add to what is drawn, duplicates and loops take away: draw what is missing, and trim.
            let wanted = ((edges - keys.len()) as f64 / 1.3).max(1_000.0) as usize;
            let mut degrees = vec![0_usize; vertices];
            for _ in 0..wanted {
                degrees[draw(&starts, numbers)] += 1;
            }
            for (source, &degree) in degrees.iter().enumerate() {
                for _ in 0..degree.min(OUT_DEGREE_MAX) {
                    let target = if share(numbers) < NEAR_SHARE {
                        let distance = NEAR_DISTANCE_MAX.powf(share(numbers)) as usize;
                        let distance = if share(numbers) < 0.5 {
                            distance
                        } else {
                            vertices - distance
                        };
                        (source + distance) % vertices
                    } else {
                        draw(&ends, numbers)
                    };
                    let key = |from: usize, to: usize| (from as u64) << 32 | to as u64;
                    if source != target {
                        keys.push(key(source, target));
                        if share(numbers) < RECIPROCAL_SHARE && fitness[target] > 0.0 {
                            keys.push(key(target, source));
                        }
                    }
                }
            }
            keys.sort_unstable();
            keys.dedup();
        }
        shuffle(&mut keys, numbers);
        keys.truncate(edges);
        keys.sort_unstable();
        let pair = |key: u64| ((key >> 32) as u32, key as u32);
        Pokec {
            vertices,
            edges: keys.into_iter().map(pair).collect(),
        }
    }

    /// The edges in an order without any, from a seed (not zero).
    pub fn shuffled(&self, seed: u64) -> Vec<(u32, u32)> {
        let mut edges = self.edges.clone();
        shuffle(&mut edges, &mut Numbers::new(seed));
        edges
    }

    /// What the graph looks like.
    pub fn shape(&self) -> Shape {
        let (mut outs, mut ins) = (vec![0_usize; self.vertices], vec![0_usize; self.vertices]);
        let mut answered = 0;
        for &(source, target) in &self.edges {
            outs[source as usize] += 1;
            ins[target as usize] += 1;
            answered += usize::from(self.edges.binary_search(&(target, source)).is_ok());
        }
        let walks: usize = outs.iter().zip(&ins).map(|(o, i)| o * i).sum();
        Shape {
            sinks: outs.iter().filter(|&&degree| degree == 0).count() as f64 / self.vertices as f64,
            reciprocity: answered as f64 / self.edges.len() as f64,
            growth: walks as f64 / self.edges.len() as f64,
            degree_max: outs.iter().copied().max().unwrap_or(0),
        }
    }
}

fn shuffle<T>(all: &mut [T], numbers: &mut Numbers) {
    for at in (1..all.len()).rev() {
        all.swap(at, numbers.below(at + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_graph_has_the_shape_of_pokec_and_comes_again_from_its_seed() {
        let graph = Pokec::new(Size::Small, 7);
        assert_eq!((graph.vertices, graph.edges.len()), (10_000, 121_716));
        assert!(graph.edges.windows(2).all(|w| w[0] < w[1]));
        assert!(graph.edges.iter().all(|(from, to)| from != to));
        let shape = graph.shape();
        assert!((0.10..0.20).contains(&shape.sinks), "{shape:?}");
        assert!((0.45..0.60).contains(&shape.reciprocity), "{shape:?}");
        assert!((25.0..50.0).contains(&shape.growth), "{shape:?}");
        assert_eq!(Pokec::new(Size::Small, 7).edges, graph.edges);
    }
}
