//! The parser's input: a position in a slice of tokens, which nom's combinators can work on, and the state that all
//! positions of one parse share.
//!
//! A parser that cannot take what stands at its position misses ([`Miss`] in nom's `Err::Error`): another may be tried. A
//! parser that knows the text is wrong says so with [`Input::fail`] (nom's `Err::Failure`), and the parse ends. Misses are recorded: the expectations at the
//! furthest position make the error message if nobody failed.

use std::cell::{Cell, RefCell};

use nom::{IResult, Parser};

use super::DEPTH_MAX;
use crate::ast::{Ident, Name};
use crate::error::{Detail, Error, Result};
use crate::span::Span;
use crate::suggest;
use crate::token::{Token, TokenKind, name_value};

/// What a parser gives: the position behind what it took, and what it made of it.
pub(super) type Parsed<'a, T> = IResult<Input<'a>, T, Miss>;

/// "Not this". What was expected is in the shared state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Miss;

impl<I> nom::error::ParseError<I> for Miss {
    fn from_error_kind(_: I, _: nom::error::ErrorKind) -> Self {
        Miss
    }

    fn append(_: I, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// What all positions of one parse share.
pub(super) struct Context<'a> {
    text: &'a str,
    tokens: &'a [Token],
    /// For each opening bracket the index of its closing one, and nothing (`NO_MATCH`) for any other token.
    matching: Vec<u32>,
    extracted: &'a [(u32, u16)],
    depth: Cell<u32>,
    /// The deepest level reached below the chain that is being parsed; see [`Input::chain`].
    deepest: Cell<u32>,
    bar: Cell<Bar>,
    furthest: Cell<u32>,
    expected: RefCell<Vec<Expected>>,
    failure: RefCell<Option<Error>>,
    /// How often a token was looked at: what the parser's time is proportional to.
    #[cfg(test)]
    pub(super) looks: Cell<u64>,
}

const NO_MATCH: u32 = u32::MAX;

/// What a parser could have taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Expected {
    Keyword(&'static str),
    Token(&'static str),
    Thing(&'static str),
}

impl<'a> Context<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a [Token], extracted: &'a [(u32, u16)]) -> Self {
        Context {
            text,
            tokens,
            matching: matching_brackets(tokens),
            extracted,
            depth: Cell::new(0),
            deepest: Cell::new(0),
            bar: Cell::new(Bar::IsOperator),
            furthest: Cell::new(0),
            expected: RefCell::new(Vec::new()),
            failure: RefCell::new(None),
            #[cfg(test)]
            looks: Cell::new(0),
        }
    }

    /// Runs `parser` over the whole text; a `;` may follow.
    pub(super) fn run<T>(
        &'a self,
        mut parser: impl FnMut(Input<'a>) -> Parsed<'a, T>,
    ) -> Result<T> {
        let outcome = parser(Input {
            context: self,
            at: 0,
        })
        .and_then(|(rest, value)| {
            let (rest, _) = nom::combinator::opt(token(TokenKind::Semicolon)).parse(rest)?;
            let (_, _) = token(TokenKind::End).parse(rest)?;
            Ok(value)
        });
        match outcome {
            Ok(value) => Ok(value),
            Err(nom::Err::Failure(Miss)) => Err(self.failure.take().unwrap_or_else(|| self.miss())),
            Err(_) => Err(self.miss()),
        }
    }

    /// The error for a parse that missed: what stands at the furthest position, and what could have.
    fn miss(&self) -> Error {
        let token = self.tokens[self.furthest.get() as usize];
        let raw = token.span.text(self.text);
        let expected = self.expected.borrow();
        let found = match token.kind {
            TokenKind::End => "the end of the query".to_string(),
            TokenKind::String => "this string".to_string(),
            _ => format!("`{}`", shortened(raw)),
        };
        let mut error = Error::syntax(
            Detail::UnexpectedSyntax,
            token.span,
            format!("{found} cannot stand here{}", list(&expected)),
        );
        if token.kind == TokenKind::Word {
            let keywords = expected.iter().filter_map(|expected| match expected {
                Expected::Keyword(word) => Some(*word),
                _ => None,
            });
            error = error.hint_opt(suggest::did_you_mean(raw, keywords));
        }
        error
    }
}

fn shortened(raw: &str) -> String {
    const CHARS_MAX: usize = 30;
    if raw.chars().count() <= CHARS_MAX {
        raw.to_string()
    } else {
        raw.chars().take(CHARS_MAX).chain("...".chars()).collect()
    }
}

/// `; expected a, b or c`, things first, keywords last, cut where it gets long.
fn list(expected: &[Expected]) -> String {
    const SHOWN_MAX: usize = 8;
    let mut sorted: Vec<Expected> = expected.to_vec();
    sorted.sort_by_key(|expected| match expected {
        Expected::Thing(_) => 0,
        Expected::Token(_) => 1,
        Expected::Keyword(_) => 2,
    });
    let mut words: Vec<String> = sorted
        .iter()
        .map(|expected| match expected {
            Expected::Thing(thing) => thing.to_string(),
            Expected::Keyword(word) | Expected::Token(word) => format!("`{word}`"),
        })
        .collect();
    if words.is_empty() {
        return String::new();
    }
    let more = words.len() > SHOWN_MAX;
    words.truncate(SHOWN_MAX);
    let last = if more {
        "...".to_string()
    } else {
        words.pop().unwrap_or_default()
    };
    let joint = if more { ", " } else { " or " };
    match words.is_empty() {
        true => format!("; expected {last}"),
        false => format!("; expected {}{joint}{last}", words.join(", ")),
    }
}

fn matching_brackets(tokens: &[Token]) -> Vec<u32> {
    use TokenKind::*;
    let mut matching = vec![NO_MATCH; tokens.len()];
    let mut open: Vec<u32> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            LeftParen | LeftBracket | LeftBrace => open.push(at as u32),
            RightParen | RightBracket | RightBrace => {
                let Some(&start) = open.last() else { continue };
                let closes = match tokens[start as usize].kind {
                    LeftParen => RightParen,
                    LeftBracket => RightBracket,
                    _ => RightBrace,
                };
                // After a mismatch nothing outside it is trusted; the parser will stop there anyway.
                if closes == token.kind {
                    matching[start as usize] = at as u32;
                    open.pop();
                } else {
                    open.clear();
                }
            }
            _ => {}
        }
    }
    matching
}

