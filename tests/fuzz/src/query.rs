//! Generated queries whose answer is one bag of rows, however they are planned: SKIP and LIMIT come only where all columns order the
//! rows, nothing is given back as an entity (ids are the arrangement's), nothing is collected in an order that is not asked for.

use crate::Draw;
use crate::expression::{Expressions, Scope, VALUES};
use crate::graph::{KEYS, Kind, TYPES, literal};

/// A query that reads.
pub fn reading(draw: &mut Draw) -> String {
    let mut queries = Queries(Expressions::new(draw));
    let (mut scope, mut clauses) = (Scope::new(), Vec::new());
    for at in 0..1 + queries.0.draw.below(3) {
        queries.clause(&mut clauses, &mut scope, at == 0);
    }
    queries.returning(&mut clauses, &scope);
    clauses.join(" ")
}

/// A query of the shapes that planners have ways of their own for: distinct ends of long patterns, aggregates over a label, cycles,
/// sort with limit, lookups.
pub fn of_a_known_shape(draw: &mut Draw) -> String {
    let (a, b) = (
        draw.one(&["", ":A", ":B", ":A|B"]),
        draw.one(&["", "", ":C", ":B"]),
    );
    let types = draw.one(&["", ":R", ":S|T", ":R|S"]);
    let from = draw.one(&["i", "j", "id"]);
    let start = match draw.below(4) {
        0 => String::new(),
        _ => format!(" {{{from}: {}}}", draw.below(6)),
    };
    let (left, right) = draw.one(&[("-", "->"), ("<-", "-"), ("-", "-")]);
    let cut = draw.one(&[
        "",
        "",
        " ORDER BY o",
        " ORDER BY o DESC LIMIT 7",
        " ORDER BY o SKIP 2 LIMIT 3",
    ]);
    let long = draw.one(&["*1..2", "*1..3", "*2", "*0..2", "*2..3", "*3"]);
    match draw.below(12) {
        0 => format!(
            "MATCH (a{a}{start}){left}[{types}{long}]{right}(b{b}) RETURN DISTINCT b.id AS o{cut}"
        ),
        1 => format!(
            "MATCH (a{a}{start}){left}[{types}{long}]{right}(b{b}) RETURN count(DISTINCT b) AS o"
        ),
        2 => format!(
            "MATCH (a{a}{start}){left}[{types}]{right}(){left}[{types}]{right}(b{b}) RETURN DISTINCT b.id AS o{cut}"
        ),
        3 => format!(
            "MATCH (a{a}{start}){left}[{types}]{right}(m){left}[:S]{right}(b{b}) WHERE a <> b RETURN DISTINCT b.id AS o, b.i AS p"
        ),
        4 => format!(
            "MATCH (a{a}{start}){left}[r{types}{long}]{right}(b{b}) RETURN b.id AS o, size(r) AS p, count(*) AS q"
        ),
        5 => format!(
            "MATCH (n{a}) WHERE n.{from} >= {} RETURN count(*) AS o, min(n.f) AS p, max(n.s) AS q, sum(n.i) AS t, avg(n.j) AS u, count(DISTINCT n.x) AS v",
            draw.below(4)
        ),
        6 => format!(
            "MATCH (n{a}) RETURN n.{from} AS o, count(*) AS p, sum(n.f) AS q, max(n.id) AS t"
        ),
        7 => format!(
            "MATCH (n{a}) RETURN n.s AS o, n.b AS p, count(n.i) AS q, collect(DISTINCT n.b)[0] IS NULL AS t"
        ),
        8 => format!(
            "MATCH (a{a}){left}[{types}]{right}(b){left}[{types}]{right}(c){left}[{types}]{right}(a) RETURN a.id AS o, b.id AS p, c.id AS q"
        ),
        9 => format!(
            "MATCH (a{a}{start}), (b{b}) WHERE a.i = b.j AND a.id < b.id RETURN a.id AS o, b.id AS p"
        ),
        10 => format!(
            "MATCH (a{a}{start}) OPTIONAL MATCH (a){left}[{types}{long}]{right}(b{b}) WHERE b.i > 0 RETURN a.id AS o, count(b) AS p, count(DISTINCT b.s) AS q"
        ),
        _ => format!(
            "MATCH (a{a}{start}){left}[{types}]{right}(b{b}) WITH DISTINCT b MATCH (b){left}[{types}]{right}(c) RETURN DISTINCT c.id AS o{cut}"
        ),
    }
}

