//! The engine's one error type.
//!
//! Lexer, parser and check make it for compile-time errors; planner, operators, transactions and server make it for everything else. It carries
//! what the openCypher TCK asks for (type, phase, detail), where in the query text the mistake is, a message and an optional hint. It does not know a
//! protocol: the server renders it in Memgraph's or Neo4j's dialect at the edge.
//!
//! Messages are lower case, without a full stop, and name the thing that is wrong. [`Error::render`] draws the picture with the caret.
//!
//! ```
//! use quoit_cypher::error::{Detail, Error, ErrorKind};
//! use quoit_cypher::span::Span;
//!
//! let error = Error::syntax(Detail::UndefinedVariable, Span::new(7, 8), "variable `m` is not defined").hint("did you mean `n`?");
//! assert_eq!(error.tck(), "SyntaxError at compile time: UndefinedVariable");
//! let error = Error::runtime(ErrorKind::ArithmeticError, Detail::DivisionByZero, "division by zero");
//! assert!(!error.is_transient());
//! ```

use std::fmt;

use crate::span::{Span, position};

/// Shorthand for results with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with everything that the edge needs to report it. One pointer wide.
#[derive(Clone, PartialEq)]
pub struct Error(Box<ErrorData>);

#[derive(Clone, PartialEq, Debug)]
struct ErrorData {
    kind: ErrorKind,
    phase: Phase,
    detail: Detail,
    span: Option<Span>,
    message: String,
    hint: Option<String>,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All values.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word as the TCK writes it (and in its manner where the TCK has none).
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant),)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What family an error belongs to: the TCK's "type", and kinds of our own for what the TCK does not know.
    ErrorKind {
        /// The text is no valid statement, by grammar or by what the check finds out.
        SyntaxError,
        /// The statement cannot mean anything, found while running (TCK: a MERGE with a null property).
        SemanticError,
        /// A value of the wrong type.
        TypeError,
        /// A value of the right type that cannot be used.
        ArgumentError,
        /// Overflow, division by zero.
        ArithmeticError,
        /// The entity was deleted.
        EntityNotFound,
        /// A property was asked for that must be there and is not.
        PropertyNotFound,
        /// A label that must be there is not.
        LabelNotFound,
        /// A rule of the graph would be broken: deleting a node that has relationships.
        ConstraintVerificationFailed,
        /// A declared constraint would be broken.
        ConstraintValidationFailed,
        /// A parameter was not given.
        ParameterMissing,
        /// No such procedure, wrong call, or it failed.
        ProcedureError,
        /// Index, constraint, enum: exists already, does not exist.
        SchemaError,
        /// Two transactions met; trying again helps.
        TransactionConflict,
        /// The transaction was terminated from outside.
        TransactionTerminated,
        /// The time limit was reached.
        TransactionTimedOut,
        /// No transaction is open, one is open already, or it is doomed.
        TransactionState,
        /// The memory limit was reached.
        MemoryLimitExceeded,
        /// A write in read mode.
        AccessMode,
        /// A write on a replica.
        NotALeader,
        /// Replicas did not do what the mode asks.
        ReplicationFailure,
        /// Name or password is wrong, or none was given.
        Unauthenticated,
        /// The user may not do this.
        Forbidden,
        /// The server cannot answer now: starting, stopping, too many sessions.
        Unavailable,
        /// The client broke the protocol.
        ProtocolError,
        /// A file, a URL or a disk failed.
        ExternalResourceFailed,
        /// Valid, and not to be had in this server.
        Unsupported,
        /// There is no database of that name.
        DatabaseNotFound,
        /// Our own fault.
        Internal,
    }
}

