//! Generated expressions, by kind: each gives its kind or null, so that an error is rare and does not hang on the order in which
//! conditions are looked at.

use crate::Draw;
use crate::graph::{KEYS, Kind, LABELS, TYPES, literal};

/// Names in scope.
pub type Scope = Vec<(String, Kind)>;

/// Values that a row's column may have.
pub const VALUES: [Kind; 6] = [
    Kind::Int,
    Kind::Float,
    Kind::Str,
    Kind::Bool,
    Kind::Ints,
    Kind::Any,
];

/// Draws expressions and names.
pub struct Expressions<'a> {
    pub draw: &'a mut Draw,
    /// Whether a pattern may be a condition; it can be nothing else, so not where a condition is also used as a value.
    pub bare_patterns: bool,
    fresh: usize,
}

impl<'a> Expressions<'a> {
    pub fn new(draw: &'a mut Draw) -> Self {
        Expressions {
            draw,
            bare_patterns: true,
            fresh: 0,
        }
    }

    /// A name that nothing has.
    pub fn name(&mut self, letter: &str) -> String {
        self.fresh += 1;
        format!("{letter}{}", self.fresh)
    }

    /// Something in scope of one of these kinds.
    pub fn named(&mut self, scope: &Scope, kinds: &[Kind]) -> Option<String> {
        let found: Vec<&String> = scope
            .iter()
            .filter(|(_, kind)| kinds.contains(kind))
            .map(|(name, _)| name)
            .collect();
        match found.len() {
            0 => None,
            many => Some(found[self.draw.below(many)].clone()),
        }
    }

    fn property(&mut self, scope: &Scope, kind: Kind) -> Option<String> {
        let entity = self.named(scope, &[Kind::Node, Kind::Edge])?;
        let keys: Vec<&str> = KEYS
            .iter()
            .filter(|(_, held)| *held == kind)
            .map(|(key, _)| *key)
            .collect();
        if keys.is_empty() {
            return None;
        }
        let key = if kind == Kind::Int && self.draw.chance(20) {
            "id"
        } else {
            self.draw.one(&keys)
        };
        Some(if self.draw.chance(95) {
            format!("{entity}.{key}")
        } else {
            format!("{entity}['{key}']")
        })
    }

    /// An expression of a kind in [`VALUES`].
    pub fn of(&mut self, kind: Kind, scope: &Scope, depth: usize) -> String {
        let draw = self.draw.below(100);
        if draw < 3 {
            return "null".to_string();
        }
        if depth == 0 || draw < 35 {
            return self.leaf(kind, scope);
        }
        let depth = depth - 1;
        match kind {
            Kind::Int => self.int(scope, depth),
            Kind::Float => self.float(scope, depth),
            Kind::Str => self.string(scope, depth),
            Kind::Bool => self.truth(scope, depth),
            Kind::Ints => self.ints(scope, depth),
            _ => {
                let kind = self.draw.one(&VALUES[..5]);
                self.of(kind, scope, depth)
            }
        }
    }

    fn leaf(&mut self, kind: Kind, scope: &Scope) -> String {
        if self.draw.chance(75) {
            let (held, property) = (self.named(scope, &[kind]), self.property(scope, kind));
            let options: Vec<String> = held.into_iter().chain(property).collect();
            if !options.is_empty() {
                return options[self.draw.below(options.len())].clone();
            }
        }
        literal(self.draw, kind)
    }

    fn choice(&mut self, kind: Kind, scope: &Scope, depth: usize) -> String {
        let (one, other) = (self.of(kind, scope, depth), self.of(kind, scope, depth));
        match self.draw.below(4) {
            0 => format!(
                "CASE WHEN {} THEN {one} ELSE {other} END",
                self.of(Kind::Bool, scope, depth)
            ),
            1 => format!("coalesce({one}, {other})"),
            2 => {
                let tested = self.draw.one(&[Kind::Int, Kind::Str]);
                let [a, b, c] = [(); 3].map(|()| self.of(tested, scope, depth));
                format!("CASE {a} WHEN {b} THEN {one} WHEN {c} THEN {other} END")
            }
            _ => format!("[{one}, {other}][{}]", self.draw.between(-2, 2)),
        }
    }