struct Queries<'a>(Expressions<'a>);

impl Queries<'_> {
    fn clause(&mut self, clauses: &mut Vec<String>, scope: &mut Scope, is_first: bool) {
        match self.0.draw.below(100) {
            draw if scope.is_empty() || (is_first && draw < 85) || draw < 35 => {
                self.matching(clauses, scope, "MATCH")
            }
            35..60 => self.matching(clauses, scope, "OPTIONAL MATCH"),
            60..68 => {
                let name = self.0.name("u");
                clauses.push(format!(
                    "UNWIND {} AS {name}",
                    self.0.of(Kind::Ints, scope, 2)
                ));
                scope.push((name, Kind::Int));
            }
            68..80 => self.subquery(clauses, scope),
            80..90 => self.grouping(clauses, scope),
            _ => self.with(clauses, scope),
        }
    }

    fn subquery(&mut self, clauses: &mut Vec<String>, scope: &mut Scope) {
        let carried: Scope = scope
            .iter()
            .filter(|_| self.0.draw.chance(70))
            .cloned()
            .collect();
        let carried = if carried.is_empty() {
            scope[..1].to_vec()
        } else {
            carried
        };
        let names: Vec<&str> = carried.iter().map(|(name, _)| name.as_str()).collect();
        let mut inside = vec![format!("WITH {}", names.join(", "))];
        let mut inner = carried.clone();
        let keyword = self.0.draw.one(&["MATCH", "OPTIONAL MATCH"]);
        self.matching(&mut inside, &mut inner, keyword);
        let (column, kind) = (
            self.0.name("c"),
            self.0.draw.one(&[Kind::Int, Kind::Str, Kind::Bool]),
        );
        let (given, kind) = match self.0.draw.below(2) {
            0 => ("count(*)".to_string(), Kind::Int),
            _ => (self.0.of(kind, &inner, 2), kind),
        };
        let distinct = self.0.draw.one(&["", "DISTINCT "]);
        clauses.push(format!(
            "CALL {{ {} RETURN {distinct}{given} AS {column} }}",
            inside.join(" ")
        ));
        scope.push((column, kind));
    }

    fn matching(&mut self, clauses: &mut Vec<String>, scope: &mut Scope, keyword: &str) {
        // Inline properties see what earlier clauses bound.
        let before = scope.clone();
        let mut paths = vec![self.path(&before, scope, false)];
        if self.0.draw.chance(20) {
            paths.push(self.path(&before, scope, true));
        }
        let asked = match self.0.draw.below(100) {
            0..60 => format!(" WHERE {}", self.0.of(Kind::Bool, scope, 3)),
            _ => String::new(),
        };
        clauses.push(format!("{keyword} {}{asked}", paths.join(", ")));
    }

    fn inline(&mut self, before: &Scope) -> String {
        let (key, kind) = self.0.draw.one(&KEYS[..5]);
        format!(" {{{key}: {}}}", self.0.of(kind, before, 1))
    }

    fn node(&mut self, before: &Scope, scope: &mut Scope, is_anchored: bool) -> String {
        if let Some(known) = self.0.named(scope, &[Kind::Node])
            && (is_anchored || self.0.draw.chance(50))
        {
            return format!("({known})");
        }
        let label = match self.0.draw.below(100) {
            0..35 => format!(":{}", self.0.label_expression()),
            _ => String::new(),
        };
        let held = if self.0.draw.chance(15) {
            self.inline(before)
        } else {
            String::new()
        };
        if self.0.draw.chance(15) {
            return format!("({label}{held})");
        }
        let name = self.0.name("n");
        let text = format!("({name}{label}{held})");
        scope.push((name, Kind::Node));
        text
    }

    fn path(&mut self, before: &Scope, scope: &mut Scope, is_anchored: bool) -> String {
        let mut text = self.node(before, scope, is_anchored);
        let steps = self.0.draw.one(&[0, 1, 1, 1, 2, 2, 3]);
        for _ in 0..steps {
            let (left, right) = self.0.draw.one(&[("-", "->"), ("<-", "-"), ("-", "-")]);
            let type_ = match self.0.draw.below(3) {
                0 => String::new(),
                1 => format!(":{}", self.0.draw.one(&TYPES)),
                _ => format!(":{}|{}", self.0.draw.one(&TYPES), self.0.draw.one(&TYPES)),
            };
            let long = match steps {
                3 => "",
                _ => self
                    .0
                    .draw
                    .one(&["", "", "", "", "*1..2", "*0..1", "*2", "*..3", "*0..2"]),
            };
            let held = if self.0.draw.chance(7) {
                self.inline(before)
            } else {
                String::new()
            };
            let edge = if self.0.draw.chance(70) {
                self.0.name("r")
            } else {
                String::new()
            };
            let end = self.node(before, scope, false);
            text += &format!("{left}[{edge}{type_}{long}{held}]{right}{end}");
            if !edge.is_empty() {
                scope.push((
                    edge,
                    if long.is_empty() {
                        Kind::Edge
                    } else {
                        Kind::Edges
                    },
                ));
            }
        }
        if steps > 0 && self.0.draw.chance(15) {
            let name = self.0.name("p");
            text = format!("{name} = {text}");
            scope.push((name, Kind::Path));
        }
        text
    }

    fn with(&mut self, clauses: &mut Vec<String>, scope: &mut Scope) {
        scope.retain(|_| self.0.draw.chance(70));
        let mut items: Vec<String> = scope.iter().map(|(name, _)| name.clone()).collect();
        let before = scope.clone();
        for _ in 0..1 + self.0.draw.below(2) {
            let (name, kind) = (self.0.name("v"), self.0.draw.one(&VALUES));
            items.push(format!("{} AS {name}", self.0.of(kind, &before, 2)));
            scope.push((name, kind));
        }
        let (distinct, cut) = (self.0.draw.one(&["", "", "DISTINCT "]), self.cut(scope));
        let asked = self.asked(scope);
        clauses.push(format!("WITH {distinct}{}{cut}{asked}", items.join(", ")));
    }

    fn grouping(&mut self, clauses: &mut Vec<String>, scope: &mut Scope) {
        let before = scope.clone();
        scope.retain(|_| self.0.draw.chance(40));
        let mut items: Vec<String> = scope.iter().map(|(name, _)| name.clone()).collect();
        for _ in 0..1 + self.0.draw.below(2) {
            let (text, kind) = self.aggregate(&before);
            let name = self.0.name("g");
            items.push(format!("{text} AS {name}"));
            scope.push((name, kind));
        }
        let (cut, asked) = (self.cut(scope), self.asked(scope));
        clauses.push(format!("WITH {}{cut}{asked}", items.join(", ")));
    }

    fn asked(&mut self, scope: &Scope) -> String {
        match self.0.draw.below(100) {
            0..30 => format!(" WHERE {}", self.0.of(Kind::Bool, scope, 2)),
            _ => String::new(),
        }
    }

    fn aggregate(&mut self, scope: &Scope) -> (String, Kind) {
        let distinct = self.0.draw.one(&["", "", "DISTINCT "]);
        match self.0.draw.below(8) {
            0 | 1 => ("count(*)".to_string(), Kind::Int),
            2 => {
                let held = self
                    .0
                    .named(scope, &[Kind::Node, Kind::Edge, Kind::Path, Kind::Edges]);
                let counted = held.unwrap_or_else(|| self.0.of(Kind::Int, scope, 2));
                (format!("count({distinct}{counted})"), Kind::Int)
            }
            3 => (
                format!("sum({distinct}{})", self.0.of(Kind::Int, scope, 2)),
                Kind::Int,
            ),
            4 => (
                format!("sum({distinct}{})", self.0.of(Kind::Float, scope, 2)),
                Kind::Float,
            ),
            5 => (
                format!("avg({distinct}{})", self.0.of(Kind::Int, scope, 2)),
                Kind::Float,
            ),
            6 => {
                let (name, kind) = (
                    self.0.draw.one(&["min", "max"]),
                    self.0.draw.one(&VALUES[..4]),
                );
                (format!("{name}({})", self.0.of(kind, scope, 2)), kind)
            }
            _ => {
                let kind = self.0.draw.one(&VALUES);
                (
                    format!("size(collect({distinct}{}))", self.0.of(kind, scope, 2)),
                    Kind::Int,
                )
            }
        }
    }

    /// ORDER BY over all columns, perhaps cut; nothing if a column cannot order.
    fn cut(&mut self, columns: &Scope) -> String {
        if columns.is_empty()
            || columns.iter().any(|(_, kind)| !VALUES.contains(kind))
            || self.0.draw.chance(40)
        {
            return String::new();
        }
        let names: Vec<String> = columns
            .iter()
            .map(|(name, _)| format!("{name}{}", self.0.draw.one(&["", " DESC", " ASC"])))
            .collect();
        let mut text = format!(" ORDER BY {}", names.join(", "));
        if self.0.draw.chance(30) {
            text += &format!(" SKIP {}", self.0.draw.below(4));
        }
        if self.0.draw.chance(50) {
            text += &format!(" LIMIT {}", self.0.draw.below(6));
        }
        text
    }

    fn returning(&mut self, clauses: &mut Vec<String>, scope: &Scope) {
        let (mut items, mut columns) = (Vec::new(), Scope::new());
        let draw = self.0.draw.below(100);
        for at in 0..1 + self.0.draw.below(3) {
            let (text, kind) = if (draw < 40 && at == 0) || draw < 25 {
                self.aggregate(scope)
            } else if let (true, Some(held)) = (
                self.0.draw.chance(40),
                self.0.named(scope, &[Kind::Node, Kind::Edge]),
            ) {
                (format!("{held}.id"), Kind::Int)
            } else {
                let kind = self.0.draw.one(&VALUES);
                (self.0.of(kind, scope, 3), kind)
            };
            items.push(format!("{text} AS o{at}"));
            columns.push((format!("o{at}"), kind));
        }
        let (distinct, cut) = (
            self.0.draw.one(&["", "", "", "DISTINCT "]),
            self.cut(&columns),
        );
        clauses.push(format!("RETURN {distinct}{}{cut}", items.join(", ")));
    }
}

