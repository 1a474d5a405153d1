//! Redis' protocol, RESP2: FalkorDB's GRAPH.QUERY, or commands as they are.
//!
//! ```text
//! request   *N CRLF, then N times $LEN CRLF bytes CRLF
//! reply     +text CRLF | -error CRLF | :int CRLF | $LEN CRLF bytes CRLF | *N CRLF then N replies
//! ```
//!
//! `$-1` and `*-1` are null. A query's reply is an array: header, rows, statistics if it returns
//! anything, statistics alone if not. The reader follows the nesting with a stack of counts and keeps
//! no byte beyond an unfinished line. Parameters go in front of the query as `CYPHER id=5 ...`, which
//! FalkorDB leaves out of its plan cache's key.

use super::{Reply, WireError};
use crate::load::workload::{Literal, Query};
use std::fmt::Write;

/// A connection to FalkorDB, or to any Redis whose commands end in one reply.
#[derive(Debug)]
pub struct RespWire {
    /// `None`: a query's text is a command, its words cut at blanks, a word that begins with `$` the parameter of that name.
    graph: Option<String>,
    /// Requests that wait for their reply.
    in_flight: u64,
    /// Elements still to come in each array that is open, outermost first.
    open: Vec<u64>,
    /// Elements of the reply's own array.
    elements: u64,
    rows: u64,
    error: Option<String>,
    position: Position,
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Line,
    /// In a bulk string and its line end, with so many bytes to come.
    Bulk(u64),
}

/// A line longer than this is no RESP header; errors are cut here.
const LINE_BYTES_MAX: usize = 4 << 10;
const DEPTH_MAX: usize = 64;
/// Redis' own limit for one bulk string.
const BULK_BYTES_MAX: u64 = 512 << 20;
/// Words of an error that stand for its code.
const ERROR_CHARS: usize = 80;

impl RespWire {
    pub fn new(graph: Option<String>) -> Self {
        RespWire {
            graph,
            in_flight: 0,
            open: Vec::new(),
            elements: 0,
            rows: 0,
            error: None,
            position: Position::Line,
            line: Vec::new(),
        }
    }

    pub fn request(&mut self, query: &Query, parameters: &[Literal], out: &mut Vec<u8>) {
        match &self.graph {
            Some(graph) => {
                let mut text = cypher_prefix(query.parameter_names().zip(parameters));
                text.push_str(&query.text);
                let command = if query.read {
                    "GRAPH.RO_QUERY"
                } else {
                    "GRAPH.QUERY"
                };
                write_command(out, &[command, graph, &text]);
            }
            None => {
                let word = |word: &str| {
                    let mut names = query.parameter_names().zip(parameters);
                    let value = word
                        .strip_prefix('$')
                        .and_then(|name| names.find(|(known, _)| *known == name));
                    let mut text = String::new();
                    match value {
                        Some((_, Literal::String(value))) => text.push_str(value),
                        Some((_, value)) => write_literal(&mut text, value),
                        None => text.push_str(word),
                    }
                    text
                };
                let words: Vec<String> = query.text.split_whitespace().map(word).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                write_command(out, &words);
            }
        }
        self.in_flight += 1;
    }

    /// Notes that a command written by [`write_command`] waits for its reply.
    pub fn expect_reply(&mut self) {
        self.in_flight += 1;
    }

