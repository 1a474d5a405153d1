//! Texts that may be no query: our own cases' queries with pieces exchanged, doubled and cut; arbitrary bytes.

use std::path::Path;

use crate::Draw;

/// The queries of the feature files below `tests/tck/own`, examples not put in: `<` and `>` make good mischief.
pub fn corpus() -> Vec<String> {
    let mut queries = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tck/own/features");
    collect(&folder, &mut queries);
    queries.sort();
    queries
}

fn collect(folder: &Path, queries: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("our own cases lie there") {
        let path = entry.expect("a folder is read").path();
        if path.is_dir() {
            collect(&path, queries);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a feature file is text");
        let quoted = text.split("\"\"\"").skip(1).step_by(2);
        queries.extend(quoted.map(|query| query.trim().to_string()));
        // Cells of examples are queries and expressions.
        let cells = text
            .lines()
            .filter(|line| line.trim_start().starts_with('|'));
        queries.extend(
            cells
                .filter_map(|line| line.split(" | ").next())
                .map(|cell| cell.trim_start_matches([' ', '|']).trim().to_string()),
        );
    }
}

/// A query with up to eight changes: bytes exchanged, pieces of another put in, pieces doubled, cut and turned round.
pub fn mutated(draw: &mut Draw, corpus: &[String]) -> String {
    let mut bytes = corpus[draw.below(corpus.len())].clone().into_bytes();
    for _ in 0..1 + draw.below(8) {
        let at = draw.below(bytes.len() + 1);
        let end = (at + draw.below(12)).min(bytes.len());
        match draw.below(7) {
            0 => bytes.insert(
                at,
                draw.one(b"(){}[]'\"`|&!:;,.*+-/%^=<>~$@#0159aAeExX_ \\\n\t\0\x7f\xc3\xff"),
            ),
            1 => {
                bytes.drain(at..end);
            }
            2 => {
                let other = corpus[draw.below(corpus.len())].as_bytes();
                let from = draw.below(other.len() + 1);
                let to = (from + draw.below(20)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            3 => {
                let piece = bytes[at..end].to_vec();
                let times = draw.one(&[1, 2, 40]);
                bytes.splice(at..at, piece.repeat(times));
            }
            4 => bytes[at..end].reverse(),
            5 => {
                let word = draw.one(&[
                    " WHERE ", " RETURN ", "*..", "-[", "]->", " NOT ", "CALL {", " UNION ", "é",
                    "\u{2028}", "0x", "1e", "$", "$0", "''", "/*", "//", " AS ", " IN ",
                ]);
                bytes.splice(at..at, word.bytes());
            }
            _ => bytes.truncate(at),
        }
        if bytes.len() > 4_000 {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
