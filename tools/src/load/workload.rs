//! What is asked: queries with weights and parameter generators, read from a small TOML file.
//!
//! ```toml
//! setup = ["CREATE INDEX ON :User(id)"]      # run once, before anything is measured
//!
//! [[query]]
//! name = "point_read"
//! text = "MATCH (n:User {id: $id}) RETURN n"
//! weight = 3                                 # 1 unless given
//! rows = 1                                   # every answer must have so many; unchecked unless given
//! read = true                                # sent as a read (access mode "r", GRAPH.RO_QUERY)
//!
//! [query.parameters]
//! id = { uniform = [1, 10000] }              # integers, both ends included
//! n = { sequence = { from = 1, step = 1 } }  # counts on over all connections
//! f = { uniform_float = [0.0, 1.0] }
//! s = { text = 16 }                          # so many random lower-case letters
//! c = { choice = ["a", "b"] }
//! l = { list = { of = { uniform = [1, 9] }, length = 100 } }
//! m = { map = { id = { sequence = { from = 1, step = 1 } } } }
//! k = 42                                     # anything else is a constant
//!
//! [[query]]
//! name = "never_the_same_text"
//! text = "MATCH (n%v%:User {id: 1}) RETURN n%v%"
//! connections = 2                            # so many connections ask only this, in a closed loop
//! words.v = { sequence = { from = 1 } }      # integer or text that stands in place of each %v%
//! ```
//!
//! Always holds: the same file and seed give the same requests in the same order. Left to others: how
//! a request looks on the wire ([`super::wire`]).

use super::random::Random;
use super::template::Template;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A parameter's value, ready to be encoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    List(Vec<Literal>),
    Map(Vec<(String, Literal)>),
}

/// A query of the mix.
#[derive(Clone, Debug)]
pub struct Query {
    pub name: String,
    /// The text of the next request: of a text with words, as [`Workload::next_parameters`] left it.
    pub text: String,
    /// How often it is chosen, relative to the others; 0 if it has connections of its own.
    pub weight: u32,
    /// Connections that ask only this.
    pub connections: u32,
    /// Rows that every answer must have.
    pub rows: Option<u64>,
    /// Whether it is sent as a read.
    pub read: bool,
    parameters: Vec<(String, Generator)>,
    template: Option<Template>,
}

/// A mix of queries and the statements that prepare for it.
#[derive(Clone, Debug)]
pub struct Workload {
    pub setup: Vec<String>,
    pub queries: Vec<Query>,
    weight_total: u64,
}

/// Makes a parameter's values.
#[derive(Clone, Debug)]
pub(super) enum Generator {
    Constant(Literal),
    Uniform { low: i64, high: i64 },
    UniformFloat { low: f64, high: f64 },
    Sequence { next: i64, step: i64 },
    Text { length: usize },
    Choice(Vec<Literal>),
    List { of: Box<Generator>, length: usize },
    Map(Vec<(String, Generator)>),
}

/// Why a workload file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    #[error("query '{query}', parameter '{parameter}': {reason}")]
    Parameter {
        query: String,
        parameter: String,
        reason: String,
    },
    #[error("query '{query}', word '{word}': {reason}")]
    Word {
        query: String,
        word: String,
        reason: String,
    },
    #[error("query '{0}' has connections of its own, so it takes no weight")]
    OwnConnections(String),
    #[error("query '{0}' has a weight of 0")]
    Weight(String),
    #[error("two queries are named '{0}'")]
    Name(String),
    #[error("there is no query")]
    Empty,
}

/// Most elements of one generated list, and letters of one generated text.
const LENGTH_MAX: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    setup: Vec<String>,
    #[serde(default)]
    query: Vec<FileQuery>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileQuery {
    name: Option<String>,
    text: String,
    weight: Option<u32>,
    #[serde(default)]
    connections: u32,
    rows: Option<u64>,
    #[serde(default)]
    read: bool,
    #[serde(default)]
    parameters: BTreeMap<String, toml::Value>,
    #[serde(default)]
    words: BTreeMap<String, toml::Value>,
}