    pub fn receive(&mut self, mut bytes: &[u8], replies: &mut Vec<Reply>) -> Result<(), WireError> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.position {
                Position::Bulk(left) => {
                    let taken = left.min(bytes.len() as u64);
                    bytes = &bytes[taken as usize..];
                    match left - taken {
                        0 => {
                            self.position = Position::Line;
                            self.element_ended(replies)?;
                        }
                        left => self.position = Position::Bulk(left),
                    }
                }
                Position::Line => {
                    bytes = rest;
                    if first != b'\n' {
                        if self.line.len() < LINE_BYTES_MAX {
                            self.line.push(first);
                        }
                        continue;
                    }
                    let mut line = std::mem::take(&mut self.line);
                    if line.pop() != Some(b'\r') && line.len() + 1 < LINE_BYTES_MAX {
                        return Err(WireError("a line without its carriage return".to_owned()));
                    }
                    self.header(&line, replies)?;
                    line.clear();
                    self.line = line;
                }
            }
        }
        Ok(())
    }

    fn header(&mut self, line: &[u8], replies: &mut Vec<Reply>) -> Result<(), WireError> {
        let text = String::from_utf8_lossy(line);
        let Some(kind) = text.chars().next() else {
            return Err(WireError("an empty line".to_owned()));
        };
        let rest = &text[kind.len_utf8()..];
        let number = |limit: u64| match rest.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(n) => match u64::try_from(n) {
                Ok(n) if n <= limit => Ok(Some(n)),
                _ => Err(WireError(format!("a size of {n}"))),
            },
            Err(_) => Err(WireError(format!("'{rest}' as a size"))),
        };
        match kind {
            '+' | ':' => self.element_ended(replies),
            '-' => {
                self.error
                    .get_or_insert_with(|| rest.chars().take(ERROR_CHARS).collect());
                self.element_ended(replies)
            }
            '$' => match number(BULK_BYTES_MAX)? {
                Some(len) => {
                    self.position = Position::Bulk(len + 2);
                    Ok(())
                }
                None => self.element_ended(replies),
            },
            '*' => match number(u64::from(u32::MAX))? {
                None | Some(0) => self.element_ended(replies),
                Some(count) => {
                    match self.open.len() {
                        0 => self.elements = count,
                        // The second element of a reply of three holds the rows.
                        1 if self.elements == 3 && self.open[0] == 2 => self.rows = count,
                        DEPTH_MAX.. => return Err(WireError("arrays nested too deep".to_owned())),
                        _ => {}
                    }
                    self.open.push(count);
                    Ok(())
                }
            },
            _ => Err(WireError(format!("'{kind}' as the start of a reply"))),
        }
    }

    /// Counts down the arrays that the element which has ended stands in.
    fn element_ended(&mut self, replies: &mut Vec<Reply>) -> Result<(), WireError> {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return Ok(());
            }
            self.open.pop();
        }
        self.in_flight = self
            .in_flight
            .checked_sub(1)
            .ok_or_else(|| WireError("a reply to nothing".to_owned()))?;
        let rows = std::mem::take(&mut self.rows);
        self.elements = 0;
        replies.push(match self.error.take() {
            Some(code) => Reply::Failed { code },
            None => Reply::Done { rows },
        });
        Ok(())
    }
}

/// Appends a command as an array of bulk strings.
pub fn write_command(out: &mut Vec<u8>, words: &[&str]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// `CYPHER id=5 name="x" `, or nothing without parameters.
pub fn cypher_prefix<'a>(parameters: impl Iterator<Item = (&'a str, &'a Literal)>) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        if text.is_empty() {
            text.push_str("CYPHER ");
        }
        text.push_str(name);
        text.push('=');
        write_literal(&mut text, value);
        text.push(' ');
    }
    text
}

fn write_literal(out: &mut String, literal: &Literal) {
    match literal {
        Literal::Null => out.push_str("null"),
        Literal::Bool(truth) => write_display(out, truth),
        Literal::Int(int) => write_display(out, int),
        // Debug keeps the point of 2.0 and all digits.
        Literal::Float(float) => out
            .write_fmt(format_args!("{float:?}"))
            .expect("writing to a String cannot fail"),
        Literal::String(text) => {
            out.push('"');
            for character in text.chars() {
                if matches!(character, '"' | '\\') {
                    out.push('\\');
                }
                out.push(character);
            }
            out.push('"');
        }
        Literal::List(list) => {
            out.push('[');
            for (position, item) in list.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_literal(out, item);
            }
            out.push(']');
        }
        Literal::Map(map) => {
            out.push('{');
            for (position, (key, item)) in map.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                out.push_str(key);
                out.push(':');
                write_literal(out, item);
            }
            out.push('}');
        }
    }
}

