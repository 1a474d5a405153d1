//! A query text that changes from request to request.
//!
//! Made by [`super::workload`] for a query with words, so that no cache of a server can know the text. Always holds: the same
//! numbers give the same texts, and a word has one value in one text.

use super::random::Random;
use super::workload::{Generator, Literal};
use std::fmt::Write;

/// Pieces of a text, and what makes those that change.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    words: Vec<Generator>,
}

#[derive(Clone, Debug)]
enum Piece {
    Fixed(String),
    /// The value of the word at this place of `words`.
    Word(usize),
}

impl Template {
    /// Cuts `text` at each placeholder; `words` are placeholders with what makes their values, integers or texts.
    pub(super) fn new(text: &str, words: Vec<(String, Generator)>) -> Template {
        let mut pieces = Vec::new();
        let mut rest = text;
        loop {
            let first = words
                .iter()
                .enumerate()
                .filter_map(|(word, (placeholder, _))| Some((rest.find(placeholder)?, word)))
                .min();
            let Some((at, word)) = first else {
                pieces.push(Piece::Fixed(rest.to_owned()));
                break;
            };
            pieces.push(Piece::Fixed(rest[..at].to_owned()));
            pieces.push(Piece::Word(word));
            rest = &rest[at + words[word].0.len()..];
        }
        Template {
            pieces,
            words: words.into_iter().map(|(_, generator)| generator).collect(),
        }
    }

    /// Replaces `text` by the next one.
    pub(super) fn write(&mut self, random: &mut Random, text: &mut String) {
        let values: Vec<Literal> = self.words.iter_mut().map(|w| w.next(random)).collect();
        text.clear();
        for piece in &self.pieces {
            let written = match piece {
                Piece::Fixed(fixed) => text.write_str(fixed),
                Piece::Word(word) => match &values[*word] {
                    Literal::String(value) => text.write_str(value),
                    Literal::Int(value) => write!(text, "{value}"),
                    other => unreachable!("{other:?} is no word"),
                },
            };
            written.expect("writing to a String cannot fail");
        }
    }
}