impl Workload {
    /// Reads a workload file's text.
    pub fn parse(text: &str) -> Result<Workload, WorkloadError> {
        let file: File = toml::from_str(text)?;
        let mut queries: Vec<Query> = Vec::with_capacity(file.query.len());
        for (position, query) in file.query.into_iter().enumerate() {
            let name = query
                .name
                .unwrap_or_else(|| format!("query {}", position + 1));
            let weight = match (query.weight, query.connections) {
                (Some(0), _) => return Err(WorkloadError::Weight(name)),
                (Some(_), 1..) => return Err(WorkloadError::OwnConnections(name)),
                (None, 1..) => 0,
                (weight, 0) => weight.unwrap_or(1),
            };
            if queries.iter().any(|other| other.name == name) {
                return Err(WorkloadError::Name(name));
            }
            let mut parameters = Vec::with_capacity(query.parameters.len());
            for (parameter, value) in query.parameters {
                match generator(&value) {
                    Ok(generator) => parameters.push((parameter, generator)),
                    Err(reason) => {
                        return Err(WorkloadError::Parameter {
                            query: name,
                            parameter,
                            reason,
                        });
                    }
                }
            }
            let template = template(&name, &query.text, query.words)?;
            queries.push(Query {
                name,
                text: query.text,
                weight,
                connections: query.connections,
                rows: query.rows,
                read: query.read,
                parameters,
                template,
            });
        }
        Workload::new(file.setup, queries)
    }

    /// A workload of one query without parameters.
    pub fn single(text: &str) -> Workload {
        let query = Query {
            name: "query".to_owned(),
            text: text.to_owned(),
            weight: 1,
            connections: 0,
            rows: None,
            read: false,
            parameters: Vec::new(),
            template: None,
        };
        Workload {
            setup: Vec::new(),
            weight_total: 1,
            queries: vec![query],
        }
    }

    fn new(setup: Vec<String>, queries: Vec<Query>) -> Result<Workload, WorkloadError> {
        if queries.is_empty() {
            return Err(WorkloadError::Empty);
        }
        Ok(Workload {
            weight_total: queries.iter().map(|q| u64::from(q.weight)).sum(),
            setup,
            queries,
        })
    }

    /// Whether there is a query for connections that no query has for itself.
    pub fn has_mix(&self) -> bool {
        self.weight_total > 0
    }

    /// Chooses a query by weight; its index. Only for a workload that has a mix.
    pub fn choose(&self, random: &mut Random) -> usize {
        if self.queries.len() == 1 {
            return 0;
        }
        let mut ticket = random.below(self.weight_total);
        for (index, query) in self.queries.iter().enumerate() {
            let weight = u64::from(query.weight);
            if ticket < weight {
                return index;
            }
            ticket -= weight;
        }
        unreachable!("a ticket is below the sum of all weights")
    }

    /// The parameters of the next request of query `index`, into `values` (names as in
    /// [`Query::parameter_names`]), and its text, if that changes.
    pub fn next_parameters(
        &mut self,
        index: usize,
        random: &mut Random,
        values: &mut Vec<Literal>,
    ) {
        values.clear();
        let query = &mut self.queries[index];
        for (_, generator) in &mut query.parameters {
            values.push(generator.next(random));
        }
        if let Some(template) = &mut query.template {
            template.write(random, &mut query.text);
        }
    }
}

impl Query {
    /// The names of the parameters, in the order of their values.
    pub fn parameter_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str())
    }
}

/// The changing text of a query with words.
fn template(
    query: &str,
    text: &str,
    words: BTreeMap<String, toml::Value>,
) -> Result<Option<Template>, WorkloadError> {
    if words.is_empty() {
        return Ok(None);
    }
    let mut generators = Vec::with_capacity(words.len());
    for (word, value) in words {
        let made = generator(&value).and_then(|generator| {
            let placeholder = format!("%{word}%");
            if !generator.makes_words() {
                return Err("a word is an integer or a text".to_owned());
            }
            match text.contains(&placeholder) {
                true => Ok((placeholder, generator)),
                false => Err(format!("the text has no {placeholder}")),
            }
        });
        generators.push(made.map_err(|reason| WorkloadError::Word {
            query: query.to_owned(),
            word,
            reason,
        })?);
    }
    Ok(Some(Template::new(text, generators)))
}

