//! Searches for paths, against all trails of small random graphs, and what they refuse.

mod db;

use std::collections::BTreeMap;

use db::{Db, random_graph};
use quoit_graph::value::Value;

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        other => panic!("{other:?}"),
    }
}

fn ints(value: &Value) -> Vec<i64> {
    match value {
        Value::List(values) => values.iter().map(int).collect(),
        other => panic!("{other:?}"),
    }
}

/// What a path is known by: its ends, and the ids of its relationships; with what it weighs.
type Found = (i64, i64, Vec<i64>, i64);

const TELL: &str = "RETURN a.id, b.id, [r IN relationships(p) | id(r)], reduce(s = 0, r IN relationships(p) | s + r.w)";

fn paths(db: &Db, pattern: &str) -> Vec<Found> {
    let rows = db.run(&format!("{pattern} {TELL}"));
    let found = rows
        .iter()
        .map(|row| (int(&row[0]), int(&row[1]), ints(&row[2]), int(&row[3])));
    let mut found: Vec<Found> = found.collect();
    found.sort();
    found
}

/// All trails by their ends.
fn trails(db: &Db, hop: &str, keep: impl Fn(&Found) -> bool) -> BTreeMap<(i64, i64), Vec<Found>> {
    let mut by_ends: BTreeMap<(i64, i64), Vec<Found>> = BTreeMap::new();
    for found in paths(db, &format!("MATCH p = (a:V){hop}(b:V)")) {
        if found.0 != found.1 && keep(&found) {
            by_ends.entry((found.0, found.1)).or_default().push(found);
        }
    }
    by_ends
}

fn least(found: &[Found], of: impl Fn(&Found) -> i64) -> Vec<Found> {
    let least = found.iter().map(&of).min().unwrap();
    found
        .iter()
        .filter(|found| of(found) == least)
        .cloned()
        .collect()
}

fn length(found: &Found) -> i64 {
    found.2.len() as i64
}

fn weight(found: &Found) -> i64 {
    found.3
}

/// Every pair of the expected has one of the paths that are as good, and no other pair has any.
fn one_of_the_best(what: &str, found: &[Found], best: &BTreeMap<(i64, i64), Vec<Found>>) {
    let ends: Vec<(i64, i64)> = found.iter().map(|found| (found.0, found.1)).collect();
    assert_eq!(ends, best.keys().copied().collect::<Vec<_>>(), "{what}");
    for path in found {
        assert!(best[&(path.0, path.1)].contains(path), "{what}: {path:?}");
    }
}

fn all_of_the_best(what: &str, found: &[Found], best: &BTreeMap<(i64, i64), Vec<Found>>) {
    let mut wanted: Vec<Found> = best.values().flatten().cloned().collect();
    wanted.sort();
    assert_eq!(found, wanted, "{what}");
}

#[test]
fn nearest_ways_are_those_that_all_trails_show() {
    for seed in 0..12 {
        let db = random_graph(seed, 6, 11);
        for (hop, search) in [
            ("-[*1..]->", "-[*BFS]->"),
            ("<-[*1..]-", "<-[*BFS]-"),
            ("-[:T*1..]->", "-[:T*BFS]->"),
        ] {
            let all = trails(&db, hop, |_| true);
            let best = all
                .iter()
                .map(|(ends, found)| (*ends, least(found, length)))
                .collect();
            let other = hop.replace("1..", "..");
            let weighted = search.replace("*BFS", "*WSHORTEST (r, n | r.w) total");
            let ties = search.replace("*BFS", "*ALLSHORTEST (r, n | r.w) total");
            let lightest = all
                .iter()
                .map(|(ends, found)| (*ends, least(found, weight)))
                .collect();
            for ends in ["MATCH (a:V), (b:V) ", ""] {
                let what = format!("seed {seed}, {ends}{search}");
                let differ = "WHERE a <> b ";
                let run = |pattern: &str| {
                    paths(
                        &db,
                        &format!("{ends}MATCH p = (a:V){pattern}(b:V) WITH * WHERE a <> b"),
                    )
                };
                one_of_the_best(&what, &run(search), &best);
                one_of_the_best(&what, &run(&weighted), &lightest);
                all_of_the_best(&what, &run(&ties), &lightest);
                let function = |name: &str| {
                    paths(
                        &db,
                        &format!("{ends}MATCH p = {name}((a:V){other}(b:V)) {differ}"),
                    )
                };
                one_of_the_best(&what, &function("shortestPath"), &best);
                all_of_the_best(&what, &function("allShortestPaths"), &best);
                let selected = |words: &str| {
                    paths(
                        &db,
                        &format!("{ends}MATCH p = {words} (a:V){other}(b:V) {differ}"),
                    )
                };
                one_of_the_best(&what, &selected("ANY SHORTEST"), &best);
                all_of_the_best(&what, &selected("ALL SHORTEST"), &best);
            }
        }
    }
}

