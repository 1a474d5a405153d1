//! Cutting typed or piped text into statements.
//!
//! A statement ends at a `;` that stands outside quotes, backticks and comments. Text arrives in
//! pieces of any size (a line, a file), and several statements may share a line. [`Splitter`] keeps
//! what has begun and gives statements as they end; [`Splitter::finish`] gives the last one even if
//! its `;` or its newline is missing.
//!
//! Always holds: pieces cut anywhere between characters give the same statements; text between
//! statements that is only blank or comment is no statement.

/// Where in the text the splitter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    /// Inside quotes of this kind.
    Quoted(char),
    /// After a backslash inside quotes of this kind.
    Escaped(char),
    /// After one `/` in plain text: the next character may make it a comment.
    Slash,
    LineComment,
    BlockComment,
    /// After `*` in a block comment.
    BlockCommentStar,
}

/// Collects text, gives statements.
#[derive(Debug)]
pub struct Splitter {
    state: State,
    /// The text of the statement that has begun, comments included.
    text: String,
    /// Whether `text` holds anything but blanks and comments.
    has_content: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Splitter {
            state: State::Plain,
            text: String::new(),
            has_content: false,
        }
    }
}

impl Splitter {
    /// Takes in `piece` and gives the statements that ended in it, without their `;`, trimmed.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let mut ended = Vec::new();
        for character in piece.chars() {
            if self.step(character) {
                ended.extend(self.take());
            }
        }
        ended
    }

    /// The statement that has begun and will not be continued, if there is one.
    pub fn finish(&mut self) -> Option<String> {
        if self.state == State::Slash {
            self.has_content = true;
        }
        self.state = State::Plain;
        self.take()
    }

    /// Forgets what has begun.
    pub fn clear(&mut self) {
        *self = Splitter::default();
    }

    /// Whether a statement (or a comment) has begun and waits for its end.
    pub fn has_begun(&self) -> bool {
        self.has_content || !matches!(self.state, State::Plain | State::LineComment)
    }

    /// Moves over one character; true if it ended a statement.
    fn step(&mut self, character: char) -> bool {
        let next = match (self.state, character) {
            (State::Slash, '/') => State::LineComment,
            (State::Slash, '*') => State::BlockComment,
            (State::Slash, _) => {
                // The slash was a division sign.
                self.has_content = true;
                self.state = State::Plain;
                return self.step(character);
            }
            (State::Plain, ';') => return true,
            (State::Plain, '/') => State::Slash,
            (State::Plain, quote @ ('"' | '\'' | '`')) => State::Quoted(quote),
            (State::Plain, _) => State::Plain,
            // Cypher has no escapes inside backticks; a doubled one closes and opens again.
            (State::Quoted(quote), '\\') if quote != '`' => State::Escaped(quote),
            (State::Quoted(quote), c) if c == quote => State::Plain,
            (State::Quoted(quote), _) | (State::Escaped(quote), _) => State::Quoted(quote),
            (State::LineComment, '\n') => State::Plain,
            (State::LineComment, _) => State::LineComment,
            (State::BlockComment | State::BlockCommentStar, '*') => State::BlockCommentStar,
            (State::BlockCommentStar, '/') => State::Plain,
            (State::BlockComment | State::BlockCommentStar, _) => State::BlockComment,
        };
        let was_comment = matches!(
            self.state,
            State::LineComment | State::BlockComment | State::BlockCommentStar
        );
        if !was_comment
            && matches!(next, State::Plain | State::Quoted(_) | State::Escaped(_))
            && !character.is_whitespace()
        {
            self.has_content = true;
        }
        self.text.push(character);
        self.state = next;
        false
    }

    fn take(&mut self) -> Option<String> {
        let text = std::mem::take(&mut self.text);
        let had_content = std::mem::take(&mut self.has_content);
        had_content.then(|| text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements of `text`, and what `finish` gives.
    fn split(text: &str) -> (Vec<String>, Option<String>) {
        let mut splitter = Splitter::default();
        let statements = splitter.push(text);
        (statements, splitter.finish())
    }

    fn check(text: &str, statements: &[&str], rest: Option<&str>) {
        let expected = (
            statements.iter().map(|s| s.to_string()).collect(),
            rest.map(str::to_owned),
        );
        assert_eq!(split(text), expected, "{text:?}");
    }

    #[test]
    fn statements_end_at_semicolons() {
        check("RETURN 1;", &["RETURN 1"], None);
        check(
            "RETURN 1; RETURN\n 2;\nRETURN 3",
            &["RETURN 1", "RETURN\n 2"],
            Some("RETURN 3"),
        );
    }

    #[test]
    fn blanks_empty_statements_and_comments_alone_are_no_statements() {
        check(";; ;\n", &[], None);
        check("// a; b\n/* c; */ ;", &[], None);
        check("  \n", &[], None);
    }

    #[test]
    fn semicolons_in_quotes_backticks_and_comments_do_not_end() {
        check(r#"RETURN "a;b\";c";"#, &[r#"RETURN "a;b\";c""#], None);
        check(r"RETURN 'it\'s;';", &[r"RETURN 'it\'s;'"], None);
        check("MATCH (`a;``;\\`);", &["MATCH (`a;``;\\`)"], None);
        check(
            "RETURN 1 // one; two\n + 2;",
            &["RETURN 1 // one; two\n + 2"],
            None,
        );
        check("RETURN /* ; ** / */ 1;", &["RETURN /* ; ** / */ 1"], None);
        check("RETURN '//;' ;", &["RETURN '//;'"], None);
    }

    #[test]
    fn a_slash_alone_is_a_division() {
        check("RETURN 4/2;", &["RETURN 4/2"], None);
        check("RETURN 4/;", &["RETURN 4/"], None);
        check("/", &[], Some("/"));
    }

    #[test]
    fn an_unclosed_quote_is_still_given_at_the_end() {
        check("RETURN 'a;", &[], Some("RETURN 'a;"));
    }

    #[test]
    fn the_cut_between_pieces_does_not_matter() {
        let text = "RETURN 'é;\\';' /* ; */ + 4/2; // x;\nMATCH (`;`) RETURN 1;\nRETURN 2";
        let whole = split(text);
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for cut in cuts {
            let mut splitter = Splitter::default();
            let mut statements = splitter.push(&text[..cut]);
            statements.extend(splitter.push(&text[cut..]));
            assert_eq!((statements, splitter.finish()), whole, "cut at {cut}");
        }
    }

    #[test]
    fn an_open_statement_is_known_to_have_begun() {
        let mut splitter = Splitter::default();
        assert!(!splitter.has_begun());
        splitter.push("  \n// note\n");
        assert!(!splitter.has_begun());
        splitter.push("RETURN '");
        assert!(splitter.has_begun());
        splitter.clear();
        assert!(!splitter.has_begun());
    }
}