impl Generator {
    /// Whether all its values are integers or texts.
    fn makes_words(&self) -> bool {
        let is_word = |literal: &Literal| matches!(literal, Literal::Int(_) | Literal::String(_));
        match self {
            Generator::Constant(literal) => is_word(literal),
            Generator::Choice(literals) => literals.iter().all(is_word),
            Generator::Uniform { .. } | Generator::Sequence { .. } | Generator::Text { .. } => true,
            _ => false,
        }
    }

    pub(super) fn next(&mut self, random: &mut Random) -> Literal {
        match self {
            Generator::Constant(literal) => literal.clone(),
            Generator::Uniform { low, high } => Literal::Int(random.between(*low, *high)),
            Generator::UniformFloat { low, high } => {
                Literal::Float(*low + (*high - *low) * random.unit())
            }
            Generator::Sequence { next, step } => {
                let value = *next;
                *next = next.wrapping_add(*step);
                Literal::Int(value)
            }
            Generator::Text { length } => Literal::String(
                (0..*length)
                    .map(|_| char::from(b'a' + random.below(26) as u8))
                    .collect(),
            ),
            Generator::Choice(values) => values[random.below(values.len() as u64) as usize].clone(),
            Generator::List { of, length } => {
                Literal::List((0..*length).map(|_| of.next(random)).collect())
            }
            Generator::Map(fields) => Literal::Map(
                fields
                    .iter_mut()
                    .map(|(key, generator)| (key.clone(), generator.next(random)))
                    .collect(),
            ),
        }
    }
}

/// A table with one known key makes values; anything else is a constant.
fn generator(value: &toml::Value) -> Result<Generator, String> {
    let toml::Value::Table(table) = value else {
        return literal(value).map(Generator::Constant);
    };
    let mut entries = table.iter();
    let (Some((kind, setting)), None) = (entries.next(), entries.next()) else {
        return Err(
            "a generator is a table with one key; write a constant map as { constant = {...} }"
                .to_owned(),
        );
    };
    match kind.as_str() {
        "constant" => literal(setting).map(Generator::Constant),
        "uniform" => match setting.as_array().map(Vec::as_slice) {
            Some([toml::Value::Integer(low), toml::Value::Integer(high)]) if low <= high => {
                Ok(Generator::Uniform {
                    low: *low,
                    high: *high,
                })
            }
            _ => Err("uniform wants two integers, [low, high]".to_owned()),
        },
        "uniform_float" => match setting.as_array().map(Vec::as_slice) {
            Some([low, high]) => match (number(low), number(high)) {
                (Some(low), Some(high)) if low <= high => Ok(Generator::UniformFloat { low, high }),
                _ => Err("uniform_float wants two numbers, [low, high]".to_owned()),
            },
            _ => Err("uniform_float wants two numbers, [low, high]".to_owned()),
        },
        "sequence" => {
            let part = |key: &str, default: i64| match setting.get(key) {
                None => Ok(default),
                Some(toml::Value::Integer(value)) => Ok(*value),
                Some(_) => Err(format!("sequence's {key} is an integer")),
            };
            known_keys(setting, &["from", "step"])?;
            Ok(Generator::Sequence {
                next: part("from", 0)?,
                step: part("step", 1)?,
            })
        }
        "text" => Ok(Generator::Text {
            length: length(setting)?,
        }),
        "choice" => match setting.as_array() {
            Some(values) if !values.is_empty() => values
                .iter()
                .map(literal)
                .collect::<Result<_, _>>()
                .map(Generator::Choice),
            _ => Err("choice wants a list of values".to_owned()),
        },
        "list" => {
            known_keys(setting, &["of", "length"])?;
            let of = setting.get("of").ok_or("list wants 'of', a generator")?;
            let size = setting.get("length").ok_or("list wants a 'length'")?;
            Ok(Generator::List {
                of: Box::new(generator(of)?),
                length: length(size)?,
            })
        }
        "map" => match setting {
            toml::Value::Table(fields) => fields
                .iter()
                .map(|(key, value)| Ok((key.clone(), generator(value)?)))
                .collect::<Result<_, String>>()
                .map(Generator::Map),
            _ => Err("map wants a table of generators".to_owned()),
        },
        other => Err(format!(
            "no generator is named '{other}'; there are constant, uniform, uniform_float, sequence, \
             text, choice, list and map"
        )),
    }
}

