//! Repeated parts of paths and paths with a selector: against the same pattern written out at every length, and against all of its trails
//! sorted by length.

mod db;

use std::collections::BTreeMap;

use db::{Db, Rows};
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step};

/// As [`db::random_graph`]; vertices have a label by their parity.
fn random_graph(seed: u64, count: u64, edges: u64) -> Db {
    let db = db::random_graph(seed, count, edges);
    db.run("MATCH (v:V) WHERE v.id % 2 = 0 SET v:Even");
    db
}

/// `(1)-[R 1]->(2)-[R 2]->(3)-[S 3]->(1)`, `(2)-[S 4]->(3)`; 1 is an A, 2 a B, 3 a C; the numbers are `i` and `w`.
fn triangle() -> Db {
    let db = Db::new();
    db.run("CREATE (a:A {i: 1})-[:R {w: 1}]->(b:B {i: 2})-[:R {w: 2}]->(c:C {i: 3})-[:S {w: 3}]->(a), (b)-[:S {w: 4}]->(c)");
    db
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(show).collect();
            format!("[{}]", items.join(" "))
        }
        other => format!("{other:?}"),
    }
}

/// Rows as text, sorted: what they are does not rest on their order.
fn rows(db: &Db, text: &str) -> Vec<String> {
    let rows = db.run(text);
    let mut rows: Vec<String> = rows
        .iter()
        .map(|row| row.iter().map(show).collect::<Vec<_>>().join(" "))
        .collect();
    rows.sort();
    rows
}

/// A part of a path that is repeated: its hops as (pattern of a relationship with `@` for its name), a condition, and how often.
struct Part {
    hops: &'static [&'static str],
    /// `x0`, `r0`, `x1` ... stand for vertices and relationships.
    filter: &'static str,
    min: usize,
    /// What the text says; `max` is what is written out.
    quantifier: &'static str,
    max: usize,
}

impl Part {
    /// The part with its quantifier, its variables named after its number.
    fn quantified(&self, number: usize) -> String {
        let mut text = format!("(({}", name("x0", number));
        for (at, hop) in self.hops.iter().enumerate() {
            text += &format!(
                "){}({}",
                hop.replace('@', &name(&format!("r{at}"), number)),
                name(&format!("x{}", at + 1), number)
            );
        }
        text += ")";
        if !self.filter.is_empty() {
            text += &format!(" WHERE {}", named(self.filter, number));
        }
        text + ")" + self.quantifier
    }

    /// Names of its variables.
    fn variables(&self) -> Vec<String> {
        let vertices = (0..=self.hops.len()).map(|at| format!("x{at}"));
        vertices
            .chain((0..self.hops.len()).map(|at| format!("r{at}")))
            .collect()
    }
}

fn name(variable: &str, number: usize) -> String {
    format!("{variable}_{number}")
}

/// A condition with its variables named after a number.
fn named(filter: &str, number: usize) -> String {
    let mut out = String::new();
    let mut letters = filter.chars().peekable();
    while let Some(letter) = letters.next() {
        out.push(letter);
        let is_last_of_name =
            letter.is_ascii_digit() && !letters.peek().is_some_and(char::is_ascii_digit);
        if is_last_of_name && (filter_name_ends(&out)) {
            out += &format!("_{number}");
        }
    }
    out
}

/// Whether a text ends with `x1`, `r0` or the like, at the beginning of a word.
fn filter_name_ends(text: &str) -> bool {
    let word = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let before = word
        .len()
        .checked_sub(2)
        .and_then(|at| word[at..].chars().next());
    (word.ends_with('x') || word.ends_with('r')) && !before.is_some_and(|c| c.is_alphanumeric())
}

/// What is told of a match: the ends, the relationships, the lists.
fn told(parts: &[Part]) -> String {
    let mut told = String::from("RETURN a.id, b.id, [r IN relationships(p) | id(r)]");
    for (number, part) in parts.iter().enumerate() {
        for variable in part.variables() {
            told += &format!(", [v IN {} | id(v)]", name(&variable, number));
        }
    }
    told
}