/// A position in the tokens.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    context: &'a Context<'a>,
    at: u32,
}

impl<'a> Input<'a> {
    /// The token at this position.
    pub(super) fn token(self) -> Token {
        self.peek(0)
    }

    /// The kind of the token `ahead` tokens on; [`TokenKind::End`] beyond the end.
    pub(super) fn kind(self, ahead: u32) -> TokenKind {
        self.peek(ahead).kind
    }

    fn peek(self, ahead: u32) -> Token {
        #[cfg(test)]
        self.context.looks.set(self.context.looks.get() + 1);
        let last = self.context.tokens.len() - 1;
        self.context.tokens[((self.at + ahead) as usize).min(last)]
    }

    /// The source text of the token `ahead` tokens on.
    pub(super) fn raw(self, ahead: u32) -> &'a str {
        self.peek(ahead).span.text(self.context.text)
    }

    /// The whole text.
    pub(super) fn text(self) -> &'a str {
        self.context.text
    }

    /// The position one token on. The end is not passed.
    pub(super) fn next(self) -> Self {
        self.skip(1)
    }

    /// The position `count` tokens on. The end is not passed.
    pub(super) fn skip(self, count: u32) -> Self {
        let last = self.context.tokens.len() as u32 - 1;
        Input {
            at: (self.at + count).min(last),
            ..self
        }
    }

    /// True if the token `ahead` tokens on is this keyword, in any case.
    pub(super) fn is_word(self, ahead: u32, word: &str) -> bool {
        let token = self.peek(ahead);
        token.kind == TokenKind::Word
            && token.span.len() == word.len()
            && token
                .span
                .text(self.context.text)
                .eq_ignore_ascii_case(word)
    }

    /// How many tokens lie from here to the token behind the bracket that closes the one `ahead` tokens on.
    pub(super) fn behind_bracket(self, ahead: u32) -> Option<u32> {
        let index = (self.at + ahead) as usize;
        match self.context.matching.get(index) {
            Some(&close) if close != NO_MATCH => Some(close + 1 - self.at),
            _ => None,
        }
    }

    /// True if a token for which `wanted` holds stands within the bracket that opens here, not nested deeper. Linear in
    /// the tokens of this level.
    pub(super) fn bracket_holds(self, wanted: impl Fn(Input<'a>) -> bool) -> bool {
        let Some(end) = self.behind_bracket(0) else {
            return false;
        };
        let mut ahead = 1;
        while ahead + 1 < end {
            if wanted(self.skip(ahead)) {
                return true;
            }
            ahead = self.behind_bracket(ahead).unwrap_or(ahead + 1);
        }
        false
    }

    /// The span from here up to, and without, `end`.
    pub(super) fn span_to(self, end: Input<'a>) -> Span {
        let start = self.token().span.start;
        if end.at <= self.at {
            return Span::new(start, start);
        }
        Span::new(start, self.context.tokens[end.at as usize - 1].span.end)
    }

    /// The number of the extracted literal at this position.
    pub(super) fn extracted(self) -> Option<u16> {
        let start = self.token().span.start;
        let found = self
            .context
            .extracted
            .binary_search_by_key(&start, |&(at, _)| at)
            .ok()?;
        Some(self.context.extracted[found].1)
    }

    /// Ends the parse with an error.
    pub(super) fn fail<T>(self, error: Error) -> Parsed<'a, T> {
        *self.context.failure.borrow_mut() = Some(error);
        Err(nom::Err::Failure(Miss))
    }

    #[inline(never)]
    fn record(self, expected: Expected) {
        let furthest = self.context.furthest.get();
        if self.at < furthest {
            return;
        }
        let mut all = self.context.expected.borrow_mut();
        if self.at > furthest {
            self.context.furthest.set(self.at);
            all.clear();
        }
        if !all.contains(&expected) {
            all.push(expected);
        }
    }

    /// Misses here; `thing` is what could have stood here, with its article: "an expression".
    pub(super) fn miss<T>(self, thing: &'static str) -> Parsed<'a, T> {
        self.record(Expected::Thing(thing));
        Err(nom::Err::Error(Miss))
    }

    /// Runs a parser one level deeper.
    ///
    /// # Errors
    /// Ends the parse at [`DEPTH_MAX`].
    pub(super) fn nested<T>(
        self,
        parser: impl FnOnce(Input<'a>) -> Parsed<'a, T>,
    ) -> Parsed<'a, T> {
        let depth = self.context.depth.get();
        if depth >= DEPTH_MAX {
            return self.too_deep();
        }
        self.context.depth.set(depth + 1);
        self.context
            .deepest
            .set(self.context.deepest.get().max(depth + 1));
        let outcome = parser(self);
        self.context.depth.set(depth);
        outcome
    }

    /// Parses a thing that grows on its left, such as `a.b.c[1]`: `first`, and then `grow` as long as it does not miss. Each step puts what
    /// was parsed so far one level deeper, so steps count as nesting below the deepest level that `first` reached.
    pub(super) fn chain<T>(
        self,
        first: impl FnOnce(Input<'a>) -> Parsed<'a, T>,
        grow: impl Fn(Input<'a>, T) -> Parsed<'a, Grown<T>>,
    ) -> Parsed<'a, T> {
        let context = self.context;
        let outer = context.deepest.replace(context.depth.get());
        let mut outcome = first(self).map(|(rest, value)| (rest, Grown::More(value)));
        while let Ok((at, Grown::More(value))) = outcome {
            outcome = match grow(at, value) {
                Ok((rest, Grown::More(_))) if context.deepest.get() >= DEPTH_MAX => rest.too_deep(),
                Ok((rest, Grown::More(more))) => {
                    context.deepest.set(context.deepest.get() + 1);
                    Ok((rest, Grown::More(more)))
                }
                done => done,
            };
        }
        context.deepest.set(context.deepest.get().max(outer));
        match outcome? {
            (rest, Grown::Done(value) | Grown::More(value)) => Ok((rest, value)),
        }
    }

    /// Runs a parser with a meaning for `|`; bracketed expressions within it set their own.
    pub(super) fn with_bar<T>(
        self,
        bar: Bar,
        parser: impl FnOnce(Input<'a>) -> Parsed<'a, T>,
    ) -> Parsed<'a, T> {
        let outer = self.context.bar.replace(bar);
        let outcome = parser(self);
        self.context.bar.set(outer);
        outcome
    }

    /// What a `|` means here.
    pub(super) fn bar(self) -> Bar {
        self.context.bar.get()
    }

    /// Puts what [`Input::chain`] has parsed so far one level deeper.
    ///
    /// # Errors
    /// Ends the parse at [`DEPTH_MAX`].
    pub(super) fn deepen(self) -> Parsed<'a, ()> {
        let deepest = self.context.deepest.get() + 1;
        if deepest > DEPTH_MAX {
            return self.too_deep();
        }
        self.context.deepest.set(deepest);
        Ok((self, ()))
    }

    #[cold]
    fn too_deep<T>(self) -> Parsed<'a, T> {
        let message =
            format!("the query is nested too deeply here, at most {DEPTH_MAX} levels are allowed");
        self.fail(Error::syntax(
            Detail::NestingTooDeep,
            self.token().span,
            message,
        ))
    }
}

