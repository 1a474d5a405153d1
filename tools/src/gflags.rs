//! The habits of gflags, brought into the form clap understands.
//!
//! Memgraph and mgconsole take `--bolt_port`, `-bolt-port`, `--nofit-to-screen`, `--use-ssl=false`
//! and `--flag-file`; people and compose files rely on it. [`normalize`] runs before clap, knows the
//! names clap knows (asked from the `clap::Command` itself, so there is one list) and those of
//! Memgraph that Quoit does not implement, and rewrites every flag as `--name` or `--name=value`.
//!
//! Always holds: a flag that is neither ours nor Memgraph's is refused with the nearest name; a
//! Memgraph flag without meaning here is dropped and reported, once, by name. `--flag false` is
//! false (in gflags it is true, a known trap).
//!
//! Left to others: the values' types and ranges (clap), printing the warnings (`main`).

use std::fs;
use std::path::Path;

/// What follows a flag's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: the presence is the meaning (`--help`).
    Nothing,
    /// An optional boolean; alone it means true.
    Bool,
    /// Exactly one value.
    Value,
}

/// A flag by its long name, with dashes and without the leading ones.
#[derive(Clone, Debug)]
pub struct Flag {
    pub name: String,
    pub takes: Takes,
}

/// The flags that a command line may use.
pub struct Vocabulary {
    ours: Vec<Flag>,
    ignored: &'static [(&'static str, Takes)],
}

/// The outcome of [`normalize`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Normalized {
    /// Arguments for clap.
    pub args: Vec<String>,
    /// Memgraph flags that were given and have no effect, in order, each once.
    pub ignored: Vec<String>,
}

/// Why a command line was refused before clap saw it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FlagError {
    #[error("unknown flag '--{name}'{}", suggestion.as_ref().map(|s| format!("; did you mean '--{s}'?")).unwrap_or_default())]
    Unknown {
        name: String,
        suggestion: Option<String>,
    },
    #[error("flag '--{name}' wants true or false, not '{value}'")]
    NotBoolean { name: String, value: String },
    #[error("flag file '{path}': {reason}")]
    FlagFile { path: String, reason: String },
}

/// Flag files may name flag files; deeper than this they are taken for a loop.
const FLAG_FILE_DEPTH_MAX: usize = 8;
/// A flag file larger than this many bytes is not one.
const FLAG_FILE_BYTES_MAX: u64 = 1 << 20;
/// Names farther apart than this (0 to 1, 1 is equal) are not offered as a correction.
const SUGGESTION_SIMILARITY_MIN: f64 = 0.75;

impl Vocabulary {
    /// The flags of `command` (a leaf subcommand), and `ignored` ones to drop with a warning.
    pub fn new(command: &clap::Command, ignored: &'static [(&'static str, Takes)]) -> Self {
        let mut command = command.clone();
        command.build();
        let ours = command
            .get_arguments()
            .flat_map(|argument| {
                let takes = match argument.get_num_args() {
                    _ if !argument.get_action().takes_values() => Takes::Nothing,
                    Some(range) if range.min_values() == 0 => Takes::Bool,
                    _ => Takes::Value,
                };
                argument
                    .get_long_and_visible_aliases()
                    .unwrap_or_default()
                    .into_iter()
                    .map(move |name| Flag {
                        name: name.to_owned(),
                        takes,
                    })
            })
            .collect();
        Vocabulary { ours, ignored }
    }

    fn own(&self, name: &str) -> Option<Takes> {
        self.ours
            .iter()
            .find(|flag| flag.name == name)
            .map(|flag| flag.takes)
    }

    fn foreign(&self, name: &str) -> Option<Takes> {
        self.ignored
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, takes)| *takes)
    }

    fn knows(&self, name: &str) -> bool {
        self.own(name).is_some() || self.foreign(name).is_some() || name == FLAG_FILE
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let foreign = self.ignored.iter().map(|(known, _)| *known);
        self.ours
            .iter()
            .map(|flag| flag.name.as_str())
            .chain(foreign)
            .map(|known| (strsim::jaro_winkler(known, name), known))
            .filter(|(similarity, _)| *similarity >= SUGGESTION_SIMILARITY_MIN)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known.to_owned())
    }
}

const FLAG_FILE: &str = "flag-file";

/// Rewrites `args` (without the program's and the subcommand's names) for clap.
pub fn normalize(args: &[String], vocabulary: &Vocabulary) -> Result<Normalized, FlagError> {
    let mut out = Normalized::default();
    expand(args, vocabulary, &mut out, 0)?;
    Ok(out)
}

