//! Places in query text.
//!
//! A [`Span`] is a half-open range of byte offsets into the text that was parsed. Spans are 32 bits wide on each side, which
//! the limit on query size (see [`crate::token::QUERY_BYTES_MAX`]) makes safe. [`position`] translates an offset into the line and
//! column that a person counts, in characters.

use std::fmt;

/// A half-open range `start..end` of byte offsets in the query text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte; never below `start`.
    pub end: u32,
}

impl Span {
    /// The span `start..end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Span) -> Span {
        Span::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The text at this span, or the empty string if the span does not fit `text`.
    pub fn text(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or("")
    }

    /// Number of bytes covered.
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// True if no byte is covered.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// Line and column, both counted from 1; the column counts characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1. Lines end at a line feed.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// The position of byte `offset` in `text`. An offset beyond the end, or within a character, is that of the nearest character start
/// at or before it.
pub fn position(text: &str, offset: u32) -> Position {
    let mut offset = (offset as usize).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        line: 1 + before.bytes().filter(|&b| b == b'\n').count() as u32,
        column: 1 + before[line_start..].chars().count() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_line_feeds() {
        let text = "RETURN 'ä'\n  , x";
        let at = text.find('x').unwrap() as u32;
        assert_eq!(position(text, at), Position { line: 2, column: 5 });
        let quote = text.rfind('\'').unwrap() as u32;
        assert_eq!(
            position(text, quote),
            Position {
                line: 1,
                column: 10
            }
        );
    }

    #[test]
    fn an_offset_within_a_character_or_beyond_the_end_is_clamped() {
        assert_eq!(position("ä", 1), Position { line: 1, column: 1 });
        assert_eq!(position("ab", 99), Position { line: 1, column: 3 });
    }
}
