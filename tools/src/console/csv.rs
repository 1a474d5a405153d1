//! Results as CSV and as cypherl, in mgconsole's forms.
//!
//! CSV: a header line and a line for each row; every field in double quotes, an inner double quote
//! doubled or, if asked, escaped by a character; cell texts as in tables, so that a string keeps its
//! own quotes. cypherl: the raw text of a single string column (what `DUMP DATABASE` gives).

use crate::bolt::Value;

/// How CSV is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvStyle {
    pub delimiter: char,
    /// `None`: an inner double quote is doubled; otherwise this stands before it.
    pub escape: Option<char>,
}

impl CsvStyle {
    /// Appends one line.
    pub fn line(&self, out: &mut String, fields: &[String]) {
        for (position, field) in fields.iter().enumerate() {
            if position > 0 {
                out.push(self.delimiter);
            }
            out.push('"');
            for character in field.chars() {
                if character == '"' {
                    out.push(self.escape.unwrap_or('"'));
                }
                out.push(character);
            }
            out.push('"');
        }
        out.push('\n');
    }
}

/// The line of a row in cypherl form, or why it has none.
pub fn cypherl_line(row: &[Value]) -> Result<&str, &'static str> {
    match row {
        [Value::String(text)] => Ok(text),
        [_] => Err("cypherl output wants a column of strings"),
        _ => Err("cypherl output wants exactly one column"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(style: &CsvStyle, fields: &[&str]) -> String {
        let fields: Vec<String> = fields.iter().map(|s| s.to_string()).collect();
        let mut out = String::new();
        style.line(&mut out, &fields);
        out
    }

    #[test]
    fn every_field_is_quoted_and_inner_quotes_are_doubled() {
        let style = CsvStyle {
            delimiter: ',',
            escape: None,
        };
        assert_eq!(line(&style, &["a", "\"a\""]), "\"a\",\"\"\"a\"\"\"\n");
    }

    #[test]
    fn an_escape_character_can_take_the_place_of_doubling() {
        let style = CsvStyle {
            delimiter: ';',
            escape: Some('\\'),
        };
        assert_eq!(line(&style, &["a", "\"b\""]), "\"a\";\"\\\"b\\\"\"\n");
    }

    #[test]
    fn cypherl_takes_one_string_column_and_nothing_else() {
        assert_eq!(
            cypherl_line(&[Value::String("CREATE ();".into())]),
            Ok("CREATE ();")
        );
        assert!(cypherl_line(&[Value::Int(1)]).is_err());
        assert!(cypherl_line(&[Value::Null, Value::Null]).is_err());
        assert!(cypherl_line(&[]).is_err());
    }
}
