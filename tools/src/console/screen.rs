//! What the console says: results on standard output, everything else on standard error.
//!
//! Owns the words and their colours: mgconsole's, since scripts look for them. Knows answers, no
//! connection.

use super::csv::{CsvStyle, cypherl_line};
use super::options::{ConsoleArgs, OutputFormat};
use super::table::table;
use super::text::text_of;
use crate::bolt::{Answer, Notification, Summary, Value, lookup};
use crate::kernel;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How much is said beside the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// Rows, timing, notifications, statistics: somebody is typing.
    Interactive,
    /// Rows alone: a script reads them.
    Quiet,
}

/// Writes for one console.
#[derive(Clone, Debug)]
pub struct Screen {
    talk: Talk,
    format: OutputFormat,
    csv: CsvStyle,
    fit_to_screen: bool,
    verbose: bool,
    colours: bool,
}

/// Columns assumed where the terminal does not say.
const DEFAULT_COLUMNS: usize = 80;

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

/// Counters that are told, in this order, and what is said of them.
const COUNTERS: [(&str, &str); 7] = [
    ("labels-added", "labels have been created."),
    ("labels-removed", "labels have been deleted."),
    ("nodes-created", "nodes have been created."),
    ("nodes-deleted", "nodes have been deleted."),
    ("properties-set", "properties have been updated."),
    ("relationships-created", "relationships have been created."),
    ("relationships-deleted", "relationships have been deleted."),
];

impl Screen {
    pub fn new(args: &ConsoleArgs, talk: Talk) -> Self {
        Screen {
            talk,
            format: args.output_format,
            csv: args.csv_style(),
            fit_to_screen: args.fit_to_screen,
            verbose: args.verbose_execution_info,
            colours: args.term_colors
                && std::env::var_os("NO_COLOR").is_none()
                && io::stderr().is_terminal(),
        }
    }

    /// Tables for somebody who watches, with everything that is said beside them.
    pub fn for_demonstration() -> Self {
        Screen {
            talk: Talk::Interactive,
            format: OutputFormat::Tabular,
            csv: CsvStyle {
                delimiter: ',',
                escape: None,
            },
            fit_to_screen: false,
            verbose: false,
            colours: false,
        }
    }

    /// Says a line to somebody who is typing; a script does not hear it.
    pub fn info(&self, text: &str) {
        if self.talk == Talk::Interactive {
            println!("{text}");
        }
    }

    /// `what: explanation`, the first part in red, on standard error.
    pub fn failure(&self, what: &str, explanation: &str) {
        let _ = io::stdout().flush();
        if self.colours {
            eprintln!("{RED}{what}: {PLAIN}{explanation}");
        } else {
            eprintln!("{what}: {explanation}");
        }
    }

    /// Shows an answer. An error is one of the format, `cypherl` with other than one string column.
    pub fn answer(&self, answer: &Answer) -> Result<(), String> {
        let out = self.render(answer)?;
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(out.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| format!("cannot write: {error}"))
    }

    /// The text of an answer: rows in the chosen form, then, for somebody who is typing, the rest.
    pub fn render(&self, answer: &Answer) -> Result<String, String> {
        let mut out = String::new();
        if !answer.rows.is_empty() {
            self.rows(&mut out, answer)?;
        }
        if self.talk == Talk::Interactive {
            out.push_str(&round_trip_line(answer.rows.len(), answer.round_trip));
            if let Some(notification) = answer.summary.notifications.first() {
                out.push_str(&self.notification_line(notification));
            }
            out.push_str(&counter_lines(&answer.summary));
            if self.verbose {
                out.push_str(&execution_lines(&answer.summary));
            }
        }
        Ok(out)
    }

    fn rows(&self, out: &mut String, answer: &Answer) -> Result<(), String> {
        let texts = |row: &Vec<Value>| row.iter().map(text_of).collect::<Vec<_>>();
        match self.format {
            OutputFormat::Tabular => {
                let rows: Vec<Vec<String>> = answer.rows.iter().map(texts).collect();
                let width_max = self
                    .fit_to_screen
                    .then(|| kernel::terminal_columns().unwrap_or(DEFAULT_COLUMNS));
                out.push_str(&table(&answer.fields, &rows, width_max));
            }
            OutputFormat::Csv => {
                self.csv.line(out, &answer.fields);
                for row in &answer.rows {
                    self.csv.line(out, &texts(row));
                }
            }
            OutputFormat::Cypherl => {
                for row in &answer.rows {
                    out.push_str(cypherl_line(row)?);
                    out.push('\n');
                }
            }
        }
        Ok(())
    }

