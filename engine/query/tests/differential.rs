//! Whatever ways a plan has found round the plain operators on rows, it gives the same bag of rows, or the same error.
//!
//! Queries are made up of parts at random, over a graph whose properties have all kinds of values, some settled in columns, some recent, some
//! written by the transaction itself, some by others who have not committed.

mod db;

use db::{Db, Rows};
use quoit_cypher::error::Error;
use quoit_graph::value::Value;
use quoit_graph::{Access, Isolation, Txn};
use quoit_query::{Demand, Execution, Parameters, QueryCore, Step};

/// A small generator (xorshift64*), so that a failure can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Keys and what they hold: few integers, many, large ones, floats that meet them, text, short and long, truth, all of these.
const KEYS: &[&str] = &[
    "few", "many", "large", "float", "text", "long", "flag", "mixed", "rare", "none",
];

fn value(random: &mut Random, key: &str) -> String {
    match key {
        "few" => (random.below(30) as i64 - 5).to_string(),
        "many" => random.below(100_000).to_string(),
        "large" => random
            .one(&[
                "9223372036854775807",
                "-9223372036854775807",
                "4611686018427387904",
                "0",
                "1",
                "70000",
            ])
            .to_owned(),
        "float" => match random.below(12) {
            0 => "0.0 / 0.0".to_owned(),
            1 => "1.0 / 0.0".to_owned(),
            2 => "-0.0".to_owned(),
            n => format!("{}", n as f64 * 0.25),
        },
        "text" => format!("'{}'", random.one(&["a", "b", "abc", "", "é", "bc"])),
        "long" => format!("'text number {} of no small length'", random.below(400)),
        "flag" => random.one(&["true", "false"]).to_owned(),
        "mixed" => {
            let of = random.one(&["few", "float", "text", "flag", "large"]);
            match random.below(8) {
                0 => "[1, null, 'x']".to_owned(),
                1 => "date('2020-02-02')".to_owned(),
                2 => "duration({days: 1})".to_owned(),
                _ => value(random, of),
            }
        }
        _ => random.below(3).to_string(),
    }
}

fn properties(random: &mut Random) -> String {
    let mut entries = Vec::new();
    for key in &KEYS[..9] {
        let odds = if *key == "rare" { 3 } else { 80 };
        if random.chance(odds) {
            entries.push(format!("{key}: {}", value(random, key)));
        }
    }
    format!("{{{}}}", entries.join(", "))
}

fn graph(random: &mut Random) -> Db {
    let db = Db::new();
    for _ in 0..7 {
        let mut vertices = Vec::new();
        for _ in 0..220 {
            let labels = random.one(&[":A", ":A", ":A", ":A:B", ":B", ""]);
            vertices.push(format!("({labels} {})", properties(random)));
        }
        db.run(&format!("CREATE {}", vertices.join(", ")));
    }
    db.run("MATCH (a:A), (b:B) WHERE a.few = b.few AND b.many % 7 = a.many % 7 CREATE (a)-[:T {w: a.many % 10}]->(b)");
    db.run("MATCH (b:B) WHERE b.many % 11 = 0 CREATE (b)-[:S]->(b)");
    while db.core.maintain(10_000) {}
    db.run("MATCH (n:A) WHERE n.many % 13 = 0 DETACH DELETE n");
    db.run("MATCH (n:A) WHERE n.many % 17 = 0 SET n.few = n.float, n.text = 7, n.mixed = null");
    db.run("MATCH (n:B) WHERE n.many % 19 = 0 REMOVE n:B SET n.long = n.long + 'x'");
    db
}

fn test(random: &mut Random) -> String {
    let key = random.one(KEYS);
    let of = match random.below(4) {
        0 => random.one(KEYS),
        _ => key,
    };
    let operand = match random.below(12) {
        0 => "null".to_owned(),
        1 => "[1, 2]".to_owned(),
        _ => value(random, of),
    };
    let op = random.one(&["=", "<>", "<", "<=", ">", ">="]);
    match random.below(9) {
        0 => format!("n.{key} IS NULL"),
        1 => format!("n.{key} IS NOT NULL"),
        2 => format!(
            "n.{key} IN [{operand}, {}, {}]",
            value(random, key),
            value(random, key)
        ),
        3 => format!("{operand} {op} n.{key}"),
        4 => format!(
            "n.text {} 'b'",
            random.one(&["STARTS WITH", "ENDS WITH", "CONTAINS"])
        ),
        5 => random
            .one(&["n:B", "n:A", "n:A|B", "n:!B", "n:Nobody"])
            .to_owned(),
        6 => format!(
            "{} <= n.few < {}",
            value(random, "few"),
            value(random, "few")
        ),
        _ => format!("n.{key} {op} {operand}"),
    }
}

