//! One console's connection and what belongs to it: parameters, database, what has failed.
//!
//! Called with statements and commands by the interactive loop and by the reader of scripts, which
//! differ in what they do after a failure: [`Ran`] tells them what happened.

use super::command::{self, Command};
use super::screen::Screen;
use super::statement::Splitter;
use super::text::text_of;
use crate::bolt::{Client, ClientError, ConnectOptions, Value};
use crate::exit::{Exit, Failure};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What became of a statement or command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    Well,
    /// It failed and that was said.
    Failed,
    /// It was cancelled by Ctrl-C and that was said.
    Cancelled,
    /// The user wants to leave.
    Quit,
}

/// What a script does after a statement has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    Stop,
    GoOn,
}

/// A console at work.
pub struct Session {
    options: ConnectOptions,
    client: Client,
    pub screen: Screen,
    parameters: Vec<(String, Value)>,
    database: Option<String>,
    interrupt: Arc<AtomicBool>,
}

/// `:source` inside of sourced files, at most so deep.
const SOURCE_DEPTH_MAX: usize = 16;
const RECONNECT_TRIES: u32 = 3;
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

impl Session {
    /// Connects. `interrupt` is the flag that Ctrl-C sets.
    pub fn open(
        options: ConnectOptions,
        database: Option<String>,
        screen: Screen,
        interrupt: Arc<AtomicBool>,
    ) -> Result<Session, Failure> {
        let client = connect(&options, &database, &interrupt).map_err(connect_failure)?;
        Ok(Session {
            options,
            client,
            screen,
            parameters: Vec::new(),
            database,
            interrupt,
        })
    }

    /// `memgraph://host:port`
    pub fn uri(&self) -> String {
        format!("memgraph://{}", self.client.address())
    }

    /// Runs one statement and shows its answer. An error means that the connection is lost for good.
    pub fn statement(&mut self, text: &str) -> Result<Ran, Failure> {
        self.interrupt.store(false, Ordering::Relaxed);
        match self.client.run(text, &self.parameters) {
            Ok(answer) => match self.screen.answer(&answer) {
                Ok(()) => Ok(Ran::Well),
                Err(reason) => {
                    self.screen.failure("Output error", &reason);
                    Ok(Ran::Failed)
                }
            },
            Err(error) => self.failed(error),
        }
    }

    /// Runs a command.
    pub fn command(&mut self, command: Command) -> Result<Ran, Failure> {
        self.command_at(command, 0)
    }

    fn command_at(&mut self, command: Command, depth: usize) -> Result<Ran, Failure> {
        self.interrupt.store(false, Ordering::Relaxed);
        let done = match command {
            Command::Quit => return Ok(Ran::Quit),
            Command::Help => {
                print!("{}", command::HELP);
                Ok(())
            }
            Command::Docs => {
                print!("{}", command::DOCS);
                Ok(())
            }
            Command::Begin => self.client.begin(),
            Command::Commit => self.client.commit().map(|_| ()),
            Command::Rollback => self.client.rollback(),
            Command::Use(database) => {
                self.database = database;
                self.client.set_database(self.database.clone());
                Ok(())
            }
            Command::Parameters => {
                for (name, value) in &self.parameters {
                    println!(":param {name} => {}", text_of(value));
                }
                Ok(())
            }
            Command::ClearParameters => {
                self.parameters.clear();
                Ok(())
            }
            Command::SetParameter { name, expression } => self
                .evaluate(&expression)
                .map(|value| self.set_parameter(name, value)),
            Command::SetParameters { expression } => match self.evaluate(&expression) {
                Ok(Value::Map(map)) => {
                    for (name, value) in map {
                        self.set_parameter(name, value);
                    }
                    Ok(())
                }
                Ok(_) => {
                    self.screen.failure("Unsupported command", "not a map");
                    return Ok(Ran::Failed);
                }
                Err(error) => Err(error),
            },
            Command::Source(path) => return self.source(&path, depth),
            Command::Unknown(line) => {
                self.screen.failure("Unsupported command", &line);
                self.screen.info(command::HELP);
                return Ok(Ran::Failed);
            }
        };
        match done {
            Ok(()) => Ok(Ran::Well),
            Err(error) => self.failed(error),
        }
    }

    /// Runs a script: statements, and commands on lines of their own.
    pub fn script(
        &mut self,
        splitter: &mut Splitter,
        line: &str,
        on_failure: OnFailure,
    ) -> Result<Ran, Failure> {
        self.script_at(splitter, line, on_failure, 0)
    }