words! {
    /// What exactly is wrong: the TCK's "detail", and words of our own.
    Detail {
        /// An expression mixes aggregates with something that is neither a grouping key nor constant.
        AmbiguousAggregationExpression,
        /// Two columns of one name.
        ColumnNameConflict,
        /// A pattern of variable length in CREATE or MERGE.
        CreatingVarLength,
        /// The parts of a UNION differ in their columns.
        DifferentColumnsInUnion,
        /// A float literal too large.
        FloatingPointOverflow,
        /// An integer literal too large.
        IntegerOverflow,
        /// An aggregate where none may stand.
        InvalidAggregation,
        /// A procedure call within a query that takes its arguments from parameters.
        InvalidArgumentPassingMode,
        /// A value of a type that cannot be used here.
        InvalidArgumentType,
        /// Clauses in an order that is not allowed.
        InvalidClauseComposition,
        /// Something that cannot be deleted.
        InvalidDelete,
        /// A malformed number.
        InvalidNumberLiteral,
        /// Too many or too few arguments.
        InvalidNumberOfArguments,
        /// A parameter where none may stand.
        InvalidParameterUse,
        /// A relationship pattern that cannot be.
        InvalidRelationshipPattern,
        /// A character that cannot stand there.
        InvalidUnicodeCharacter,
        /// A malformed Unicode escape.
        InvalidUnicodeLiteral,
        /// A negative number of rows.
        NegativeIntegerArgument,
        /// An aggregate in an aggregate.
        NestedAggregation,
        /// An expression in WITH without AS.
        NoExpressionAlias,
        /// A new relationship with no type or several.
        NoSingleRelationshipType,
        /// `RETURN *` without variables.
        NoVariablesInScope,
        /// Something that varies by row where a constant is needed.
        NonConstantExpression,
        /// One relationship variable twice in a pattern.
        RelationshipUniquenessViolation,
        /// A new relationship without direction.
        RequiresDirectedRelationship,
        /// A name that is not in scope.
        UndefinedVariable,
        /// The grammar does not allow this here.
        UnexpectedSyntax,
        /// No such function.
        UnknownFunction,
        /// A name that is in scope already.
        VariableAlreadyBound,
        /// A variable used as a different kind of thing.
        VariableTypeConflict,
        /// A value of the right type that cannot be used.
        InvalidArgumentValue,
        /// A value that cannot be stored in a property.
        InvalidPropertyType,
        /// A map indexed by something else than a string.
        MapElementAccessByNonString,
        /// A list indexed by something else than an integer.
        ListElementAccessByNonInteger,
        /// Indexing into something that has no elements.
        InvalidElementAccess,
        /// A property of something that has none.
        PropertyAccessOnNonMap,
        /// An argument expression that cannot be.
        InvalidArgumentExpression,
        /// A number out of its range.
        NumberOutOfRange,
        /// MERGE would have to read what it writes (a null property).
        MergeReadOwnWrites,
        /// Access to something that this transaction deleted.
        DeletedEntityAccess,
        /// A node that still has relationships.
        DeleteConnectedNode,
        /// A parameter that was not given.
        MissingParameter,
        /// No such procedure.
        ProcedureNotFound,
        /// The text is larger than [`crate::token::QUERY_BYTES_MAX`].
        QueryTooLarge,
        /// Nested deeper than [`crate::parser::DEPTH_MAX`].
        NestingTooDeep,
        /// `x / 0`.
        DivisionByZero,
        /// Integer arithmetic beyond 64 bits.
        Overflow,
        /// A unique constraint.
        UniqueConstraintViolation,
        /// An existence constraint.
        ExistenceConstraintViolation,
        /// A type constraint.
        TypeConstraintViolation,
        /// Index, constraint or enum exists already.
        AlreadyExists,
        /// Index or enum does not exist.
        DoesNotExist,
        /// Constraint does not exist.
        ConstraintDoesNotExist,
        /// Nothing more to say than kind and message.
        General,
    }
}

/// When an error was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before any data was read.
    CompileTime,
    /// While running.
    Runtime,
}

impl Phase {
    /// The words as the TCK writes them.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::CompileTime => "compile time",
            Phase::Runtime => "runtime",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// An error of any kind and phase.
    pub fn new(kind: ErrorKind, phase: Phase, detail: Detail, message: impl Into<String>) -> Self {
        Error(Box::new(ErrorData {
            kind,
            phase,
            detail,
            span: None,
            message: message.into(),
            hint: None,
        }))
    }