fn condition(random: &mut Random, depth: usize) -> String {
    match random.below(6) {
        0 if depth > 0 => format!(
            "({} OR {})",
            condition(random, depth - 1),
            condition(random, depth - 1)
        ),
        1 if depth > 0 => format!(
            "({} AND {})",
            condition(random, depth - 1),
            condition(random, depth - 1)
        ),
        2 if depth > 0 => format!("NOT ({})", condition(random, depth - 1)),
        _ => test(random),
    }
}

fn call(random: &mut Random) -> String {
    let key = random.one(KEYS);
    match random.below(9) {
        0 => "count(*)".to_owned(),
        1 => "count(n)".to_owned(),
        2 => format!("count(n.{key})"),
        3 => format!("count(DISTINCT n.{key})"),
        4 => format!("min(n.{key})"),
        5 => format!("max(n.{key})"),
        6 => format!(
            "sum(n.{})",
            random.one(&["few", "many", "float", "rare", "none", "large"])
        ),
        7 => format!(
            "avg(n.{})",
            random.one(&["few", "many", "float", "rare", "none", "mixed"])
        ),
        _ => format!("max(DISTINCT n.{key})"),
    }
}

fn aggregate(random: &mut Random) -> String {
    let label = random.one(&["", ":A", ":B", ":A:B", ":Nobody"]);
    let mut items: Vec<String> = Vec::new();
    for _ in 0..random.below(3) {
        items.push(format!("n.{}", random.one(KEYS)));
    }
    let filter = match random.below(3) {
        0 => String::new(),
        _ => format!("WHERE {}", condition(random, 2)),
    };
    let distinct = !items.is_empty() && random.chance(15);
    if !distinct {
        for _ in 0..1 + random.below(3) {
            items.push(call(random));
        }
    }
    items.sort();
    items.dedup();
    let distinct = if distinct { "DISTINCT " } else { "" };
    format!(
        "MATCH (n{label}) {filter} RETURN {distinct}{}",
        items.join(", ")
    )
}

fn try_in(engine: &QueryCore, text: &str, txn: &mut Txn) -> Result<Vec<Vec<Value>>, Error> {
    let core = txn.core().clone();
    let prepared = engine.prepare(text, &core)?;
    let mut execution = Execution::new(prepared, &Parameters::new())?;
    execution.request(Demand::All);
    let mut rows = Rows::default();
    while execution.step(txn, &core, &|| false, &mut rows)? != Step::Done {}
    rows.0.sort();
    Ok(rows.0)
}

/// Asks the same of both engines in one transaction.
fn compare(engines: [&QueryCore; 2], text: &str, txn: &mut Txn) -> usize {
    let results = engines.map(|engine| try_in(engine, text, txn));
    match results {
        [Ok(a), Ok(b)] => {
            assert_eq!(a, b, "{text}");
            let types = |rows: &[Vec<Value>]| -> Vec<&str> {
                let values = rows.iter().flatten();
                values.map(Value::type_name).collect()
            };
            // A group of 1 and 1.0 shows the one that was met first.
            let groups = ["RETURN n.", "RETURN DISTINCT n.", ", n."];
            if !groups.iter().any(|group| text.contains(group)) {
                assert_eq!(types(&a), types(&b), "{text}");
            }
            a.len()
        }
        [Err(a), Err(b)] => {
            assert_eq!(
                (a.kind(), a.detail(), a.span()),
                (b.kind(), b.detail(), b.span()),
                "{text}"
            );
            0
        }
        [a, b] => panic!("{text}: {a:?} and {b:?}"),
    }
}

