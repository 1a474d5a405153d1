//! Times the level-set loop over plain arrays, for `perf/run language`: `levels VERTICES EDGES STARTS HOPS`.
//!
//! EDGES holds pairs of little-endian u32, ascending by source; STARTS one u32 a search. Prints JSON: microseconds a search (the least of
//! the rounds) and ends found a search.

use quoit_benches::csr::{Csr, Levels, Seen};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [vertices, edges, starts, hops] = arguments.as_slice() else {
        eprintln!("usage: levels VERTICES EDGES STARTS HOPS");
        return ExitCode::from(2);
    };
    match measure(vertices, edges, starts, hops) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("levels: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(
    vertices: &str,
    edges: &str,
    starts: &str,
    hops: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let (vertices, hops) = (vertices.parse::<usize>()?, hops.parse::<usize>()?);
    let numbers = |path: &str| -> std::io::Result<Vec<u32>> {
        let bytes = std::fs::read(path)?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    };
    let pairs = numbers(edges)?;
    let (pairs, _) = pairs.as_chunks::<2>();
    let pairs: Vec<(u32, u32)> = pairs.iter().map(|&[from, to]| (from, to)).collect();
    let starts = numbers(starts)?;
    let past_the_end = |vertex: u32| vertex as usize >= vertices;
    if starts.is_empty() || starts.iter().copied().any(past_the_end) {
        return Err("no starts, or one that is no vertex".into());
    }
    if pairs
        .iter()
        .any(|&(from, to)| past_the_end(from) || past_the_end(to))
    {
        return Err("an edge ends at no vertex".into());
    }
    let csr = Csr::new(vertices, &pairs);
    let (mut levels, mut seen) = (Levels::default(), Seen::new(vertices));
    let (mut least, mut found) = (f64::INFINITY, 0);
    for _ in 0..ROUNDS {
        found = 0;
        let begin = Instant::now();
        for &first in &starts {
            found += black_box(levels.search(&csr, first, hops, &mut seen)).len();
        }
        least = least.min(begin.elapsed().as_secs_f64());
    }
    let searches = starts.len() as f64;
    Ok(format!(
        "{{\"us\": {}, \"rows\": {}}}",
        least * 1e6 / searches,
        found as f64 / searches
    ))
}