/// The same pattern with each part written out so often, for all numbers of repetitions.
fn written_out(db: &Db, parts: &[Part], ends: (&str, &str)) -> Vec<String> {
    let mut counts = vec![vec![]];
    for part in parts {
        counts = counts
            .iter()
            .flat_map(|counts: &Vec<usize>| {
                (part.min..=part.max).map(|count| {
                    let mut counts = counts.clone();
                    counts.push(count);
                    counts
                })
            })
            .collect();
    }
    let mut found = Vec::new();
    for counts in counts {
        let (mut pattern, mut wheres) = (format!("(a{})", ends.0), vec!["true".to_owned()]);
        let mut lists = String::new();
        let mut last = String::from("a");
        let mut next = 0;
        for (part, count) in parts.iter().zip(&counts) {
            let mut of: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for _ in 0..*count {
                let mut vertices = vec![last.clone()];
                let mut filter = part.filter.to_owned();
                for (at, hop) in part.hops.iter().enumerate() {
                    next += 1;
                    pattern += &format!("{}(v{next})", hop.replace('@', &format!("e{next}")));
                    filter = filter.replace(&format!("r{at}"), &format!("e{next}"));
                    vertices.push(format!("v{next}"));
                    of.entry(format!("r{at}"))
                        .or_default()
                        .push(format!("e{next}"));
                }
                for (at, vertex) in vertices.iter().enumerate() {
                    filter = filter.replace(&format!("x{at}"), vertex);
                    of.entry(format!("x{at}")).or_default().push(vertex.clone());
                }
                last = vertices.pop().unwrap();
                if !filter.is_empty() {
                    wheres.push(format!("({filter})"));
                }
            }
            for variable in part.variables() {
                let of = of.remove(&variable).unwrap_or_default().join(", ");
                lists += &format!(", [v IN [{of}] | id(v)] AS list{}", lists.len());
            }
        }
        // The last vertex has the name of the path's end.
        let end = if next == 0 { "a" } else { &last };
        let of_end = ends.1.trim_start_matches(':');
        if !of_end.is_empty() {
            wheres.push(format!("{end}:{of_end}"));
        }
        found.extend(rows(
            db,
            &format!(
                "MATCH p = {pattern} WHERE {} RETURN a.id AS start, {end}.id AS end, [r IN relationships(p) | id(r)]{lists}",
                wheres.join(" AND ")
            ),
        ));
    }
    found.sort();
    found
}

/// Patterns of all kinds; lengths without an upper bound are written out as far as the graphs below have edges.
fn patterns(edges: usize) -> Vec<Vec<Part>> {
    let part = |hops, filter, min, quantifier, max| Part {
        hops,
        filter,
        min,
        quantifier,
        max,
    };
    vec![
        vec![part(&["-[@]->"], "", 0, "{0,3}", 3)],
        vec![part(&["-[@:T]->"], "", 1, "+", edges)],
        vec![part(&["-[@:T]->"], "", 0, "*", edges)],
        vec![part(&["-[@]-"], "", 2, "{2}", 2)],
        vec![part(&["<-[@]-"], "x0.id <> x1.id", 0, "{,2}", 2)],
        vec![part(
            &["-[@]->"],
            "x0.id < x1.id OR r0.w > 2",
            1,
            "{1,3}",
            3,
        )],
        vec![part(&["-[@:!S]->"], "r0.w > 1", 1, "{1,}", edges)],
        vec![part(&["-[@]->", "<-[@]-"], "", 1, "{1,2}", 2)],
        vec![part(&["-[@]->", "-[@]->"], "x0.id <> x2.id", 0, "{0,2}", 2)],
        vec![part(
            &["-[@]-", "-[@:T]->"],
            "r0.w <= r1.w AND x1:Even",
            1,
            "{1,2}",
            2,
        )],
        vec![part(
            &["-[@]->", "-[@]->", "-[@]->"],
            "x0.id + x2.id <> x3.id AND r0.w <> r2.w",
            1,
            "+",
            edges / 3,
        )],
        vec![
            part(&["-[@:T]->"], "", 0, "*", 4),
            part(&["-[@:S]->"], "", 1, "{1,2}", 2),
        ],
        vec![
            part(&["-[@]->"], "r0.w > 1", 0, "{0,2}", 2),
            part(&["<-[@]-"], "x0:Even", 0, "{0,2}", 2),
        ],
        vec![
            part(&["-[@]->"], "", 1, "{1}", 1),
            part(
                &["-[@]-", "-[@]->"],
                "x0.id < x1.id OR x1.id < x2.id",
                0,
                "{0,1}",
                1,
            ),
            part(&["-[@]->"], "", 1, "{1,2}", 2),
        ],
    ]
}

