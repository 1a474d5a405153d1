//! `normalize(text[, form])` and `IS NORMALIZED`: Unicode's normal forms (UAX #15).

use quoit_cypher::ast::NormalForm;
use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::Value;
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

use super::{TEXT_BYTES_MAX, wrong_argument};

pub(super) fn apply(args: &[Value]) -> Result<Value, Error> {
    let form = match args.get(1) {
        None => NormalForm::Nfc,
        Some(Value::String(name)) => NormalForm::find(name).ok_or_else(|| {
            Error::argument(
                Detail::InvalidArgumentValue,
                format!("there is no normal form `{name}`; there are NFC, NFD, NFKC and NFKD"),
            )
        })?,
        Some(other) => return Err(wrong_argument(Function::Normalize, "a normal form", other)),
    };
    match &args[0] {
        Value::Null => Ok(Value::Null),
        Value::String(text) if text.is_ascii() => Ok(Value::String(text.clone())),
        Value::String(text) => normalized(text, form),
        other => Err(wrong_argument(Function::Normalize, "a string", other)),
    }
}

fn normalized(text: &str, form: NormalForm) -> Result<Value, Error> {
    let collected = match form {
        NormalForm::Nfc => bounded(text.nfc()),
        NormalForm::Nfd => bounded(text.nfd()),
        NormalForm::Nfkc => bounded(text.nfkc()),
        NormalForm::Nfkd => bounded(text.nfkd()),
    };
    collected.map(Value::from)
}

/// A character may become eleven times as long.
fn bounded(characters: impl Iterator<Item = char>) -> Result<String, Error> {
    let mut out = String::new();
    for character in characters {
        if out.len() >= TEXT_BYTES_MAX {
            return Err(Error::argument(
                Detail::NumberOutOfRange,
                format!("normalize() would give more than {TEXT_BYTES_MAX} bytes of text"),
            ));
        }
        out.push(character);
    }
    Ok(out)
}

/// Whether a text is in a normal form; `None` for what is no text.
pub fn is_normalized(value: &Value, form: NormalForm) -> Option<bool> {
    let Value::String(text) = value else {
        return None;
    };
    Some(match form {
        _ if text.is_ascii() => true,
        NormalForm::Nfc => is_nfc(text),
        NormalForm::Nfd => is_nfd(text),
        NormalForm::Nfkc => is_nfkc(text),
        NormalForm::Nfkd => is_nfkd(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms_compose_and_decompose() {
        let cases = [
            (NormalForm::Nfc, "e\u{301}\u{fb01}", "\u{e9}\u{fb01}"),
            (NormalForm::Nfd, "\u{e9}\u{fb01}", "e\u{301}\u{fb01}"),
            (NormalForm::Nfkc, "e\u{301}\u{fb01}", "\u{e9}fi"),
            (NormalForm::Nfkd, "\u{e9}\u{fb01}", "e\u{301}fi"),
        ];
        for (form, text, wanted) in cases {
            assert_eq!(
                normalized(text, form).unwrap(),
                Value::from(wanted),
                "{form:?}"
            );
            assert_eq!(
                is_normalized(&Value::from(text), form),
                Some(false),
                "{form:?}"
            );
            assert_eq!(
                is_normalized(&Value::from(wanted), form),
                Some(true),
                "{form:?}"
            );
        }
        assert_eq!(is_normalized(&Value::Int(1), NormalForm::Nfc), None);
    }
}