    /// A compile-time [`ErrorKind::SyntaxError`] at a place.
    pub fn syntax(detail: Detail, span: Span, message: impl Into<String>) -> Self {
        Error::compile(ErrorKind::SyntaxError, detail, span, message)
    }

    /// A compile-time error at a place.
    pub fn compile(
        kind: ErrorKind,
        detail: Detail,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        Error::new(kind, Phase::CompileTime, detail, message).at(span)
    }

    /// A runtime error.
    pub fn runtime(kind: ErrorKind, detail: Detail, message: impl Into<String>) -> Self {
        Error::new(kind, Phase::Runtime, detail, message)
    }

    /// A runtime [`ErrorKind::TypeError`].
    pub fn type_error(detail: Detail, message: impl Into<String>) -> Self {
        Error::runtime(ErrorKind::TypeError, detail, message)
    }

    /// A runtime [`ErrorKind::ArgumentError`].
    pub fn argument(detail: Detail, message: impl Into<String>) -> Self {
        Error::runtime(ErrorKind::ArgumentError, detail, message)
    }

    /// A runtime [`ErrorKind::ArithmeticError`].
    pub fn arithmetic(detail: Detail, message: impl Into<String>) -> Self {
        Error::runtime(ErrorKind::ArithmeticError, detail, message)
    }

    /// Access to an entity that was deleted.
    pub fn entity_deleted(message: impl Into<String>) -> Self {
        Error::runtime(
            ErrorKind::EntityNotFound,
            Detail::DeletedEntityAccess,
            message,
        )
    }

    /// A declared constraint would be broken.
    pub fn constraint(detail: Detail, message: impl Into<String>) -> Self {
        Error::runtime(ErrorKind::ConstraintValidationFailed, detail, message)
    }

    /// Two transactions met; the client may try again.
    pub fn conflict(message: impl Into<String>) -> Self {
        Error::runtime(ErrorKind::TransactionConflict, Detail::General, message)
    }