/// What a `|` behind a label means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bar {
    /// It joins labels.
    IsOperator,
    /// It ends the expression.
    Ends,
}

/// What [`Input::chain`] is told after each look.
pub(super) enum Grown<T> {
    /// One step was taken.
    More(T),
    /// No further step stands here.
    Done(T),
}

/// So that nom's combinators work on token positions.
impl<'a> nom::Input for Input<'a> {
    type Item = Token;
    type Iter = std::iter::Copied<std::slice::Iter<'a, Token>>;
    type IterIndices = std::iter::Enumerate<Self::Iter>;

    fn input_len(&self) -> usize {
        self.context.tokens.len() - self.at as usize
    }

    fn take(&self, _: usize) -> Self {
        *self
    }

    fn take_from(&self, index: usize) -> Self {
        self.skip(index as u32)
    }

    fn take_split(&self, index: usize) -> (Self, Self) {
        (self.skip(index as u32), *self)
    }

    fn position<P: Fn(Self::Item) -> bool>(&self, predicate: P) -> Option<usize> {
        self.iter_elements().position(predicate)
    }

    fn iter_elements(&self) -> Self::Iter {
        self.context.tokens[self.at as usize..].iter().copied()
    }

    fn iter_indices(&self) -> Self::IterIndices {
        self.iter_elements().enumerate()
    }

