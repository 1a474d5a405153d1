//! The console for somebody who is typing: line editing, history, completion, two prompts.

use super::command::Command;
use super::session::{Ran, Session};
use super::statement::Splitter;
use crate::exit::{Failure, Outcome};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use std::fs;
use std::path::{Path, PathBuf};

const PROMPT: &str = "memgraph> ";
const CONTINUED: &str = "       -> ";
/// The file in the history directory, mgconsole's name for it.
const HISTORY_FILE: &str = "client_history";
/// Lines of history kept.
const HISTORY_LINES_MAX: usize = 10_000;

/// Reads and runs until `:quit` or Ctrl-D. Ctrl-C while typing forgets the statement that has begun.
pub fn run(mut session: Session, history_directory: Option<PathBuf>) -> Outcome {
    let config = Config::builder()
        .max_history_size(HISTORY_LINES_MAX)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(terminal)?
        .build();
    let mut editor: Editor<Words, FileHistory> = Editor::with_config(config).map_err(terminal)?;
    editor.set_helper(Some(Words));
    let history = history_directory.and_then(|directory| match fs::create_dir_all(&directory) {
        Ok(()) => Some(directory.join(HISTORY_FILE)),
        Err(error) => {
            let name = directory.display().to_string();
            session.screen.failure(&name, &error.to_string());
            None
        }
    });
    if let Some(file) = history.as_deref().filter(|file| file.exists())
        && let Err(error) = editor.load_history(file)
    {
        let name = file.display().to_string();
        session.screen.failure(&name, &error.to_string());
    }

    let version = env!("CARGO_PKG_VERSION");
    session.screen.info(&format!("quoit console {version}"));
    session
        .screen
        .info(&format!("Connected to '{}'", session.uri()));
    session.screen.info("Type :help for shell usage");
    session
        .screen
        .info("Quit the shell by typing Ctrl-D(eof) or :quit");

    let mut splitter = Splitter::default();
    loop {
        let prompt = match splitter.has_begun() {
            false => PROMPT,
            true => CONTINUED,
        };
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                splitter.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal(error)),
        };
        if !line.trim().is_empty() {
            remember(&mut editor, history.as_deref(), &line);
        }
        if !splitter.has_begun()
            && let Some(command) = Command::parse(&line)
        {
            match session.command(command)? {
                Ran::Quit => break,
                Ran::Well | Ran::Failed | Ran::Cancelled => continue,
            }
        }
        for statement in splitter.push(&format!("{line}\n")) {
            // After a failure or Ctrl-C the rest of the line was typed for another state of things.
            if session.statement(&statement)? != Ran::Well {
                splitter.clear();
                break;
            }
        }
    }
    session.screen.info("Bye");
    session.close();
    Ok(())
}

fn remember(editor: &mut Editor<Words, FileHistory>, file: Option<&Path>, line: &str) {
    // A history that cannot be kept is no reason to stop working.
    if editor.add_history_entry(line).unwrap_or(false)
        && let Some(file) = file
    {
        let _ = editor.append_history(file);
    }
}

fn terminal(error: ReadlineError) -> Failure {
    Failure::failed(format!("cannot read from the terminal: {error}"))
}

/// Completes the words of the language.
struct Words;

/// Words that Tab completes, upper case, sorted.
const WORDS: [&str; 86] = [
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "ASCENDING",
    "ASYNC",
    "BY",
    "CALL",
    "CASE",
    "COLLECT",
    "CONSTRAINT",
    "CONTAINS",
    "COUNT",
    "CREATE",
    "DELETE",
    "DESC",
    "DESCENDING",
    "DETACH",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "ENDS WITH",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FOREACH",
    "IN",
    "INDEX",
    "INFO",
    "IS",
    "LABELS",
    "LENGTH",
    "LIMIT",
    "LOAD CSV",
    "MAIN",
    "MATCH",
    "MERGE",
    "NODES",
    "NONE",
    "NOT",
    "NULL",
    "ON",
    "OPTIONAL",
    "OR",
    "ORDER BY",
    "PORT",
    "PROFILE",
    "PROPERTIES",
    "RANGE",
    "REDUCE",
    "REGISTER",
    "RELATIONSHIPS",
    "REMOVE",
    "REPLICA",
    "REPLICAS",
    "REPLICATION",
    "RETURN",
    "ROLE",
    "SET",
    "SHOW",
    "SINGLE",
    "SIZE",
    "SKIP",
    "STARTS WITH",
    "STORAGE",
    "STRICT_SYNC",
    "SYNC",
    "THEN",
    "TIMEOUT",
    "TO",
    "TOFLOAT",
    "TOINTEGER",
    "TOSTRING",
    "TRUE",
    "TYPE",
    "UNION",
    "UNIQUE",
    "UNWIND",
    "WHEN",
    "WHERE",
    "WITH",
    "XOR",
    "YIELD",
    "ID",
];

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let start = line[..position]
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(0, |at| {
                at + line[at..].chars().next().map_or(0, char::len_utf8)
            });
        let begun = line[start..position].to_uppercase();
        let candidates = match begun.as_str() {
            "" => Vec::new(),
            begun => WORDS
                .iter()
                .filter(|word| word.starts_with(begun))
                .map(|word| word.to_string())
                .collect(),
        };
        Ok((start, candidates))
    }
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustyline::history::History;

    fn complete(line: &str) -> (usize, Vec<String>) {
        let history = FileHistory::new();
        assert_eq!(history.len(), 0);
        Words
            .complete(line, line.len(), &Context::new(&history))
            .unwrap()
    }

    #[test]
    fn the_word_under_the_cursor_is_completed() {
        assert_eq!(complete("mat"), (0, vec!["MATCH".to_owned()]));
        assert_eq!(complete("é (n) RETU"), (7, vec!["RETURN".to_owned()]));
        assert_eq!(complete("RETURN "), (7, vec![]));
        assert_eq!(complete("x.y_z"), (2, vec![]));
    }
}