fn expand(
    args: &[String],
    vocabulary: &Vocabulary,
    out: &mut Normalized,
    depth: usize,
) -> Result<(), FlagError> {
    let mut rest = args.iter().peekable();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            out.args.push(arg.clone());
            out.args.extend(rest.cloned());
            return Ok(());
        }
        let Some((name, inline)) = long_flag(arg, vocabulary) else {
            out.args.push(arg.clone());
            continue;
        };
        if name == FLAG_FILE {
            let path = match inline.or_else(|| rest.next().cloned()) {
                Some(path) => path,
                None => {
                    return Err(FlagError::FlagFile {
                        path: String::new(),
                        reason: "no path was given".into(),
                    });
                }
            };
            let lines = flag_file(&path, depth)?;
            expand(&lines, vocabulary, out, depth + 1)?;
            continue;
        }
        if let Some(takes) = vocabulary.own(&name) {
            let value = match takes {
                Takes::Nothing => match inline {
                    None => None,
                    Some(value) => match boolean(&value) {
                        Some(true) => None,
                        Some(false) => continue,
                        None => return Err(FlagError::NotBoolean { name, value }),
                    },
                },
                Takes::Bool => {
                    let value = match inline {
                        Some(value) => Some(value),
                        None => rest.next_if(|next| boolean(next).is_some()).cloned(),
                    };
                    match value.as_deref().map(boolean) {
                        None => Some("true".to_owned()),
                        Some(Some(truth)) => Some(truth.to_string()),
                        Some(None) => {
                            let value = value.unwrap_or_default();
                            return Err(FlagError::NotBoolean { name, value });
                        }
                    }
                }
                Takes::Value => {
                    inline.or_else(|| rest.next_if(|next| !next.starts_with("--")).cloned())
                }
            };
            out.args.push(match value {
                Some(value) => format!("--{name}={value}"),
                None => format!("--{name}"),
            });
        } else if let Some(takes) = vocabulary.foreign(&name) {
            if inline.is_none() {
                match takes {
                    Takes::Nothing => {}
                    Takes::Bool => drop(rest.next_if(|next| boolean(next).is_some())),
                    Takes::Value => drop(rest.next_if(|next| !next.starts_with("--"))),
                }
            }
            if !out.ignored.contains(&name) {
                out.ignored.push(name);
            }
        } else if let Some(positive) = negated(&name, vocabulary) {
            match vocabulary.own(&positive) {
                Some(Takes::Bool) => out.args.push(format!("--{positive}=false")),
                Some(_) => {}
                None if out.ignored.contains(&positive) => {}
                None => out.ignored.push(positive),
            }
        } else {
            let suggestion = vocabulary.nearest(&name);
            return Err(FlagError::Unknown { name, suggestion });
        }
    }
    Ok(())
}

/// The name (with dashes) and the inline value of a long flag, or `None` for anything else. One
/// dash is enough if the name is known, so that clap's short flags and their clusters stay its own.
fn long_flag(arg: &str, vocabulary: &Vocabulary) -> Option<(String, Option<String>)> {
    let (body, dashes) = match arg.strip_prefix("--") {
        Some(body) => (body, 2),
        None => (arg.strip_prefix('-')?, 1),
    };
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (body, None),
    };
    let name = name.replace('_', "-");
    let known = vocabulary.knows(&name) || negated(&name, vocabulary).is_some();
    (dashes == 2 || (name.len() > 1 && known)).then_some((name, value))
}

