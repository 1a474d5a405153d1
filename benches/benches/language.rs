//! Text to tree: what a query costs that no plan cache has seen, and the key by which most are found.

use criterion::{Criterion, criterion_group, criterion_main};
use quoit_cypher::check::{self, NoProcedures};
use quoit_cypher::normalise::{Normalised, normalise};
use quoit_cypher::parser;
use std::hint::black_box;

const TEXT: &str = "MATCH (n:User {id: 4711})-->(m:User) WHERE m.age >= 18 RETURN DISTINCT m.id";

fn language(c: &mut Criterion) {
    c.bench_function("language: parse and check", |b| {
        b.iter(|| {
            let statement = parser::parse(black_box(TEXT)).expect("a statement");
            black_box(check::check(statement, &NoProcedures).expect("a checked statement"));
        });
    });
    let mut normalised = Normalised::new();
    c.bench_function("language: the plan cache's key", |b| {
        b.iter(|| assert!(normalise(black_box(TEXT), &mut normalised)));
    });
}

criterion_group!(benches, language);
criterion_main!(benches);
