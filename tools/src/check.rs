//! `quoit check`: is what lies in a data directory what was written, and what would a start do about it?
//!
//! Owns the command and its lines. Called by `cli`. What always holds: nothing is changed; a directory that a server uses is refused; every byte
//! that counts is read, with one segment or block in memory at a time. The rules are those of the server (`quoit_log::check`,
//! `quoit_log::snapshot`, `quoit_replication::node_record`).

use crate::exit::{Exit, Failure, Outcome};
use bytes::Bytes;
use quoit_log::recovery::Decision;
use quoit_log::segment::SegmentNumber;
use quoit_log::snapshot::layout::decode_manifest;
use quoit_log::snapshot::offline::{self, Fault};
use quoit_log::{CommitSeq, check::check_each};
use quoit_replication::node_record::{NodeRecordFile, RoleRecord};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// The arguments of `quoit check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The data directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Print one JSON object a line instead
    #[arg(long)]
    pub json: bool,
}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it was written.
    Ok,
    /// A start does something about it, and loses nothing that was promised.
    Note,
    /// A start refuses, or passes it over.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, serde::Serialize)]
struct Finding {
    verdict: Verdict,
    what: String,
    found: String,
}

/// Runs `quoit check`.
pub fn run(args: &CheckArgs) -> Outcome {
    let directory = &args.directory;
    let refused = |error: io::Error| {
        let shown = directory.display();
        Failure::failed(format!("{shown} cannot be read: {error}"))
    };
    fs::read_dir(directory).map_err(refused)?;
    let _lock = lock(directory)?;
    let mut findings = vec![node(directory)];
    let (log, end) = log(directory);
    findings.push(log);
    findings.extend(snapshots(directory, end));
    findings.extend(leftovers(directory));
    for finding in &findings {
        if args.json {
            let line = serde_json::to_string(finding);
            println!("{}", line.expect("a finding is words"));
        } else {
            let verdict = match finding.verdict {
                Verdict::Ok => "ok     ",
                Verdict::Note => "note   ",
                Verdict::Problem => "PROBLEM",
            };
            println!("{verdict}  {}: {}", finding.what, finding.found);
        }
    }
    match findings.iter().any(|f| f.verdict == Verdict::Problem) {
        true => Err(Failure::silent(Exit::Failed)),
        false => Ok(()),
    }
}

/// The directory's lock, where there is one; nothing is made.
fn lock(directory: &Path) -> Result<Option<File>, Failure> {
    let Ok(file) = File::open(directory.join(".lock")) else {
        return Ok(None);
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Failure::new(
            Exit::DataDirectoryLocked,
            format!("a server uses {}; stop it first", directory.display()),
        )),
        Err(TryLockError::Error(error)) => Err(Failure::failed(format!(
            "the lock of {} cannot be taken: {error}",
            directory.display()
        ))),
    }
}

fn finding(verdict: Verdict, what: impl Into<String>, found: impl Into<String>) -> Finding {
    Finding {
        verdict,
        what: what.into(),
        found: found.into(),
    }
}

fn node(directory: &Path) -> Finding {
    match NodeRecordFile::read(directory) {
        Ok(None) => finding(
            Verdict::Note,
            "node record",
            "none: this directory has not been used yet",
        ),
        Err(error) => finding(Verdict::Problem, "node record", error.to_string()),
        Ok(Some(record)) => {
            let role = match record.role {
                RoleRecord::Main(replicas) => format!("main with {} replicas", replicas.len()),
                RoleRecord::Replica { listen, .. } => format!("replica, listens on {listen}"),
            };
            let term = record
                .term
                .map_or("no term".to_owned(), |term| format!("term {term}"));
            let fenced = if record.fenced { ", fenced" } else { "" };
            finding(
                Verdict::Ok,
                "node record",
                format!("{role}, {term}{fenced}"),
            )
        }
    }
}