/// `nofit-to-screen` or `no-fit-to-screen` → `fit-to-screen`, if that is a boolean we know.
fn negated(name: &str, vocabulary: &Vocabulary) -> Option<String> {
    if vocabulary.knows(name) {
        return None;
    }
    let positive = name.strip_prefix("no")?;
    let positive = positive.strip_prefix('-').unwrap_or(positive);
    match vocabulary
        .own(positive)
        .or_else(|| vocabulary.foreign(positive))
    {
        Some(Takes::Bool | Takes::Nothing) => Some(positive.to_owned()),
        _ => None,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// The flags of a file in the gflags form: one `--name=value` a line, `#` comments, blank lines.
fn flag_file(path: &str, depth: usize) -> Result<Vec<String>, FlagError> {
    let error = |reason: String| FlagError::FlagFile {
        path: path.to_owned(),
        reason,
    };
    if depth >= FLAG_FILE_DEPTH_MAX {
        return Err(error(
            "flag files name each other more than 8 deep".to_owned(),
        ));
    }
    let size = fs::metadata(Path::new(path)).map_err(|e| error(e.to_string()))?;
    if size.len() > FLAG_FILE_BYTES_MAX {
        return Err(error("is larger than 1 MiB".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| match line.starts_with('-') {
            true => Ok(line.to_owned()),
            false => Err(error(format!("'{line}' is not of the form --name=value"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io::Write;

    #[derive(clap::Parser)]
    #[allow(dead_code)]
    struct Sample {
        #[arg(long, default_value_t = 0)]
        bolt_port: u16,
        #[arg(short = 'u', long, default_value = "")]
        username: String,
        #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
              default_value = "false", default_missing_value = "true")]
        use_ssl: bool,
        #[arg(long)]
        no_history: bool,
    }

    const MEMGRAPH: &[(&str, Takes)] = &[
        ("storage-wal-enabled", Takes::Bool),
        ("metrics-format", Takes::Value),
    ];

    fn vocabulary() -> Vocabulary {
        use clap::CommandFactory;
        Vocabulary::new(&Sample::command(), MEMGRAPH)
    }

    fn run(args: &[&str]) -> Result<Normalized, FlagError> {
        let args: Vec<String> = args.iter().map(|s| s.to_string()).collect();
        normalize(&args, &vocabulary())
    }

    fn args_of(args: &[&str]) -> Vec<String> {
        run(args).unwrap().args
    }

    #[test]
    fn underscores_and_single_dashes_mean_the_same_flag() {
        for form in [
            &["--bolt-port", "1"][..],
            &["--bolt_port", "1"],
            &["-bolt-port", "1"],
            &["-bolt_port=1"],
            &["--bolt_port=1"],
        ] {
            assert_eq!(args_of(form), ["--bolt-port=1"], "{form:?}");
        }
    }

    #[test]
    fn a_boolean_takes_its_value_after_a_blank_too() {
        assert_eq!(args_of(&["--use-ssl"]), ["--use-ssl=true"]);
        assert_eq!(args_of(&["--use-ssl", "false"]), ["--use-ssl=false"]);
        assert_eq!(args_of(&["-use_ssl=F"]), ["--use-ssl=false"]);
        assert_eq!(args_of(&["--nouse-ssl"]), ["--use-ssl=false"]);
        assert_eq!(
            args_of(&["--use-ssl", "RETURN 1"]),
            ["--use-ssl=true", "RETURN 1"]
        );
        assert_eq!(
            run(&["--use-ssl=perhaps"]),
            Err(FlagError::NotBoolean {
                name: "use-ssl".into(),
                value: "perhaps".into()
            })
        );
    }

    #[test]
    fn a_flag_whose_own_name_begins_with_no_is_not_a_negation() {
        assert_eq!(args_of(&["--no-history"]), ["--no-history"]);
        assert_eq!(args_of(&["--no_history=false"]), Vec::<String>::new());
    }

    #[test]
    fn short_flags_and_values_pass_untouched() {
        assert_eq!(args_of(&["-u", "ada", "x_y"]), ["-u", "ada", "x_y"]);
        assert_eq!(
            args_of(&["--username", "-odd_name"]),
            ["--username=-odd_name"]
        );
        assert_eq!(args_of(&["--", "--bolt_port"]), ["--", "--bolt_port"]);
    }

    #[test]
    fn memgraph_flags_are_dropped_and_named_once() {
        let normalized = run(&[
            "--storage_wal_enabled=true",
            "--metrics-format",
            "JSON",
            "--storage-wal-enabled",
            "false",
            "--nostorage-wal-enabled",
            "--bolt-port=1",
        ])
        .unwrap();
        assert_eq!(normalized.args, ["--bolt-port=1"]);
        assert_eq!(
            normalized.ignored,
            ["storage-wal-enabled", "metrics-format"]
        );
    }

    #[test]
    fn an_unknown_flag_is_refused_with_the_nearest_name() {
        let error = run(&["--bolt_prot=1"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown flag '--bolt-prot'; did you mean '--bolt-port'?"
        );
        let error = run(&["--xyzzy"]).unwrap_err();
        assert_eq!(error.to_string(), "unknown flag '--xyzzy'");
    }

    #[test]
    fn a_flag_file_is_read_in_place_and_a_loop_of_them_is_refused() {
        let dir = std::env::temp_dir().join(format!("quoit-flags-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("a.conf");
        let mut file = fs::File::create(&path).unwrap();
        writeln!(file, "# comment\n\n--bolt_port=9\n--metrics_format=JSON").unwrap();
        let normalized = run(&["--flag-file", path.to_str().unwrap()]).unwrap();
        assert_eq!(normalized.args, ["--bolt-port=9"]);
        assert_eq!(normalized.ignored, ["metrics-format"]);

        writeln!(file, "--flag-file={}", path.display()).unwrap();
        let error = run(&["--flag_file", path.to_str().unwrap()]).unwrap_err();
        assert!(error.to_string().contains("8 deep"), "{error}");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_comes_out_is_what_clap_takes() {
        let args = args_of(&["-bolt_port", "7", "-u", "a", "--nouse_ssl", "--no-history"]);
        let sample = Sample::try_parse_from(std::iter::once("x".to_owned()).chain(args)).unwrap();
        assert_eq!(sample.bolt_port, 7);
        assert!(!sample.use_ssl);
        assert!(sample.no_history);
    }
}