fn text(parts: &[Part], ends: (&str, &str)) -> String {
    let parts = parts.iter().enumerate();
    let parts: Vec<String> = parts
        .map(|(number, part)| part.quantified(number))
        .collect();
    format!("(a{}) {} (b{})", ends.0, parts.join(" "), ends.1)
}

#[test]
fn a_repeated_part_is_the_union_of_the_pattern_at_all_lengths() {
    for seed in 0..4 {
        let db = random_graph(seed, 4, 6);
        for parts in patterns(6) {
            for ends in [("", ""), (":Even", ""), ("", ":Even")] {
                // Trails of four without a bound are as long as there are edges of their type.
                let wanted = written_out(&db, &parts, ends);
                let pattern = text(&parts, ends);
                let told = told(&parts);
                assert_eq!(
                    rows(&db, &format!("MATCH p = {pattern} {told}")),
                    wanted,
                    "seed {seed}: {pattern}"
                );
                // Both ends bound, and one of them.
                for bound in [
                    format!("MATCH (a{}), (b{}) MATCH p = {pattern}", ends.0, ends.1),
                    format!("MATCH (b{}) MATCH p = {pattern}", ends.1),
                    format!(
                        "MATCH (a{}) WITH a OPTIONAL MATCH p = {pattern} WITH * WHERE b IS NOT NULL",
                        ends.0
                    ),
                ] {
                    assert_eq!(
                        rows(&db, &format!("{bound} {told}")),
                        wanted,
                        "seed {seed}: {bound}"
                    );
                }
            }
        }
    }
}

#[test]
fn one_of_the_quantifiers_forms_is_as_good_as_another() {
    for seed in 0..6 {
        let db = random_graph(seed, 4, 6);
        for (one, other) in [
            ("(a)-[r:T]->{1,2}(b)", "(a)((x)-[r:T]->(y)){1,2}(b)"),
            ("(a)-[r]-+(b)", "(a)((x)-[r]-(y))+(b)"),
            ("(a)<-[r:!T]-*(b)", "(a)((x)<-[r:!T]-(y))*(b)"),
            (
                "(a)-[r:T WHERE r.w > 1]->{0,3}(b)",
                "(a)((x)-[r:T]->(y) WHERE r.w > 1){0,3}(b)",
            ),
            (
                "(a)-[r:T {w: 2}]->{1,3}(b)",
                "(a)((x)-[r:T]->(y) WHERE r.w = 2){1,3}(b)",
            ),
            ("(a)-[r]->{1,3}(b)", "(a)-[r*1..3]->(b)"),
            ("(a)-[r]->{,}(b)", "(a)-[r*0..]->(b)"),
            ("(a)-[r:T]->{2}(m)-[s]->(b)", "(a)-[r:T*2..2]->(m)-[s]->(b)"),
            (
                "((a)-[r]->+(b) WHERE a.id < b.id)",
                "(a)-[r*]->(b) WHERE a.id < b.id",
            ),
            (
                "(((a)-[r]->{1,2}(b) WHERE size(r) = 2) WHERE a:Even)",
                "(a:Even)-[r*2..2]->(b)",
            ),
        ] {
            let told = "RETURN a.id, b.id, [e IN r | id(e)], length(p), [n IN nodes(p) | n.id]";
            assert_eq!(
                rows(&db, &format!("MATCH p = {one} {told}")),
                rows(&db, &format!("MATCH p = {other} {told}")),
                "seed {seed}: {one}"
            );
        }
    }
}

/// Paths of a pattern by their ends, each as its length and what is told of it, sorted.
type ByEnds = BTreeMap<String, Vec<(usize, String)>>;

fn by_ends(rows: &[String]) -> ByEnds {
    let mut found: ByEnds = BTreeMap::new();
    for row in rows {
        let (ends, path) = row.split_at(row.find('[').unwrap());
        let relationships = &path[1..path.find(']').unwrap()];
        let length = relationships.split_whitespace().count();
        found
            .entry(ends.to_owned())
            .or_default()
            .push((length, path.to_owned()));
    }
    found.values_mut().for_each(|paths| paths.sort());
    found
}

