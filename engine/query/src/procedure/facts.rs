//! Procedures that are tables of facts.
//!
//! Owned here: reading a signature such as `test.my.proc(name :: STRING?) :: (city :: STRING?)` and the procedure that looks its
//! arguments up. Called by test builds of the server, and by tests: openCypher's kit declares its procedures so. Always holds: a fact
//! has a value of the declared type for each input, then for each output.

use quoit_cypher::error::{Error, ErrorKind};
use quoit_graph::value::Value;

use super::{Field, FieldType, Procedure};

impl Procedure {
    /// A procedure that answers the outputs of those facts whose inputs equal its arguments, in the order of the facts.
    ///
    /// # Errors
    /// `ProcedureError` when the signature cannot be read, a fact has too few values or too many, or one of another type.
    pub fn of_facts(signature: &str, facts: Vec<Vec<Value>>) -> Result<Procedure, Error> {
        let (name, inputs, outputs) = parts(signature).ok_or_else(|| {
            refused(format!(
                "`{signature}` is no signature; it looks like `name(a :: STRING?) :: (b :: INTEGER?)`"
            ))
        })?;
        let (inputs, outputs) = (fields(inputs)?, fields(outputs)?);
        let count = inputs.len();
        let width = count + outputs.len();
        let typed = |fact: Vec<Value>| {
            if fact.len() != width {
                let found = fact.len();
                return Err(refused(format!(
                    "a fact of `{name}` has {width} values, not {found}"
                )));
            }
            let fields = inputs.iter().chain(&outputs);
            let values = fields.zip(fact).map(|(field, value)| field.accept(value));
            values.collect::<Result<Vec<Value>, Error>>()
        };
        let facts: Vec<Vec<Value>> = facts.into_iter().map(typed).collect::<Result<_, Error>>()?;
        Ok(Procedure::new(name, inputs, outputs, move |args, _| {
            let fitting = facts.iter().filter(|fact| fact[..count] == *args);
            Ok(fitting.map(|fact| fact[count..].to_vec()).collect())
        }))
    }
}

/// Name, inputs and outputs.
fn parts(signature: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = signature.split_once('(')?;
    let (inputs, rest) = rest.split_once(')')?;
    let outputs = rest.trim().strip_prefix("::")?.trim();
    let outputs = outputs.strip_prefix('(')?.strip_suffix(')')?;
    Some((name.trim(), inputs, outputs))
}

fn fields(list: &str) -> Result<Vec<Field>, Error> {
    let named = list
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let field = |text: &str| {
        let (name, word) = text.split_once("::")?;
        let word = word.trim();
        let nullable = word.ends_with('?');
        let field_type = match word.trim_end_matches('?') {
            "ANY" => FieldType::Any,
            "BOOLEAN" => FieldType::Boolean,
            "STRING" => FieldType::String,
            "INTEGER" => FieldType::Integer,
            "FLOAT" => FieldType::Float,
            "NUMBER" => FieldType::Number,
            "LIST" => FieldType::List,
            "MAP" => FieldType::Map,
            _ => return None,
        };
        Some(Field {
            nullable,
            ..Field::new(name.trim(), field_type)
        })
    };
    named
        .map(|text| field(text).ok_or_else(|| refused(format!("`{text}` is no `name :: TYPE?`"))))
        .collect()
}

fn refused(message: String) -> Error {
    Error::of(ErrorKind::ProcedureError, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_and_wrong_ones_told() {
        let facts = vec![vec![Value::Int(1), Value::string("x")]];
        let procedure = Procedure::of_facts("a.b(n :: FLOAT?) :: (s :: STRING?)", facts).unwrap();
        assert_eq!(procedure.signature(), "a.b(n :: FLOAT?) :: (s :: STRING?)");
        assert!(Procedure::of_facts("a.b() :: ()", vec![vec![]]).is_ok());
        for wrong in ["a.b", "a.b()", "a.b(n) :: ()", "a.b(n :: STONE?) :: ()"] {
            assert!(Procedure::of_facts(wrong, Vec::new()).is_err(), "{wrong}");
        }
        let short = vec![vec![Value::Int(1)]];
        assert!(Procedure::of_facts("a.b(n :: INTEGER) :: (s :: STRING?)", short).is_err());
        let mistyped = vec![vec![Value::string("x")]];
        assert!(Procedure::of_facts("a.b(n :: INTEGER?) :: ()", mistyped).is_err());
    }
}
