//! What chains of expansions lead to, level by level, is what their trails lead to: on random small dense graphs with loops, edges side by side and
//! circles, where trails and walks differ most. The oracle is the same pattern with every trail given out.

mod db;

use std::collections::BTreeSet;

use db::Db;
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step};

/// Numbers without any pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// A few vertices, some labelled, with edges of two types between any of them.
fn dense(numbers: &mut Numbers) -> Db {
    let db = Db::new();
    let vertices = 1 + numbers.below(6);
    for i in 0..vertices {
        let label = numbers.of(&["", ":A", ":A:B", ":B"]);
        db.run(&format!(
            "CREATE (n{label} {{i: {i}, x: {}}})",
            numbers.below(3)
        ));
    }
    for _ in 0..numbers.below(vertices * 2 + 4) {
        let (from, to) = (numbers.below(vertices), numbers.below(vertices));
        let type_ = numbers.of(&["R", "R", "S"]);
        db.run(&format!(
            "MATCH (a {{i: {from}}}), (b {{i: {to}}}) CREATE (a)-[:{type_}]->(b)"
        ));
    }
    db
}

/// A relationship of a pattern, of one edge or of several.
fn relationship(numbers: &mut Numbers, lengths: &[&str]) -> String {
    let types = numbers.of(&["", "", ":R", ":S", ":R|S", ":None"]);
    let length = numbers.of(lengths);
    let (left, right) = numbers.of(&[("-", "->"), ("-", "->"), ("<-", "-"), ("-", "-")]);
    match (types, length) {
        ("", "") => format!("{left}{right}"),
        _ => format!("{left}[{types}{length}]{right}"),
    }
}

/// Rows as a set; how often each comes does not matter.
fn set(rows: Vec<Vec<Value>>) -> BTreeSet<String> {
    rows.iter().map(|row| format!("{row:?}")).collect()
}

/// Each row once.
fn once(db: &Db, text: &str) -> BTreeSet<String> {
    let rows = db.run(text);
    let (count, rows) = (rows.len(), set(rows));
    assert_eq!(count, rows.len(), "{text} gives a row twice");
    rows
}

const HOPS: &[&str] = &["", "", "", "*1..2", "*2", "*2..3"];

#[test]
fn a_chain_leads_where_its_trails_lead() {
    let mut numbers = Numbers(0x5eed_1234_abcd_0001);
    let mut rewritten = 0;
    for _ in 0..30 {
        let db = dense(&mut numbers);
        for _ in 0..10 {
            let mut pattern = String::from("(s)");
            let mut conditions: Vec<String> = Vec::new();
            let hops = 1 + numbers.below(4);
            for hop in 0..hops {
                let short: &[&str] = if hops > 3 { &[""] } else { HOPS };
                pattern += &relationship(&mut numbers, short);
                let is_last = hop + 1 == hops;
                let label = numbers.of(&["", "", "", ":A", ":A:B"]);
                if is_last {
                    pattern += &format!("(n{label})");
                } else if label.is_empty() && numbers.below(3) > 0 {
                    pattern += "()";
                } else {
                    pattern += &format!("(m{hop}{label})");
                    if numbers.below(3) == 0 {
                        conditions.push(format!("m{hop}.x < 2"));
                    }
                }
            }
            if numbers.below(3) == 0 {
                conditions.push("n.x > 0".into());
            }
            let from = numbers.below(7);
            let is_bound = numbers.below(3) > 0;
            if is_bound {
                conditions.push(format!("s.i = {from}"));
            }
            let filter = match conditions.is_empty() {
                true => String::new(),
                false => format!(" WHERE {}", conditions.join(" AND ")),
            };
            let text = format!("MATCH {pattern}{filter}");
            for columns in ["n.i", "s.i, n.i"] {
                let distinct = format!("{text} RETURN DISTINCT {columns}");
                rewritten += usize::from(db.explain(&distinct).contains("ExpandDistinct"));
                let all = set(db.run(&format!("{text} RETURN {columns}")));
                assert_eq!(once(&db, &distinct), all, "{distinct}\n{}", graph(&db));
            }
            let all = set(db.run(&format!("{text} RETURN n.i")));
            let count = db.number(&format!("{text} RETURN count(DISTINCT n)"));
            assert_eq!(count, all.len() as i64, "{text}\n{}", graph(&db));
            let least = format!("{text} RETURN min(n.i), max(n.i)");
            let rows = db.run(&format!(
                "{text} WITH n.i AS i RETURN min(i), max(i), count(*)"
            ));
            let least = db.run(&least);
            assert_eq!(least[0], rows[0][..2], "{text}\n{}", graph(&db));
            let exists = format!("MATCH (s) WHERE EXISTS {{ {text} }} RETURN s.i");
            let starts = set(db.run(&format!("{text} RETURN s.i")));
            assert_eq!(once(&db, &exists), starts, "{exists}\n{}", graph(&db));
        }
    }
    assert!(rewritten > 300, "only {rewritten} were rewritten");
}