/// The log's finding; its id and its last commit, if it can be used.
fn log(directory: &Path) -> (Finding, Option<(u64, CommitSeq)>) {
    let directory = directory.join("log");
    let name = |segment: SegmentNumber| directory.join(segment.file_name());
    let mut segments: Vec<SegmentNumber> = match fs::read_dir(&directory) {
        Ok(entries) => entries
            .flatten()
            .filter_map(|entry| SegmentNumber::from_file_name(entry.file_name().to_str()?))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let found = format!("{} cannot be read: {error}", directory.display());
            return (finding(Verdict::Problem, "log", found), None);
        }
    };
    segments.sort();
    if segments.is_empty() {
        return (finding(Verdict::Note, "log", "empty"), None);
    }
    let bytes_of = |segment: SegmentNumber| {
        let path = name(segment);
        fs::read(&path)
            .map(Bytes::from)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let verdict = match check_each(&segments, bytes_of, |_| {}) {
        Ok(verdict) => verdict,
        Err(error) => return (finding(Verdict::Problem, "log", error), None),
    };
    let all = format!(
        "{} segments, {} groups, {} transactions, ends at {}",
        segments.len(),
        verdict.groups,
        verdict.frames,
        verdict.position
    );
    let place = verdict
        .stop
        .as_ref()
        .map_or(String::new(), |(segment, offset, stop)| {
            format!(
                "{} at offset {offset}: {}",
                name(*segment).display(),
                stop.describe()
            )
        });
    let found = match verdict.decision {
        Decision::Clean => finding(Verdict::Ok, "log", all),
        Decision::Cut => finding(
            Verdict::Note,
            "log",
            format!(
                "{all}; what stands behind was not synced ({place}): a start cuts it off and keeps it in a rescue file"
            ),
        ),
        Decision::Refuse => finding(
            Verdict::Problem,
            "log",
            format!(
                "{all}; damaged below its durable mark: {place}. A start refuses. Restore the directory from a backup or a replica, or move the file aside to give up every commit behind"
            ),
        ),
    };
    let is_usable = verdict.decision != Decision::Refuse;
    let end = is_usable.then_some((verdict.log_id.0, verdict.position.commit));
    (found, end)
}

fn snapshots(directory: &Path, log: Option<(u64, CommitSeq)>) -> Vec<Finding> {
    let directory = directory.join("snapshots");
    let Ok(entries) = fs::read_dir(&directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("snapshot-") && name.ends_with(".manifest"))
        .collect();
    names.sort();
    let look = |name: String| {
        let what = format!("snapshot {}", name.trim_end_matches(".manifest"));
        match snapshot(&directory, &name, log) {
            Ok((verdict, found)) => finding(verdict, what, found),
            Err(found) => finding(Verdict::Problem, what, found),
        }
    };
    names.into_iter().map(look).collect()
}

fn snapshot(
    directory: &Path,
    name: &str,
    log: Option<(u64, CommitSeq)>,
) -> Result<(Verdict, String), String> {
    const REMEDY: &str = "a start passes it over for an older one or the log";
    let path = directory.join(name);
    let unread =
        |path: &Path, error: &io::Error| format!("{} cannot be read: {error}", path.display());
    let wrong = |path: &Path, offset: u64, what: &str| {
        format!("{} at offset {offset}: {what}; {REMEDY}", path.display())
    };
    let manifest = fs::read(&path).map_err(|error| unread(&path, &error))?;
    let (head, parts) = decode_manifest(&manifest).map_err(|(at, what)| wrong(&path, at, &what))?;
    let mut bytes = 0;
    for part in &parts {
        let stem = name.trim_end_matches(".manifest");
        let path = directory.join(format!("{stem}.part-{:04}", part.part));
        let file = File::open(&path).map_err(|error| unread(&path, &error))?;
        let size = file
            .metadata()
            .map_err(|error| unread(&path, &error))?
            .len();
        let mut input = BufReader::with_capacity(1 << 20, file);
        let checked = offline::check_part(&mut input, size, &head, part);
        checked.map_err(|fault| match fault {
            Fault::Io(error) => unread(&path, &error),
            Fault::Bytes(at, what) => wrong(&path, at, &what),
        })?;
        bytes += part.bytes;
    }
    let all = format!(
        "{bytes} bytes in {} parts, up to commit {}",
        parts.len(),
        head.commit.0
    );
    match log {
        Some((id, _)) if id != head.log_id => Err(format!(
            "{all}; it belongs to another log: a start refuses. Restore its log, or move the snapshot aside"
        )),
        Some((_, last)) if last < head.commit => Err(format!(
            "{all}; the log ends below it, at commit {}: a start refuses. Restore the log, or move the snapshot aside",
            last.0
        )),
        Some(_) => Ok((Verdict::Ok, all)),
        None => Ok((
            Verdict::Note,
            format!("{all}; there is no log that it could be held against"),
        )),
    }
}

/// What earlier starts have put aside.
fn leftovers(directory: &Path) -> Vec<Finding> {
    let Ok(entries) = fs::read_dir(directory.join("log")) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cut"))
        .collect();
    paths.sort();
    let kept = |path: PathBuf| {
        let found = format!(
            "{}: kept from a cut; remove it when nobody asks for it",
            path.display()
        );
        finding(Verdict::Note, "rescue file", found)
    };
    paths.into_iter().map(kept).collect()
}