    /// Valid, and not to be had in this server.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Error::new(
            ErrorKind::Unsupported,
            Phase::CompileTime,
            Detail::General,
            message,
        )
    }

    /// Our own fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::runtime(ErrorKind::Internal, Detail::General, message)
    }

    /// The same error of a kind that has nothing more to say: time-outs, terminations, access modes and so on, at run time.
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error::runtime(kind, Detail::General, message)
    }

    /// Says where. The innermost place wins: a span that is set already stays.
    pub fn at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    /// Adds a hint, such as "did you mean `x`?".
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a hint if there is one.
    pub fn hint_opt(mut self, hint: Option<String>) -> Self {
        if hint.is_some() {
            self.0.hint = hint;
        }
        self
    }

    /// The family.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// When it was found.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// What exactly.
    pub fn detail(&self) -> Detail {
        self.0.detail
    }

    /// Where in the query text, if it can be said.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The hint, if there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// True if trying the same transaction again may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::TransactionConflict
                | ErrorKind::MemoryLimitExceeded
                | ErrorKind::ReplicationFailure
                | ErrorKind::Unavailable
        )
    }

    /// Type, phase and detail in the words of a TCK step: `SyntaxError at compile time: UndefinedVariable`.
    pub fn tck(&self) -> String {
        format!("{} at {}: {}", self.0.kind, self.0.phase, self.0.detail)
    }

    /// Message, picture and hint as plain text, given the query text that the spans are of. Long lines are cut around the mistake.
    ///
    /// ```text
    /// variable `m` is not defined (line 1, column 18)
    ///   |
    /// 1 | MATCH (n) RETURN m
    ///   |                  ^
    /// did you mean `n`?
    /// ```
    pub fn render(&self, text: &str) -> String {
        let mut out = self.0.message.clone();
        if let Some(span) = self.0.span {
            picture(&mut out, text, span);
        }
        if let Some(hint) = &self.0.hint {
            out.push('\n');
            out.push_str(hint);
        }
        out
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.message, self.tck())?;
        if let Some(span) = self.0.span {
            write!(f, " at {span:?}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Characters of a line shown at most; a longer one is cut on both sides of the mistake.
const LINE_CHARS_MAX: usize = 100;

/// Characters shown before the mistake when a line is cut on its left.
const LINE_CHARS_BEFORE: usize = 40;

fn picture(out: &mut String, text: &str, span: Span) {
    let at = position(text, span.start);
    out.push_str(&format!(" (line {}, column {})", at.line, at.column));
    let Some(line) = text.split('\n').nth(at.line as usize - 1) else {
        return;
    };
    let line = line.strip_suffix('\r').unwrap_or(line);
    let column = at.column as usize - 1;
    // Columns count characters, so the picture is drawn in characters too.
    let wanted = if span.end > span.start {
        text.get(span.start as usize..span.end as usize)
            .unwrap_or("")
    } else {
        ""
    };
    let wanted = wanted
        .split('\n')
        .next()
        .unwrap_or("")
        .chars()
        .count()
        .max(1);
    let length = line.chars().count();
    let from = if length <= LINE_CHARS_MAX {
        0
    } else {
        column.saturating_sub(LINE_CHARS_BEFORE)
    };
    let shown: String = line
        .chars()
        .skip(from)
        .take(LINE_CHARS_MAX)
        .map(|c| if c == '\t' { ' ' } else { c })
        .collect();
    let left = if from > 0 { "..." } else { "" };
    let right = if from + LINE_CHARS_MAX < length {
        "..."
    } else {
        ""
    };
    let number = at.line.to_string();
    let gutter = " ".repeat(number.len());
    let carets = wanted
        .min((LINE_CHARS_MAX + from).saturating_sub(column))
        .max(1);
    let indent = " ".repeat(left.len() + column - from);
    out.push_str(&format!(
        "\n{gutter} |\n{number} | {left}{shown}{right}\n{gutter} | {indent}{}",
        "^".repeat(carets)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_mistake() {
        let text = "MATCH (n)\nRETURN 'ä', mm";
        let start = text.find("mm").unwrap() as u32;
        let error = Error::syntax(
            Detail::UndefinedVariable,
            Span::new(start, start + 2),
            "variable `mm` is not defined",
        )
        .hint("did you mean `n`?");
        assert_eq!(
            error.render(text),
            "variable `mm` is not defined (line 2, column 13)\n  |\n2 | RETURN 'ä', mm\n  |             ^^\ndid you mean `n`?"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_mistake() {
        let text = format!("{}x{}", "a".repeat(300), "b".repeat(300));
        let picture =
            Error::syntax(Detail::UnexpectedSyntax, Span::new(300, 301), "no").render(&text);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(
            lines[2].chars().count(),
            "1 | ".len() + 3 + LINE_CHARS_MAX + 3
        );
        assert_eq!(
            lines[2].chars().position(|c| c == 'x'),
            lines[3].chars().position(|c| c == '^')
        );
    }

    #[test]
    fn a_mistake_at_the_end_of_the_text_has_a_caret_behind_it() {
        let picture = Error::syntax(
            Detail::UnexpectedSyntax,
            Span::new(7, 7),
            "the query ends too early",
        )
        .render("RETURN ");
        assert_eq!(
            picture,
            "the query ends too early (line 1, column 8)\n  |\n1 | RETURN \n  |        ^"
        );
    }

    #[test]
    fn a_span_that_does_not_fit_the_text_is_drawn_without_panic() {
        for (start, end) in [(0, 99), (5, 99), (99, 99), (1, 2)] {
            Error::syntax(Detail::General, Span::new(start, end), "m").render("äö");
        }
    }

    #[test]
    fn the_innermost_place_wins() {
        let error = Error::conflict("x").at(Span::new(1, 2)).at(Span::new(0, 9));
        assert_eq!(error.span(), Some(Span::new(1, 2)));
        assert!(error.is_transient());
    }
}