#[test]
fn a_variable_length_leads_where_its_trails_lead() {
    let mut numbers = Numbers(0x5eed_1234_abcd_0002);
    let lengths: &[&str] = &[
        "*", "*0..", "*1..", "*1..3", "*..4", "*0..2", "*2..3", "*3", "*1..1", "*0..0", "*0..1",
    ];
    let mut rewritten = 0;
    for _ in 0..30 {
        let db = dense(&mut numbers);
        for _ in 0..10 {
            let hop = relationship(&mut numbers, lengths);
            let label = numbers.of(&["", "", ":A"]);
            for start in ["", " {i: 0}"] {
                let text = format!("MATCH (s{start}){hop}(n{label})");
                for columns in ["n.i", "s.i, n.i"] {
                    let distinct = format!("{text} RETURN DISTINCT {columns}");
                    rewritten += usize::from(db.explain(&distinct).contains("ExpandDistinct"));
                    let all = set(db.run(&format!("{text} RETURN {columns}")));
                    assert_eq!(once(&db, &distinct), all, "{distinct}\n{}", graph(&db));
                }
            }
            let text = format!("MATCH (s), (n) MATCH (s){hop}(n)");
            let distinct = format!("{text} RETURN DISTINCT s.i, n.i");
            rewritten += usize::from(db.explain(&distinct).contains("ExpandDistinctInto"));
            let all = set(db.run(&format!("{text} RETURN s.i, n.i")));
            assert_eq!(once(&db, &distinct), all, "{distinct}\n{}", graph(&db));
        }
    }
    assert!(rewritten > 300, "only {rewritten} were rewritten");
}

#[test]
fn edges_of_the_pattern_outside_a_chain_are_not_used_by_it() {
    let mut numbers = Numbers(0x5eed_1234_abcd_0003);
    let mut rewritten = 0;
    for _ in 0..20 {
        let db = dense(&mut numbers);
        for _ in 0..8 {
            let first = relationship(&mut numbers, &[""]).replace("--", "-[]-");
            let first = match first.contains('[') {
                true => first.replacen('[', "[r", 1),
                false => "-[r]->".to_owned(),
            };
            let rest = relationship(&mut numbers, HOPS);
            let last = relationship(&mut numbers, &[""]);
            for text in [
                format!("MATCH (s){first}(m){rest}(){last}(n)"),
                format!("MATCH (s){first}(m), (s){rest}(){last}(n)"),
                format!("MATCH (s){first}(m) MATCH (m){rest}(){last}(n)"),
                format!("MATCH (s){rest}(m) MATCH (m){last}(){first}(n)"),
            ] {
                for columns in ["r, n.i", "n.i", "m.i, n.i"] {
                    let distinct = format!("{text} RETURN DISTINCT {columns}");
                    rewritten += usize::from(db.explain(&distinct).contains("ExpandDistinct"));
                    let all = set(db.run(&format!("{text} RETURN {columns}")));
                    assert_eq!(once(&db, &distinct), all, "{distinct}\n{}", graph(&db));
                }
            }
        }
    }
    assert!(rewritten > 300, "only {rewritten} were rewritten");
}

/// The graph's edges, for a failure.
fn graph(db: &Db) -> String {
    let rows = db.run("MATCH (a)-[r]->(b) RETURN a.i, type(r), b.i");
    let vertices = db.run("MATCH (a) RETURN a.i, labels(a), a.x");
    format!("{rows:?}\n{vertices:?}")
}

#[test]
fn what_something_else_reads_is_not_within_a_chain() {
    let db = Db::new();
    db.run("CREATE (:A {i: 0})-[:R {w: 1}]->(:A {i: 1})-[:R {w: 2}]->(:A {i: 2})");
    for text in [
        "MATCH (s)-->(m)-->(n) RETURN n.i",
        "MATCH (s)-->(m)-->(n) RETURN count(n)",
        "MATCH (s)-->(m)-->(n) RETURN DISTINCT m.i, n.i",
        "MATCH (s)-[r]->()-->(n) RETURN DISTINCT r, n.i",
        "MATCH (s)-->()-[r]->(n) RETURN DISTINCT r, n.i",
        "MATCH (s)-[r]->()-->(n) WHERE r.w = 1 RETURN DISTINCT n.i",
        "MATCH p = (s)-->()-->(n) RETURN DISTINCT p",
        "MATCH (s)-->(m)-->(n) WHERE m.i < n.i RETURN DISTINCT n.i",
        "MATCH (s)-[r*1..2]->(n) RETURN DISTINCT n.i, size(r)",
        "MATCH (s)-[*1..2 {w: 1}]->(n) RETURN DISTINCT n.i",
        "MATCH (s)-->()-->(n) WITH n LIMIT 1 RETURN DISTINCT n.i",
        "MATCH (s)-->()-->(n) RETURN DISTINCT n.i, rand() < 2",
        "MATCH (s)-->()-->(n) RETURN count(DISTINCT n), count(*)",
    ] {
        let plan = db.explain(text);
        assert!(!plan.contains("ExpandDistinct"), "{text}\n{plan}");
    }
    for text in [
        "MATCH (s)-->(m)-->(n) RETURN DISTINCT n.i",
        "MATCH (s) WITH s MATCH (s)-->(m:A)-->(n) WHERE m.i = 1 RETURN DISTINCT n.i",
        "MATCH (s)-->(m)-->(n) RETURN s.i, collect(DISTINCT n.i)",
        "MATCH (s)-->()-->(n) WITH DISTINCT n WHERE n.i > 0 RETURN n.i",
        "MATCH (s)-->()-->(n) RETURN n.i UNION MATCH (n) RETURN n.i",
        "MATCH (s)-->()-->(n) WITH n.i AS i RETURN DISTINCT i",
    ] {
        let plan = db.explain(text);
        assert!(plan.contains("ExpandDistinct"), "{text}\n{plan}");
    }
}

