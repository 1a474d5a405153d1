//! The server's own log lines, on standard error.
//!
//! Owns the level and the form of a line: `[2026-01-02 03:04:05.678] [quoit] [info] text`. Called at start, stop and
//! whenever something happens that an operator should know; never for an ordinary request. A line is written with one
//! system call, so lines of different cores do not mix.

use quoit_query::temporal::civil::civil_from_days;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// What happens once in a while.
    Info,
    /// Something that an operator may want to change.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// The level's name in a line and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }

    /// The level with this name, in any case.
    pub fn from_name(name: &str) -> Option<Level> {
        [Level::Debug, Level::Info, Level::Warning, Level::Error]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(name))
    }
}

/// The least grave level that is written. One a process, set before any core starts.
static LEAST: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Sets the least grave level that is written.
pub fn set_level(level: Level) {
    // Relaxed: nothing else is published by it.
    LEAST.store(level as u8, Ordering::Relaxed);
}

/// Writes a line.
pub fn line(level: Level, text: impl std::fmt::Display) {
    if (level as u8) < LEAST.load(Ordering::Relaxed) {
        return;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let line = format!(
        "[{}] [quoit] [{}] {text}\n",
        calendar(now.as_millis() as u64),
        level.as_str()
    );
    // A server whose standard error is gone goes on.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// An [`Level::Info`] line.
pub fn info(text: impl std::fmt::Display) {
    line(Level::Info, text);
}

/// A [`Level::Warning`] line.
pub fn warning(text: impl std::fmt::Display) {
    line(Level::Warning, text);
}

/// An [`Level::Error`] line.
pub fn error(text: impl std::fmt::Display) {
    line(Level::Error, text);
}

/// `YYYY-MM-DD hh:mm:ss.mmm` in UTC of milliseconds since 1970.
fn calendar(ms: u64) -> String {
    let (days, rest) = ((ms / 86_400_000) as i64, ms % 86_400_000);
    let (year, month, day) = civil_from_days(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:03}",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_dated_in_utc() {
        assert_eq!(calendar(0), "1970-01-01 00:00:00.000");
        assert_eq!(calendar(951_782_399_999), "2000-02-28 23:59:59.999");
        assert_eq!(calendar(951_868_800_000), "2000-03-01 00:00:00.000");
        assert_eq!(calendar(1_792_748_096_789), "2026-10-23 09:34:56.789");
    }

    #[test]
    fn levels_have_names_in_any_case() {
        assert_eq!(Level::from_name("WARNING"), Some(Level::Warning));
        assert_eq!(Level::from_name("loud"), None);
        assert!(Level::Debug < Level::Error);
    }
}
