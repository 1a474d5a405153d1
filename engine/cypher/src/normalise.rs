//! The plan cache's key: query text with its literals taken out.
//!
//! `MATCH (n {id: 7}) RETURN n` and `MATCH (n {id: 8}) RETURN n` have the same plan, so they get the same key, and the literal becomes a value
//! of the run. [`normalise`] makes one pass over the bytes of the text and builds no tokens; a [`Normalised`] is reused from query to query, so
//! that nothing is allocated in the steady state. Whoever misses in the cache parses with [`crate::parser::parse_with_extracted`] and
//! [`Normalised::positions`], so that each literal in the tree knows its number.
//!
//! What always holds: two texts with the same key have the same tree but for the values of their extracted literals. The key is the text itself, blanks included
//! (they name columns), with a placeholder for each extracted literal that says its type and its number; equal literals
//! share a number, so that what is equal in one text is equal in all texts of the key. A literal stays in the key where it is part of what is asked:
//! the length of a pattern, an item of `RETURN` without `AS` (its text is the column's name), anything that is no plain query.
//! Where there is doubt a literal stays; that costs a cache entry, never a wrong answer.
//!
//! A query that is refused when it is parsed with extraction must be parsed again without, and not be cached by its key: a repeated
//! expression of which one occurrence stays in the key is not recognised as repeated.

use smallvec::SmallVec;

use crate::ast::LiteralValue;
use crate::span::Span;
use crate::token::{float_value, integer_value, string_value};

/// Longest text that is normalised, in bytes; longer ones are hardly ever sent twice.
pub const TEXT_BYTES_MAX: usize = 1 << 16;

/// Most different literals that are taken out of one text.
pub const LITERALS_MAX: usize = 64;

/// Deepest nesting of brackets that is followed.
const BRACKETS_MAX: usize = 32;

/// In the key it stands for a literal. It can stand in no valid query outside of strings, names and comments.
const PLACEHOLDER: char = '\u{1}';

/// A key and the literals that were taken out. Reuse it for the next text.
#[derive(Debug, Default)]
pub struct Normalised {
    key: String,
    literals: SmallVec<[(Span, LiteralKind); 8]>,
    positions: SmallVec<[(u32, u16); 8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LiteralKind {
    Integer,
    Float,
    String,
}

impl Normalised {
    /// An empty one.
    pub fn new() -> Self {
        Normalised::default()
    }

    /// The key; meaningful after [`normalise`] has returned true.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where the extracted literals stand: byte offset and number, ascending by offset. A number stands at several places if the
    /// literal is repeated.
    pub fn positions(&self) -> &[(u32, u16)] {
        &self.positions
    }

    /// The extracted values by their numbers. `text` is what was normalised.
    pub fn values<'a>(&'a self, text: &'a str) -> impl ExactSizeIterator<Item = LiteralValue> + 'a {
        self.literals.iter().map(|&(span, kind)| {
            let raw = span.text(text);
            match kind {
                LiteralKind::Integer => {
                    LiteralValue::Integer(integer_value(raw).unwrap_or(0) as i64)
                }
                LiteralKind::Float => LiteralValue::Float(float_value(raw)),
                LiteralKind::String => LiteralValue::String(string_value(raw)),
            }
        })
    }
}

/// Makes the key of `text`. False if the text is none that this is made for (no plain query, malformed, too large, too
/// many literals): then there is no key.
pub fn normalise(text: &str, normalised: &mut Normalised) -> bool {
    normalised.key.clear();
    normalised.literals.clear();
    normalised.positions.clear();
    if text.len() > TEXT_BYTES_MAX {
        return false;
    }
    let scan = Scan {
        text,
        bytes: text.as_bytes(),
        at: 0,
        copied: 0,
        before: Before::Start,
        brackets: SmallVec::new(),
        item: None,
        out: normalised,
    };
    scan.run().is_some()
}

/// What stands before the current place, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Start,
    /// A name, literal, parameter or closing bracket.
    Operand,
    /// A keyword behind which an expression begins.
    Keyword,
    /// Any other character.
    Sign(u8),
}

/// An item of `RETURN` that is being read.
struct Item {
    /// Brackets open where the item stands.
    depth: usize,
    text_start: usize,
    key_start: usize,
    literals: usize,
    positions: usize,
    aliased: bool,
    /// Another `RETURN` stands within; its items have no record, so nothing is taken out.
    holds_return: bool,
}

struct Scan<'t, 'o> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// The text before this is in the key.
    copied: usize,
    before: Before,
    brackets: SmallVec<[u8; BRACKETS_MAX]>,
    item: Option<Item>,
    out: &'o mut Normalised,
}