/// A pattern, something to ask of what it binds, and columns.
pub struct Matching {
    pub pattern: String,
    pub condition: String,
    /// Several columns, as RETURN has them.
    pub columns: String,
    /// An expression.
    pub column: String,
}

pub fn pattern_and_condition(draw: &mut Draw) -> Matching {
    let mut queries = Queries(Expressions::new(draw));
    queries.0.bare_patterns = false;
    let (before, mut scope) = (Scope::new(), Scope::new());
    let mut pattern = queries.path(&before, &mut scope, false);
    if queries.0.draw.chance(20) {
        pattern += &format!(", {}", queries.path(&before, &mut scope, true));
    }
    let ids: Vec<String> = scope
        .iter()
        .filter(|(_, kind)| matches!(kind, Kind::Node | Kind::Edge))
        .map(|(name, _)| format!("{name}.id AS {name}id"))
        .collect();
    let columns = if ids.is_empty() {
        "1 AS one".to_string()
    } else {
        ids.join(", ")
    };
    let condition = queries.0.of(Kind::Bool, &scope, 3);
    let kind = queries.0.draw.one(&[Kind::Int, Kind::Str, Kind::Bool]);
    let column = queries.0.of(kind, &scope, 2);
    Matching {
        pattern,
        condition,
        columns,
        column,
    }
}