/// Runs generated queries in a transaction that has written, beside another that has not committed.
fn run(seed: u64, rounds: usize, ways: &[&str], query: fn(&mut Random) -> String) {
    let mut random = Random(seed);
    let db = graph(&mut random);
    let plain = db.plain();
    let engines = [&db.engine, &plain.engine];
    let mut other = plain.core.begin(Access::Write, Isolation::Snapshot);
    let write = |text: &str, txn: &mut Txn| {
        try_in(&db.engine, text, txn).unwrap();
    };
    write(
        "MATCH (n:A) WHERE n.many % 23 = 0 SET n.few = 1000, n:B",
        &mut other,
    );
    write(
        "MATCH (n) WHERE n.many % 29 = 0 AND n.many % 23 <> 0 AND NOT (n)--() DELETE n",
        &mut other,
    );
    write("CREATE (:A {few: 77, float: 0.5})-[:T]->(:B)", &mut other);
    let mut own = db.core.begin(Access::Write, Isolation::Snapshot);
    let (mut rows, mut taken) = (0, 0);
    for round in 0..rounds {
        if round == rounds / 2 {
            write(
                "MATCH (n:A) WHERE n.many % 31 = 0 AND n.many % 23 <> 0 AND n.many % 29 <> 0 SET n.few = n.few * 2, n.text = 'own'",
                &mut own,
            );
            write(
                "MATCH (n:B) WHERE n.many % 37 = 0 AND n.many % 23 <> 0 AND n.many % 29 <> 0 AND NOT (n)--() DELETE n",
                &mut own,
            );
            write(
                "CREATE (:A:B {few: 3, flag: true}), (:A {many: 5, mixed: 2.5})",
                &mut own,
            );
        }
        let text = query(&mut random);
        rows += compare(engines, &text, &mut own);
        let [plan, plain] = [&db, &plain].map(|db| db.explain(&text));
        taken += usize::from(ways.iter().any(|way| plan.contains(way)));
        assert!(!ways.iter().any(|way| plain.contains(way)), "{plain}");
    }
    assert!(
        ways.is_empty() || taken > rounds / 4,
        "{taken} of {rounds} plans have {ways:?}"
    );
    assert!(rows > rounds, "most queries find something");
    other.rollback();
    own.rollback();
}

/// Rows of a scan, in order or cut, with conditions of which some cannot be asked of columns.
fn scan(random: &mut Random) -> String {
    let label = random.one(&["", ":A", ":B", ":A:B"]);
    let more = match random.below(4) {
        0 => format!(" AND id(n) % 3 = {}", random.below(3)),
        1 => format!(" OR n.few + 1 = {}", random.below(5)),
        2 => {
            format!(
                " AND {} {} (n)-[:T]->()",
                random.below(9),
                random.one(&["> COUNT {", "< COUNT {"])
            ) + "}"
        }
        _ => String::new(),
    };
    let filter = format!("WHERE {}{more}", condition(random, 2));
    match random.below(4) {
        // What ties leave open is not asked.
        0 => format!(
            "MATCH (n{label}) {filter} WITH n ORDER BY n.few DESC, n.many, id(n) LIMIT {} RETURN id(n), n.few",
            random.below(700)
        ),
        1 => format!("MATCH (n{label}) {filter} RETURN DISTINCT n.few, n.text"),
        2 => format!(
            "MATCH (n{label}) {filter} RETURN n.text AS text, n.few + 1 AS more, count(*), sum(n.many)"
        ),
        _ => format!(
            "MATCH (n{label}) {filter} RETURN id(n), n.{}",
            random.one(KEYS)
        ),
    }
}

/// Edges that are counted.
fn degrees(random: &mut Random) -> String {
    let label = random.one(&["", ":A", ":B"]);
    let types = random.one(&["", ":T", ":S", ":S|T", ":Nothing"]);
    let (left, right) = [("-", "->"), ("<-", "-"), ("-", "-")][random.below(3)];
    let hop = format!("{left}[{types}]{right}");
    let named = format!("{left}[r{types}]{right}");
    let filter = match random.below(2) {
        0 => String::new(),
        _ => format!("WHERE {}", condition(random, 1)),
    };
    match random.below(9) {
        0 => format!("MATCH (n{label}){named}(m) {filter} RETURN count(*)"),
        1 => format!("MATCH (n{label}){named}(m) {filter} RETURN n.few, count(r), max(n.many)"),
        2 => format!(
            "MATCH (n{label}){named}() {filter} RETURN id(n), count(DISTINCT n.text), count(*)"
        ),
        3 => format!("MATCH (n{label}) WHERE (n){hop}() RETURN count(n)"),
        4 => format!("MATCH (n{label}) WHERE NOT EXISTS {{ (n){hop}() }} RETURN id(n)"),
        5 => format!("MATCH (n{label}) {filter} RETURN id(n), COUNT {{ (n){hop}() }}"),
        6 => format!("MATCH (n{label}){hop}()--() RETURN count(*)"),
        7 => format!(
            "OPTIONAL MATCH (n:Nobody) RETURN COUNT {{ (n){hop}() }}, EXISTS {{ (n){hop}() }}"
        ),
        _ => format!("MATCH (n{label}){named}(m) {filter} RETURN m.few, count(r)"),
    }
}