fn write_display(out: &mut String, value: impl std::fmt::Display) {
    out.write_fmt(format_args!("{value}"))
        .expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::random::Random;
    use crate::load::workload::Workload;

    const TWO_ROWS: &str =
        "*3\r\n*1\r\n$1\r\nn\r\n*2\r\n*1\r\n:1\r\n*1\r\n$3\r\n\r\nx\r\n*1\r\n$4\r\nCach\r\n";
    const NO_RESULT: &str = "*1\r\n*2\r\n$16\r\nNodes created: 1\r\n$3\r\nabc\r\n";
    const NO_ROWS: &str = "*3\r\n*1\r\n$1\r\nn\r\n*0\r\n*1\r\n$-1\r\n";

    fn replies(bytes: &[u8], size: usize, requests: u64) -> Result<Vec<Reply>, WireError> {
        let mut wire = RespWire::new(Some("g".to_owned()));
        wire.in_flight = requests;
        let mut replies = Vec::new();
        for piece in bytes.chunks(size) {
            wire.receive(piece, &mut replies)?;
        }
        Ok(replies)
    }

    #[test]
    fn rows_are_counted_wherever_the_stream_is_cut() {
        let bytes = [TWO_ROWS, NO_RESULT, NO_ROWS, "+OK\r\n", TWO_ROWS].concat();
        for size in 1..=bytes.len() {
            let rows: Vec<Reply> = [2, 0, 0, 0, 2].map(|rows| Reply::Done { rows }).to_vec();
            assert_eq!(
                replies(bytes.as_bytes(), size, 5),
                Ok(rows),
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn an_error_fails_its_request_only_wherever_it_stands() {
        let bytes = "-ERR wrong\r\n*3\r\n*0\r\n*1\r\n:1\r\n-late\r\n+OK\r\n";
        let failed = |code: &str| Reply::Failed { code: code.into() };
        assert_eq!(
            replies(bytes.as_bytes(), 4, 3),
            Ok(vec![
                failed("ERR wrong"),
                failed("late"),
                Reply::Done { rows: 0 }
            ])
        );
    }

    #[test]
    fn hostile_replies_are_refused_without_taking_memory() {
        for bytes in [
            "$99999999999\r\n".to_owned(),
            "*-5\r\n".to_owned(),
            "$x\r\n".to_owned(),
            "?\r\n".to_owned(),
            "\r\n".to_owned(),
            "+OK\n".to_owned(),
            "*1\r\n".repeat(1000),
            "+OK\r\n+OK\r\n".to_owned(),
        ] {
            assert!(replies(bytes.as_bytes(), 64, 1).is_err(), "{bytes:?}");
        }
        let mut wire = RespWire::new(Some("g".to_owned()));
        let endless = vec![b'+'; 1 << 20];
        wire.receive(&endless, &mut Vec::new()).unwrap();
        assert!(wire.line.len() <= LINE_BYTES_MAX);
    }

    #[test]
    fn a_command_without_a_graph_is_sent_word_by_word() {
        let mut workload = Workload::parse(
            r#"
            [[query]]
            text = "SET  $key value $other"
            parameters.key = { sequence = { from = 7 } }
            "#,
        )
        .unwrap();
        let mut values = Vec::new();
        workload.next_parameters(0, &mut Random::new(1), &mut values);
        let mut out = Vec::new();
        RespWire::new(None).request(&workload.queries[0], &values, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "*4\r\n$3\r\nSET\r\n$1\r\n7\r\n$5\r\nvalue\r\n$6\r\n$other\r\n"
        );
    }

    #[test]
    fn a_request_carries_its_parameters_in_front_of_the_query() {
        let mut workload = Workload::parse(
            r#"
            [[query]]
            text = "RETURN $a"
            read = true
            parameters.a = 5
            parameters.b = { constant = [2.0, "q\"\\", { k = true }] }
            "#,
        )
        .unwrap();
        let mut values = Vec::new();
        workload.next_parameters(0, &mut Random::new(1), &mut values);
        let mut out = Vec::new();
        RespWire::new(Some("g".to_owned())).request(&workload.queries[0], &values, &mut out);
        let text = r#"CYPHER a=5 b=[2.0,"q\"\\",{k:true}] RETURN $a"#;
        let expected = format!(
            "*3\r\n$14\r\nGRAPH.RO_QUERY\r\n$1\r\ng\r\n${}\r\n{text}\r\n",
            text.len()
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