    fn notification_line(&self, notification: &Notification) -> String {
        let Notification {
            severity, title, ..
        } = notification;
        if severity == "WARNING" && self.colours {
            format!("{YELLOW}{severity}: {PLAIN}{title}\n")
        } else {
            format!("{severity}: {title}\n")
        }
    }
}

/// `2 rows in set (round trip in 0.001 sec)`
fn round_trip_line(rows: usize, round_trip: Duration) -> String {
    let set = match rows {
        0 => "Empty set".to_owned(),
        1 => "1 row in set".to_owned(),
        rows => format!("{rows} rows in set"),
    };
    format!(
        "{set} (round trip in {:.3} sec)\n",
        round_trip.as_secs_f64()
    )
}

fn counter_lines(summary: &Summary) -> String {
    COUNTERS
        .iter()
        .map(|(key, words)| (summary.counter(key), words))
        .filter(|(count, _)| *count != 0)
        .map(|(count, words)| format!("{count} {words}\n"))
        .collect()
}

fn execution_lines(summary: &Summary) -> String {
    const LINES: [(&str, &str, &str); 4] = [
        ("cost_estimate", "Query cost estimate", ""),
        ("parsing_time", "Query parsing time", " sec"),
        ("planning_time", "Query planning time", " sec"),
        ("plan_execution_time", "Query plan execution time", " sec"),
    ];
    LINES
        .iter()
        .filter_map(|(key, words, unit)| match lookup(&summary.metadata, key)? {
            Value::Float(value) => Some(format!("{words}: {value}{unit}\n")),
            Value::Int(value) => Some(format!("{words}: {value}{unit}\n")),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: Vec<Vec<Value>>) -> Answer {
        let counters = [
            ("nodes-created", 1),
            ("labels-added", 1),
            ("properties-set", 1),
            ("nodes-deleted", 0),
        ];
        let stats = counters
            .map(|(key, count)| (key.to_owned(), Value::Int(count)))
            .to_vec();
        Answer {
            fields: vec!["a".into()],
            rows,
            round_trip: Duration::from_micros(1_499),
            summary: Summary {
                metadata: vec![
                    ("stats".into(), Value::Map(stats)),
                    ("cost_estimate".into(), Value::Float(1.5)),
                ],
                notifications: vec![Notification {
                    severity: "INFO".into(),
                    code: "RegisterReplica".into(),
                    title: "Replica r1 is registered.".into(),
                    description: String::new(),
                }],
            },
        }
    }

    #[test]
    fn somebody_typing_sees_rows_timing_notification_and_counters_in_order() {
        let screen = Screen::for_demonstration();
        assert_eq!(
            screen.render(&answer(vec![vec![Value::Int(1)]])).unwrap(),
            "+----+\n| a  |\n+----+\n| 1  |\n+----+\n\
             1 row in set (round trip in 0.001 sec)\n\
             INFO: Replica r1 is registered.\n\
             1 labels have been created.\n\
             1 nodes have been created.\n\
             1 properties have been updated.\n"
        );
    }

    #[test]
    fn an_empty_answer_shows_no_table() {
        let screen = Screen::for_demonstration();
        let text = screen.render(&answer(vec![])).unwrap();
        assert!(text.starts_with("Empty set (round trip in "), "{text}");
        let two = vec![vec![Value::Int(1)], vec![Value::Int(2)]];
        let text = screen.render(&answer(two)).unwrap();
        assert!(text.contains("\n2 rows in set (round trip in "), "{text}");
    }

    #[test]
    fn a_script_gets_rows_and_nothing_else() {
        let mut screen = Screen::for_demonstration();
        screen.talk = Talk::Quiet;
        assert_eq!(screen.render(&answer(vec![])).unwrap(), "");
        screen.format = OutputFormat::Csv;
        let row = vec![Value::String("x".into())];
        assert_eq!(
            screen.render(&answer(vec![row.clone()])).unwrap(),
            "\"a\"\n\"\"\"x\"\"\"\n"
        );
        screen.format = OutputFormat::Cypherl;
        assert_eq!(screen.render(&answer(vec![row])).unwrap(), "x\n");
        assert!(screen.render(&answer(vec![vec![Value::Int(1)]])).is_err());
    }

    #[test]
    fn execution_info_is_told_when_asked_for_and_there() {
        let mut screen = Screen::for_demonstration();
        screen.verbose = true;
        let text = screen.render(&answer(vec![])).unwrap();
        assert!(text.ends_with("Query cost estimate: 1.5\n"), "{text}");
    }
}
