//! Lines that begin with `:`, which are for the console and not for the server.

/// A command, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Quit,
    Docs,
    Begin,
    Commit,
    Rollback,
    /// Run the statements of a file.
    Source(String),
    /// Use a database; `None` is the default one.
    Use(Option<String>),
    /// Show all parameters.
    Parameters,
    /// Forget all parameters.
    ClearParameters,
    /// Set a parameter to what an expression gives.
    SetParameter {
        name: String,
        expression: String,
    },
    /// Set the parameters that the entries of a map expression give.
    SetParameters {
        expression: String,
    },
    /// Anything else, trimmed.
    Unknown(String),
}

/// What `:help` shows.
pub const HELP: &str = "\
Type Cypher statements; a statement may span lines and ends with a semicolon (;).
Ctrl-C cancels the statement that runs, Ctrl-D ends the console.

    :help                    this text
    :quit                    end (:exit does too)
    :docs                    where to read more
    :begin                   open an explicit transaction
    :commit                  commit it
    :rollback                roll it back
    :param NAME => EXPR      set parameter $NAME to what EXPR gives
    :param {NAME: EXPR}      set several
    :param                   show all parameters; :param clear forgets them
    :source FILE             run the statements of a file
    :use DATABASE            use another database; without a name the default one
";

/// What `:docs` shows.
pub const DOCS: &str = "\
Quoit is described in README.md of its repository and by 'quoit --help'.
Cypher: the openCypher reference, https://opencypher.org/resources/
";

impl Command {
    /// Takes a line apart that begins with `:`; `None` if it does not.
    pub fn parse(line: &str) -> Option<Command> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let body = line.strip_prefix(':')?;
        let (word, rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
        let rest = rest.trim();
        Some(match (word.to_ascii_lowercase().as_str(), rest) {
            ("help", "") => Command::Help,
            ("quit" | "exit", "") => Command::Quit,
            ("docs", "") => Command::Docs,
            ("begin", "") => Command::Begin,
            ("commit", "") => Command::Commit,
            ("rollback", "") => Command::Rollback,
            ("source", file) if !file.is_empty() => Command::Source(unquoted(file).to_owned()),
            ("use", database) => {
                let database = unquoted(database);
                Command::Use((!database.is_empty()).then(|| database.to_owned()))
            }
            ("param" | "params", "") => Command::Parameters,
            ("param" | "params", "list") => Command::Parameters,
            ("param" | "params", "clear") => Command::ClearParameters,
            ("param" | "params", setting) => match parameter(setting) {
                Some(command) => command,
                None => Command::Unknown(line.to_owned()),
            },
            _ => Command::Unknown(line.to_owned()),
        })
    }
}

/// `name => expression`, `name: expression`, `name expression` or a map, as after `:param` and `-P`.
pub fn parameter(setting: &str) -> Option<Command> {
    let setting = setting.trim();
    if setting.starts_with('{') {
        return Some(Command::SetParameters {
            expression: setting.to_owned(),
        });
    }
    let end = setting
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(setting.len());
    let (name, rest) = setting.split_at(end);
    let rest = rest.trim_start();
    let expression = rest
        .strip_prefix("=>")
        .or_else(|| rest.strip_prefix(':'))
        .or_else(|| rest.strip_prefix('='))
        .unwrap_or(rest)
        .trim();
    (!name.is_empty() && !expression.is_empty()).then(|| Command::SetParameter {
        name: name.to_owned(),
        expression: expression.to_owned(),
    })
}

fn unquoted(text: &str) -> &str {
    ['"', '\'', '`']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, expression: &str) -> Option<Command> {
        Some(Command::SetParameter {
            name: name.into(),
            expression: expression.into(),
        })
    }

    #[test]
    fn commands_are_told_apart_from_statements() {
        assert_eq!(Command::parse("RETURN 1;"), None);
        assert_eq!(Command::parse(" :help "), Some(Command::Help));
        assert_eq!(Command::parse(":QUIT;"), Some(Command::Quit));
        assert_eq!(
            Command::parse(":source 'a b.cypher'"),
            Some(Command::Source("a b.cypher".into()))
        );
        assert_eq!(Command::parse(":use"), Some(Command::Use(None)));
        assert_eq!(
            Command::parse(":use `x`;"),
            Some(Command::Use(Some("x".into())))
        );
        for unknown in [":foo", ":help me", ":source", ":param =>"] {
            assert_eq!(
                Command::parse(unknown),
                Some(Command::Unknown(unknown.into()))
            );
        }
    }

    #[test]
    fn parameters_are_set_in_every_form_that_is_in_use() {
        for form in [":param x => 1 + 1", ":param x: 1 + 1", ":params x 1 + 1;"] {
            assert_eq!(Command::parse(form), set("x", "1 + 1"), "{form}");
        }
        assert_eq!(parameter("x=>{a: 1}"), set("x", "{a: 1}"));
        assert_eq!(
            parameter("{a: 1, b: 'x'}"),
            Some(Command::SetParameters {
                expression: "{a: 1, b: 'x'}".into()
            })
        );
        assert_eq!(Command::parse(":param"), Some(Command::Parameters));
        assert_eq!(
            Command::parse(":param clear"),
            Some(Command::ClearParameters)
        );
    }
}
