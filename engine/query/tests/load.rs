//! `LOAD CSV`: what records become, in either form, wherever the file's blocks are cut.

mod db;

use std::io::Write;

use db::{Db, Rows};
use flate2::Compression;
use flate2::write::GzEncoder;
use quoit_cypher::error::Error;
use quoit_graph::value::Value;
use quoit_query::{Demand, Execution, Parameters, Step, Wait};

const PEOPLE: &str =
    "\u{feff}name,age,note\r\nAnn,41,\"says \"\"hi\"\",\r\nthen goes\"\r\nBob,,x\r\n\"\",7,\r\n";
const RAGGED: &str = "a;b\n1;2\n3\n\n4;5;6\n";
const NUMBERED: &str = "1,one\n2,N/A\n3,drei\n";

/// A text as gzip packs it.
fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).expect("memory takes all");
    packer.finish().expect("memory takes all")
}

/// Runs a statement on files whose blocks are so long.
fn load(db: &Db, text: &str, block: usize) -> Result<Vec<Vec<Value>>, Error> {
    let prepared = db.engine.prepare(text, &db.core)?;
    let mut txn = db.begin(prepared.writes());
    let mut execution = Execution::new(prepared, &Parameters::new())?;
    execution.request(Demand::All);
    let mut rows = Rows::default();
    let gzipped = gzip(NUMBERED);
    let twice = [gzipped.as_slice(), gzipped.as_slice()].concat();
    loop {
        match execution.step(&mut txn, &db.core, &|| true, &mut rows)? {
            Step::Done => break,
            Step::Waits(Wait::Read(read)) => {
                let file: &[u8] = match &*read.name {
                    "people" => PEOPLE.as_bytes(),
                    "ragged" => RAGGED.as_bytes(),
                    "numbered" => NUMBERED.as_bytes(),
                    "latin" => b"a,b\nx,\xe4\ny,z\n",
                    "empty" => b"",
                    "numbered.gz" => gzipped.as_slice(),
                    "cut.gz" => &gzipped[..gzipped.len() - 9],
                    "plain.gz" => NUMBERED.as_bytes(),
                    "twice.GZ" => twice.as_slice(),
                    name => panic!("{name}"),
                };
                let rest = &file[(read.offset as usize).min(file.len())..];
                execution.file_read(Ok(rest[..rest.len().min(block)].to_vec()));
            }
            Step::Waits(wait) => db.attend(wait, &mut execution, &mut txn),
            Step::Rows | Step::Yield => {}
        }
    }
    txn.commit().expect("the null journal takes everything");
    Ok(rows.0)
}