#[test]
fn from_both_ends_ways_are_as_short_and_as_many_as_from_one() {
    for seed in 0..3 {
        let db = random_graph(seed, 20, 34);
        for hop in ["-[HOPS]->", "<-[HOPS]-", "-[HOPS]-", "-[:T HOPS]-"] {
            for (words, range) in [("*BFS", ""), ("*BFS", "..3"), ("*BFS", "2..4")] {
                let hops = hop.replace("HOPS", &format!("{words} {range}"));
                let tell = "WITH * WHERE a <> b RETURN a.id, b.id, length(p) ORDER BY a.id, b.id";
                let one = db.run(&format!("MATCH p = (a:V){hops}(b:V) {tell}"));
                let both = db.run(&format!("MATCH (a:V), (b:V) MATCH p = (a){hops}(b) {tell}"));
                assert!(one.len() > 20 || range == "2..4", "{hops}: {}", one.len());
                assert_eq!(both, one, "seed {seed}, {hops}");
            }
            let hops = hop.replace("HOPS", "*..");
            let tell = "WITH * WHERE a <> b RETURN a.id, b.id, length(p), count(DISTINCT p), count(*) ORDER BY a.id, b.id";
            let one = db.run(&format!(
                "MATCH p = allShortestPaths((a:V){hops}(b:V)) {tell}"
            ));
            let both = db.run(&format!(
                "MATCH (a:V), (b:V) MATCH p = allShortestPaths((a){hops}(b)) {tell}"
            ));
            assert_eq!(both, one, "seed {seed}, all of {hops}");
        }
    }
}

#[test]
fn two_bound_ends_are_searched_from_both() {
    let db = random_graph(1, 6, 11);
    let plan = |text: &str| format!("{:?}", db.run(&format!("EXPLAIN {text}")));
    let both = plan("MATCH (a:V {id: 1}), (b:V {id: 2}) MATCH (a)-[*BFS]->(b) RETURN 1");
    assert!(both.contains("STShortestPath"), "{both}");
    for one in [
        "MATCH (a:V {id: 1})-[*BFS]->(b) RETURN b",
        "MATCH (a:V {id: 1}), (b:V {id: 2}) MATCH (a)-[*BFS (r, n, p | length(p) < 3)]->(b) RETURN 1",
    ] {
        assert!(plan(one).contains("BFSExpand"), "{one}");
    }
}

#[test]
fn totals_are_what_the_path_weighs_and_bounds_may_make_it_dearer() {
    for seed in 0..12 {
        let db = random_graph(seed, 6, 11);
        for (most, range) in [(2, "2"), (3, "3"), (i64::MAX, "")] {
            let all = trails(&db, "-[*1..]->", |found| length(found) <= most);
            let rows = db.run(&format!(
                "MATCH (a:V), (b:V) MATCH (a)-[r *WSHORTEST {range} (e, n | e.w) total]->(b) WITH * WHERE a <> b
                 RETURN a.id, b.id, total, reduce(s = 0, e IN r | s + e.w) ORDER BY a.id, b.id"
            ));
            let found: Vec<_> = rows
                .iter()
                .map(|row| (int(&row[0]), int(&row[1]), int(&row[2]), int(&row[3])))
                .collect();
            let wanted = all.iter().map(|(ends, found)| {
                let least = found.iter().map(weight).min().unwrap();
                (ends.0, ends.1, least, least)
            });
            assert_eq!(
                found,
                wanted.collect::<Vec<_>>(),
                "seed {seed}, at most {range}"
            );
        }
    }
}