/// Asserts that of each pair of ends `found` has as many paths as wanted, the shortest of `all`; ties may be broken either way.
fn assert_shortest(what: &str, found: &ByEnds, all: &ByEnds, count: usize) {
    let wanted: Vec<(&String, Vec<usize>)> = all
        .iter()
        .map(|(ends, paths)| (ends, paths.iter().take(count).map(|path| path.0).collect()))
        .collect();
    let lengths: Vec<(&String, Vec<usize>)> = found
        .iter()
        .map(|(ends, paths)| (ends, paths.iter().map(|path| path.0).collect()))
        .collect();
    assert_eq!(lengths, wanted, "{what}");
    for (ends, paths) in found {
        for (at, path) in paths.iter().enumerate() {
            assert!(all[ends].contains(path), "{what}: {path:?}");
            assert!(!paths[..at].contains(path), "{what}: {path:?} twice");
        }
    }
}

fn groups(all: &ByEnds, count: usize) -> ByEnds {
    let shortest = |paths: &Vec<(usize, String)>| {
        let mut lengths: Vec<usize> = paths.iter().map(|path| path.0).collect();
        lengths.dedup();
        lengths.truncate(count);
        paths
            .iter()
            .filter(|path| lengths.contains(&path.0))
            .cloned()
            .collect()
    };
    all.iter()
        .map(|(ends, paths)| (ends.clone(), shortest(paths)))
        .collect()
}

#[test]
fn selectors_choose_among_all_trails_of_each_pair_of_ends() {
    for seed in 0..4 {
        let db = random_graph(seed, 4, 6);
        for parts in patterns(6) {
            for ends in [("", ""), (":Even", ""), ("", ":Even")] {
                let (pattern, told) = (text(&parts, ends), told(&parts));
                let all = by_ends(&rows(&db, &format!("MATCH p = {pattern} {told}")));
                for before in [
                    String::new(),
                    format!("MATCH (a{}), (b{}) ", ends.0, ends.1),
                    format!("MATCH (b{}) ", ends.1),
                ] {
                    let select = |selector: &str| {
                        let text = format!("{before}MATCH p = {selector} {pattern} {told}");
                        (text.clone(), by_ends(&rows(&db, &text)))
                    };
                    for (selector, count) in [
                        ("ANY SHORTEST", 1),
                        ("ANY", 1),
                        ("SHORTEST 1", 1),
                        ("SHORTEST 3 PATHS", 3),
                        ("ANY 2", 2),
                        ("SHORTEST 1000", usize::MAX),
                    ] {
                        let (text, found) = select(selector);
                        assert_shortest(&format!("seed {seed}: {text}"), &found, &all, count);
                    }
                    for (selector, count) in [
                        ("ALL SHORTEST", 1),
                        ("SHORTEST GROUP", 1),
                        ("SHORTEST 2 GROUPS", 2),
                        ("SHORTEST 1000 GROUPS", usize::MAX),
                    ] {
                        let (text, found) = select(selector);
                        assert_eq!(found, groups(&all, count), "seed {seed}: {text}");
                    }
                }
            }
        }
    }
}

