//! Query text to tokens.
//!
//! A token is a kind and a span, 12 bytes; its value is read from the text when the parser wants it, so that a hostile text of
//! [`QUERY_BYTES_MAX`] bytes costs a bounded multiple of its size. Words are not divided into keywords and names here: Cypher has hardly
//! any reserved word, so the parser decides by place. White space and comments leave no token.
//!
//! Numbers that are malformed become [`TokenKind::BadNumber`] and are refused by the parser, since what is wrong depends on whether
//! a number could stand there at all. Malformed strings, comments and characters are refused at once.

use crate::error::{Detail, Error, ErrorKind, Result};
use crate::span::Span;

/// The largest query text, in bytes.
pub const QUERY_BYTES_MAX: usize = 1 << 20;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or a name.
    Word,
    /// A name in backquotes.
    QuotedName,
    /// `$name`, `$0` or `` $`name` ``.
    Parameter,
    /// A decimal, hexadecimal or octal integer, of any size.
    Integer,
    /// A float, of any size.
    Float,
    /// A number with something wrong in it.
    BadNumber,
    /// A string with its quotes.
    String,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `:`
    Colon,
    /// `::`
    DoubleColon,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// `|`
    Bar,
    /// `||`
    DoubleBar,
    /// `&`
    Ampersand,
    /// `!`
    Bang,
    /// `=`
    Equal,
    /// `=~`
    RegexMatch,
    /// `<>` or `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Plus,
    /// `+=`
    PlusEqual,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// `^`
    Caret,
    /// A `$` that begins no parameter.
    Dollar,
    /// An ASCII character that means nothing in Cypher.
    Unknown,
    /// The end of the text; the last token of every slice.
    End,
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands; empty for [`TokenKind::End`].
    pub span: Span,
}

/// Cuts `text` into tokens; the last one is [`TokenKind::End`].
///
/// # Errors
/// A text that is too large ([`Detail::QueryTooLarge`]), an unterminated string, name or comment ([`Detail::UnexpectedSyntax`]), a bad Unicode
/// escape ([`Detail::InvalidUnicodeLiteral`]), a character that cannot stand in Cypher ([`Detail::InvalidUnicodeCharacter`]).
pub fn tokenize(text: &str) -> Result<Vec<Token>> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!(
            "the query is {} bytes long, at most {QUERY_BYTES_MAX} are allowed",
            text.len()
        );
        return Err(Error::compile(
            ErrorKind::SyntaxError,
            Detail::QueryTooLarge,
            Span::new(0, 0),
            message,
        ));
    }
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
    };
    let mut tokens = Vec::with_capacity(text.len() / 4 + 4);
    loop {
        let token = lexer.next()?;
        tokens.push(token);
        if token.kind == TokenKind::End {
            return Ok(tokens);
        }
    }
}

/// True if a name can begin with `c`.
pub fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || (!c.is_ascii() && c.is_alphabetic())
}

