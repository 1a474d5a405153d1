//! The arguments of `quoit console`: mgconsole's, and cypher-shell's short ones.

use crate::bolt::{Credentials, DEFAULT_PORT, Encryption, Endpoint};
use crate::console::csv::CsvStyle;
use crate::exit::Failure;
use std::env;
use std::path::PathBuf;

/// The arguments of `quoit console`.
#[derive(Clone, Debug, clap::Args)]
pub struct ConsoleArgs {
    /// Server's name or address
    #[arg(long, value_name = "HOST", env = "QUOIT_HOST")]
    pub host: Option<String>,

    /// Server's Bolt port
    #[arg(long, value_name = "PORT", env = "QUOIT_BOLT_PORT")]
    pub port: Option<u16>,

    /// Server as host:port or bolt://, neo4j://, memgraph:// URI
    #[arg(short = 'a', long, alias = "uri", value_name = "ADDRESS", conflicts_with_all = ["host", "port"])]
    pub address: Option<String>,

    /// User name
    #[arg(short = 'u', long, value_name = "NAME")]
    pub username: Option<String>,

    /// Password; asked for if a user name is given without it
    #[arg(short = 'p', long, value_name = "TEXT", hide_env_values = true)]
    pub password: Option<String>,

    /// Database that statements run in
    #[arg(short = 'd', long, value_name = "NAME", env = "NEO4J_DATABASE")]
    pub database: Option<String>,

    /// Encrypt the connection
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true")]
    pub use_ssl: bool,

    /// Run the statements of this file and end
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Set a parameter, `name => expression` or `{name: expression}`; may be given several times
    #[arg(short = 'P', long = "param", value_name = "TEXT")]
    pub parameters: Vec<String>,

    /// Of statements that are not typed, run the rest after one has failed
    #[arg(long)]
    pub fail_at_end: bool,

    /// Form of results
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Tabular)]
    pub output_format: OutputFormat,

    /// Character between CSV fields
    #[arg(long, value_name = "CHAR", default_value_t = ',')]
    pub csv_delimiter: char,

    /// Character before a double quote in CSV fields, with --csv-doublequote=false
    #[arg(long, value_name = "CHAR", default_value_t = '\\')]
    pub csv_escapechar: char,

    /// Double a double quote in CSV fields
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true")]
    pub csv_doublequote: bool,

    /// Cut tables to the width of the screen
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true")]
    pub fit_to_screen: bool,

    /// Colour errors and warnings
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true")]
    pub term_colors: bool,

    /// After each answer, say what the server says of its planning and execution
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true")]
    pub verbose_execution_info: bool,

    /// Directory of the history file
    #[arg(
        long,
        value_name = "DIR",
        env = "MGCONSOLE_HISTORY_PATH",
        default_value = "~/.memgraph"
    )]
    pub history: String,

    /// Neither read nor write a history file
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true")]
    pub no_history: bool,

    /// Statements to run instead of typing them
    #[arg(value_name = "STATEMENTS")]
    pub statements: Option<String>,
}

/// `--output-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// Boxes of text
    Tabular,
    /// Comma separated values
    Csv,
    /// The raw text of one string column, as DUMP DATABASE gives it
    Cypherl,
}

const DEFAULT_HOST: &str = "127.0.0.1";

impl ConsoleArgs {
    /// Where to connect: arguments, then NEO4J_URI or NEO4J_ADDRESS, then 127.0.0.1:7687.
    pub fn endpoint(&self) -> Result<Endpoint, Failure> {
        let from_environment = || {
            let told = self.host.is_some() || self.port.is_some();
            let name = ["NEO4J_URI", "NEO4J_ADDRESS"];
            name.iter()
                .find_map(|name| env::var(name).ok())
                .filter(|_| !told)
        };
        let mut endpoint = match self.address.clone().or_else(from_environment) {
            Some(address) => address
                .parse::<Endpoint>()
                .map_err(|error| Failure::usage(error.to_string()))?,
            None => Endpoint::new(
                self.host.as_deref().unwrap_or(DEFAULT_HOST),
                self.port.unwrap_or(DEFAULT_PORT),
            ),
        };
        if self.use_ssl && endpoint.encryption == Encryption::Plain {
            endpoint.encryption = Encryption::AnyCertificate;
        }
        if let Some(user) = variable(&self.username, &["NEO4J_USERNAME", "MEMGRAPH_USER"]) {
            let variables = ["NEO4J_PASSWORD", "MEMGRAPH_PASSWORD"];
            endpoint.credentials = Some(Credentials {
                user,
                password: variable(&self.password, &variables).unwrap_or_default(),
            });
        }
        Ok(endpoint)
    }

    /// How CSV is to be written.
    pub fn csv_style(&self) -> CsvStyle {
        CsvStyle {
            delimiter: self.csv_delimiter,
            escape: (!self.csv_doublequote).then_some(self.csv_escapechar),
        }
    }

    /// The history directory, `~` resolved; `None` if no history is wanted or there is no home.
    pub fn history_directory(&self) -> Option<PathBuf> {
        if self.no_history {
            return None;
        }
        match self.history.strip_prefix("~/") {
            Some(rest) => Some(PathBuf::from(env::var_os("HOME")?).join(rest)),
            None => Some(PathBuf::from(&self.history)),
        }
    }
}

fn variable(given: &Option<String>, names: &[&str]) -> Option<String> {
    given
        .clone()
        .or_else(|| names.iter().find_map(|name| env::var(name).ok()))
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gflags::{Vocabulary, normalize};
    use clap::{Args, Command, FromArgMatches};

    fn parse(args: &[&str]) -> ConsoleArgs {
        let command = ConsoleArgs::augment_args(Command::new("console").no_binary_name(true));
        let args: Vec<String> = args.iter().map(|s| s.to_string()).collect();
        let normalized = normalize(&args, &Vocabulary::new(&command, &[])).unwrap();
        let matches = command.try_get_matches_from(normalized.args).unwrap();
        ConsoleArgs::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn mgconsoles_habits_are_understood() {
        let args = parse(&[
            "--host",
            "db",
            "-port=7688",
            "--use_ssl=false",
            "-output_format=csv",
            "--csv-delimiter=;",
            "--nocsv_doublequote",
            "--fit-to-screen",
            "--no_history",
        ]);
        let endpoint = args.endpoint().unwrap();
        assert_eq!(endpoint.address(), "db:7688");
        assert_eq!(endpoint.encryption, Encryption::Plain);
        assert_eq!(args.output_format, OutputFormat::Csv);
        let style = args.csv_style();
        assert_eq!((style.delimiter, style.escape), (';', Some('\\')));
        assert!(args.fit_to_screen);
        assert_eq!(args.history_directory(), None);
    }

    #[test]
    fn cypher_shells_habits_are_understood() {
        let args = parse(&[
            "-a",
            "neo4j+ssc://db:9",
            "-u",
            "ada",
            "-p",
            "secret",
            "-d",
            "movies",
            "-P",
            "x => 1",
            "--fail-at-end",
            "RETURN 1;",
        ]);
        let endpoint = args.endpoint().unwrap();
        assert_eq!(endpoint.address(), "db:9");
        assert_eq!(endpoint.encryption, Encryption::AnyCertificate);
        let credentials = endpoint.credentials.unwrap();
        assert_eq!(
            (&*credentials.user, &*credentials.password),
            ("ada", "secret")
        );
        assert_eq!(args.database.as_deref(), Some("movies"));
        assert_eq!(args.parameters, ["x => 1"]);
        assert_eq!(args.statements.as_deref(), Some("RETURN 1;"));
        assert!(args.fail_at_end);
    }
}