/// Its rows as text, the same for all cuts.
fn rows(db: &Db, text: &str) -> Vec<String> {
    let shown = |block| -> Vec<String> {
        let rows = load(db, text, block).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        rows.iter()
            .map(|row| match &row[0] {
                Value::String(text) => text.to_string(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let whole = shown(1 << 20);
    for block in [1, 2, 3, 7, 11] {
        assert_eq!(shown(block), whole, "{text} in blocks of {block}");
    }
    whole
}

#[test]
fn records_are_maps_or_lists_in_both_forms() {
    let db = Db::new();
    let show = "coalesce(row.name, 'null') + '|' + coalesce(row.age, 'null') + '|' + coalesce(row.note, 'null') AS t";
    let note = "says \"hi\",\r\nthen goes";
    // Memgraph's: an empty field is an empty text.
    assert_eq!(
        rows(
            &db,
            &format!("LOAD CSV FROM 'people' WITH HEADER AS row RETURN {show}")
        ),
        [format!("Ann|41|{note}"), "Bob||x".into(), "|7|".into()]
    );
    // Neo4j's: it is null.
    assert_eq!(
        rows(
            &db,
            &format!("LOAD CSV WITH HEADERS FROM 'people' AS row RETURN {show}")
        ),
        [
            format!("Ann|41|{note}"),
            "Bob|null|x".into(),
            "null|7|null".into()
        ]
    );
    let show = "row[0] + '|' + coalesce(row[1], 'null') + '|' + toString(size(row)) AS t";
    assert_eq!(
        rows(
            &db,
            &format!("LOAD CSV FROM 'ragged' AS row FIELDTERMINATOR ';' RETURN {show}")
        ),
        ["a|b|2", "1|2|2", "3|null|1", "4|5|3"]
    );
    assert_eq!(
        rows(
            &db,
            &format!("LOAD CSV FROM 'numbered' NO HEADER NULLIF 'N/A' AS row RETURN {show}")
        ),
        ["1|one|2", "2|null|2", "3|drei|2"]
    );
    assert_eq!(
        rows(
            &db,
            "LOAD CSV WITH HEADERS FROM 'ragged' AS row FIELDTERMINATOR ';' RETURN row.a + '|' + coalesce(row.b, 'null') AS t"
        ),
        ["1|2", "3|null", "4|5"]
    );
    assert_eq!(
        rows(&db, "LOAD CSV FROM 'empty' WITH HEADER AS row RETURN row.a"),
        [""; 0]
    );
    // Once for each row before it, and what stands behind it has its records only.
    assert_eq!(
        rows(
            &db,
            "UNWIND ['numbered', 'ragged'] AS f LOAD CSV FROM f AS row WITH f, count(*) AS n RETURN f + toString(n) AS t ORDER BY t"
        ),
        ["numbered3", "ragged4"]
    );
}

#[test]
fn a_bad_record_is_named_by_its_line_or_left_out() {
    let db = Db::new();
    for (text, part) in [
        (
            "LOAD CSV FROM 'ragged' WITH HEADER DELIMITER ';' AS row RETURN row.a",
            "line 3 of `ragged` has 1 fields, not 2",
        ),
        (
            "LOAD CSV FROM 'latin' NO HEADER AS row RETURN row[0]",
            "line 2 of `latin` is not UTF-8",
        ),
        (
            "LOAD CSV FROM 'latin' NO HEADER DELIMITER ';;' AS row RETURN row[0]",
            "one ASCII character",
        ),
        (
            "LOAD CSV FROM 5 NO HEADER AS row RETURN row[0]",
            "must be a string",
        ),
    ] {
        for block in [1, 1000] {
            let error = load(&db, text, block).unwrap_err();
            assert!(error.message().contains(part), "{text}: {error:?}");
            assert!(error.span().is_some(), "{text}");
        }
    }
    assert_eq!(
        rows(
            &db,
            "LOAD CSV FROM 'ragged' WITH HEADER IGNORE BAD DELIMITER ';' AS row RETURN row.a + row.b AS t"
        ),
        ["12"]
    );
    assert_eq!(
        rows(
            &db,
            "LOAD CSV FROM 'latin' NO HEADER IGNORE BAD AS row RETURN row[0] + row[1] AS t"
        ),
        ["ab", "yz"]
    );
}

#[test]
fn what_is_loaded_is_committed_some_records_at_a_time() {
    let db = Db::new();
    for text in [
        "USING PERIODIC COMMIT 2 LOAD CSV FROM 'numbered' NO HEADER AS row CREATE (:N {id: toInteger(row[0])})",
        "LOAD CSV FROM 'numbered' AS row CALL { WITH row CREATE (:N {id: toInteger(row[0])}) } IN TRANSACTIONS OF 2 ROWS",
    ] {
        for block in [1, 5, 1000] {
            let prepared = db.engine.prepare(text, &db.core).unwrap();
            assert!(prepared.has_inner_transactions());
            load(&db, text, block).unwrap();
        }
    }
    assert_eq!(db.number("MATCH (n:N) RETURN sum(n.id)"), 36);
}

#[test]
fn packed_files_are_read_as_if_they_were_not() {
    let db = Db::new();
    let text =
        |name: &str| format!("LOAD CSV FROM '{name}' NO HEADER AS row RETURN row[0] + row[1] AS t");
    let plain = rows(&db, &text("numbered"));
    assert_eq!(plain.len(), 3);
    assert_eq!(rows(&db, &text("numbered.gz")), plain);
    // Packed files behind each other are one.
    assert_eq!(
        rows(&db, &text("twice.GZ")),
        [plain.clone(), plain].concat()
    );
    for name in ["cut.gz", "plain.gz"] {
        let error = load(&db, &text(name), 7).unwrap_err();
        assert!(error.message().contains("gzip"), "{error:?}");
        assert!(error.span().is_some());
    }
}

#[test]
fn a_row_knows_its_file_and_line() {
    let db = Db::new();
    let text = "LOAD CSV FROM 'numbered' AS row RETURN file() + ' ' + toString(linenumber()) + ' ' + row[0] AS t";
    assert_eq!(
        rows(&db, text),
        ["numbered 1 1", "numbered 2 2", "numbered 3 3"]
    );
    let text = "LOAD CSV WITH HEADERS FROM 'people' AS row WITH row, linenumber() AS line RETURN toString(line) + coalesce(row.name, '') AS t";
    assert_eq!(rows(&db, text), ["2Ann", "4Bob", "5"]);
    let text = "LOAD CSV FROM 'numbered' AS row WITH row RETURN linenumber() AS t";
    let error = load(&db, text, 7).unwrap_err();
    assert!(error.hint_text().is_some(), "{error:?}");
}
