//! Result tables on the screen, as mgconsole draws them.
//!
//! ```text
//! +-----------+-----------+
//! | n         | e         |
//! +-----------+-----------+
//! | (:Vertex) | [:Edge]   |
//! +-----------+-----------+
//! ```
//!
//! Every column has the same width: the widest text of all, a margin of one on both sides, at least
//! four. Width is what a terminal shows (mgconsole counts bytes, so that its right bar moves for
//! text that is not ASCII). With a width limit the columns shrink, texts are cut with `...`, and
//! columns that do not fit make room for one that says `...`.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const MARGIN: usize = 1;
/// Between two bars, margins included.
const COLUMN_WIDTH_MIN: usize = 4;
const ELLIPSIS: &str = "...";

/// The lines of a table, each with its newline. `width_max`: columns of the terminal, if the table
/// shall fit. Rows shorter than the header are filled with blanks.
pub fn table(header: &[String], rows: &[Vec<String>], width_max: Option<usize>) -> String {
    let widest = rows
        .iter()
        .flatten()
        .chain(header)
        .map(|cell| cell.width())
        .max()
        .unwrap_or(0);
    let natural = (widest + 2 * MARGIN).max(COLUMN_WIDTH_MIN);
    let layout = match width_max {
        Some(width_max) => Layout::fit(header.len(), natural, width_max),
        None => Layout {
            columns: header.len(),
            width: natural,
            cut: false,
        },
    };

    let rule = layout.rule();
    let mut out = String::with_capacity(rule.len() * (rows.len() + 4));
    out.push_str(&rule);
    layout.line(&mut out, header);
    out.push_str(&rule);
    for row in rows {
        layout.line(&mut out, row);
    }
    out.push_str(&rule);
    out
}

/// How many columns are drawn and how wide each is between its bars.
struct Layout {
    columns: usize,
    width: usize,
    /// The last column drawn stands for those that did not fit.
    cut: bool,
}

impl Layout {
    fn fit(columns: usize, natural: usize, width_max: usize) -> Layout {
        let total = |columns: usize, width: usize| columns * (width + 1) + 1;
        if total(columns, natural) <= width_max || columns == 0 {
            return Layout {
                columns,
                width: natural,
                cut: false,
            };
        }
        let width = (width_max.saturating_sub(1) / columns)
            .saturating_sub(1)
            .max(COLUMN_WIDTH_MIN);
        let mut shown = columns;
        while shown > 1 && total(shown, width) > width_max {
            shown -= 1;
        }
        Layout {
            columns: shown,
            width,
            cut: shown < columns,
        }
    }

    fn rule(&self) -> String {
        let mut rule = String::from("+");
        for _ in 0..self.columns {
            rule.push_str(&"-".repeat(self.width));
            rule.push('+');
        }
        rule.push('\n');
        rule
    }

    fn line(&self, out: &mut String, cells: &[String]) {
        let room = self.width - 2 * MARGIN;
        for column in 0..self.columns {
            let text = if self.cut && column + 1 == self.columns {
                ELLIPSIS
            } else {
                cells.get(column).map_or("", String::as_str)
            };
            let text = clip(text, room);
            let used = text.width();
            out.push('|');
            out.push_str(&" ".repeat(MARGIN));
            out.push_str(&text);
            out.push_str(&" ".repeat((room + MARGIN).saturating_sub(used)));
        }
        out.push_str("|\n");
    }
}

/// `text` in at most `room` columns, cut with as much of `...` as there is room for.
fn clip(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let ellipsis = &ELLIPSIS[..ELLIPSIS.len().min(room)];
    let keep = room - ellipsis.len();
    let mut used = 0;
    let mut clipped = String::new();
    for character in text.chars() {
        let width = character.width().unwrap_or(0);
        if used + width > keep {
            break;
        }
        used += width;
        clipped.push(character);
    }
    clipped.push_str(ellipsis);
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &[&str], rows: &[&[&str]], width_max: Option<usize>, expected: &str) {
        let header: Vec<String> = header.iter().map(|s| s.to_string()).collect();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|s| s.to_string()).collect())
            .collect();
        let expected: String = expected
            .lines()
            .map(|line| format!("{}\n", line.trim_start()))
            .collect();
        assert_eq!(table(&header, &rows, width_max), expected);
    }

    #[test]
    fn all_columns_have_the_width_of_the_widest_cell() {
        check(
            &["n", "e", "m"],
            &[&["(:Node)", "[:Edge]", "(:Vertex)"]],
            None,
            "+-----------+-----------+-----------+
             | n         | e         | m         |
             +-----------+-----------+-----------+
             | (:Node)   | [:Edge]   | (:Vertex) |
             +-----------+-----------+-----------+",
        );
    }

    #[test]
    fn the_founding_storys_row_stands_in_its_box() {
        check(
            &["n"],
            &[&["(:N {p: \"This is going to be replicated!\"})"]],
            None,
            "+---------------------------------------------+
             | n                                           |
             +---------------------------------------------+
             | (:N {p: \"This is going to be replicated!\"}) |
             +---------------------------------------------+",
        );
    }

    #[test]
    fn a_column_is_at_least_four_wide() {
        check(
            &["1"],
            &[&["1"]],
            None,
            "+----+
             | 1  |
             +----+
             | 1  |
             +----+",
        );
    }

    #[test]
    fn width_is_what_the_terminal_shows() {
        check(
            &["x"],
            &[&["\"é日\""], &["\"ab\""]],
            None,
            "+-------+
             | x     |
             +-------+
             | \"é日\" |
             | \"ab\"  |
             +-------+",
        );
    }

    #[test]
    fn with_a_limit_columns_shrink_and_texts_are_cut() {
        check(
            &["name", "b"],
            &[&["a long text indeed", "1"]],
            Some(21),
            "+---------+---------+
             | name    | b       |
             +---------+---------+
             | a lo... | 1       |
             +---------+---------+",
        );
    }

    #[test]
    fn columns_that_do_not_fit_make_room_for_dots() {
        check(
            &["aa", "bb", "cc", "dd"],
            &[&["11", "22", "33", "44"]],
            Some(17),
            "+----+----+----+
             | aa | bb | .. |
             +----+----+----+
             | 11 | 22 | .. |
             +----+----+----+",
        );
    }
}