    fn int(&mut self, scope: &Scope, depth: usize) -> String {
        let draw = self.draw.below(9);
        match draw {
            0 | 1 => {
                let sign = self.draw.one(&["+", "-", "*"]);
                format!(
                    "({} {sign} {})",
                    self.of(Kind::Int, scope, depth),
                    self.of(Kind::Int, scope, depth)
                )
            }
            2 => {
                let by = self.draw.one(&["/ 2", "% 3", "/ -2", "% 2"]);
                format!("({} {by})", self.of(Kind::Int, scope, depth))
            }
            3 => {
                let kind = self.draw.one(&[Kind::Ints, Kind::Str]);
                format!("size({})", self.of(kind, scope, depth))
            }
            4 => {
                let kind = self.draw.one(&[Kind::Float, Kind::Str, Kind::Int]);
                format!("toInteger({})", self.of(kind, scope, depth))
            }
            5 => {
                let sum = self.name("s");
                format!(
                    "reduce({sum} = 0, y IN {} | {sum} + y)",
                    self.of(Kind::Ints, scope, depth)
                )
            }
            6 => match self.named(scope, &[Kind::Path]) {
                Some(path) => format!("length({path})"),
                None => format!("abs({})", self.of(Kind::Int, scope, depth)),
            },
            7 => match self.named(scope, &[Kind::Edges]) {
                Some(edges) => format!("size({edges})"),
                None => format!("sign({})", self.of(Kind::Float, scope, depth)),
            },
            _ => self.choice(Kind::Int, scope, depth),
        }
    }

    fn float(&mut self, scope: &Scope, depth: usize) -> String {
        match self.draw.below(4) {
            0 => {
                let (sign, kind) = (
                    self.draw.one(&["+", "-"]),
                    self.draw.one(&[Kind::Int, Kind::Float]),
                );
                format!(
                    "({} {sign} {})",
                    self.of(Kind::Float, scope, depth),
                    self.of(kind, scope, depth)
                )
            }
            1 => format!("({} / 2)", self.of(Kind::Float, scope, depth)),
            2 => {
                let name = self.draw.one(&["abs", "ceil", "floor"]);
                format!("{name}({})", self.of(Kind::Float, scope, depth))
            }
            _ => self.choice(Kind::Float, scope, depth),
        }
    }

    fn string(&mut self, scope: &Scope, depth: usize) -> String {
        match self.draw.below(5) {
            0 => format!(
                "({} + {})",
                self.of(Kind::Str, scope, depth),
                self.of(Kind::Str, scope, depth)
            ),
            1 => {
                let name = self.draw.one(&["toUpper", "toLower", "trim", "reverse"]);
                format!("{name}({})", self.of(Kind::Str, scope, depth))
            }
            2 => {
                let cut = self.draw.one(&["0", "1", "1, 1", "3", "0, 2"]);
                format!("substring({}, {cut})", self.of(Kind::Str, scope, depth))
            }
            3 => {
                let kind = self.draw.one(&[Kind::Int, Kind::Bool]);
                format!("toString({})", self.of(kind, scope, depth))
            }
            _ => self.choice(Kind::Str, scope, depth),
        }
    }

    fn ints(&mut self, scope: &Scope, depth: usize) -> String {
        match self.draw.below(6) {
            0 => format!(
                "[{}, {}]",
                self.of(Kind::Int, scope, depth),
                self.of(Kind::Int, scope, depth)
            ),
            1 => {
                let kind = self.draw.one(&[Kind::Ints, Kind::Int]);
                format!(
                    "({} + {})",
                    self.of(Kind::Ints, scope, depth),
                    self.of(kind, scope, depth)
                )
            }
            2 => {
                let cut = self.draw.one(&["1..", "..2", "-2..", "0..1", "2..1"]);
                format!("{}[{cut}]", self.of(Kind::Ints, scope, depth))
            }
            3 => format!(
                "range({}, {})",
                self.draw.between(-1, 3),
                self.draw.between(-1, 4)
            ),
            4 => {
                let name = self.name("x");
                let mut inner = scope.clone();
                inner.push((name.clone(), Kind::Int));
                let list = self.of(Kind::Ints, scope, depth);
                let (kept, given) = (
                    self.of(Kind::Bool, &inner, depth),
                    self.of(Kind::Int, &inner, depth),
                );
                format!("[{name} IN {list} WHERE {kept} | {given}]")
            }
            _ => self.choice(Kind::Ints, scope, depth),
        }
    }

