//! What generated queries write is the same in every arrangement, and what is undone, however far it came, leaves no trace.

use quoit_fuzz::arrangement::Arrangement;
use quoit_fuzz::{Budget, Draw, graph, query};

/// All that a reader can see, as text.
fn seen(arrangement: &Arrangement) -> Vec<String> {
    let nodes = "MATCH (n) RETURN n.id, [l IN ['A', 'B', 'C', 'D'] WHERE l IN labels(n)], [k IN ['i', 'j', 'f', 's', 'b', 'l', 'x', 'y'] | n[k]]";
    let edges = "MATCH (a)-[r]->(b) RETURN a.id, b.id, type(r), r.id, [k IN ['i', 'j', 'f', 's', 'b', 'l', 'x'] | r[k]]";
    // What indexes and counts say is asked for too, by the ways that use them.
    let by_value = "UNWIND range(-3, 6) AS i MATCH (n:A {i: i}) RETURN i, count(*)";
    let counts = "MATCH (:B)-[r:R]->() RETURN count(r)";
    let mut texts = Vec::new();
    for text in [nodes, edges, by_value, counts] {
        match arrangement.run(text) {
            Ok(rows) => texts.extend(rows.iter().map(|row| format!("{row:?}"))),
            Err(error) => panic!("{}: {text}: {error:?}", arrangement.name),
        }
    }
    texts.sort();
    texts
}

#[test]
fn what_is_written_is_the_same_in_every_arrangement() {
    let (mut queries, mut changed) = (0, 0);
    for seed in Budget::new(8) {
        let mut draw = Draw::new(seed);
        let arrangements = Arrangement::all(&graph::creation(&mut draw, 12));
        let (first, others) = arrangements.split_first().expect("there are some");
        let mut before = seen(first);
        for _ in 0..20 {
            let text = query::writing(&mut draw);
            let answer = first.run(&text);
            let after = seen(first);
            for other in others {
                let theirs = other.run(&text);
                assert_eq!(
                    answer.as_ref().map_err(|error| error.detail()),
                    theirs.as_ref().map_err(|error| error.detail()),
                    "seed {seed}, {}: {text}",
                    other.name
                );
                assert_eq!(after, seen(other), "seed {seed}, {}: {text}", other.name);
            }
            queries += 1;
            changed += usize::from(before != after);
            before = after;
        }
    }
    assert!(
        changed * 4 > queries,
        "{changed} of {queries} queries changed something"
    );
}

#[test]
fn what_is_undone_leaves_no_trace() {
    for seed in Budget::new(6) {
        let mut draw = Draw::new(seed);
        let arrangements = Arrangement::all(&graph::creation(&mut draw, 12));
        let before = seen(&arrangements[0]);
        for _ in 0..20 {
            let text = query::writing(&mut draw);
            let steps = draw.below(40);
            for arrangement in &arrangements {
                let _ = arrangement.undo(&text, steps);
                assert_eq!(
                    before,
                    seen(arrangement),
                    "seed {seed}, {}, {steps} steps: {text}",
                    arrangement.name
                );
            }
        }
    }
}