#[test]
fn conditions_within_a_selected_path_come_before_the_selection_and_those_of_the_match_behind_it() {
    for seed in 0..4 {
        let db = random_graph(seed, 5, 8);
        for (before, pattern, more, condition) in [
            ("", "(a)-->+(b)", "", "length(p) > 1"),
            ("", "(a)((x)-[r]->(y))+(b)", "", "size(r) % 2 = 0"),
            (
                "",
                "(a)((x)-[r]->(y))+(b)",
                "",
                "all(e IN r WHERE e.w < 3) AND a.id < b.id",
            ),
            (
                "",
                "(a)-[r:T]->(m)-[s]->*(b)",
                "",
                "m.id <> b.id AND r.w > 1",
            ),
            ("", "(a)-[r]->(m)-[s]->(b)", "", "r.w < s.w"),
            (
                "",
                "(a)((x)-->(y)){1,2}(m)((z)-->(w)){1,2}(b)",
                ", size(x)",
                "m:Even AND size(x) <= size(z)",
            ),
            ("", "(a)-[r*1..3]->(m)-->(b)", "", "size(r) = 2"),
            ("MATCH (m:V {id: 2}) ", "(a)-->*(m)-->*(b)", "", "a.id < 4"),
            (
                "MATCH (c:V {id: 2}) ",
                "(a)((x)-->(y) WHERE x.id <> c.id)+(b)",
                "",
                "b.id <> c.id",
            ),
            ("", "(a)-->{1,2}(b)-->{1,2}(m)-->(b)", ", m.id", "true"),
            ("", "(a)-->(m)-->{0,2}(a)-->(b)", "", "true"),
            ("", "(a)-->{0,2}(b)-->(b)", "", "true"),
        ] {
            let told = format!("RETURN a.id, b.id, [e IN relationships(p) | id(e)]{more}");
            let all = by_ends(&rows(
                &db,
                &format!("{before}MATCH p = {pattern} WHERE {condition} {told}"),
            ));
            let within = format!(
                "{before}MATCH p = SHORTEST 2 (q = {pattern} WHERE {condition}) WHERE p = q {told}"
            );
            assert_shortest(
                &format!("seed {seed}: {within}"),
                &by_ends(&rows(&db, &within)),
                &all,
                2,
            );
            let within =
                format!("{before}MATCH p = ALL SHORTEST ({pattern} WHERE {condition}) {told}");
            assert_eq!(
                by_ends(&rows(&db, &within)),
                groups(&all, 1),
                "seed {seed}: {within}"
            );
            // Behind it: what was selected without the condition, as far as it holds.
            let selected = by_ends(&rows(&db, &format!("{before}MATCH p = {pattern} {told}")));
            let mut selected = groups(&selected, 1);
            for (ends, paths) in &mut selected {
                paths.retain(|path| all.get(ends).is_some_and(|all| all.contains(path)));
            }
            selected.retain(|_, paths| !paths.is_empty());
            let behind =
                format!("{before}MATCH p = ALL SHORTEST {pattern} WHERE {condition} {told}");
            assert_eq!(
                by_ends(&rows(&db, &behind)),
                selected,
                "seed {seed}: {behind}"
            );
        }
    }
}

#[test]
fn relationships_differ_in_the_whole_match_unless_they_may_be_met_again() {
    for seed in 0..6 {
        let db = random_graph(seed, 3, 5);
        let told = "RETURN a.id, b.id, c.id, [e IN r | id(e)], id(s)";
        let trails = rows(
            &db,
            &format!("MATCH (a)-[r]->{{1,2}}(b), (b)-[s]->(c) {told}"),
        );
        let by_length = (1..=2)
            .flat_map(|length| rows(&db, &format!("MATCH (a)-[r*{length}]->(b)-[s]->(c) {told}")));
        let mut by_length: Vec<String> = by_length.collect();
        by_length.sort();
        assert_eq!(trails, by_length, "seed {seed}");
        let walks = rows(
            &db,
            &format!("MATCH REPEATABLE ELEMENTS (a)-[r]->{{1,2}}(b), (b)-[s]->(c) {told}"),
        );
        // Each relationship in a MATCH of its own differs from none.
        let one = "MATCH (a)-[r1]->(b) MATCH (b)-[s]->(c) WITH a, b, c, [r1] AS r, s";
        let two = "MATCH (a)-[r1]->(m) MATCH (m)-[r2]->(b) MATCH (b)-[s]->(c) WITH a, b, c, [r1, r2] AS r, s";
        let mut apart = rows(&db, &format!("{one} {told}"));
        apart.extend(rows(&db, &format!("{two} {told}")));
        apart.sort();
        assert_eq!(walks, apart, "seed {seed}");
        let lengths = rows(
            &db,
            &format!("MATCH REPEATABLE ELEMENTS (a)-[r*1..2]->(b)-[s]->(c) {told}"),
        );
        assert_eq!(lengths, apart, "seed {seed}");
        assert_eq!(
            rows(
                &db,
                &format!("MATCH DIFFERENT RELATIONSHIPS (a)-[r]->{{1,2}}(b), (b)-[s]->(c) {told}")
            ),
            trails,
            "seed {seed}"
        );
    }
}

