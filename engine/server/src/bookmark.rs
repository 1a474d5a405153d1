//! Bookmarks: what a client was told it has written or seen, in a form that it hands back.
//!
//! Owns the text form `q:<cluster>:<term>:<incarnation>:<commit>`, hexadecimal ids and decimal numbers. Made when a
//! transaction ends, read by BEGIN, RUN and ROUTE. What always holds: text that this module did not write is refused as
//! a whole. Waiting for a bookmark is the session's.

use std::fmt;

/// The longest bookmark: 32 hexadecimal digits, three numbers of 20 digits, and what stands between.
const BOOKMARK_BYTES_MAX: usize = 32 + 3 * 20 + 5;

/// A point in a cluster's history that a client wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// The cluster; 0 of a node that has none yet.
    pub cluster: u128,
    /// The counter of the term in which the commit happened.
    pub term: u64,
    /// The number of the incarnation in which it happened.
    pub incarnation: u64,
    /// The commit's number.
    pub commit: u64,
}

impl fmt::Display for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "q:{:x}:{}:{}:{}",
            self.cluster, self.term, self.incarnation, self.commit
        )
    }
}

/// Writes bookmarks of one connection. Most differ from the one before in the commit's number only, or not at all.
#[derive(Debug, Default)]
pub struct BookmarkWriter {
    last: Option<Bookmark>,
    /// The text of `last`.
    text: String,
    /// Where the commit's number begins in it.
    number_at: usize,
}

impl BookmarkWriter {
    /// The text of a bookmark.
    pub fn write(&mut self, bookmark: Bookmark) -> &str {
        use fmt::Write;
        if self.last != Some(bookmark) {
            let same_point = self.last.is_some_and(|last| {
                Bookmark {
                    commit: bookmark.commit,
                    ..last
                } == bookmark
            });
            if same_point {
                self.text.truncate(self.number_at);
            } else {
                self.text.clear();
                write!(
                    self.text,
                    "q:{:x}:{}:{}:",
                    bookmark.cluster, bookmark.term, bookmark.incarnation
                )
                .expect("a string takes any text");
                self.number_at = self.text.len();
            }
            write!(self.text, "{}", bookmark.commit).expect("a string takes any text");
            self.last = Some(bookmark);
        }
        &self.text
    }
}

/// A text that is no bookmark of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a bookmark of this database")]
pub struct NotABookmark(pub String);

impl Bookmark {
    /// Reads a bookmark.
    ///
    /// # Errors
    /// The text, shortened, when it was not written by [`Bookmark`]'s `Display`.
    pub fn parse(text: &str) -> Result<Bookmark, NotABookmark> {
        fn read(text: &str) -> Option<Bookmark> {
            let mut parts = text.split(':');
            let bookmark = (parts.next()? == "q").then_some(Bookmark {
                cluster: u128::from_str_radix(parts.next()?, 16).ok()?,
                term: parts.next()?.parse().ok()?,
                incarnation: parts.next()?.parse().ok()?,
                commit: parts.next()?.parse().ok()?,
            })?;
            parts.next().is_none().then_some(bookmark)
        }
        // Longer than any of ours: not looked at, since numbers may have any number of leading zeros.
        let read = |text: &str| {
            if text.len() <= BOOKMARK_BYTES_MAX {
                read(text)
            } else {
                None
            }
        };
        read(text).ok_or_else(|| NotABookmark(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_reads_back() {
        for bookmark in [
            Bookmark {
                cluster: 0,
                term: 0,
                incarnation: 0,
                commit: 0,
            },
            Bookmark {
                cluster: u128::MAX,
                term: 3,
                incarnation: 17,
                commit: u64::MAX,
            },
        ] {
            assert_eq!(Bookmark::parse(&bookmark.to_string()), Ok(bookmark));
        }
    }

    #[test]
    fn bookmarks_written_one_after_another_are_those_written_alone() {
        let mut writer = BookmarkWriter::default();
        let first = Bookmark {
            cluster: 0,
            term: 0,
            incarnation: 0,
            commit: 0,
        };
        for bookmark in [
            first,
            first,
            Bookmark {
                commit: 100,
                ..first
            },
            Bookmark { commit: 7, ..first },
            Bookmark {
                cluster: u128::MAX,
                term: u64::MAX,
                incarnation: u64::MAX,
                commit: u64::MAX,
            },
            Bookmark {
                term: 3,
                commit: 7,
                ..first
            },
        ] {
            assert_eq!(writer.write(bookmark), bookmark.to_string());
            assert_eq!(Bookmark::parse(writer.write(bookmark)), Ok(bookmark));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "q",
            "q:0:0:0",
            "q:0:0:0:0:0",
            "q:x:0:0:0",
            "FB:kcwQ",
            "q:0:0:0:-1",
            "q:0:0:0:99999999999999999999",
        ] {
            assert_eq!(
                Bookmark::parse(text),
                Err(NotABookmark(text.to_owned())),
                "{text}"
            );
        }
    }
}