    fn truth(&mut self, scope: &Scope, depth: usize) -> String {
        let node = self.named(scope, &[Kind::Node]);
        let edge = self.named(scope, &[Kind::Edge]);
        match (self.draw.below(16), node, edge) {
            (0..=3, ..) => {
                let kind =
                    self.draw
                        .one(&[Kind::Int, Kind::Int, Kind::Float, Kind::Str, Kind::Any]);
                let sign = self.draw.one(&["=", "<>", "<", ">", "<=", ">="]);
                format!(
                    "({} {sign} {})",
                    self.of(kind, scope, depth),
                    self.of(kind, scope, depth)
                )
            }
            (4 | 5, ..) => {
                let sign = self.draw.one(&["AND", "OR", "XOR"]);
                format!(
                    "({} {sign} {})",
                    self.of(Kind::Bool, scope, depth),
                    self.of(Kind::Bool, scope, depth)
                )
            }
            (6, ..) => format!("(NOT {})", self.of(Kind::Bool, scope, depth)),
            (7, ..) => {
                let (kind, ask) = (
                    self.draw.one(&VALUES),
                    self.draw.one(&["IS NULL", "IS NOT NULL"]),
                );
                format!("({} {ask})", self.of(kind, scope, depth))
            }
            (8, ..) => format!(
                "({} IN {})",
                self.of(Kind::Int, scope, depth),
                self.of(Kind::Ints, scope, depth)
            ),
            (9, ..) => {
                let sign = self.draw.one(&["STARTS WITH", "ENDS WITH", "CONTAINS"]);
                format!(
                    "({} {sign} {})",
                    self.of(Kind::Str, scope, depth),
                    self.of(Kind::Str, scope, depth)
                )
            }
            (10, ..) => {
                let (name, quantifier) = (
                    self.name("x"),
                    self.draw.one(&["all", "any", "none", "single"]),
                );
                let mut inner = scope.clone();
                inner.push((name.clone(), Kind::Int));
                let (list, asked) = (
                    self.of(Kind::Ints, scope, depth),
                    self.of(Kind::Bool, &inner, depth),
                );
                format!("{quantifier}({name} IN {list} WHERE {asked})")
            }
            (11, Some(node), _) => format!("({node}:{})", self.label_expression()),
            (12, Some(node), _) => {
                let other = self
                    .named(scope, &[Kind::Node])
                    .unwrap_or_else(|| node.clone());
                format!("({node} {} {other})", self.draw.one(&["=", "<>"]))
            }
            (13, _, Some(edge)) => format!("({edge}:{})", self.draw.one(&TYPES)),
            (14, Some(node), _) => {
                let (pattern, inner) = self.chain(&node, scope);
                let asked = self.of(Kind::Bool, &inner, depth);
                match self.draw.below(2) {
                    0 => format!("EXISTS {{ MATCH {pattern} WHERE {asked} }}"),
                    _ => format!(
                        "(COUNT {{ {pattern} WHERE {asked} }} > {})",
                        self.draw.below(3)
                    ),
                }
            }
            (15, Some(node), _) if self.bare_patterns => {
                let (type_, end) = (self.draw.one(&TYPES), self.draw.one(&["", ":A", ":B"]));
                let not = self.draw.one(&["", "NOT "]);
                format!(
                    "{not}({node}){}",
                    self.draw.one(&[
                        format!("-[:{type_}]->({end})").as_str(),
                        format!("<-[:{type_}]-({end})").as_str(),
                        format!("--({end})").as_str(),
                    ])
                )
            }
            _ => self.choice(Kind::Bool, scope, depth),
        }
    }

    pub fn label_expression(&mut self) -> String {
        let (a, b) = (self.draw.one(&LABELS), self.draw.one(&LABELS));
        match self.draw.below(6) {
            0 => format!("{a}&{b}"),
            1 => format!("{a}|{b}"),
            2 => format!("!{a}"),
            3 => format!("!({a}|{b})"),
            _ => a.to_string(),
        }
    }

    /// A pattern from a bound node, and the scope within it.
    fn chain(&mut self, node: &str, scope: &Scope) -> (String, Scope) {
        let (mut text, mut inner) = (format!("({node})"), scope.clone());
        for _ in 0..1 + self.draw.below(2) {
            let (edge, end) = (self.name("r"), self.name("n"));
            let (left, right) = self.draw.one(&[("-", "->"), ("<-", "-"), ("-", "-")]);
            let type_ = self.draw.one(&["", ":R", ":S", ":R|T"]);
            text += &format!("{left}[{edge}{type_}]{right}({end})");
            inner.push((edge, Kind::Edge));
            inner.push((end, Kind::Node));
        }
        (text, inner)
    }
}