    fn slice_index(&self, count: usize) -> Result<usize, nom::Needed> {
        if count <= self.input_len() {
            Ok(count)
        } else {
            Err(nom::Needed::new(count - self.input_len()))
        }
    }
}

/// One token of a kind; gives its span.
pub(super) fn token<'a>(
    kind: TokenKind,
) -> impl Parser<Input<'a>, Output = Span, Error = Miss> + Copy {
    move |input: Input<'a>| {
        let token = input.token();
        if token.kind == kind {
            return Ok((input.next(), token.span));
        }
        input.record(match sign(kind) {
            Ok(sign) => Expected::Token(sign),
            Err(thing) => Expected::Thing(thing),
        });
        Err(nom::Err::Error(Miss))
    }
}

/// How a kind of token is named in "expected": as a sign, or as a thing.
fn sign(kind: TokenKind) -> Result<&'static str, &'static str> {
    use TokenKind::*;
    Ok(match kind {
        LeftParen => "(",
        RightParen => ")",
        LeftBracket => "[",
        RightBracket => "]",
        LeftBrace => "{",
        RightBrace => "}",
        Comma => ",",
        Semicolon => ";",
        Colon => ":",
        DoubleColon => "::",
        Dot => ".",
        DotDot => "..",
        Bar => "|",
        DoubleBar => "||",
        Ampersand => "&",
        Bang => "!",
        Equal => "=",
        RegexMatch => "=~",
        NotEqual => "<>",
        Less => "<",
        LessEqual => "<=",
        Greater => ">",
        GreaterEqual => ">=",
        Plus => "+",
        PlusEqual => "+=",
        Minus => "-",
        Star => "*",
        Slash => "/",
        Percent => "%",
        Caret => "^",
        Dollar => "$",
        Word | QuotedName => return Err("a name"),
        Parameter => return Err("a parameter"),
        Integer => return Err("an integer"),
        Float | BadNumber => return Err("a number"),
        String => return Err("a string"),
        Unknown => return Err("a character"),
        End => return Err("the end of the query"),
    })
}

