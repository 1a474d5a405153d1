//! Tokens to syntax tree.
//!
//! The parser is made of nom parsers over a slice of tokens (`input::Input`). It decides by looking a bounded number of tokens ahead, with the help of a
//! table of matching brackets, and never parses the same nested part twice, so its time is linear in the text. What it could have taken
//! at the furthest place it reached is kept, and becomes "expected ..." and "did you mean ..." in the error.
//!
//! Nesting is bounded by [`DEPTH_MAX`]; everything that recurses, here and in whoever walks the tree, is bounded with it. Names are not
//! resolved here; that is [`crate::check`]'s.

mod admin;
mod atom;
mod clause;
mod expansion;
mod expression;
mod input;
mod label;
#[cfg(test)]
mod linear;
mod pattern;
mod projection;
mod schema;
mod show;
mod statement;
mod subquery;
mod value_type;

use crate::ast::{Expr, Statement};
use crate::error::Result;
use crate::token::tokenize;

use input::Context;

/// How deep brackets, operators in a row, subqueries and the like may be nested in each other.
pub const DEPTH_MAX: u32 = 128;

/// Parses one statement: everything up to the end of the text, or to one `;` behind which nothing but blanks and comments may stand.
///
/// # Errors
/// Whatever the lexer or the grammar refuses; always a compile-time error with a span.
pub fn parse(text: &str) -> Result<Statement> {
    parse_with_extracted(text, &[])
}

/// As [`parse`]; literals that begin at one of the given byte offsets (ascending) get their index there as
/// [`crate::ast::Literal::extracted`].
pub fn parse_with_extracted(text: &str, extracted: &[(u32, u16)]) -> Result<Statement> {
    let tokens = tokenize(text)?;
    Context::new(text, &tokens, extracted).run(statement::statement)
}

/// Parses a lone expression, for tests and tools.
pub fn parse_expression(text: &str) -> Result<Expr> {
    let tokens = tokenize(text)?;
    Context::new(text, &tokens, &[]).run(expression::expression)
}
