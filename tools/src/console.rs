//! `quoit console`: a terminal for Cypher, at home for users of mgconsole and cypher-shell.
//!
//! Prompts, tables, the timing line, notifications, statistics, history and the behaviour of piped
//! input are mgconsole's; where mgconsole loses input (a last statement without a newline) or counts
//! bytes as columns, we do not. Exit codes: 0; 1 a statement failed; 2 usage; 3 no connection; 4 login
//! refused; 130 interrupted. Results go to standard output, everything else to standard error.

mod command;
mod csv;
mod interactive;
mod options;
mod screen;
mod session;
mod statement;
mod table;
mod text;

pub use options::{ConsoleArgs, OutputFormat};
pub use screen::Screen;
pub use table::table;
pub use text::text_of;

use crate::bolt::{ConnectOptions, Endpoint};
use crate::exit::{Exit, Failure, Outcome};
use crate::gflags::Takes;
use crate::kernel::EchoOff;
use screen::Talk;
use session::{OnFailure, Ran, Session};
use signal_hook::consts::SIGINT;
use statement::Splitter;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Flags of mgconsole that have no effect here: statements are imported one after the other.
pub const ACCEPTED_WITHOUT_EFFECT: &[(&str, Takes)] = &[
    ("batch-size", Takes::Value),
    ("import-mode", Takes::Value),
    ("workers-number", Takes::Value),
];

/// Runs `quoit console`.
pub fn run(args: &ConsoleArgs) -> Outcome {
    let interactive = args.statements.is_none() && args.file.is_none() && io::stdin().is_terminal();
    let talk = match interactive {
        true => Talk::Interactive,
        false => Talk::Quiet,
    };
    let screen = Screen::new(args, talk);
    let mut endpoint = args.endpoint()?;
    if interactive {
        ask_for_password(&mut endpoint)?;
    }

    let interrupt = Arc::new(AtomicBool::new(false));
    // A second Ctrl-C before the first has had its effect ends the process.
    let exit = i32::from(Exit::Interrupted as u8);
    signal_hook::flag::register_conditional_shutdown(SIGINT, exit, Arc::clone(&interrupt))
        .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&interrupt)))
        .map_err(|error| Failure::failed(format!("cannot handle Ctrl-C: {error}")))?;

    let options = ConnectOptions::new(endpoint, "console");
    let mut session = Session::open(options, args.database.clone(), screen, interrupt)?;
    for setting in &args.parameters {
        let command = command::parameter(setting)
            .ok_or_else(|| Failure::usage(format!("-P '{setting}' is not NAME => EXPRESSION")))?;
        if session.command(command)? != Ran::Well {
            return Err(Failure::silent(Exit::Failed));
        }
    }
    if interactive {
        return interactive::run(session, args.history_directory());
    }

    let on_failure = match args.fail_at_end {
        true => OnFailure::GoOn,
        false => OnFailure::Stop,
    };
    match (&args.statements, &args.file) {
        (Some(statements), _) => script(session, statements.as_bytes(), on_failure),
        (None, Some(path)) => {
            let file = File::open(path)
                .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
            script(session, BufReader::new(file), on_failure)
        }
        (None, None) => script(session, io::stdin().lock(), on_failure),
    }
}

/// Runs everything that `input` holds.
fn script(mut session: Session, mut input: impl BufRead, on_failure: OnFailure) -> Outcome {
    let mut splitter = Splitter::default();
    let mut line = String::new();
    let mut failed = false;
    loop {
        line.clear();
        let read = input
            .read_line(&mut line)
            .map_err(|error| Failure::failed(format!("cannot read statements: {error}")))?;
        let ran = if read > 0 {
            session.script(&mut splitter, &line, on_failure)?
        } else {
            match splitter.finish() {
                Some(last) => session.scripted(&last)?,
                None => Ran::Well,
            }
        };
        match ran {
            Ran::Well => {}
            Ran::Failed if on_failure == OnFailure::GoOn => failed = true,
            Ran::Failed => return Err(Failure::silent(Exit::Failed)),
            Ran::Cancelled => return Err(Failure::silent(Exit::Interrupted)),
            Ran::Quit => break,
        }
        if read == 0 {
            break;
        }
    }
    session.close();
    match failed {
        true => Err(Failure::silent(Exit::Failed)),
        false => Ok(()),
    }
}

/// A user name without a password: asks for it, without showing what is typed.
fn ask_for_password(endpoint: &mut Endpoint) -> Outcome {
    let Some(credentials) = &mut endpoint.credentials else {
        return Ok(());
    };
    if !credentials.password.is_empty() {
        return Ok(());
    }
    let ask = || -> io::Result<String> {
        print!("Password: ");
        io::stdout().flush()?;
        let silence = EchoOff::new()?;
        let mut password = String::new();
        let read = io::stdin().lock().read_line(&mut password)?;
        drop(silence);
        println!();
        match read {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(password.trim_end_matches(['\r', '\n']).to_owned()),
        }
    };
    credentials.password =
        ask().map_err(|error| Failure::failed(format!("no password was given: {error}")))?;
    Ok(())
}