/// True if a name can go on with `c`.
pub fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || (!c.is_ascii() && c.is_alphanumeric())
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn span_from(&self, start: usize) -> Span {
        Span::new(start as u32, self.at as u32)
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    fn skip_blanks(&mut self) -> Result<()> {
        while self.at < self.bytes.len() {
            match self.bytes[self.at] {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0x1c..=0x1f => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    self.at = self.bytes[self.at..]
                        .iter()
                        .position(|&b| b == b'\n')
                        .map_or(self.bytes.len(), |line| self.at + line);
                }
                b'/' if self.peek(1) == b'*' => {
                    let start = self.at;
                    match self.text[start + 2..].find("*/") {
                        Some(end) => self.at = start + 2 + end + 2,
                        None => {
                            let span = Span::new(start as u32, start as u32 + 2);
                            return Err(unexpected(span, "this comment has no end")
                                .hint("a comment ends with `*/`"));
                        }
                    }
                }
                byte if byte >= 0x80 => match self.char_at(self.at) {
                    Some(c) if c.is_whitespace() || c == '\u{feff}' => self.at += c.len_utf8(),
                    _ => return Ok(()),
                },
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Token> {
        self.skip_blanks()?;
        let start = self.at;
        if start >= self.bytes.len() {
            return Ok(Token {
                kind: TokenKind::End,
                span: self.span_from(start),
            });
        }
        let byte = self.bytes[start];
        let kind = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            b'\'' | b'"' => self.string(byte)?,
            b'`' => {
                self.quoted_name()?;
                TokenKind::QuotedName
            }
            b'$' => self.parameter()?,
            _ if byte >= 0x80 => {
                let c = self.char_at(start).unwrap_or('\u{fffd}');
                if !is_name_start(c) {
                    let span = Span::new(start as u32, (start + c.len_utf8()) as u32);
                    let message =
                        format!("the character `{c}` (U+{:04X}) cannot stand here", c as u32);
                    return Err(
                        Error::syntax(Detail::InvalidUnicodeCharacter, span, message)
                            .hint_opt(ascii_twin(c).map(|twin| format!("did you mean `{twin}`?"))),
                    );
                }
                self.word()
            }
            _ => self.punctuation(byte),
        };
        Ok(Token {
            kind,
            span: self.span_from(start),
        })
    }

    fn word(&mut self) -> TokenKind {
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                self.at += 1;
            } else if byte < 0x80 {
                break;
            } else {
                match self.char_at(self.at) {
                    Some(c) if is_name_part(c) => self.at += c.len_utf8(),
                    _ => break,
                }
            }
        }
        TokenKind::Word
    }

    fn digits(&mut self, is_digit: fn(&u8) -> bool) -> usize {
        let start = self.at;
        while is_digit(&self.peek(0))
            || (self.peek(0) == b'_' && self.at > start && is_digit(&self.peek(1)))
        {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> TokenKind {
        let mut kind = TokenKind::Integer;
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X') {
            self.at += 2;
            if self.digits(u8::is_ascii_hexdigit) == 0 {
                kind = TokenKind::BadNumber;
            }
        } else if self.peek(0) == b'0' && matches!(self.peek(1), b'o' | b'O') {
            self.at += 2;
            if self.digits(|b| matches!(b, b'0'..=b'7')) == 0 {
                kind = TokenKind::BadNumber;
            }
        } else {
            self.digits(u8::is_ascii_digit);
            // `1..3` is a range and `1.x` a property: a point belongs to the number only before a digit.
            if self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
                self.at += 1;
                self.digits(u8::is_ascii_digit);
                kind = TokenKind::Float;
            }
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if matches!(self.peek(0), b'e' | b'E') && self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.digits(u8::is_ascii_digit);
                kind = TokenKind::Float;
            }
        }
        let end = self.at;
        self.word();
        if self.at > end {
            TokenKind::BadNumber
        } else {
            kind
        }
    }

    fn string(&mut self, quote: u8) -> Result<TokenKind> {
        let start = self.at;
        self.at += 1;
        loop {
            // Quotes and backslashes are ASCII, so bytes can be looked at one by one.
            match self.bytes.get(self.at) {
                None => {
                    let span = Span::new(start as u32, start as u32 + 1);
                    return Err(unexpected(span, "this string has no end").hint(format!(
                        "a string that begins with {0} ends with {0}",
                        quote as char
                    )));
                }
                Some(&byte) if byte == quote => {
                    self.at += 1;
                    return Ok(TokenKind::String);
                }
                Some(b'\\') => {
                    let escaped = escape(&self.text[self.at..]);
                    let (_, length) = escaped.map_err(|wrong| {
                        let to = |length| Span::new(self.at as u32, (self.at + length) as u32);
                        let span = match wrong {
                            BadEscape::Unicode(length) => to(length),
                            BadEscape::Unknown(length) => {
                                let span = to(length);
                                let written = span.text(self.text);
                                return unexpected(span, &format!("`{written}` is no escape"))
                                    .hint(format!(
                                        "write `\\{written}` for a backslash that stands for itself"
                                    ));
                            }
                        };
                        Error::syntax(
                            Detail::InvalidUnicodeLiteral,
                            span,
                            "this is no Unicode character",
                        )
                        .hint("write `\\u` and four hexadecimal digits, or `\\U` and eight")
                    })?;
                    self.at += length;
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn quoted_name(&mut self) -> Result<()> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => {
                    let span = Span::new(start as u32, start as u32 + 1);
                    return Err(unexpected(span, "this name has no end")
                        .hint("a name that begins with a backquote ends with one"));
                }
                Some(b'`') if self.peek(1) == b'`' => self.at += 2,
                Some(b'`') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn parameter(&mut self) -> Result<TokenKind> {
        self.at += 1;
        if self.peek(0) == b'`' {
            self.quoted_name()?;
            return Ok(TokenKind::Parameter);
        }
        let start = self.at;
        self.word();
        Ok(if self.at > start {
            TokenKind::Parameter
        } else {
            TokenKind::Dollar
        })
    }

    fn punctuation(&mut self, byte: u8) -> TokenKind {
        use TokenKind::*;
        let (kind, length) = match (byte, self.peek(1)) {
            (b'(', _) => (LeftParen, 1),
            (b')', _) => (RightParen, 1),
            (b'[', _) => (LeftBracket, 1),
            (b']', _) => (RightBracket, 1),
            (b'{', _) => (LeftBrace, 1),
            (b'}', _) => (RightBrace, 1),
            (b',', _) => (Comma, 1),
            (b';', _) => (Semicolon, 1),
            (b':', b':') => (DoubleColon, 2),
            (b':', _) => (Colon, 1),
            (b'.', b'.') => (DotDot, 2),
            (b'.', _) => (Dot, 1),
            (b'|', b'|') => (DoubleBar, 2),
            (b'|', _) => (Bar, 1),
            (b'&', _) => (Ampersand, 1),
            (b'!', b'=') => (NotEqual, 2),
            (b'!', _) => (Bang, 1),
            (b'=', b'~') => (RegexMatch, 2),
            (b'=', _) => (Equal, 1),
            (b'<', b'>') => (NotEqual, 2),
            (b'<', b'=') => (LessEqual, 2),
            (b'<', _) => (Less, 1),
            (b'>', b'=') => (GreaterEqual, 2),
            (b'>', _) => (Greater, 1),
            (b'+', b'=') => (PlusEqual, 2),
            (b'+', _) => (Plus, 1),
            (b'-', _) => (Minus, 1),
            (b'*', _) => (Star, 1),
            (b'/', _) => (Slash, 1),
            (b'%', _) => (Percent, 1),
            (b'^', _) => (Caret, 1),
            _ => (Unknown, 1),
        };
        self.at += length;
        kind
    }
}

fn unexpected(span: Span, message: &str) -> Error {
    Error::syntax(Detail::UnexpectedSyntax, span, message)
}

/// The ASCII character that a typographic one is usually a stand-in for.
fn ascii_twin(c: char) -> Option<char> {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{2018}' | '\u{2019}' => Some('\''),
        '\u{201c}'..='\u{201e}' => Some('"'),
        '\u{2264}' | '\u{2039}' => Some('<'),
        '\u{2265}' | '\u{203a}' => Some('>'),
        '\u{00d7}' => Some('*'),
        '\u{00f7}' => Some('/'),
        _ => None,
    }
}

/// Why an escape is none, and its length in bytes.
enum BadEscape {
    /// `\u` or `\U` without a character's digits.
    Unicode(usize),
    /// No such escape.
    Unknown(usize),
}

/// Reads the escape at the start of `text` (which begins with a backslash): what it stands for, and its length in bytes. A backslash before a
/// character that makes no escape is an error: openCypher's grammar lists them all.
fn escape(text: &str) -> Result<(char, usize), BadEscape> {
    let simple = match text.as_bytes().get(1) {
        Some(b'n' | b'N') => '\n',
        Some(b't' | b'T') => '\t',
        Some(b'r' | b'R') => '\r',
        Some(b'b' | b'B') => '\u{8}',
        Some(b'f' | b'F') => '\u{c}',
        Some(b'\\') => '\\',
        Some(b'\'') => '\'',
        Some(b'"') => '"',
        Some(b'`') => '`',
        Some(b'u') => return unicode_escape(text).map_err(BadEscape::Unicode),
        Some(b'U') => {
            let code = hex(text, 2, 8).ok_or(BadEscape::Unicode(2))?;
            let character = char::from_u32(code).map(|c| (c, 10));
            return character.ok_or(BadEscape::Unicode(10));
        }
        _ => {
            let next = text[1..].chars().next();
            return Err(BadEscape::Unknown(1 + next.map_or(0, char::len_utf8)));
        }
    };
    Ok((simple, 2))
}

fn unicode_escape(text: &str) -> Result<(char, usize), usize> {
    let first = hex(text, 2, 4).ok_or(2usize)?;
    if let Some(c) = char::from_u32(first) {
        return Ok((c, 6));
    }
    // A pair of surrogates, as JSON writes characters beyond the basic plane.
    let second = text
        .get(6..8)
        .filter(|&u| u == "\\u")
        .and_then(|_| hex(text, 8, 4));
    match second {
        Some(second) if (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second) => {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            char::from_u32(code).map(|c| (c, 12)).ok_or(12)
        }
        _ => Err(6),
    }
}

fn hex(text: &str, from: usize, count: usize) -> Option<u32> {
    let digits = text.get(from..from + count)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// The value of a string token, given with its quotes.
pub fn string_value(raw: &str) -> Box<str> {
    let mut rest = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
    if !rest.contains('\\') {
        return rest.into();
    }
    let mut value = String::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        value.push_str(&rest[..at]);
        // The lexer has refused malformed escapes.
        let (c, length) = escape(&rest[at..]).unwrap_or(('\\', 1));
        value.push(c);
        rest = &rest[at + length..];
    }
    value.push_str(rest);
    value.into()
}

/// The name in a word, a quoted name, or the tail of a parameter behind its `$`.
pub fn name_value(raw: &str) -> Box<str> {
    match raw.strip_prefix('`') {
        Some(quoted) => quoted
            .strip_suffix('`')
            .unwrap_or(quoted)
            .replace("``", "`")
            .into(),
        None => raw.into(),
    }
}

/// The value of an integer token as a magnitude; `None` if it is above 2^63, which no sign makes fit.
pub fn integer_value(raw: &str) -> Option<u64> {
    let clean: String;
    let raw = if raw.contains('_') {
        clean = raw.replace('_', "");
        &clean
    } else {
        raw
    };
    let (digits, radix) = match raw.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&raw[2..], 16),
        [b'0', b'o' | b'O', ..] => (&raw[2..], 8),
        _ => (raw, 10),
    };
    u64::from_str_radix(digits, radix)
        .ok()
        .filter(|&value| value <= 1 << 63)
}