#[test]
fn filters_are_asked_at_each_step() {
    for seed in 0..12 {
        let db = random_graph(seed, 6, 11);
        let all = trails(&db, "-[*1..]->", |_| true);
        let light: BTreeMap<(i64, i64), Vec<Found>> = all
            .iter()
            .filter_map(|(ends, found)| {
                let rows = db.run(&format!(
                    "MATCH p = (a:V {{id: {}}})-[*1..]->(b:V {{id: {}}})
                     WHERE all(r IN relationships(p) WHERE r.w < 3 AND endNode(r).id <> 2)
                     RETURN a.id, b.id, [r IN relationships(p) | id(r)], 0",
                    ends.0, ends.1
                ));
                let kept: Vec<Vec<i64>> = rows.iter().map(|row| ints(&row[2])).collect();
                let found: Vec<Found> = found
                    .iter()
                    .filter(|found| kept.contains(&found.2))
                    .cloned()
                    .collect();
                (!found.is_empty()).then(|| (*ends, least(&found, length)))
            })
            .collect();
        let found = paths(
            &db,
            "MATCH (a:V), (b:V) MATCH p = (a)-[*BFS (r, n | r.w < 3 AND n.id <> 2)]->(b) WITH * WHERE a <> b",
        );
        one_of_the_best(&format!("seed {seed}"), &found, &light);
        let conditional = paths(
            &db,
            "MATCH (a:V), (b:V) WHERE a <> b
             MATCH p = shortestPath((a)-[*]->(b)) WHERE all(r IN relationships(p) WHERE r.w < 3 AND endNode(r).id <> 2)",
        );
        one_of_the_best(&format!("seed {seed}"), &conditional, &light);
        let all_conditional = paths(
            &db,
            "MATCH (a:V), (b:V) WHERE a <> b
             MATCH p = allShortestPaths((a)-[*]->(b)) WHERE all(r IN relationships(p) WHERE r.w < 3 AND endNode(r).id <> 2)",
        );
        all_of_the_best(&format!("seed {seed}"), &all_conditional, &light);
        // Half of it as a filter, half as a condition on the path.
        let filtered = paths(
            &db,
            "MATCH (a:V), (b:V) WHERE a <> b
             MATCH p = allShortestPaths((a)-[* (e, n | n.id <> 2)]->(b)) WHERE all(r IN relationships(p) WHERE r.w < 3)",
        );
        all_of_the_best(&format!("seed {seed}"), &filtered, &light);
    }
}

#[test]
fn ranked_paths_come_shortest_first_and_as_many_as_are_asked_for() {
    for seed in 0..12 {
        let db = random_graph(seed, 5, 9);
        let all = trails(&db, "-[*1..]->", |_| true);
        for ((from, to), found) in &all {
            let lengths = |query: &str| -> Vec<i64> {
                let rows = db.run(&format!(
                    "MATCH (a:V {{id: {from}}}), (b:V {{id: {to}}}) MATCH p = {query} RETURN size(relationships(p))"
                ));
                rows.iter().map(|row| int(&row[0])).collect()
            };
            let mut wanted: Vec<i64> = found.iter().map(length).collect();
            wanted.sort_unstable();
            let first = |count: usize| wanted.iter().copied().take(count).collect::<Vec<_>>();
            assert_eq!(
                lengths("SHORTEST 3 (a)-[*]->(b)"),
                first(3),
                "seed {seed}: {from} to {to}"
            );
            assert_eq!(
                lengths("ANY 100000 (a)-[*]->(b)"),
                wanted,
                "seed {seed}: {from} to {to}"
            );
            let mut distinct = wanted.clone();
            distinct.dedup();
            let groups = |count: usize| -> Vec<i64> {
                let kept = &distinct[..count.min(distinct.len())];
                wanted
                    .iter()
                    .copied()
                    .filter(|length| kept.contains(length))
                    .collect()
            };
            assert_eq!(
                lengths("SHORTEST 2 GROUPS (a)-[*]->(b)"),
                groups(2),
                "seed {seed}: {from} to {to}"
            );
            // Without a vertex twice.
            let rows = db.run(&format!(
                "MATCH p = (a:V {{id: {from}}})-[*1..]->(b:V {{id: {to}}})
                 WHERE all(n IN nodes(p) WHERE size([m IN nodes(p) WHERE m = n]) = 1)
                 RETURN size(relationships(p)) AS length ORDER BY length LIMIT 4"
            ));
            let simple: Vec<i64> = rows.iter().map(|row| int(&row[0])).collect();
            assert_eq!(
                lengths("(a)-[*KSHORTEST | 4]->(b)"),
                simple,
                "seed {seed}: {from} to {to}"
            );
        }
    }
}