/// A pattern of variable length between `a` and `b`, and the patterns of fixed length that it is.
pub struct LongPattern {
    pub pattern: String,
    pub written_out: Vec<String>,
}

pub fn long_pattern(draw: &mut Draw) -> LongPattern {
    let (left, right) = draw.one(&[("-", "->"), ("<-", "-"), ("-", "-")]);
    let types = draw.one(&["", ":R", ":S|T", ":R|S"]);
    let held = draw.one(&["", "", "", " {b: true}", " {i: 1}"]);
    let start = draw.one(&[
        "a",
        "a:A",
        "a:A|B",
        "a {id: 0}",
        "a {id: 1}",
        "a:!C {b: true}",
    ]);
    let end = draw.one(&["b", "b", "b:B", "b {b: false}"]);
    let (least, most) = draw.one(&[
        (1, 2),
        (1, 3),
        (2, 2),
        (2, 3),
        (3, 3),
        (0, 2),
        (0, 0),
        (1, 1),
        (0, 3),
    ]);
    let edge = format!("{left}[{types}{held}]{right}");
    let written = |length: usize| match length {
        // Zero steps: the ends are one.
        0 => format!("({start}), ({end}) WHERE a = b"),
        _ => format!(
            "({start}){}{edge}({end})",
            format!("{edge}()").repeat(length - 1)
        ),
    };
    LongPattern {
        pattern: format!("({start}){left}[{types}*{least}..{most}{held}]{right}({end})"),
        written_out: (least..=most).map(written).collect(),
    }
}

