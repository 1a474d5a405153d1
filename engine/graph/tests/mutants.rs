//! Broken variants of the engine, each of which the proofs of isolation have to find.
//!
//! A variant runs in a process of its own (this binary again), since what it breaks may end a process: first all interleavings of
//! small transactions, then histories on threads. It is caught when one of them fails; the table says which.
#![cfg(all(feature = "mutants", not(loom)))]

mod isolation_kit;

use isolation_kit::interleavings::{Stage, Tried, pairs};
use isolation_kit::lists::LAYOUTS;
use isolation_kit::runs::{Run, history};
use quoit_graph::Isolation;
use quoit_graph::mutants::Mutant;
use quoit_histories::check::{Level, check};
use std::panic::catch_unwind;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a variant may take before it is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(40);
/// Seeds that histories are run from before a variant is let go.
const SEEDS: u64 = 4;

/// What the interleavings find, in a word or two.
fn interleavings_object() -> Option<String> {
    let panic = catch_unwind(|| {
        let mut tried = Tried::default();
        pairs(&Stage::new(usize::MAX), Isolation::Snapshot, &mut tried);
    })
    .err()?;
    let words = panic.downcast_ref::<String>().map_or("", String::as_str);
    Some(words.lines().next().unwrap_or_default().to_owned())
}

/// How the checker's words begin where it names what it has found, not where the engine's own assertions did.
const NAMED: &str = "checker ";

/// Whether a variant breaks isolation, so that the checker of histories has to name it; the others break edges or the rights that
/// keep them whole, which the interleavings have to find.
fn is_of_isolation(mutant: Mutant) -> bool {
    !matches!(
        mutant,
        Mutant::EdgeOnOneSide
            | Mutant::DeletedOnOneSide
            | Mutant::NoSharedRight
            | Mutant::NoExclusiveRight
    )
}

/// What the checker finds in histories of snapshot isolation; the first assertion of the engine's own if it finds nothing.
fn histories_object() -> Option<String> {
    let mut asserted = None;
    for seed in 1..=SEEDS {
        for layout in LAYOUTS {
            let run = Run {
                layout,
                isolation: Isolation::Snapshot,
                cores: 4,
                transactions: 150,
                seed,
            };
            let Ok(history) = catch_unwind(|| history(run)) else {
                asserted =
                    asserted.or_else(|| Some(format!("{layout:?}: the engine's own assertion")));
                continue;
            };
            let found = check(&history).violations(Level::StrongSnapshot);
            if !found.is_empty() {
                return Some(format!("{NAMED}{layout:?}: {found:?}"));
            }
        }
    }
    asserted
}

/// Runs in the process of a variant, which an ordinary run of the tests is not.
#[test]
fn a_variant_is_looked_at() {
    let (Ok(name), Ok(side)) = (std::env::var("QUOIT_MUTANT"), std::env::var("QUOIT_SIDE")) else {
        return;
    };
    let known = Mutant::ALL
        .into_iter()
        .find(|mutant| format!("{mutant:?}") == name);
    match known {
        Some(mutant) => mutant.switch_on(),
        None => assert_eq!(name, "none"),
    }
    // What breaks a rule of the engine's may unwind into another and end the process: so it is told at once.
    std::panic::set_hook(Box::new(|panic| {
        let words = panic.payload_as_str().unwrap_or_default();
        println!("panic|{}", words.lines().next().unwrap_or_default());
    }));
    let found = match side.as_str() {
        "interleavings" => interleavings_object(),
        _ => histories_object(),
    };
    println!("found|{}", found.unwrap_or_default());
}

/// What one side finds in a variant; an end without a word counts as found.
fn look_at(name: &str, side: &str) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_variant_is_looked_at", "--nocapture"])
        .env("QUOIT_MUTANT", name)
        .env("QUOIT_SIDE", side)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let text = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
    let line = |by| {
        let mut lines = text.lines();
        lines.find_map(|line| line.split_once(by).map(|(_, words)| words.to_owned()))
    };
    match (line("found|"), status) {
        (Some(words), _) => Some(words).filter(|words| !words.is_empty()),
        (None, None) => Some("the engine does not come to an end".to_owned()),
        (None, Some(_)) => line("panic|").or(Some("the process ended".to_owned())),
    }
}

#[test]
fn every_broken_variant_is_caught_and_the_engine_itself_is_not() {
    let sides = ["interleavings", "histories"];
    assert_eq!(sides.map(|side| look_at("none", side)), [None, None]);
    let mut caught = 0;
    for mutant in Mutant::ALL {
        let found = sides.map(|side| look_at(&format!("{mutant:?}"), side));
        let as_it_should = match (&found, is_of_isolation(mutant)) {
            ([_, Some(words)], true) => words.starts_with(NAMED),
            ([found, _], false) => found.is_some(),
            ([_, None], true) => false,
        };
        caught += usize::from(as_it_should);
        let [interleavings, histories] = found.map(|words| {
            let words = words.unwrap_or_else(|| "-".to_owned());
            words.chars().take(64).collect::<String>()
        });
        println!("{mutant:<24?} | {interleavings:<64} | {histories}");
    }
    println!("caught {caught}/{}", Mutant::ALL.len());
    assert_eq!(caught, Mutant::ALL.len());
}
