//! As much of Gherkin as the TCK uses: files to cases, outlines to one case a row.

use std::fs;
use std::path::{Path, PathBuf};

/// One case: a scenario, or one row of an outline.
pub struct Case {
    /// Folder below `features`.
    pub folder: String,
    /// File, scenario and row.
    pub name: String,
    /// All steps, those of the background first.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone)]
pub struct Step {
    /// Without keyword.
    pub text: String,
    /// The doc string.
    pub doc: Option<String>,
    /// The table's rows.
    pub table: Vec<Vec<String>>,
}

/// All cases below a folder, in the order of file names.
pub fn cases(features: &Path) -> Vec<Case> {
    let mut files = Vec::new();
    collect(features, &mut files);
    files.sort();
    files
        .iter()
        .flat_map(|file| feature(features, file))
        .collect()
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

struct Scenario {
    name: String,
    ignored: bool,
    steps: Vec<Step>,
    examples: Vec<Vec<String>>,
}

fn feature(features: &Path, file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("a feature is UTF-8");
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let parent = file.parent().unwrap_or(features);
    let folder = parent
        .strip_prefix(features)
        .unwrap_or(parent)
        .to_string_lossy()
        .into_owned();
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    let mut background: Vec<Step> = Vec::new();
    let mut scenarios: Vec<Scenario> = Vec::new();
    let (mut in_background, mut in_examples, mut ignored) = (false, false, false);
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with("Feature:") {
            continue;
        }
        let scenario = trimmed
            .strip_prefix("Scenario Outline:")
            .or(trimmed.strip_prefix("Scenario:"));
        if trimmed.starts_with('@') {
            ignored |= trimmed.contains("@ignore");
        } else if trimmed.starts_with("Background:") {
            in_background = true;
        } else if let Some(name) = scenario {
            (in_background, in_examples) = (false, false);
            let name = format!("{stem} {}", name.trim());
            scenarios.push(Scenario {
                name,
                ignored,
                steps: Vec::new(),
                examples: Vec::new(),
            });
            ignored = false;
        } else if trimmed.starts_with("Examples:") {
            in_examples = true;
        } else if trimmed.starts_with('|') {
            let row = cells(trimmed);
            match scenarios.last_mut() {
                Some(scenario) if in_examples => scenario.examples.push(row),
                Some(scenario) if !in_background => scenario
                    .steps
                    .last_mut()
                    .expect("a table has a step")
                    .table
                    .push(row),
                _ => background
                    .last_mut()
                    .expect("a table has a step")
                    .table
                    .push(row),
            }
        } else if trimmed.starts_with("\"\"\"") {
            let indent = line.len() - line.trim_start().len();
            let mut doc = Vec::new();
            for line in lines.by_ref() {
                if line.trim().starts_with("\"\"\"") {
                    break;
                }
                let blank = line.len() - line.trim_start().len();
                doc.push(&line[indent.min(blank)..]);
            }
            let steps = match scenarios.last_mut() {
                Some(scenario) if !in_background => &mut scenario.steps,
                _ => &mut background,
            };
            steps.last_mut().expect("a doc string has a step").doc = Some(doc.join("\n"));
        } else {
            let text = trimmed
                .split_once(' ')
                .map_or(trimmed, |(_, text)| text)
                .trim()
                .to_owned();
            let step = Step {
                text,
                doc: None,
                table: Vec::new(),
            };
            match scenarios.last_mut() {
                Some(scenario) if !in_background => scenario.steps.push(step),
                _ => background.push(step),
            }
        }
    }
    let mut cases = Vec::new();
    for scenario in scenarios.into_iter().filter(|scenario| !scenario.ignored) {
        let steps: Vec<Step> = background.iter().cloned().chain(scenario.steps).collect();
        let Some((header, rows)) = scenario.examples.split_first() else {
            cases.push(Case {
                folder: folder.clone(),
                name: scenario.name,
                steps,
            });
            continue;
        };
        for (number, row) in rows.iter().enumerate() {
            let fill = |text: &str| fill(text, header, row);
            let filled = steps
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
            let name = format!("{} #{}", scenario.name, number + 1);
            cases.push(Case {
                folder: folder.clone(),
                name,
                steps: filled,
            });
        }
    }
    cases
}

/// Replaces `<header>` by the row's cells in one pass, so that a cell's own text is not looked into.
fn fill(text: &str, header: &[String], row: &[String]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = header.iter().zip(row).find_map(|(key, cell)| {
            let placeholder = format!("<{key}>");
            rest.starts_with(&placeholder)
                .then_some((placeholder.len(), cell))
        });
        match found {
            Some((length, cell)) => {
                out.push_str(cell);
                rest = &rest[length..];
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// Cells of a table's line; a lone `|` has none.
fn cells(line: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut chars = line.trim().chars().skip(1);
    while let Some(c) = chars.next() {
        match c {
            '|' => cells.push(std::mem::take(&mut cell).trim().to_owned()),
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