#[test]
fn a_path_as_a_value_is_null_where_there_is_none() {
    let db = Db::new();
    db.run("CREATE (:A)-[:T]->(:M)-[:T]->(:B), (:C)");
    let length = "MATCH (a:A), (b) WHERE b:B OR b:C RETURN length(shortestPath((a)-[*]->(b))) AS l ORDER BY l";
    assert_eq!(db.run(length), [[Value::Int(2)], [Value::Null]]);
    assert_eq!(
        db.number("MATCH (a:A), (b:B) RETURN size(allShortestPaths((a)-[*]-(b)))"),
        1
    );
    assert_eq!(
        db.number("MATCH (a:A), (b:B) RETURN count(shortestPath((a)<-[*]-(b)))"),
        0
    );
}

#[test]
fn a_way_to_itself_has_no_edges_if_it_may() {
    let db = Db::new();
    db.run("CREATE (a:A)-[:T]->(:M)-[:T]->(a)");
    assert_eq!(
        db.number("MATCH (a:A) MATCH p = shortestPath((a)-[*0..]->(a)) RETURN length(p)"),
        0
    );
    assert_eq!(
        db.number("MATCH (a:A) MATCH (a)-[*BFS]->(a) RETURN count(*)"),
        0
    );
}

#[test]
fn weights_that_are_none_are_refused_with_a_place() {
    let db = Db::new();
    db.run("CREATE (:A)-[:T {w: -1, t: 'x'}]->(:B)");
    for (weight, words) in [
        ("r.w", "negative"),
        ("r.t", "is a number"),
        ("r.none", "is a number"),
    ] {
        let text = format!("MATCH (:A)-[*WSHORTEST (r, n | {weight}) total]->(:B) RETURN total");
        let error = db
            .try_run(&text, &quoit_query::Parameters::new())
            .unwrap_err();
        assert!(error.message().contains(words), "{error:?}");
        assert!(error.span().is_some(), "{error:?}");
    }
}

#[test]
fn the_lambda_sees_the_path_and_its_weight_so_far() {
    let db = Db::new();
    db.run("CREATE (:A)-[:T {w: 1}]->()-[:T {w: 1}]->()-[:T {w: 1}]->(:B)");
    let found = |filter: &str| {
        db.number(&format!(
            "MATCH (a:A) MATCH (a)-[*WSHORTEST (r, n | r.w) total ({filter})]->(b) RETURN max(total)"
        ))
    };
    assert_eq!(found("r, n, p | length(p) <= 2"), 2);
    assert_eq!(found("r, n, p, w | w < 3"), 2);
    assert_eq!(found("r, n | true"), 3);
    // Where nothing weighs, each relationship weighs one.
    for (pattern, longest) in [
        ("-[r * (e, n | e.w = 1)]->", 3),
        ("-[r * (e, n, p | length(p) <= 2)]->", 2),
        ("-[r * (e, n, p, w | w < 3 AND length(p) = w)]->", 2),
        ("-[r *BFS (e, n, p, w | w < 3 AND length(p) = w)]->", 2),
        ("-[r *BFS ..2 (e, n | true)]->", 2),
        ("-[r *ALLSHORTEST 2 (e, n | e.w) total]->", 2),
    ] {
        let text = format!("MATCH (a:A) MATCH (a){pattern}(b) RETURN max(size(r))");
        assert_eq!(db.number(&text), longest, "{text}");
    }
}