#[test]
fn lists_of_repetitions_are_what_neo4j_makes_of_them() {
    let db = triangle();
    let of = |list: &str, key: &str| format!("[v IN {list} | v.{key}]");
    let (x, y, z, w) = (of("x", "i"), of("y", "i"), of("z", "i"), of("r", "w"));
    // What Neo4j 5.26 answers to the same.
    for (text, found) in [
        (format!("MATCH (a:A), (c:C) MATCH p = (a)((x)-[r]->(y)){{1,2}}(c) RETURN {x}, {y}, {w}, {}", of("nodes(p)", "i")),
            "[1 2] [2 3] [1 2] [1 2 3]; [1 2] [2 3] [1 4] [1 2 3]"),
        (format!("MATCH (a:A)((x)-[r]->(y)){{0,2}}(c) RETURN {x}, {y}, {w}, c.i"),
            "[1 2] [2 3] [1 2] 3; [1 2] [2 3] [1 4] 3; [1] [2] [1] 2; [] [] [] 1"),
        (format!("MATCH (a:A)((x)-->(y)-->(z))+(c) RETURN {x}, {y}, {z}, c.i"),
            "[1] [2] [3] 3; [1] [2] [3] 3"),
        (format!("MATCH (a:A)((x)<-[r]-(y)){{1,2}}(c) RETURN {x}, {w}, c.i"),
            "[1 3] [3 2] 2; [1 3] [3 4] 2; [1] [3] 3"),
        (format!("MATCH (c:C)<-[r]-{{1,2}}(a) RETURN {w}, a.i"), "[2 1] 1; [2] 2; [4 1] 1; [4] 2"),
        (format!("MATCH (a)-[r]-{{2}}(b:C) RETURN a.i, {w}"), "1 [1 2]; 1 [1 4]; 2 [1 3]; 3 [2 4]; 3 [4 2]"),
        (format!("MATCH ((x)-[r]->(y) WHERE x.i < y.i){{1,3}} RETURN {x}, {y}, {w}"),
            "[1 2] [2 3] [1 2]; [1 2] [2 3] [1 4]; [1] [2] [1]; [2] [3] [2]; [2] [3] [4]"),
        ("MATCH ((a)-->(b))+ RETURN count(*)".into(), "17"),
        ("MATCH (((a)-->(b))+ WHERE size(a) = 2) RETURN a[0].i".into(), "1; 1; 2; 2; 3"),
        ("MATCH (x)((a)-->(b) WHERE a.i > x.i)+ RETURN count(*)".into(), "0"),
        ("MATCH (x) WITH x MATCH ((a)-->(b) WHERE a.i > x.i)+ RETURN count(*)".into(), "6"),
        ("MATCH (a) RETURN COUNT { (a)((x)-->(y)){2}() }".into(), "1; 2; 2"),
        ("OPTIONAL MATCH (a:Z)((x)-->(y)){1,2}(c) RETURN x, c".into(), "null null"),
        ("MATCH (a:A) OPTIONAL MATCH p = (a)((x)-->(y) WHERE x.i > 100)+(c) RETURN x, c, p".into(), "null null null"),
        ("MATCH (a:A)-[r]->(b)-[s]->+(c), (a)-[t]->(d) RETURN b".into(), ""),
        ("MATCH (b:B)-->(a), p = (a)((x)-->(y)){1}(z) RETURN a.i, z.i".into(), "3 1; 3 1"),
        ("MATCH (a)((x)-->(y) WHERE EXISTS { (y)-->(:A) }){1,2}(z) RETURN a.i, z.i".into(), "2 3; 2 3"),
        ("MATCH p = SHORTEST 2 (a:A)((x)-->(y))*((z)-->(v))+(b:C) RETURN length(p), size(x), size(z)".into(), "2 0 2; 2 1 1"),
        ("MATCH p = (a:A)(()-->())*(()-->())+(b:C) RETURN length(p)".into(), "2; 2; 2; 2"),
        ("MATCH p = SHORTEST 2 GROUPS (a:A)-->+(b) RETURN b.i, length(p)".into(), "1 3; 1 3; 2 1; 3 2; 3 2"),
        ("MATCH p = SHORTEST 1 (q = (a:A)-->+(b) WHERE length(q) > 1) RETURN b.i, length(p)".into(), "1 3; 3 2"),
        ("MATCH SHORTEST 1 ((a:A)(()-[r]->())+(b) WHERE a.i < b.i AND size(r) > 1) RETURN b.i, size(r)".into(), "3 2"),
        ("MATCH p = ALL SHORTEST (a:A)-->(b)-->(c) RETURN length(p)".into(), "2; 2"),
        ("MATCH (m:B) MATCH p = SHORTEST 1 (a:A)-->*(m)-->*(b:C) RETURN length(p)".into(), "2"),
        ("MATCH p = SHORTEST 1 (a:A)-->*(a) RETURN length(p)".into(), "0"),
        ("MATCH p = SHORTEST 1 (a:A)-->+(a) RETURN length(p)".into(), "3"),
        ("MATCH p = SHORTEST 1 (a:A)-->+(b:B)-->+(a) RETURN length(p)".into(), "3"),
        ("MATCH (a:A) MATCH p = SHORTEST 5 (a)--+(a) RETURN length(p)".into(), "3; 3; 3; 3"),
        ("MATCH p = SHORTEST 3 ((a)-[r]->(b)) RETURN a.i, b.i, r.w".into(), "1 2 1; 2 3 2; 2 3 4; 3 1 3"),
        (format!("MATCH p = SHORTEST 2 GROUPS (a:A)((x)-[r]-(y)){{2,4}}(b:B) RETURN length(p), {w}"),
            "2 [3 2]; 2 [3 4]; 3 [1 2 4]; 3 [1 4 2]"),
        ("MATCH p = ANY SHORTEST (a:A)-->(m WHERE m.i = 2)-->+(b) RETURN length(p), b.i, m.i".into(), "2 3 2; 3 1 2"),
        ("MATCH p = ANY SHORTEST (a:A)-->(m)-->+(b)-->(m) RETURN length(p), b.i, m.i".into(), ""),
        ("MATCH p = ANY SHORTEST (a:A)((x)-[r]->(y) WHERE r.w > 1){1,3}(c) RETURN c.i".into(), ""),
        (format!("MATCH (a:A) MATCH SHORTEST 1 (a)((x)-->(y)-->(z) WHERE x.i < z.i OR x.i = 3)+(e) RETURN e.i, {x}"), "3 [1]"),
    ] {
        assert_eq!(rows(&db, &text).join("; "), found, "{text}");
    }
}

