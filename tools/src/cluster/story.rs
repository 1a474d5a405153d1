//! The founding story: a main and three replicas, told through Bolt with its own statements.
//!
//! Setting a cluster up and telling the story are the same statements; a [`Narrator`] asks them, and
//! in a story shows each with its answer as the console would and checks it. Source: "How to set up
//! replication on a small cluster" of Memgraph 1.3's documentation.
//!
//! What is checked: roles, registrations and their notifications, every replica `ready`, the write
//! without a warning, the one row on every replica, and that a replica refuses writes.

use super::node::Node;
use super::state::Kind;
use crate::bolt::{Answer, Client, ClientError, Value, lookup};
use crate::console::Screen;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Asks statements of nodes, shows them if this is a story, and counts what is wrong.
pub struct Narrator {
    screen: Screen,
    aloud: bool,
    interrupt: Arc<AtomicBool>,
    /// Answers that were checked.
    pub checked: usize,
    /// What was wrong, in words.
    pub wrong: Vec<String>,
}

/// How long an answer may take to become what it should be (a replica that catches up).
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

const WRITE: &str = "CREATE (n:N {p: \"This is going to be replicated!\"});";
const READ: &str = "MATCH (n:N) RETURN n;";
const EXPECTED_ROW: &str = "(:N {p: \"This is going to be replicated!\"})";

impl Narrator {
    /// `aloud`: show every statement and answer. `interrupt`: set by Ctrl-C.
    pub fn new(aloud: bool, interrupt: Arc<AtomicBool>) -> Self {
        Narrator {
            screen: Screen::for_demonstration(),
            aloud,
            interrupt,
            checked: 0,
            wrong: Vec::new(),
        }
    }

    /// Makes the replicas replicas and registers them on the main, leaving out what a cluster that
    /// was started again knows already.
    pub fn join(
        &mut self,
        main: &Node,
        replicas: &[Node],
        timeout_seconds: f64,
    ) -> Result<(), String> {
        for replica in replicas {
            let mut client = open(replica)?;
            if role(&mut client, replica)? == "replica" {
                continue;
            }
            let port = replica.state.replication_port;
            let statement = format!("SET REPLICATION ROLE TO REPLICA WITH PORT {port};");
            let answer = self.ask(replica, &mut client, &statement)?;
            self.expect_no_rows(replica, &statement, &answer);
            self.expect_notification(&statement, &answer, "Replica role set to REPLICA.");
        }
        let mut client = open(main)?;
        let known = registered(&mut client)?;
        for replica in replicas {
            let name = replica.name();
            if known.iter().any(|other| other == name) {
                continue;
            }
            let mode = match replica.state.kind {
                Kind::Main => continue,
                Kind::Sync => "SYNC".to_owned(),
                Kind::Async => "ASYNC".to_owned(),
                Kind::SemiSync => format!("SYNC WITH TIMEOUT {timeout_seconds}"),
            };
            let address = replica.replication_address();
            let statement = format!("REGISTER REPLICA {name} {mode} TO \"{address}\";");
            let answer = self.ask(main, &mut client, &statement)?;
            self.expect_no_rows(main, &statement, &answer);
            let title = format!("Replica {name} is registered.");
            self.expect_notification(&statement, &answer, &title);
        }
        client.close();
        Ok(())
    }