/// A keyword, in any case; gives its span.
pub(super) fn word<'a>(
    word: &'static str,
) -> impl Parser<Input<'a>, Output = Span, Error = Miss> + Copy {
    move |input: Input<'a>| {
        if input.is_word(0, word) {
            return Ok((input.next(), input.token().span));
        }
        input.record(Expected::Keyword(word));
        Err(nom::Err::Error(Miss))
    }
}

/// Several keywords in a row; gives the span of all.
pub(super) fn words<'a>(
    all: &'static [&'static str],
) -> impl Parser<Input<'a>, Output = Span, Error = Miss> + Copy {
    move |input: Input<'a>| {
        let mut at = input;
        for one in all {
            (at, _) = word(one).parse(at)?;
        }
        Ok((at, input.span_to(at)))
    }
}

/// A name that is not a variable: any word, also a keyword, or a quoted name.
pub(super) fn ident(input: Input<'_>) -> Parsed<'_, Ident> {
    named(input, "a name")
}

/// As [`ident`]; `thing` is what is missed: "a label".
pub(super) fn named<'a>(input: Input<'a>, thing: &'static str) -> Parsed<'a, Ident> {
    let token = input.token();
    match token.kind {
        TokenKind::Word | TokenKind::QuotedName => Ok((
            input.next(),
            Ident {
                name: name_value(input.raw(0)),
                span: token.span,
            },
        )),
        _ => input.miss(thing),
    }
}

/// The name in a parameter token, without its `$`.
pub(super) fn parameter_name(input: Input<'_>) -> Parsed<'_, Name> {
    match input.kind(0) {
        TokenKind::Parameter => Ok((input.next(), name_value(&input.raw(0)[1..]))),
        _ => input.miss("a parameter"),
    }
}

/// One or more things with commas between them. (nom's `separated_list1` would do; its frames are larger, and this one
/// stands on the way of every recursion.)
pub(super) fn comma_list<'a, T>(
    input: Input<'a>,
    item: impl Fn(Input<'a>) -> Parsed<'a, T>,
) -> Parsed<'a, Vec<T>> {
    let (mut at, first) = item(input)?;
    let mut items = vec![first];
    while let Ok((rest, _)) = token(TokenKind::Comma).parse(at) {
        let (rest, item) = item(rest)?;
        items.push(item);
        at = rest;
    }
    Ok((at, items))
}