#[test]
fn what_cannot_be_repeated_or_selected_is_refused_where_it_stands() {
    let db = triangle();
    for (text, at, words) in [
        ("MATCH ((a)-->(b))* RETURN 1", 6, "needs a node"),
        ("MATCH ((a)-->(b)){0} RETURN 1", 6, "0 times"),
        ("MATCH ((a)-->(b)){3,1} RETURN 1", 6, "lower bound"),
        ("MATCH ((a))+ RETURN 1", 6, "at least one relationship"),
        ("MATCH (x) ((a)-->(b)) RETURN 1", 10, "how often"),
        ("MATCH (x)-->((a)-->(b)) RETURN 1", 12, "how often"),
        ("MATCH ((a)-->(b))(c) RETURN 1", 6, "how often"),
        ("MATCH (p = (a)-->(b))+ RETURN 1", 7, "named"),
        ("MATCH (ANY SHORTEST (a)-->(b)) RETURN 1", 11, ""),
        ("MATCH (((a)-->(b))+(c)-->(d))+ RETURN 1", 7, "another"),
        ("MATCH (a)((a)-->(b))+ RETURN 1", 11, "outside"),
        ("MATCH (a)((x)-->(y))+(x) RETURN 1", 22, "list"),
        ("MATCH (a)((x)-->(y))+((x)-->(z))+ RETURN 1", 23, "outside"),
        (
            "MATCH (x) WITH x MATCH ((x)-->(b))+ RETURN 1",
            25,
            "outside",
        ),
        ("MATCH (a)-[r*1..2]->+(b) RETURN 1", 9, "variable length"),
        ("MATCH p = SHORTEST 0 (a)-->+(b) RETURN 1", 19, "not 0"),
        (
            "MATCH p = SHORTEST 1 (a)-->+(b), (x)-->(y) RETURN 1",
            6,
            "beside",
        ),
        (
            "MATCH REPEATABLE ELEMENTS (a)-->+(b) RETURN 1",
            29,
            "no end",
        ),
        (
            "MATCH REPEATABLE ELEMENTS (a)-[*]->(b) RETURN 1",
            29,
            "no end",
        ),
        ("CREATE ((a)-[:R]->(b)){2}", 7, "created"),
        ("MERGE (a)-[:R]->+(b)", 9, "created"),
        ("CREATE p = ANY SHORTEST (a)-[:R]->(b)", 7, "created"),
        (
            "MATCH ((a)-->(b) WHERE c.i = 1)+ RETURN 1",
            23,
            "not defined",
        ),
    ] {
        let error = db.error(text);
        assert!(error.message().contains(words), "{text}: {error:?}");
        assert_eq!(
            error.span().map(|span| span.start),
            Some(at),
            "{text}: {error:?}"
        );
    }
    for count in ["0", "-1", "'x'"] {
        let parameters = quoit_query::Parameters::from_iter([(
            "k".into(),
            db.run(&format!("RETURN {count}"))[0][0].clone(),
        )]);
        let error = db.try_run("MATCH SHORTEST $k (a)-->+(b) RETURN 1", &parameters);
        assert!(
            error.is_err_and(|error| error.message().contains("positive")),
            "{count}"
        );
    }
}