#[test]
fn a_chain_gives_way_again_and_again_and_ends() {
    let db = Db::new();
    db.run("UNWIND range(0, 999) AS i CREATE (:A {i: i})");
    db.run("CREATE INDEX ON :A(i)");
    db.run("UNWIND range(0, 9999) AS k MATCH (a:A {i: k % 1000}), (b:A {i: (k * 7919 + k / 1000) % 1000}) CREATE (a)-[:R]->(b)");
    let text = "MATCH (s:A {i: 1})-->()--()-->(n) RETURN DISTINCT n.i";
    let all = set(db.run("MATCH (s:A {i: 1})-->()--()-->(n) RETURN n.i"));
    let prepared = db.engine.prepare(text, &db.core).unwrap();
    let mut txn = db.begin(false);
    let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
    let mut rows = db::Rows::default();
    let (mut yields, mut asked) = (0, 0);
    loop {
        execution.request(Demand::Rows(10));
        asked += 1;
        let step = loop {
            match execution
                .step(&mut txn, &db.core, &|| true, &mut rows)
                .unwrap()
            {
                Step::Yield => yields += 1,
                step => break step,
            }
        };
        if step == Step::Done {
            break;
        }
        assert_eq!(rows.0.len(), asked * 10);
    }
    assert!(yields > 5, "{yields}");
    assert_eq!(set(rows.0), all);
}

#[test]
fn a_chain_counts_the_memory_that_it_keeps() {
    let db = Db::new();
    db.run("CREATE (s:S) WITH s UNWIND range(0, 4999) AS i CREATE (s)-[:R]->(:A)-[:R]->(:B)");
    let text = "MATCH (s:S)-->()-->(n) RETURN count(DISTINCT n)";
    let run = |bytes: u64| {
        let prepared = db.engine.prepare(text, &db.core)?;
        let mut txn = db.begin(false);
        let mut execution = Execution::with_limit(prepared, &Parameters::new(), bytes)?;
        execution.request(Demand::All);
        let mut rows = db::Rows::default();
        while execution.step(&mut txn, &db.core, &|| false, &mut rows)? != Step::Done {}
        Ok::<_, quoit_cypher::error::Error>(rows.0)
    };
    assert!(db.explain(text).contains("ExpandDistinct"));
    let error = run(20_000).expect_err("it is too much");
    assert!(error.to_string().contains("20000 bytes"), "{error}");
    assert_eq!(run(100_000_000).unwrap(), [[Value::Int(5000)]]);
}

#[test]
fn trails_that_are_only_counted_are_as_many_as_those_given() {
    let mut numbers = Numbers(0x5eed_1234_abcd_0004);
    let lengths: &[&str] = &["*1..3", "*2", "*..2", "*0..3", "*3", "*"];
    let mut rewritten = 0;
    for _ in 0..30 {
        let db = dense(&mut numbers);
        for _ in 0..10 {
            let label = numbers.of(&["", "", ":A", ":A:B"]);
            let hops = [(); 3].map(|()| relationship(&mut numbers, &[""]));
            let long = relationship(&mut numbers, lengths);
            for text in [
                format!("MATCH (s){long}(n{label})"),
                format!("MATCH (s {{i: 0}}){}(){}(n{label})", hops[0], hops[1]),
                format!("MATCH (s){}(){}(){}(n{label})", hops[0], hops[1], hops[2]),
                format!("MATCH (s){}(s), (s){long}(n{label})", hops[0]),
                format!(
                    "MATCH (s){}(m)-[e]->(), (m){}(){}(n{label})",
                    hops[0], hops[1], hops[2]
                ),
            ] {
                let all = db.run(&format!("{text} RETURN s.i, n.i")).len() as i64;
                for count in ["count(*)", "count(n)"] {
                    let counted = format!("{text} RETURN {count}");
                    rewritten += usize::from(db.explain(&counted).contains("CountTrails"));
                    assert_eq!(db.number(&counted), all, "{counted}\n{}", graph(&db));
                }
                let grouped = format!("{text} WITH s.i AS i, n.i AS j RETURN i, count(*) AS c");
                let counted = format!("{text} RETURN s.i AS i, count(*) AS c");
                assert_eq!(
                    once(&db, &counted),
                    set(db.run(&grouped)),
                    "{counted}\n{}",
                    graph(&db)
                );
            }
        }
    }
    assert!(rewritten > 300, "only {rewritten} were rewritten");
}