    /// The rest of the story, on a cluster that [`join`](Self::join) has set up.
    pub fn tell(&mut self, main: &Node, replicas: &[Node]) -> Result<(), String> {
        let mut on_main = open(main)?;
        self.roles(main, replicas)?;

        let names: Vec<&str> = replicas.iter().map(Node::name).collect();
        let statement = "SHOW REPLICAS;";
        let answer = self.ask_until(main, &mut on_main, statement, |answer| {
            states(answer).iter().all(|(_, state)| state == "ready")
        })?;
        let states = states(&answer);
        let shown: Vec<&str> = states.iter().map(|(name, _)| name.as_str()).collect();
        self.expect(
            shown == names,
            &format!("{statement} shows {shown:?} instead of {names:?}"),
        );
        for (name, state) in &states {
            self.expect(state == "ready", &format!("{name} is {state}, not ready"));
        }

        let before = rows(&mut on_main, main)?.len();
        let answer = self.ask(main, &mut on_main, WRITE)?;
        let created = answer.summary.counter("nodes-created");
        self.expect(
            created == 1,
            &format!("{WRITE} created {created} nodes instead of 1"),
        );
        for notification in &answer.summary.notifications {
            let title = &notification.title;
            self.expect(
                notification.severity != "WARNING",
                &format!("{WRITE} came with a warning: {title}"),
            );
        }

        let expected = before + 1;
        for replica in replicas {
            let mut client = open(replica)?;
            let started = Instant::now();
            let answer = self.ask_until(replica, &mut client, READ, |answer| {
                answer.rows.len() == expected
            })?;
            let texts = row_texts(&answer);
            self.expect(
                texts.len() == expected && texts.iter().all(|text| text == EXPECTED_ROW),
                &format!(
                    "{} shows {texts:?} instead of {expected} row(s) after {:.1} s",
                    replica.name(),
                    started.elapsed().as_secs_f64()
                ),
            );
            client.close();
        }
        if let Some(replica) = replicas.first() {
            self.refused_write(replica)?;
        }
        on_main.close();
        Ok(())
    }

    fn roles(&mut self, main: &Node, replicas: &[Node]) -> Result<(), String> {
        let statement = "SHOW REPLICATION ROLE;";
        for node in std::iter::once(main).chain(replicas) {
            let mut client = open(node)?;
            let answer = self.ask(node, &mut client, statement)?;
            let wanted = match node.state.kind {
                Kind::Main => "main",
                Kind::Sync | Kind::Async | Kind::SemiSync => "replica",
            };
            let found = first_text(&answer).unwrap_or_default();
            let name = node.name();
            self.expect(
                found == wanted,
                &format!("{name} says its role is '{found}', not '{wanted}'"),
            );
            client.close();
        }
        Ok(())
    }

    fn refused_write(&mut self, replica: &Node) -> Result<(), String> {
        let mut client = open(replica)?;
        let name = replica.name();
        self.say_statement(replica, WRITE);
        match client.run(WRITE, &[]) {
            Ok(_) => self.expect(
                false,
                &format!("{name} took a write although it is a replica"),
            ),
            Err(ClientError::Query { message, .. }) => {
                if self.aloud {
                    println!("Client received query exception: {message}");
                }
                self.expect(true, "");
            }
            Err(error) => return Err(format!("{name}: {error}")),
        }
        client.close();
        Ok(())
    }

    /// Runs a statement and shows it with its answer.
    fn ask(&mut self, node: &Node, client: &mut Client, statement: &str) -> Result<Answer, String> {
        self.ask_until(node, client, statement, |_| true)
    }

    /// Runs a statement until its answer is as wanted or patience ends; shows the last answer.
    fn ask_until(
        &mut self,
        node: &Node,
        client: &mut Client,
        statement: &str,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, String> {
        self.say_statement(node, statement);
        client.set_interrupt(Arc::clone(&self.interrupt));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.interrupt.load(Ordering::Relaxed) {
                return Err("interrupted".to_owned());
            }
            let answer = client
                .run(statement, &[])
                .map_err(|error| format!("{}: {statement}\n{error}", node.name()))?;
            if wanted(&answer) || Instant::now() > deadline {
                if self.aloud {
                    print!("{}", self.screen.render(&answer)?);
                }
                return Ok(answer);
            }
            thread::sleep(POLL);
        }
    }

    fn say_statement(&self, node: &Node, statement: &str) {
        if self.aloud {
            println!("\n-- {}, {}", node.name(), node.bolt_address());
            println!("memgraph> {statement}");
        }
    }

    fn expect(&mut self, holds: bool, complaint: &str) {
        self.checked += 1;
        if !holds {
            println!("WRONG: {complaint}");
            self.wrong.push(complaint.to_owned());
        }
    }