/// `count` vertices with an edge from each to each, itself excepted.
fn clique(count: i64) -> Db {
    let db = Db::new();
    db.run(&format!(
        "UNWIND range(0, {}) AS i CREATE (:V {{id: i}})",
        count - 1
    ));
    db.run("MATCH (a:V), (b:V) WHERE a <> b CREATE (a)-[:T]->(b)");
    db
}

#[test]
fn walks_and_selections_give_way_and_can_be_left_at_any_step() {
    let db = clique(9);
    for (text, count) in [
        // 8 + 8 * 8 + 8 * 8 * 8 walks less those that use an edge twice (there and back and there).
        (
            "MATCH (a:V {id: 0})((x)-->(y)){1,3} RETURN count(*)",
            8 + 64 + 504,
        ),
        (
            "MATCH (a:V {id: 0}) MATCH SHORTEST 50 (a)-->{1,3}(b) RETURN count(*)",
            50 * 9,
        ),
        (
            "MATCH (a:V {id: 0}) MATCH SHORTEST 3 (a)((x)-->(y) WHERE x.id < y.id)+(b) RETURN count(*)",
            1 + 2 + 6 * 3,
        ),
        // No path at all, which is known once all are tried.
        (
            "MATCH (a:V {id: 0}) MATCH ANY ((a)-->{1,3}(b) WHERE a.id > b.id) RETURN count(*)",
            0,
        ),
    ] {
        assert_eq!(db.number(text), count, "{text}");
        let prepared = db.engine.prepare(text, &db.core).unwrap();
        let mut txn = db.begin(false);
        let mut execution = Execution::new(prepared.clone(), &Parameters::new()).unwrap();
        execution.request(Demand::All);
        let (mut rows, mut turns) = (Rows::default(), 0);
        while execution
            .step(&mut txn, &db.core, &|| true, &mut rows)
            .unwrap()
            != Step::Done
        {
            turns += 1;
            assert!(turns < 1_000_000, "{text}: it does not come to an end");
        }
        assert_eq!(rows.0, [[Value::Int(count)]], "{text}");
        assert!(turns > 1, "{text}: {turns} turns");
        // Left in the middle.
        let mut execution = Execution::new(prepared, &Parameters::new()).unwrap();
        execution.request(Demand::All);
        let _ = execution
            .step(&mut txn, &db.core, &|| true, &mut rows)
            .unwrap();
    }
}

#[test]
fn the_first_of_endless_many_paths_come_at_once() {
    let db = clique(12);
    // There are more trails than could ever be counted.
    for text in [
        "MATCH (a:V {id: 0})((x)-->(y))+ RETURN size(x) AS n LIMIT 1",
        "MATCH (a:V {id: 0}), (b:V {id: 5}) MATCH p = ANY (a)-->+(b) RETURN length(p) AS n",
        "MATCH (a:V {id: 0}) MATCH p = ANY SHORTEST (a)-->+(b:V {id: 5}) RETURN length(p) AS n",
        "MATCH (a:V {id: 0}) MATCH p = SHORTEST 100 (a)-->{2,}(b:V {id: 5}) RETURN min(length(p)) - 1 AS n",
    ] {
        assert_eq!(db.number(text), 1, "{text}");
    }
}