/// A query that writes, in a way that does not hang on the order of rows: it writes once, and what it writes is alike in all rows.
pub fn writing(draw: &mut Draw) -> String {
    let mut queries = Queries(Expressions::new(draw));
    let (mut scope, mut clauses) = (Scope::new(), Vec::new());
    queries.matching(&mut clauses, &mut scope, "MATCH");
    let (node, edge) = (
        queries.0.named(&scope, &[Kind::Node]),
        queries.0.named(&scope, &[Kind::Edge]),
    );
    let other = queries.0.named(&scope, &[Kind::Node]);
    let draw = &mut *queries.0.draw;
    let (key, kind) = draw.one(&KEYS);
    let value = literal(draw, kind);
    let (label, type_) = (draw.one(&["A", "B", "C", "D"]), draw.one(&TYPES));
    let (left, right) = draw.one(&[("-[", "]->"), ("<-[", "]-")]);
    clauses.push(match (draw.below(14), node, edge, other) {
        (0, Some(n), ..) => format!("SET {n}.{key} = {value}"),
        (1, Some(n), ..) => format!("SET {n} += {{{key}: {value}, y: {n}.id}}"),
        (2, Some(n), ..) => format!("SET {n} = {{{key}: {value}, id: {n}.id}}"),
        (3, Some(n), ..) => format!("SET {n}:{label}"),
        (4, Some(n), ..) => format!("REMOVE {n}:{label}, {n}.{key}"),
        (5, Some(n), ..) => format!("WITH DISTINCT {n} SET {n}.i = coalesce({n}.i, 0) + 1"),
        (6, Some(n), ..) if draw.chance(30) => format!("DETACH DELETE {n}"),
        (7, _, Some(r), _) => format!("SET {r}.{key} = {value}"),
        (8, _, Some(r), _) => format!("DELETE {r}"),
        (9, Some(n), _, Some(m)) => format!("MERGE ({n}){left}:{type_}{right}({m})"),
        (10, Some(n), _, Some(m)) => format!("WITH DISTINCT {n}, {m} CREATE ({n}){left}:{type_} {{id: 900, {key}: {value}}}{right}({m})"),
        (11, Some(n), ..) => format!("MERGE ({n}){left}:{type_} {{i: 1}}{right}(:{label} {{id: 901}})"),
        (12, Some(n), ..) => format!("FOREACH (x IN {n}.l | MERGE (:{label} {{i: x, id: 902}}))"),
        _ => format!("WITH count(*) AS c WHERE c > 0 CREATE (:{label} {{id: 903, {key}: {value}}})"),
    });
    if draw.chance(50) {
        clauses.push("RETURN count(*) AS c".to_string());
    }
    clauses.join(" ")
}