/// The value of a float token; infinite if it is too large.
pub fn float_value(raw: &str) -> f64 {
    if raw.contains('_') {
        raw.replace('_', "").parse()
    } else {
        raw.parse()
    }
    .unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::TokenKind::*;
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let mut kinds: Vec<_> = tokenize(text)
            .unwrap()
            .iter()
            .map(|token| token.kind)
            .collect();
        assert_eq!(kinds.pop(), Some(End));
        kinds
    }

    fn detail(text: &str) -> Detail {
        tokenize(text).unwrap_err().detail()
    }

    #[test]
    fn blanks_and_comments_leave_no_token() {
        assert_eq!(kinds("a /* b ' */ c // d\n\u{a0}e"), [Word, Word, Word]);
        assert_eq!(detail("a /* b"), Detail::UnexpectedSyntax);
    }

    #[test]
    fn numbers_take_a_point_only_before_a_digit() {
        assert_eq!(kinds("1..3"), [Integer, DotDot, Integer]);
        assert_eq!(
            kinds("1.5 .5 1e3 1.5E-3 0x1F 0o17 1_000"),
            [Float, Float, Float, Float, Integer, Integer, Integer]
        );
        assert_eq!(kinds("1.x"), [Integer, Dot, Word]);
        assert_eq!(kinds("0x 0x1g 9h 1B2c"), [BadNumber; 4]);
    }

    #[test]
    fn integers_keep_their_value_up_to_the_magnitude_of_the_smallest() {
        assert_eq!(integer_value("0x1F"), Some(31));
        assert_eq!(integer_value("0o17"), Some(15));
        assert_eq!(integer_value("1_000"), Some(1000));
        assert_eq!(integer_value("9223372036854775808"), Some(1 << 63));
        assert_eq!(integer_value("9223372036854775809"), None);
        assert_eq!(integer_value("99999999999999999999999"), None);
        assert_eq!(float_value("1e999"), f64::INFINITY);
    }

    #[test]
    fn strings_resolve_their_escapes() {
        assert_eq!(&*string_value(r"'a\'b\n\u00e4\U0001F600\\'"), "a'b\nä😀\\");
        assert_eq!(&*string_value(r"'\uD83D\uDE00'"), "😀");
        assert_eq!(&*string_value(r"'\\d+\N'"), "\\d+\n");
        assert_eq!(detail(r"'\d+'"), Detail::UnexpectedSyntax);
        assert_eq!(detail(r"'\ä'"), Detail::UnexpectedSyntax);
        assert_eq!(kinds(r#"'a"b' "a'b" '\''"#), [String, String, String]);
        assert_eq!(detail("'abc"), Detail::UnexpectedSyntax);
        assert_eq!(detail(r"'\uH'"), Detail::InvalidUnicodeLiteral);
        assert_eq!(detail(r"'\uD83D'"), Detail::InvalidUnicodeLiteral);
        assert_eq!(detail(r"'\U00110000'"), Detail::InvalidUnicodeLiteral);
    }

    #[test]
    fn names_and_parameters_may_be_quoted() {
        assert_eq!(
            kinds("`a b` $p $0 $`x y` $(a)"),
            [
                QuotedName, Parameter, Parameter, Parameter, Dollar, LeftParen, Word, RightParen
            ]
        );
        assert_eq!(&*name_value("`a``b`"), "a`b");
        assert_eq!(detail("`abc"), Detail::UnexpectedSyntax);
    }

    #[test]
    fn letters_of_any_script_make_names_and_other_characters_are_refused() {
        assert_eq!(kinds("größe 名前"), [Word, Word]);
        let error = tokenize("42 — 41").unwrap_err();
        assert_eq!(error.detail(), Detail::InvalidUnicodeCharacter);
        assert_eq!(error.hint_text(), Some("did you mean `-`?"));
    }

    #[test]
    fn a_text_above_the_limit_is_refused() {
        assert!(tokenize(&" ".repeat(QUERY_BYTES_MAX)).is_ok());
        assert_eq!(
            detail(&" ".repeat(QUERY_BYTES_MAX + 1)),
            Detail::QueryTooLarge
        );
    }
}
