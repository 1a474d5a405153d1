//! The TCK's cases as the parser and the check need them. Reading the files is [`reader`]'s, which the query room's run of the kit
//! uses too.

mod reader;

use reader::Step;
use std::path::Path;

/// One case: a scenario, or one row of an outline.
pub struct Case {
    pub name: String,
    pub setup: Vec<String>,
    pub control: Vec<String>,
    pub query: String,
    pub procedures: Vec<String>,
    pub parameters: Vec<String>,
    pub outcome: Outcome,
}

/// What a case expects.
#[derive(Clone, PartialEq)]
pub enum Outcome {
    Result,
    Error {
        kind: String,
        phase: String,
        detail: String,
    },
}

/// All cases below a folder, in the order of file names.
pub fn cases(folder: &Path) -> Vec<Case> {
    reader::cases(folder)
        .into_iter()
        .map(|read| case(format!("{} {}", read.folder, read.name), &read.steps))
        .collect()
}

fn case(name: String, steps: &[Step]) -> Case {
    let mut case = Case {
        name,
        setup: Vec::new(),
        control: Vec::new(),
        query: String::new(),
        procedures: Vec::new(),
        parameters: Vec::new(),
        outcome: Outcome::Result,
    };
    for step in steps {
        let doc = || step.doc.clone().unwrap_or_default();
        if step.text.starts_with("having executed") {
            case.setup.push(doc());
        } else if step.text.starts_with("executing query") {
            case.query = doc();
        } else if step.text.starts_with("executing control query") {
            case.control.push(doc());
        } else if let Some(signature) = step.text.strip_prefix("there exists a procedure ") {
            case.procedures.push(
                signature
                    .trim_end()
                    .trim_end_matches(':')
                    .trim_end()
                    .to_string(),
            );
        } else if step.text.starts_with("parameters are") {
            case.parameters
                .extend(step.table.iter().map(|row| row[0].clone()));
        } else if let Some((kind, rest)) = step.text.split_once(" should be raised at ") {
            let kind = kind
                .trim_start_matches("an ")
                .trim_start_matches("a ")
                .to_string();
            let (phase, detail) = rest.split_once(':').expect("an error step names a detail");
            case.outcome = Outcome::Error {
                kind,
                phase: phase.trim().into(),
                detail: detail.trim().into(),
            };
        }
    }
    case
}
