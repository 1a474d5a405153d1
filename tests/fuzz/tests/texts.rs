//! Whatever text comes, it is answered: with a tree, or with an error that says where.

use quoit_cypher::check::{NoProcedures, check};
use quoit_cypher::normalise::{Normalised, normalise};
use quoit_cypher::parser::{parse, parse_with_extracted};
use quoit_fuzz::text::{corpus, mutated};
use quoit_fuzz::{Budget, Draw};

fn look_at(text: &str) {
    let error = match parse(text) {
        Ok(tree) => check(tree, &NoProcedures).err(),
        Err(error) => Some(error),
    };
    if let Some(error) = error {
        let span = error
            .span()
            .unwrap_or_else(|| panic!("{text:?}: {error:?} says not where"));
        assert!(
            span.start <= span.end && span.end as usize <= text.len(),
            "{text:?}: {error:?}"
        );
        assert!(
            text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize),
            "{text:?}: {error:?}"
        );
        error.render(text);
    }
    let mut normalised = Normalised::new();
    if normalise(text, &mut normalised) {
        let parsed = parse_with_extracted(text, normalised.positions());
        assert_eq!(
            parsed.is_ok(),
            parse(text).is_ok(),
            "{text:?}: extracted literals change whether it is a query"
        );
    }
}

#[test]
fn queries_with_pieces_exchanged_doubled_and_cut_are_answered() {
    let corpus = corpus();
    assert!(corpus.len() > 500, "our own cases are the corpus");
    for seed in Budget::new(5) {
        let mut draw = Draw::new(seed);
        for _ in 0..50 {
            look_at(&mutated(&mut draw, &corpus));
        }
    }
}

#[test]
fn arbitrary_bytes_are_answered() {
    for seed in Budget::new(2) {
        let mut draw = Draw::new(seed);
        let bytes: Vec<u8> = (0..draw.below(200)).map(|_| draw.word() as u8).collect();
        look_at(&String::from_utf8_lossy(&bytes));
    }
}
