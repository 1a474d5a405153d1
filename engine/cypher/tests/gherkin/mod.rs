//! As much of Gherkin as the TCK uses: outlines become one case a row.

use std::fs;
use std::path::{Path, PathBuf};

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

#[derive(Clone)]
struct Step {
    text: String,
    doc: Option<String>,
    table: Vec<Vec<String>>,
}

/// All cases below a folder, in the order of file names.
pub fn cases(folder: &Path) -> Vec<Case> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    files.iter().flat_map(|file| feature(file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder)
        .expect("the folder can be read")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "feature")
        {
            files.push(path);
        }
    }
}

fn feature(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("a feature is UTF-8");
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut lines = text
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .peekable();
    let mut background: Vec<Step> = Vec::new();
    let mut scenarios: Vec<(String, Vec<Step>, Vec<Vec<String>>)> = Vec::new();
    let mut in_background = false;
    let mut in_examples = false;
    let mut ignored = false;
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with("Feature:") {
            continue;
        }
        if trimmed.starts_with('@') {
            ignored = trimmed.contains("@ignore");
        } else if trimmed.starts_with("Background:") {
            in_background = true;
        } else if let Some(name) = trimmed
            .strip_prefix("Scenario Outline:")
            .or(trimmed.strip_prefix("Scenario:"))
        {
            in_background = false;
            in_examples = false;
            let name = if std::mem::take(&mut ignored) {
                "@ignore"
            } else {
                name.trim()
            };
            scenarios.push((format!("{stem} {name}"), Vec::new(), Vec::new()));
        } else if trimmed.starts_with("Examples:") {
            in_examples = true;
        } else if trimmed.starts_with('|') {
            let row = cells(trimmed);
            let Some((_, steps, examples)) = scenarios.last_mut() else {
                continue;
            };
            if in_examples {
                examples.push(row);
            } else if let Some(step) = steps.last_mut() {
                step.table.push(row);
            }
        } else if trimmed.starts_with("\"\"\"") {
            let indent = line.len() - line.trim_start().len();
            let mut doc = Vec::new();
            for line in lines.by_ref() {
                if line.trim().starts_with("\"\"\"") {
                    break;
                }
                let blank = line.len() - line.trim_start().len();
                doc.push(line[indent.min(blank)..].to_string());
            }
            let steps = if in_background {
                Some(&mut background)
            } else {
                scenarios.last_mut().map(|scenario| &mut scenario.1)
            };
            if let Some(step) = steps.and_then(|steps| steps.last_mut()) {
                step.doc = Some(doc.join("\n"));
            }
        } else {
            let text = trimmed
                .split_once(' ')
                .map_or(trimmed, |(_, text)| text)
                .trim()
                .to_string();
            let step = Step {
                text,
                doc: None,
                table: Vec::new(),
            };
            match scenarios.last_mut() {
                Some(scenario) if !in_background => scenario.1.push(step),
                _ => background.push(step),
            }
        }
    }
    let mut cases = Vec::new();
    for (name, steps, examples) in scenarios {
        if name.ends_with("@ignore") {
            continue;
        }
        let steps: Vec<Step> = background.iter().cloned().chain(steps).collect();
        match examples.split_first() {
            None => cases.push(case(name, &steps)),
            Some((header, rows)) => {
                for (number, row) in rows.iter().enumerate() {
                    let fill = |text: &str| {
                        header
                            .iter()
                            .zip(row)
                            .fold(text.to_string(), |text, (key, cell)| {
                                text.replace(&format!("<{key}>"), cell)
                            })
                    };
                    let filled: Vec<Step> = steps
                        .iter()
                        .map(|step| Step {
                            text: fill(&step.text),
                            doc: step.doc.as_deref().map(fill),
                            table: step
                                .table
                                .iter()
                                .map(|row| row.iter().map(|cell| fill(cell)).collect())
                                .collect(),
                        })
                        .collect();
                    cases.push(case(format!("{name} #{}", number + 1), &filled));
                }
            }
        }
    }
    cases
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

fn cells(line: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut chars = line.trim().chars().skip(1);
    while let Some(c) = chars.next() {
        match c {
            '|' => cells.push(std::mem::take(&mut cell).trim().to_string()),
            '\\' => match chars.next() {
                Some('n') => cell.push('\n'),
                Some(escaped @ ('|' | '\\')) => cell.push(escaped),
                Some(other) => cell.extend(['\\', other]),
                None => cell.push('\\'),
            },
            _ => cell.push(c),
        }
    }
    cells
}