    fn script_at(
        &mut self,
        splitter: &mut Splitter,
        line: &str,
        on_failure: OnFailure,
        depth: usize,
    ) -> Result<Ran, Failure> {
        if !splitter.has_begun()
            && let Some(command) = Command::parse(line)
        {
            return self.command_at(command, depth);
        }
        let mut outcome = Ran::Well;
        for statement in splitter.push(line) {
            match self.scripted(&statement)? {
                Ran::Well => {}
                Ran::Failed if on_failure == OnFailure::GoOn => outcome = Ran::Failed,
                other => return Ok(other),
            }
        }
        Ok(outcome)
    }

    /// Runs one statement of a script; one that fails is repeated on standard error.
    pub fn scripted(&mut self, statement: &str) -> Result<Ran, Failure> {
        self.interrupt.store(false, Ordering::Relaxed);
        match self.client.run(statement, &self.parameters) {
            Ok(answer) => match self.screen.answer(&answer) {
                Ok(()) => Ok(Ran::Well),
                Err(reason) => {
                    self.screen.failure("Failed query", statement);
                    self.screen.failure("Output error", &reason);
                    Ok(Ran::Failed)
                }
            },
            Err(error) if error.is_fatal() => {
                // Whether the statement was done is unknown, so a script must not go on.
                let text = error.to_string();
                self.screen.failure("Failed query", statement);
                self.screen
                    .failure("Client received connection exception", &text);
                Err(Failure::silent(Exit::CannotConnect))
            }
            Err(error) => {
                self.screen.failure("Failed query", statement);
                self.failed(error)
            }
        }
    }

    fn source(&mut self, path: &str, depth: usize) -> Result<Ran, Failure> {
        if depth >= SOURCE_DEPTH_MAX {
            self.screen
                .failure(path, "files source each other too deep");
            return Ok(Ran::Failed);
        }
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.screen.failure(path, &error.to_string());
                return Ok(Ran::Failed);
            }
        };
        let mut splitter = Splitter::default();
        for line in text.split_inclusive('\n') {
            let ran = self.script_at(&mut splitter, line, OnFailure::Stop, depth + 1)?;
            if ran != Ran::Well {
                return Ok(ran);
            }
        }
        match splitter.finish() {
            Some(last) => self.scripted(&last),
            None => Ok(Ran::Well),
        }
    }

    /// Has the server compute an expression.
    fn evaluate(&mut self, expression: &str) -> Result<Value, ClientError> {
        let text = format!("RETURN {expression} AS value");
        let answer = self.client.run(&text, &self.parameters)?;
        let value = answer.rows.into_iter().next().and_then(|mut row| row.pop());
        Ok(value.unwrap_or(Value::Null))
    }

    fn set_parameter(&mut self, name: String, value: Value) {
        match self.parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => self.parameters.push((name, value)),
        }
    }

    fn failed(&mut self, error: ClientError) -> Result<Ran, Failure> {
        if error.is_fatal() {
            let text = error.to_string();
            self.screen
                .failure("Client received connection exception", &text);
            self.reconnect()?;
            return Ok(Ran::Failed);
        }
        self.screen
            .failure("Client received query exception", &error.to_string());
        Ok(match error {
            ClientError::Interrupted => Ran::Cancelled,
            _ => Ran::Failed,
        })
    }

    fn reconnect(&mut self) -> Result<(), Failure> {
        self.screen.info("Trying to reconnect...");
        for attempt in 0..RECONNECT_TRIES {
            if attempt > 0 {
                thread::sleep(RECONNECT_PAUSE);
            }
            match connect(&self.options, &self.database, &self.interrupt) {
                Ok(client) => {
                    self.client = client;
                    self.screen.info(&format!("Connected to '{}'", self.uri()));
                    return Ok(());
                }
                Err(error) => self
                    .screen
                    .failure("Connection failure", &error.to_string()),
            }
        }
        let uri = format!("'{}'", self.uri());
        self.screen.failure("Couldn't connect to", &uri);
        Err(Failure::silent(Exit::CannotConnect))
    }

    /// Says goodbye to the server.
    pub fn close(self) {
        self.client.close();
    }
}

fn connect(
    options: &ConnectOptions,
    database: &Option<String>,
    interrupt: &Arc<AtomicBool>,
) -> Result<Client, ClientError> {
    let mut client = Client::connect(options)?;
    client.set_database(database.clone());
    client.set_interrupt(Arc::clone(interrupt));
    Ok(client)
}

/// The status for a connection that could not be made.
fn connect_failure(error: ClientError) -> Failure {
    let exit = match &error {
        ClientError::Login { .. } => Exit::Authentication,
        ClientError::Encryption => Exit::Usage,
        _ => Exit::CannotConnect,
    };
    Failure::new(exit, error.to_string())
}