fn known_keys(value: &toml::Value, known: &[&str]) -> Result<(), String> {
    let Some(table) = value.as_table() else {
        return Err(format!("wants a table with {}", known.join(" and ")));
    };
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key '{key}'")),
        None => Ok(()),
    }
}

fn number(value: &toml::Value) -> Option<f64> {
    match value {
        toml::Value::Integer(int) => Some(*int as f64),
        toml::Value::Float(float) => Some(*float),
        _ => None,
    }
}

fn length(value: &toml::Value) -> Result<usize, String> {
    value
        .as_integer()
        .and_then(|length| u64::try_from(length).ok())
        .filter(|length| *length <= LENGTH_MAX)
        .map(|length| length as usize)
        .ok_or_else(|| format!("a length is an integer of 0 to {LENGTH_MAX}"))
}

fn literal(value: &toml::Value) -> Result<Literal, String> {
    Ok(match value {
        toml::Value::String(text) => Literal::String(text.clone()),
        toml::Value::Integer(int) => Literal::Int(*int),
        toml::Value::Float(float) => Literal::Float(*float),
        toml::Value::Boolean(truth) => Literal::Bool(*truth),
        toml::Value::Array(values) => {
            Literal::List(values.iter().map(literal).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(fields) => Literal::Map(
            fields
                .iter()
                .map(|(key, value)| Ok((key.clone(), literal(value)?)))
                .collect::<Result<_, String>>()?,
        ),
        toml::Value::Datetime(_) => return Err("dates are not supported".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = r#"
        setup = ["CREATE INDEX ON :User(id)"]

        [[query]]
        name = "read"
        text = "MATCH (n:User {id: $id}) RETURN n"
        weight = 3
        rows = 1
        read = true
        [query.parameters]
        id = { uniform = [1, 10] }

        [[query]]
        name = "write"
        text = "UNWIND $rows AS r CREATE (:T {id: r.id, s: $s, c: $c, k: $k, f: $f})"
        [query.parameters]
        rows = { list = { of = { map = { id = { sequence = { from = 5, step = 2 } } } }, length = 3 } }
        s = { text = 4 }
        c = { choice = ["x", 1] }
        k = [true, 1.5]
        f = { uniform_float = [2, 3] }
    "#;

    #[test]
    fn a_file_becomes_queries_with_weights_and_expectations() {
        let workload = Workload::parse(MIXED).unwrap();
        assert_eq!(workload.setup, ["CREATE INDEX ON :User(id)"]);
        let [read, write] = workload.queries.as_slice() else {
            panic!()
        };
        assert_eq!((read.weight, read.rows, read.read), (3, Some(1), true));
        assert_eq!((write.weight, write.rows, write.read), (1, None, false));
        let names: Vec<_> = write.parameter_names().collect();
        assert_eq!(names, ["c", "f", "k", "rows", "s"]);
    }

    #[test]
    fn queries_are_chosen_by_weight() {
        let workload = Workload::parse(MIXED).unwrap();
        let mut random = Random::new(1);
        let reads = (0..10_000)
            .filter(|_| workload.choose(&mut random) == 0)
            .count();
        assert!((7_200..7_800).contains(&reads), "{reads}");
    }

    #[test]
    fn generators_give_what_they_say_and_sequences_count_on() {
        let mut workload = Workload::parse(MIXED).unwrap();
        let mut random = Random::new(1);
        let mut values = Vec::new();
        for _ in 0..100 {
            workload.next_parameters(0, &mut random, &mut values);
            let [Literal::Int(id)] = values[..] else {
                panic!("{values:?}")
            };
            assert!((1..=10).contains(&id));
        }
        let row = |id| Literal::Map(vec![("id".to_owned(), Literal::Int(id))]);
        for first in [5, 11] {
            workload.next_parameters(1, &mut random, &mut values);
            let [c, Literal::Float(f), k, rows, Literal::String(s)] = &values[..] else {
                panic!("{values:?}")
            };
            assert!(*c == Literal::String("x".into()) || *c == Literal::Int(1));
            assert!((2.0..3.0).contains(f));
            assert_eq!(
                *k,
                Literal::List(vec![Literal::Bool(true), Literal::Float(1.5)])
            );
            assert_eq!(
                *rows,
                Literal::List(vec![row(first), row(first + 2), row(first + 4)])
            );
            assert!(s.len() == 4 && s.bytes().all(|b| b.is_ascii_lowercase()));
        }
    }

    #[test]
    fn words_change_the_text_from_request_to_request() {
        let mut workload = Workload::parse(
            "[[query]]\ntext = \"MATCH (n%v%) RETURN n%v%, '%w%'\"\nwords.v = { sequence = { from = 8 } }\nwords.w = 'x'",
        )
        .unwrap();
        let mut random = Random::new(1);
        for number in [8, 9, 10] {
            workload.next_parameters(0, &mut random, &mut Vec::new());
            let text = format!("MATCH (n{number}) RETURN n{number}, 'x'");
            assert_eq!(workload.queries[0].text, text);
        }
    }

    #[test]
    fn a_query_with_connections_of_its_own_is_not_in_the_mix() {
        let own = "[[query]]\nname = 'own'\ntext = 'x'\nconnections = 2\n";
        let alone = Workload::parse(own).unwrap();
        assert!(!alone.has_mix());
        let workload = Workload::parse(&format!("{own}[[query]]\ntext = 'y'")).unwrap();
        let mut random = Random::new(1);
        assert!((0..1_000).all(|_| workload.choose(&mut random) == 1));
    }

    #[test]
    fn the_same_seed_gives_the_same_requests() {
        let run = || {
            let mut workload = Workload::parse(MIXED).unwrap();
            let mut random = Random::new(9);
            let mut values = Vec::new();
            (0..50)
                .map(|_| {
                    let index = workload.choose(&mut random);
                    workload.next_parameters(index, &mut random, &mut values);
                    (index, values.clone())
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let error = |text: &str| Workload::parse(text).unwrap_err().to_string();
        assert!(error("").contains("no query"));
        assert!(error("[[query]]\ntext = 1").contains("line 2"));
        assert!(error("[[query]]\ntext = 'x'\nwieght = 2").contains("wieght"));
        assert!(error("[[query]]\ntext = 'x'\nweight = 0").contains("weight of 0"));
        assert!(
            error("[[query]]\ntext = 'x'\nweight = 2\nconnections = 1").contains("takes no weight")
        );
        assert!(error("[[query]]\ntext = 'x'\nwords.v = 1").contains("has no %v%"));
        assert!(error("[[query]]\ntext = '%v%'\nwords.v = 1.5").contains("an integer or a text"));
        let parameter = |p: &str| error(&format!("[[query]]\ntext = 'x'\nparameters.a = {p}"));
        assert!(parameter("{ uniform = [2, 1] }").contains("'a': uniform wants"));
        assert!(parameter("{ unifrom = [1, 2] }").contains("no generator is named 'unifrom'"));
        assert!(parameter("{ text = 99999999 }").contains("a length is"));
        assert!(parameter("{ sequence = { form = 1 } }").contains("unknown key 'form'"));
        assert!(parameter("{ choice = [] }").contains("choice wants"));
        assert!(parameter("{ a = 1, b = 2 }").contains("one key"));
    }
}