    fn expect_no_rows(&mut self, node: &Node, statement: &str, answer: &Answer) {
        let (name, rows, columns) = (node.name(), answer.rows.len(), answer.fields.len());
        self.expect(
            rows == 0 && columns == 0,
            &format!("{statement} on {name} gave {rows} rows of {columns} columns instead of none"),
        );
    }

    fn expect_notification(&mut self, statement: &str, answer: &Answer, title: &str) {
        let titles: Vec<&str> = answer
            .summary
            .notifications
            .iter()
            .map(|notification| notification.title.as_str())
            .collect();
        self.expect(
            titles.contains(&title),
            &format!("{statement} notified {titles:?}, not \"{title}\""),
        );
    }
}

fn open(node: &Node) -> Result<Client, String> {
    node.connect()
        .map_err(|error| format!("{}: {error}", node.name()))
}

/// `main` or `replica`, as the node says.
fn role(client: &mut Client, node: &Node) -> Result<String, String> {
    let answer = client
        .run("SHOW REPLICATION ROLE;", &[])
        .map_err(|error| format!("{}: {error}", node.name()))?;
    Ok(first_text(&answer).unwrap_or_default())
}

fn registered(client: &mut Client) -> Result<Vec<String>, String> {
    let answer = client
        .run("SHOW REPLICAS;", &[])
        .map_err(|error| error.to_string())?;
    Ok(states(&answer).into_iter().map(|(name, _)| name).collect())
}

fn rows(client: &mut Client, node: &Node) -> Result<Vec<String>, String> {
    let answer = client
        .run(READ, &[])
        .map_err(|error| format!("{}: {error}", node.name()))?;
    Ok(row_texts(&answer))
}

fn first_text(answer: &Answer) -> Option<String> {
    let value = answer.rows.first()?.first()?;
    value.as_str().map(str::to_owned)
}

fn row_texts(answer: &Answer) -> Vec<String> {
    answer
        .rows
        .iter()
        .map(|row| row.first().map(crate::console::text_of).unwrap_or_default())
        .collect()
}

/// Name and state of each row of SHOW REPLICAS, by name.
pub fn states(answer: &Answer) -> Vec<(String, String)> {
    let mut states: Vec<(String, String)> = replica_rows(answer)
        .into_iter()
        .map(|row| {
            let text = |key| {
                lookup(&row, key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            (text("name").to_owned(), replica_state(&row).to_owned())
        })
        .collect();
    states.sort();
    states
}

/// The rows of SHOW REPLICAS, each as column names and values.
pub fn replica_rows(answer: &Answer) -> Vec<Vec<(String, Value)>> {
    answer
        .rows
        .iter()
        .map(|row| {
            answer
                .fields
                .iter()
                .cloned()
                .zip(row.iter().cloned())
                .collect()
        })
        .collect()
}

/// `ready`, `replicating`, ...: the status of the default database in `data_info`.
pub fn replica_state(row: &[(String, Value)]) -> &str {
    lookup(row, "data_info")
        .and_then(|info| info.get("memgraph"))
        .and_then(|database| database.get("status"))
        .and_then(Value::as_str)
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_from_the_columns_of_show_replicas() {
        let info = |status: &str| {
            let database = vec![("status".to_owned(), Value::String(status.into()))];
            Value::Map(vec![("memgraph".to_owned(), Value::Map(database))])
        };
        let row = |name: &str, status| vec![Value::String(name.into()), info(status)];
        let answer = Answer {
            fields: vec!["name".into(), "data_info".into()],
            rows: vec![
                row("r2", "recovery"),
                row("r1", "ready"),
                vec![Value::String("r3".into()), Value::Null],
            ],
            ..Answer::default()
        };
        let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
        assert_eq!(
            states(&answer),
            [
                pair("r1", "ready"),
                pair("r2", "recovery"),
                pair("r3", "unknown")
            ]
        );
    }
}