impl Scan<'_, '_> {
    fn run(mut self) -> Option<()> {
        self.skip_blanks()?;
        self.first_word()?;
        loop {
            self.skip_blanks()?;
            let Some(&byte) = self.bytes.get(self.at) else {
                break;
            };
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word()?,
                b'0'..=b'9' => self.number()?,
                b'.' if self.peek(1).is_ascii_digit() && self.before != Before::Operand => {
                    self.number()?
                }
                b'\'' | b'"' => self.string(byte)?,
                b'`' => {
                    self.quoted_name()?;
                    self.before = Before::Operand;
                }
                b'$' => {
                    self.at += 1;
                    match self.peek(0) {
                        b'`' => self.quoted_name()?,
                        _ => self.name(),
                    }
                    self.before = Before::Operand;
                }
                _ => self.sign(byte)?,
            }
        }
        self.end_item();
        self.copy_to(self.at);
        Some(())
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn copy_to(&mut self, end: usize) {
        self.out.key.push_str(&self.text[self.copied..end]);
        self.copied = end;
    }

    fn skip_blanks(&mut self) -> Option<()> {
        loop {
            match self.peek(0) {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                }
                b'/' if self.peek(1) == b'*' => {
                    self.at += 2 + self.text[self.at + 2..].find("*/")? + 2;
                }
                _ => return Some(()),
            }
        }
    }

    /// Only plain queries are normalised.
    fn first_word(&mut self) -> Option<()> {
        const FIRST: &[&str] = &[
            "MATCH", "OPTIONAL", "MERGE", "UNWIND", "WITH", "RETURN", "CALL", "CREATE",
        ];
        let start = self.at;
        self.name();
        let word = &self.text[start..self.at];
        if !FIRST.iter().any(|first| word.eq_ignore_ascii_case(first)) {
            return None;
        }
        if word.eq_ignore_ascii_case("CREATE") {
            self.skip_blanks()?;
            if self.peek(0) != b'(' {
                return None;
            }
        }
        self.at = start;
        Some(())
    }

    fn name(&mut self) {
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' || self.peek(0) >= 0x80 {
            self.at += 1;
        }
    }

    fn quoted_name(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += self.bytes[self.at..].iter().position(|&b| b == b'`')? + 1;
            if self.peek(0) != b'`' {
                return Some(());
            }
            self.at += 1;
        }
    }

    fn word(&mut self) -> Option<()> {
        let start = self.at;
        self.name();
        if self.before == Before::Sign(b'.') {
            // A property: any word is just a name.
            self.before = Before::Operand;
            return Some(());
        }
        let word = &self.bytes[start..self.at];
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let ends_operand = self.before == Before::Operand;
        self.before = Before::Operand;
        match word.len() {
            2 if is("IN") || is("OR") || is("BY") => self.before = Before::Keyword,
            2 if is("AS") => {
                self.before = Before::Keyword;
                let depth = self.brackets.len();
                if let Some(item) = &mut self.item
                    && item.depth == depth
                {
                    item.aliased = true;
                }
            }
            3 if is("AND") || is("XOR") || is("NOT") => self.before = Before::Keyword,
            4 if is("WITH") || is("CASE") || is("WHEN") || is("THEN") || is("ELSE") => {
                self.before = Before::Keyword
            }
            4 if is("LOAD") => return None,
            4 if is("SKIP") => self.end_of_items(ends_operand),
            5 if is("WHERE") => self.before = Before::Keyword,
            5 if is("LIMIT") || is("ORDER") || is("UNION") => self.end_of_items(ends_operand),
            6 if is("OFFSET") => self.end_of_items(ends_operand),
            6 if is("UNWIND") => self.before = Before::Keyword,
            6 if is("RETURN") => {
                self.before = Before::Keyword;
                self.begin_return();
            }
            // Limits of memory are part of the plan's settings.
            6 if is("MEMORY") => return None,
            8 if is("DISTINCT") || is("CONTAINS") => self.before = Before::Keyword,
            _ => {}
        }
        Some(())
    }

    fn end_of_items(&mut self, ends_operand: bool) {
        // Behind anything but an operand the word is a name.
        if ends_operand {
            self.before = Before::Keyword;
            if self
                .item
                .as_ref()
                .is_some_and(|item| item.depth == self.brackets.len())
            {
                let end = self.at;
                self.end_item();
                self.copy_to(end);
            }
        }
    }

    fn begin_return(&mut self) {
        match &mut self.item {
            Some(item) if item.depth != self.brackets.len() => item.holds_return = true,
            _ => {
                self.end_item();
                self.begin_item();
            }
        }
    }

    fn begin_item(&mut self) {
        self.copy_to(self.at);
        self.item = Some(Item {
            depth: self.brackets.len(),
            text_start: self.at,
            key_start: self.out.key.len(),
            literals: self.out.literals.len(),
            positions: self.out.positions.len(),
            aliased: false,
            holds_return: false,
        });
    }

    /// An item that has no name of its own is put back into the key as it was written.
    fn end_item(&mut self) {
        let Some(item) = self.item.take() else { return };
        if item.aliased && !item.holds_return {
            return;
        }
        self.out.key.truncate(item.key_start);
        self.out.literals.truncate(item.literals);
        self.out.positions.truncate(item.positions);
        self.copied = item.text_start;
    }

    fn sign(&mut self, byte: u8) -> Option<()> {
        self.at += 1;
        self.before = Before::Sign(byte);
        match byte {
            b'(' | b'[' | b'{' => {
                if self.brackets.len() == BRACKETS_MAX {
                    return None;
                }
                self.brackets.push(byte);
            }
            b')' | b']' | b'}' => {
                self.before = Before::Operand;
                if self
                    .item
                    .as_ref()
                    .is_some_and(|item| item.depth == self.brackets.len())
                {
                    self.end_item();
                }
                self.brackets.pop()?;
            }
            b',' if self
                .item
                .as_ref()
                .is_some_and(|item| item.depth == self.brackets.len()) =>
            {
                self.end_item();
                self.begin_item();
            }
            _ => {}
        }
        Some(())
    }

    /// True if a literal here begins an operand, and not the length of a pattern.
    fn begins_operand(&self) -> bool {
        match self.before {
            Before::Keyword => true,
            Before::Start | Before::Operand | Before::Sign(b'.' | b'{' | b';') => false,
            Before::Sign(b'*') => self.brackets.last() != Some(&b'['),
            Before::Sign(b',') => self.brackets.last() != Some(&b'{'),
            Before::Sign(_) => true,
        }
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let mut kind = LiteralKind::Integer;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        if self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
            kind = LiteralKind::Float;
            self.at += 1;
            while self.peek(0).is_ascii_digit() {
                self.at += 1;
            }
        }
        // Exponents, other bases and malformed numbers are left to the lexer: they stay, or the parse fails.
        let plain =
            !(self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' || self.peek(0) >= 0x80);
        if !plain {
            self.name();
            let exponent = self.bytes[self.at - 1].eq_ignore_ascii_case(&b'e');
            if exponent && matches!(self.peek(0), b'+' | b'-') {
                self.at += 1;
                self.name();
            }
        }
        let raw = &self.text[start..self.at];
        let fits = match kind {
            LiteralKind::Integer => {
                raw.len() < 19 || integer_value(raw).is_some_and(|value| value < 1 << 63)
            }
            _ => raw.len() < 300,
        };
        let range = self.peek(0) == b'.' && self.peek(1) == b'.';
        let range = range || self.range_follows();
        if plain && fits && !range && self.begins_operand() {
            self.take_out(start, kind)?;
        }
        self.before = Before::Operand;
        Some(())
    }

    /// True if `..` follows behind blanks.
    fn range_follows(&self) -> bool {
        let rest = self.text[self.at..].trim_ascii_start();
        rest.starts_with("..") || rest.starts_with("/*") || rest.starts_with("//")
    }

    fn string(&mut self, quote: u8) -> Option<()> {
        let start = self.at;
        self.at += 1;
        loop {
            match *self.bytes.get(self.at)? {
                byte if byte == quote => break,
                // Unicode escapes can be malformed, and there may be no such escape, which is the lexer's to say.
                b'\\'
                    if !matches!(
                        self.peek(1),
                        b'\\' | b'\'' | b'"' | b'`' | b'n' | b't' | b'r' | b'b' | b'f'
                    ) =>
                {
                    return None;
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        if self.begins_operand() {
            self.take_out(start, LiteralKind::String)?;
        }
        self.before = Before::Operand;
        Some(())
    }

    fn take_out(&mut self, start: usize, kind: LiteralKind) -> Option<()> {
        let span = Span::new(start as u32, self.at as u32);
        let raw = span.text(self.text);
        let known = self
            .out
            .literals
            .iter()
            .position(|&(other, of)| of == kind && other.text(self.text) == raw);
        let number = match known {
            Some(number) => number,
            None if self.out.literals.len() == LITERALS_MAX => return None,
            None => {
                self.out.literals.push((span, kind));
                self.out.literals.len() - 1
            }
        };
        self.copy_to(start);
        self.copied = self.at;
        self.out.positions.push((span.start, number as u16));
        self.out.key.push(PLACEHOLDER);
        self.out.key.push(match kind {
            LiteralKind::Integer => 'i',
            LiteralKind::Float => 'f',
            LiteralKind::String => 's',
        });
        self.out.key.push(char::from(b'0' + number as u8));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key with its placeholders made visible, and the values.
    fn key(text: &str) -> Option<(String, Vec<LiteralValue>)> {
        let mut normalised = Normalised::new();
        if !normalise(text, &mut normalised) {
            return None;
        }
        let values = normalised.values(text).collect();
        Some((normalised.key().replace(PLACEHOLDER, "?"), values))
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(
            key(text).map(|(key, _)| key).as_deref(),
            Some(expected),
            "{text}"
        );
    }

    #[test]
    fn literals_in_expressions_are_taken_out_with_their_types() {
        let (key, values) =
            key("MATCH (n:L {id: 7, name: 'a\\'b'}) WHERE n.x > 1.5 RETURN n LIMIT 10").unwrap();
        assert_eq!(
            key,
            "MATCH (n:L {id: ?i0, name: ?s1}) WHERE n.x > ?f2 RETURN n LIMIT ?i3"
        );
        assert_eq!(
            values,
            [
                LiteralValue::Integer(7),
                LiteralValue::String("a'b".into()),
                LiteralValue::Float(1.5),
                LiteralValue::Integer(10)
            ]
        );
    }

    #[test]
    fn equal_literals_share_a_number_so_that_unequal_ones_make_another_key() {
        check(
            "MATCH (n) WHERE n.a = 1 OR n.b = 1 RETURN n",
            "MATCH (n) WHERE n.a = ?i0 OR n.b = ?i0 RETURN n",
        );
        check(
            "MATCH (n) WHERE n.a = 1 OR n.b = 2 RETURN n",
            "MATCH (n) WHERE n.a = ?i0 OR n.b = ?i1 RETURN n",
        );
        check(
            "MATCH (n) WHERE n.a = 1 OR n.b = '1' RETURN n",
            "MATCH (n) WHERE n.a = ?i0 OR n.b = ?s1 RETURN n",
        );
    }

    #[test]
    fn an_item_of_return_without_a_name_keeps_its_text() {
        check("RETURN 1", "RETURN 1");
        check(
            "RETURN 1 AS x, 2, n.a + 3 AS y",
            "RETURN ?i0 AS x, 2, n.a + ?i1 AS y",
        );
        check(
            "MATCH (n {a: 5}) RETURN n.b + 1 ORDER BY n.b + 2 LIMIT 3",
            "MATCH (n {a: ?i0}) RETURN n.b + 1 ORDER BY n.b + ?i1 LIMIT ?i2",
        );
        check(
            "RETURN 1 AS a UNION RETURN 2",
            "RETURN ?i0 AS a UNION RETURN 2",
        );
        check("RETURN limit + 1", "RETURN limit + 1");
        check("RETURN f(1, 2)  // 3", "RETURN f(1, 2)  // 3");
    }

    #[test]
    fn a_return_within_an_item_keeps_the_whole_item() {
        check(
            "RETURN COLLECT { RETURN 1 } AS x, 2 AS y",
            "RETURN COLLECT { RETURN 1 } AS x, ?i0 AS y",
        );
        check(
            "CALL { RETURN 1 AS x } RETURN x + 1",
            "CALL { RETURN ?i0 AS x } RETURN x + 1",
        );
        check(
            "CALL { RETURN 1 } WITH 2 AS y RETURN y",
            "CALL { RETURN 1 } WITH ?i0 AS y RETURN y",
        );
    }

    #[test]
    fn lengths_of_patterns_and_slices_stay() {
        check(
            "MATCH (a)-[:R*1..3]->(b) RETURN b",
            "MATCH (a)-[:R*1..3]->(b) RETURN b",
        );
        check(
            "MATCH (a)-[r*2]->(b) RETURN b",
            "MATCH (a)-[r*2]->(b) RETURN b",
        );
        check(
            "MATCH (a)-[*BFS ..5]->(b) RETURN b",
            "MATCH (a)-[*BFS ..5]->(b) RETURN b",
        );
        check(
            "MATCH ((a)-->(b)){1,3} RETURN b",
            "MATCH ((a)-->(b)){1,3} RETURN b",
        );
        check(
            "MATCH p = SHORTEST 2 (a)-->+(b) RETURN b",
            "MATCH p = SHORTEST 2 (a)-->+(b) RETURN b",
        );
        check(
            "WITH [1, 2] AS l RETURN l[0..1] AS x",
            "WITH [?i0, ?i1] AS l RETURN l[0..1] AS x",
        );
    }

    #[test]
    fn names_comments_and_parameters_are_copied() {
        check(
            "MATCH (`a 1`) /* 'x' */ WHERE `a 1`.p1 = $1 RETURN `a 1`",
            "MATCH (`a 1`) /* 'x' */ WHERE `a 1`.p1 = $1 RETURN `a 1`",
        );
        check(
            "MATCH (n) WHERE n.ä = 'ü' RETURN n",
            "MATCH (n) WHERE n.ä = ?s0 RETURN n",
        );
    }

    #[test]
    fn what_is_no_plain_query_has_no_key() {
        for text in [
            "",
            "CREATE INDEX ON :L(p)",
            "EXPLAIN MATCH (n) RETURN n",
            "SHOW REPLICAS",
            "SET REPLICATION ROLE TO REPLICA WITH PORT 10000",
            "MATCH (n) RETURN n QUERY MEMORY LIMIT 1 KB",
            "RETURN 'no end",
            "RETURN '\\uH'",
            "RETURN )",
        ] {
            assert_eq!(key(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_stays_for_the_parser_to_refuse() {
        check(
            "RETURN 9223372036854775808 AS x",
            "RETURN 9223372036854775808 AS x",
        );
        check(
            "RETURN 0x1F AS x, 1e3 AS y, 2E-01 AS z",
            "RETURN 0x1F AS x, 1e3 AS y, 2E-01 AS z",
        );
    }

    #[test]
    fn many_literals_have_no_key() {
        let list: Vec<String> = (0..=LITERALS_MAX).map(|n| n.to_string()).collect();
        assert_eq!(
            key(&format!("UNWIND [{}] AS x RETURN x", list.join(","))),
            None
        );
        assert!(key(&format!("UNWIND [{}] AS x RETURN x", list[1..].join(","))).is_some());
    }
}
