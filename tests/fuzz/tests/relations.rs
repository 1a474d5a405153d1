//! Answers that follow from other answers: what a condition keeps, drops and leaves open is all there was; DISTINCT is what is left of
//! all without repetitions; a pattern of variable length is its lengths written out; a count is a number of rows. One of the two sides
//! goes a way that no rewrite takes, so these hold whatever the planner does.

use std::collections::BTreeSet;

use quoit_fuzz::arrangement::Arrangement;
use quoit_fuzz::{Budget, Draw, graph, query};
use quoit_graph::value::Value;

/// Rows as sorted text.
fn bag(rows: Vec<Vec<Value>>) -> Vec<String> {
    let mut texts: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    texts.sort();
    texts
}

fn without_repetitions(rows: Vec<String>) -> Vec<String> {
    rows.into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// Arrangements of a graph of a seed.
fn arrangements(draw: &mut Draw, nodes: usize) -> Vec<Arrangement> {
    Arrangement::all(&graph::creation(draw, nodes))
}

fn rows(arrangement: &Arrangement, text: &str) -> Vec<String> {
    match arrangement.run(text) {
        Ok(rows) => bag(rows),
        Err(error) => panic!("{}: {text}: {error:?}", arrangement.name),
    }
}

fn number(arrangement: &Arrangement, text: &str) -> usize {
    match arrangement.run(text).map(|rows| rows[0][0].clone()) {
        Ok(Value::Int(number)) => number as usize,
        other => panic!("{}: {text}: {other:?}", arrangement.name),
    }
}

#[test]
fn what_a_condition_keeps_drops_and_leaves_open_is_all_there_was() {
    for seed in Budget::new(6) {
        let mut draw = Draw::new(seed);
        let arrangements = arrangements(&mut draw, 14);
        for _ in 0..25 {
            let matching = query::pattern_and_condition(&mut draw);
            let (pattern, asked, given) =
                (&matching.pattern, &matching.condition, &matching.columns);
            for arrangement in &arrangements {
                let all = rows(arrangement, &format!("MATCH {pattern} RETURN {given}"));
                let mut parts = Vec::new();
                for part in [
                    asked.clone(),
                    format!("NOT ({asked})"),
                    format!("({asked}) IS NULL"),
                ] {
                    parts.extend(rows(
                        arrangement,
                        &format!("MATCH {pattern} WHERE {part} RETURN {given}"),
                    ));
                }
                parts.sort();
                assert!(
                    all == parts,
                    "seed {seed}, {}: MATCH {pattern} gives {} rows, with WHERE {asked}, its negation and IS NULL {}",
                    arrangement.name,
                    all.len(),
                    parts.len()
                );
            }
        }
    }
}

#[test]
fn distinct_rows_and_counts_are_those_of_all_rows() {
    for seed in Budget::new(6) {
        let mut draw = Draw::new(seed);
        let arrangements = arrangements(&mut draw, 14);
        for _ in 0..25 {
            let matching = query::pattern_and_condition(&mut draw);
            let (pattern, asked) = (&matching.pattern, &matching.condition);
            for arrangement in &arrangements {
                let end = format!("MATCH {pattern} WHERE {asked} ");
                let one = &matching.column;
                let all = rows(arrangement, &format!("{end}RETURN {one} AS o"));
                let rest = rows(arrangement, &format!("{end}RETURN DISTINCT {one} AS o"));
                assert_eq!(
                    number(arrangement, &format!("{end}RETURN count(*) AS o")),
                    all.len(),
                    "seed {seed}, {}: {end}",
                    arrangement.name
                );
                let kept = without_repetitions(all);
                assert_eq!(rest, kept, "seed {seed}, {}: {end} {one}", arrangement.name);
                let counted = number(
                    arrangement,
                    &format!("{end}RETURN count(DISTINCT {one}) AS o"),
                );
                let not_null = kept.iter().filter(|row| !row.contains("Null")).count();
                assert_eq!(
                    counted, not_null,
                    "seed {seed}, {}: {end} {one}",
                    arrangement.name
                );
                let grouped = rows(
                    arrangement,
                    &format!("{end}RETURN {one} AS o, count(*) AS n"),
                );
                assert_eq!(
                    grouped.len(),
                    kept.len(),
                    "seed {seed}, {}: {end} {one}",
                    arrangement.name
                );
            }
        }
    }
}

#[test]
fn a_pattern_of_variable_length_is_its_lengths_written_out() {
    for seed in Budget::new(6) {
        let mut draw = Draw::new(seed);
        let arrangements = arrangements(&mut draw, 16);
        for _ in 0..20 {
            let long = query::long_pattern(&mut draw);
            for arrangement in &arrangements {
                let written: Vec<String> = long
                    .written_out
                    .iter()
                    .flat_map(|pattern| {
                        rows(
                            arrangement,
                            &format!("MATCH {pattern} RETURN a.id AS a, b.id AS b"),
                        )
                    })
                    .collect();
                let mut all = written.clone();
                all.sort();
                let pattern = &long.pattern;
                let found = rows(
                    arrangement,
                    &format!("MATCH {pattern} RETURN a.id AS a, b.id AS b"),
                );
                assert!(
                    found == all,
                    "seed {seed}, {}: {pattern}: {} rows, written out {}",
                    arrangement.name,
                    found.len(),
                    all.len()
                );
                for counting in ["count(*)", "count(b)", "sum(1)"] {
                    assert_eq!(
                        number(
                            arrangement,
                            &format!("MATCH {pattern} RETURN {counting} AS n")
                        ),
                        all.len(),
                        "seed {seed}, {}: {pattern} {counting}",
                        arrangement.name
                    );
                }
                let found = rows(
                    arrangement,
                    &format!("MATCH {pattern} RETURN DISTINCT a.id AS a, b.id AS b"),
                );
                assert_eq!(
                    found,
                    without_repetitions(all),
                    "seed {seed}, {}: {pattern}",
                    arrangement.name
                );
                let ends: Vec<String> = long
                    .written_out
                    .iter()
                    .flat_map(|pattern| {
                        rows(arrangement, &format!("MATCH {pattern} RETURN b.id AS b"))
                    })
                    .collect();
                let ends = without_repetitions(ends);
                let found = rows(
                    arrangement,
                    &format!("MATCH {pattern} RETURN DISTINCT b.id AS b"),
                );
                assert_eq!(found, ends, "seed {seed}, {}: {pattern}", arrangement.name);
                assert_eq!(
                    number(
                        arrangement,
                        &format!("MATCH {pattern} RETURN count(DISTINCT b) AS b")
                    ),
                    ends.len(),
                    "seed {seed}, {}: {pattern}",
                    arrangement.name
                );
            }
        }
    }
}
