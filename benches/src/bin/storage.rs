//! The storage's goals as one table: `perf/run storage`.
//!
//! Without arguments every part runs, each in a process of its own; `storage PART...` runs those parts here and prints their rows.
//! `--record FILE` also writes the table as Markdown.

use quoit_benches::storage::{Limit, PARTS, Report, Row};
use std::fmt::Write as _;
use std::process::{Command, ExitCode, Stdio};

/// The server's own allocator, so that resident memory is what a server's would be.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let record = match arguments.iter().position(|a| a == "--record") {
        Some(at) if at + 1 < arguments.len() => {
            arguments.remove(at);
            Some(arguments.remove(at))
        }
        Some(_) => return wrong("--record needs a file"),
        None => None,
    };
    if arguments.is_empty() {
        return all(record.as_deref());
    }
    let mut report = Report::default();
    for name in &arguments {
        let Some((_, part)) = PARTS.iter().find(|(part, _)| part == name) else {
            let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
            return wrong(&format!(
                "there is no part {name}; there are {}",
                names.join(", ")
            ));
        };
        part(&mut report);
    }
    ExitCode::SUCCESS
}

fn wrong(why: &str) -> ExitCode {
    eprintln!("storage: {why}");
    ExitCode::from(2)
}

fn all(record: Option<&str>) -> ExitCode {
    let this = match std::env::current_exe() {
        Ok(path) => path,
        Err(error) => return wrong(&format!("cannot find this program: {error}")),
    };
    let mut table = String::from(
        "| what | asked | measured | holds | how |\n| --- | ---: | ---: | --- | --- |\n",
    );
    for (name, _) in PARTS {
        eprintln!("storage: measuring {name}");
        let output = Command::new(&this)
            .arg(name)
            .stderr(Stdio::inherit())
            .output();
        let rows = match output {
            Ok(output) if output.status.success() => output.stdout,
            Ok(output) => return wrong(&format!("part {name} ended with {}", output.status)),
            Err(error) => return wrong(&format!("part {name} does not start: {error}")),
        };
        for row in String::from_utf8_lossy(&rows)
            .lines()
            .filter_map(Row::from_line)
        {
            let side = match row.limit {
                Limit::AtMost => "≤",
                Limit::AtLeast => "≥",
            };
            let _ = writeln!(
                table,
                "| {} | {side} {} {} | {:.2} | {} | {} |",
                row.name,
                row.asked,
                row.unit,
                row.measured,
                if row.holds() { "yes" } else { "**no**" },
                row.detail
            );
        }
    }
    print!("{table}");
    if let Some(path) = record
        && let Err(error) = std::fs::write(path, table)
    {
        return wrong(&format!("cannot write {path}: {error}"));
    }
    ExitCode::SUCCESS
}