/// Parts that are joined by values, or not at all.
fn joins(random: &mut Random) -> String {
    let (key, other) = match random.below(3) {
        0 => (random.one(&KEYS[..9]), random.one(&KEYS[..9])),
        _ => {
            let key = random.one(&KEYS[..9]);
            (key, key)
        }
    };
    let (few, many) = (random.below(25), random.below(60) + 3);
    match random.below(9) {
        0 => format!(
            "MATCH (n:A), (m:B) WHERE n.{key} = m.{other} AND n.many % {many} = 0 RETURN id(n), id(m)"
        ),
        1 => format!(
            "MATCH (n:B), (m:A {{{key}: n.{other}}}) WHERE m.many % {many} = 1 RETURN count(*), count(DISTINCT n), count(DISTINCT m)"
        ),
        2 => format!(
            "UNWIND [{}, {}, null, 1.0] AS x MATCH (n:A {{{key}: x}}) RETURN x, id(n)",
            value(random, key),
            value(random, other)
        ),
        3 => format!(
            "MATCH (n:A), (m:B) WHERE n.few = {few} AND m.many % 40 = 0 RETURN id(n), id(m)"
        ),
        4 => format!(
            "MATCH (n:A), (m) WHERE n.few = m.few AND n.text = m.text AND n.many < m.many AND m.many % {many} = 2 RETURN count(*), sum(m.few)"
        ),
        5 => format!(
            "MATCH (n:B)-[:T]-(x), (m:A)-[:T]->(y) WHERE x.few = m.few AND n.many % {many} = 3 RETURN id(n), id(y)"
        ),
        6 => format!(
            "MATCH (n:A) WHERE n.many % {many} = 4 OPTIONAL MATCH (m:B) WHERE m.{key} = n.{other} RETURN id(n), id(m)"
        ),
        7 => format!(
            "MATCH (n:B) WHERE n.many % {many} = 5 WITH n, n.few + 1 AS x MATCH (m:A), (o:B) WHERE m.few = x AND o.{key} = m.{key} AND o.many % 30 = 7 RETURN id(n), id(m), id(o)"
        ),
        _ => format!(
            "MATCH (n:A), (m:B) WHERE n.large + 1 = m.many AND n.many % {many} = 6 RETURN count(*)"
        ),
    }
}

/// Patterns that close a cycle.
fn cycles(random: &mut Random) -> String {
    let hop = |random: &mut Random, name: &str| {
        let types = random.one(&["", "", ":T", ":S", ":S|T"]);
        let (left, right) = [("-", "->"), ("<-", "-"), ("-", "-")][random.below(3)];
        format!("{left}[{name}{types}]{right}")
    };
    let (r, s, t, u) = (
        hop(random, "r"),
        hop(random, "s"),
        hop(random, "t"),
        hop(random, "u"),
    );
    let label = random.one(&["", ":A", ":B"]);
    let many = random.below(60) + 20;
    let some = format!("n.many % {many} = 3");
    match random.below(7) {
        0 => format!("MATCH (n){r}(m{label}){s}(n) WHERE {some} RETURN id(n), id(r), id(m), id(s)"),
        1 => format!("MATCH (n){r}(m){s}(o{label}){t}(n) WHERE {some} RETURN id(r), id(s), id(t)"),
        2 => format!("MATCH (n){r}(m){s}(n) WHERE {some} RETURN DISTINCT m.few"),
        3 => format!(
            "MATCH (n) WHERE {some} OPTIONAL MATCH (n){r}(m{label}){s}(n) RETURN id(n), id(m), id(r)"
        ),
        4 => format!(
            "MATCH (n){r}(m) WHERE {some} MATCH (n){s}(o){t}(m) RETURN id(r), id(s), id(t), id(o)"
        ),
        5 => format!("MATCH (n){r}(m){s}(o){t}(n) WHERE {some} AND r.few < t.few RETURN count(*)"),
        _ => format!(
            "MATCH (n){r}(m){s}(o){t}(n), (m){u}(n) WHERE {some} RETURN id(r), id(s), id(t), id(u)"
        ),
    }
}

#[test]
fn cycles_closed_by_intersection_are_those_walked_round() {
    run(32_452_843, 60, &["ExpandIntersect"], cycles);
}

#[test]
fn scans_that_ask_whole_pages_find_what_asking_each_vertex_finds() {
    run(
        104_729,
        150,
        &["ScanAll (n), ", "ByLabel (n :A), ", "ByLabel (n :B), "],
        scan,
    );
}

#[test]
fn edges_that_are_counted_are_those_that_are_walked() {
    run(1_299_709, 150, &[], degrees);
}

#[test]
fn joins_by_hash_give_the_pairs_that_are_found_one_by_one() {
    run(15_485_863, 25, &["HashJoin", "Cartesian"], joins);
}

#[test]
fn aggregates_over_columns_are_those_over_rows() {
    for seed in 1..=2 {
        run(seed * 7919, 250, &["AggregateByColumns"], aggregate);
    }
}
