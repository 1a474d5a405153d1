//! Every query of the openCypher TCK is parsed and checked: what the TCK runs must be accepted, and what it refuses at compile
//! time must be refused with its type and detail.
//!
//! The features are looked for in the folder that `QUOIT_TCK` names, else beside the repository; without them the test says so and passes, since
//! the features are no part of it. Their format is described in the folder's README.

mod gherkin;

use std::path::PathBuf;

use gherkin::{Case, Outcome, cases};
use quoit_cypher::check::{Checked, ProcedureSignature, Procedures, ValueType, check};
use quoit_cypher::error::Error;
use quoit_cypher::normalise::{Normalised, normalise};
use quoit_cypher::parser::{parse, parse_with_extracted};

struct Registered(Vec<ProcedureSignature>);

impl Procedures for Registered {
    fn find(&self, name: &str) -> Option<&ProcedureSignature> {
        self.0.iter().find(|signature| &*signature.name == name)
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|signature| &*signature.name).collect()
    }
}

fn features() -> Option<PathBuf> {
    let folder = match std::env::var_os("QUOIT_TCK") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tck"),
    };
    let features = folder.join("features");
    features.is_dir().then_some(features)
}

/// `name(a :: T?, b :: T?) :: (c :: T?)`.
fn signature(text: &str) -> ProcedureSignature {
    let (name, rest) = text.split_once('(').expect("a signature has inputs");
    let (inputs, rest) = rest.split_once(')').expect("the inputs end");
    let outputs = rest
        .trim()
        .trim_start_matches("::")
        .trim()
        .trim_matches(['(', ')']);
    let fields = |list: &str| {
        list.split(',')
            .filter_map(|field| field.split_once("::"))
            .map(|(name, kind)| {
                let kind = match kind.trim().trim_end_matches('?') {
                    "STRING" => ValueType::STRING,
                    "INTEGER" => ValueType::INTEGER,
                    "FLOAT" => ValueType::FLOAT,
                    "NUMBER" => ValueType::NUMBER,
                    other => panic!("type {other}"),
                };
                (name.trim().into(), kind)
            })
            .collect()
    };
    ProcedureSignature {
        name: name.trim().into(),
        inputs: fields(inputs),
        outputs: fields(outputs),
        optional: 0,
        writes: false,
    }
}

fn accept(case: &Case, query: &str) -> Result<(), Error> {
    let procedures = Registered(case.procedures.iter().map(|text| signature(text)).collect());
    let checked = check(parse(query)?, &procedures)?;
    for name in &checked.parameters {
        if !case.parameters.iter().any(|given| **given == **name) {
            return Err(Error::new(
                quoit_cypher::error::ErrorKind::ParameterMissing,
                quoit_cypher::error::Phase::CompileTime,
                quoit_cypher::error::Detail::MissingParameter,
                format!("parameter ${name} was not given"),
            ));
        }
    }
    Ok(())
}

#[test]
fn the_tck_is_parsed_and_checked() {
    let Some(folder) = features() else {
        println!("the TCK's features are not here; nothing was looked at");
        return;
    };
    let cases = cases(&folder);
    let (mut accepted, mut refused, mut failures) = (0, 0, Vec::new());
    for case in &cases {
        for setup in case.setup.iter().chain(&case.control) {
            if let Err(error) = accept(case, setup) {
                failures.push(format!(
                    "{}: set-up or control\n{setup}\n{error:?}\n",
                    case.name
                ));
            }
        }
        let outcome = accept(case, &case.query);
        match (&case.outcome, outcome) {
            (
                Outcome::Error {
                    kind,
                    phase,
                    detail,
                },
                Err(error),
            ) if phase == "any time" => {
                if error.kind().as_str() == kind
                    && (detail == "*" || error.detail().as_str() == detail)
                {
                    refused += 1;
                } else {
                    failures.push(format!(
                        "{}: expected {kind} {detail}
{}
{error:?}
",
                        case.name, case.query
                    ));
                }
            }
            (
                Outcome::Error {
                    kind,
                    phase,
                    detail,
                },
                Err(error),
            ) if phase == "compile time" => {
                if error.kind().as_str() == kind && error.detail().as_str() == detail {
                    assert_eq!(error.phase().as_str(), "compile time");
                    refused += 1;
                } else {
                    failures.push(format!(
                        "{}: expected {kind} {detail}\n{}\n{error:?}\n",
                        case.name, case.query
                    ));
                }
            }
            (
                Outcome::Error {
                    kind,
                    phase,
                    detail,
                },
                Ok(()),
            ) if phase == "compile time" => {
                failures.push(format!(
                    "{}: accepted, expected {kind} {detail}\n{}\n",
                    case.name, case.query
                ));
            }
            (_, Ok(())) => accepted += 1,
            (_, Err(error)) => failures.push(format!(
                "{}: refused\n{}\n{}\n{error:?}\n",
                case.name,
                case.query,
                error.render(&case.query)
            )),
        }
    }
    println!(
        "{} cases: {accepted} accepted, {refused} refused as expected, {} wrong",
        cases.len(),
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(accepted > 1000, "only {accepted} cases were found");
}

#[test]
fn extracted_literals_of_the_tck_change_neither_columns_nor_acceptance() {
    let Some(folder) = features() else {
        println!("the TCK's features are not here; nothing was looked at");
        return;
    };
    let mut normalised = Normalised::new();
    let (mut keyed, mut again, mut failures) = (0, 0, Vec::new());
    for case in cases(&folder) {
        let procedures = Registered(case.procedures.iter().map(|text| signature(text)).collect());
        let Ok(plain) = parse(&case.query).and_then(|tree| check(tree, &procedures)) else {
            continue;
        };
        if !normalise(&case.query, &mut normalised) {
            continue;
        }
        keyed += 1;
        let tree = match parse_with_extracted(&case.query, normalised.positions()) {
            Ok(tree) => tree,
            Err(error) => {
                failures.push(format!("{}: {}\n{error:?}", case.name, case.query));
                continue;
            }
        };
        // Each position is a literal of the tree.
        let found = format!("{tree:?}").matches("extracted: Some(").count();
        if found != normalised.positions().len() {
            failures.push(format!(
                "{}: {}\n{found} literals know their number\n{}",
                case.name,
                case.query,
                normalised.key()
            ));
        }
        let names = |checked: &Checked| -> Vec<String> {
            checked
                .columns()
                .iter()
                .map(|column| column.name.to_string())
                .collect()
        };
        match check(tree, &procedures) {
            Ok(extracted) if names(&extracted) == names(&plain) => {}
            Ok(extracted) => failures.push(format!("{}: {:?}", case.query, names(&extracted))),
            Err(_) => again += 1,
        }
    }
    println!("{keyed} queries have a key, {again} of them must be parsed again without extraction");
    assert!(
        failures.is_empty(),
        "{} wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(
        keyed > 1000 && again * 100 < keyed,
        "{keyed} keys, {again} parsed again"
    );
}
