//! However a query is planned and driven, it gives the same bag of rows, and no query brings the engine down.

use quoit_cypher::error::Error;
use quoit_fuzz::arrangement::Arrangement;
use quoit_fuzz::{Budget, Draw, graph, query};
use quoit_graph::value::Value;

/// The rows as a bag, as text.
fn bag(rows: &[Vec<Value>]) -> Vec<String> {
    let mut texts: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    texts.sort();
    texts
}

/// Two answers that ought to be one.
fn compare(
    text: &str,
    seed: u64,
    first: (&str, &Result<Vec<Vec<Value>>, Error>),
    other: (&str, Result<Vec<Vec<Value>>, Error>),
) {
    match (first.1, other.1) {
        (Ok(rows), Ok(others)) => {
            let (rows, others) = (bag(rows), bag(&others));
            assert!(
                rows == others,
                "seed {seed}: {text}\n{}: {} rows {:?}\n{}: {} rows {:?}",
                first.0,
                rows.len(),
                rows.iter()
                    .filter(|row| !others.contains(row))
                    .take(4)
                    .collect::<Vec<_>>(),
                other.0,
                others.len(),
                others
                    .iter()
                    .filter(|row| !rows.contains(row))
                    .take(4)
                    .collect::<Vec<_>>(),
            );
        }
        (Err(error), Err(same)) => assert_eq!(error.detail(), same.detail(), "seed {seed}: {text}"),
        (Ok(_), Err(error)) => panic!(
            "seed {seed}: {text}\n{} answers, {} does not: {error:?}",
            first.0, other.0
        ),
        (Err(error), Ok(_)) => panic!(
            "seed {seed}: {text}\n{} answers, {} does not: {error:?}",
            other.0, first.0
        ),
    }
}

/// How many queries were answered, with rows, refused, by several cores.
#[derive(Default, Debug)]
struct Tally {
    queries: usize,
    with_rows: usize,
    refused: usize,
    /// Helpers of other cores.
    helped: usize,
}

impl Tally {
    /// Queries that give nothing or are refused show nothing, nor do those that one core alone answers.
    fn must_show_something(&self) {
        println!("{self:?}");
        assert!(
            self.with_rows * 4 > self.queries
                && self.refused * 20 < self.queries
                && self.helped * 10 > self.queries,
            "{self:?}"
        );
    }
}

/// Queries on one graph, in all arrangements, each twice (the second time from the cache), explained and profiled.
fn look_at(
    seed: u64,
    nodes: usize,
    queries: usize,
    make: impl Fn(&mut Draw) -> String,
    tally: &mut Tally,
) {
    let mut draw = Draw::new(seed);
    let arrangements = Arrangement::all(&graph::creation(&mut draw, nodes));
    let (first, others) = arrangements.split_first().expect("there are some");
    for _ in 0..queries {
        let text = make(&mut draw);
        let answer = first.run(&text);
        tally.queries += 1;
        tally.with_rows += usize::from(answer.as_ref().is_ok_and(|rows| !rows.is_empty()));
        tally.refused += usize::from(answer.is_err());
        compare(
            &text,
            seed,
            (first.name, &answer),
            ("the same from the cache", first.run(&text)),
        );
        for other in others {
            compare(
                &text,
                seed,
                (first.name, &answer),
                (other.name, other.run(&text)),
            );
            let explained = other.run(&format!("EXPLAIN {text}"));
            assert!(
                explained.is_ok() || answer.is_err(),
                "seed {seed}: {text}: {explained:?}"
            );
        }
        let profiled = first.run(&format!("PROFILE {text}"));
        assert_eq!(
            profiled.is_ok(),
            answer.is_ok(),
            "seed {seed}: {text}: {profiled:?}"
        );
    }
    tally.helped += others.iter().map(Arrangement::helped).sum::<usize>();
}

#[test]
fn generated_queries_on_small_graphs_give_one_bag_of_rows_in_every_arrangement() {
    let mut tally = Tally::default();
    for seed in Budget::new(10) {
        look_at(seed, 12, 40, query::reading, &mut tally);
    }
    tally.must_show_something();
}

#[test]
fn shapes_that_planners_know_give_one_bag_of_rows_in_every_arrangement() {
    let mut tally = Tally::default();
    for seed in Budget::new(10) {
        look_at(seed, 60, 40, query::of_a_known_shape, &mut tally);
    }
    tally.must_show_something();
}
