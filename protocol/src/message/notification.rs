//! Notifications: hints to the author of a query, and the GQL statuses that replaced them.
//!
//! One [`Notification`] is written as a map of `notifications` (up to 5.4) or of `statuses` (from 5.6
//! on), whichever the connection's version has. From 5.6 on the outcome of the query itself is a status
//! among them, always there and never filtered. [`NotificationFilter`] says what a client wants to hear: the
//! query engine asks it before it computes a notification at all.

use crate::packstream::{EncodedPairs, ListWriter, MapWriter};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Something worth telling the author of a query that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// `Neo.ClientNotification.X.Y`, or in Memgraph's dialect a bare word.
    pub code: Cow<'a, str>,
    /// GQLSTATUS, five characters: 01... a warning, 00... and 03... information.
    pub gql_status: Cow<'a, str>,
    /// One line.
    pub title: Cow<'a, str>,
    /// Sentences for a reader.
    pub description: Cow<'a, str>,
    /// The GQL description, `warn: ...` or `info: ...`.
    pub status_description: Cow<'a, str>,
    /// How grave it is.
    pub severity: Severity,
    /// What it is about.
    pub category: Category,
    /// Where in the query, if anywhere.
    pub position: Option<Position>,
}

/// A place in a query's text as sent, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Characters before it.
    pub offset: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// How grave a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Information,
    /// Probably a mistake.
    Warning,
}

impl Severity {
    /// The word on the wire; Memgraph's notifications say `INFO`.
    const fn name(self, memgraph: bool) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Information if memgraph => "INFO",
            Self::Information => "INFORMATION",
        }
    }
}

/// What a notification is about; `classification` from 5.6 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Category {
    Hint,
    Unrecognized,
    Unsupported,
    Performance,
    Deprecation,
    Security,
    Topology,
    Schema,
    Generic,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 9] = [
        Self::Hint,
        Self::Unrecognized,
        Self::Unsupported,
        Self::Performance,
        Self::Deprecation,
        Self::Security,
        Self::Topology,
        Self::Schema,
        Self::Generic,
    ];

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hint => "HINT",
            Self::Unrecognized => "UNRECOGNIZED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Performance => "PERFORMANCE",
            Self::Deprecation => "DEPRECATION",
            Self::Security => "SECURITY",
            Self::Topology => "TOPOLOGY",
            Self::Schema => "SCHEMA",
            Self::Generic => "GENERIC",
        }
    }
}

/// A set of categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CategorySet(u16);

impl CategorySet {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of one category.
    pub const fn of(category: Category) -> Self {
        Self(1 << category as u16)
    }

    /// The set of the category with this name, if there is such a category.
    pub fn of_name(name: &str) -> Option<Self> {
        Category::ALL
            .into_iter()
            .find(|category| category.name() == name)
            .map(Self::of)
    }

    /// What is in either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `category` is in the set.
    pub const fn contains(self, category: Category) -> bool {
        self.0 & Self::of(category).0 != 0
    }
}

/// The least grave notification a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinimumSeverity {
    /// All of them.
    Information,
    /// Warnings only.
    Warning,
    /// None at all.
    Off,
}

impl MinimumSeverity {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "INFORMATION" => Some(Self::Information),
            "WARNING" => Some(Self::Warning),
            "OFF" => Some(Self::Off),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Information => "INFORMATION",
            Self::Warning => "WARNING",
            Self::Off => "OFF",
        }
    }
}

/// Which notifications a client wants, as far as it said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// The least grave; absent: all.
    pub minimum: Option<MinimumSeverity>,
    /// Categories to leave out; absent: none.
    pub disabled: Option<CategorySet>,
}

impl NotificationFilter {
    /// This filter, with what it leaves open taken from `outer` (a transaction's filter on top of its
    /// connection's).
    pub fn over(self, outer: Self) -> Self {
        Self {
            minimum: self.minimum.or(outer.minimum),
            disabled: self.disabled.or(outer.disabled),
        }
    }

    /// Whether a notification of this kind is wanted.
    pub fn wants(&self, severity: Severity, category: Category) -> bool {
        let grave_enough = match self.minimum {
            None | Some(MinimumSeverity::Information) => true,
            Some(MinimumSeverity::Warning) => severity == Severity::Warning,
            Some(MinimumSeverity::Off) => false,
        };
        grave_enough && !self.disabled.is_some_and(|set| set.contains(category))
    }
}

/// How a query ended, as a GQL status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeStatus {
    /// There were rows: 00000.
    Rows,
    /// The query has no columns: 00001.
    OmittedResult,
    /// Columns but no row: 02000.
    NoData,
}

impl OutcomeStatus {
    const fn status(self) -> (&'static str, &'static str) {
        match self {
            Self::Rows => ("00000", "note: successful completion"),
            Self::OmittedResult => ("00001", "note: successful completion - omitted result"),
            Self::NoData => ("02000", "note: no data"),
        }
    }
}

/// Writes `notifications` or `statuses`, as the version has it. Before 5.6 the key is left out when
/// nothing is wanted.
pub(super) fn write(
    metadata: &mut MapWriter<'_>,
    outcome: OutcomeStatus,
    notifications: &[Notification<'_>],
    filter: NotificationFilter,
) {
    let version = metadata.format().version();
    if !version.has_statuses() {
        write_classic(metadata, notifications, filter);
        return;
    }
    if notifications.is_empty() {
        metadata.encoded(&OUTCOMES[outcome as usize]);
        return;
    }
    let wanted = notifications
        .iter()
        .filter(|n| filter.wants(n.severity, n.category));
    metadata.key("statuses").list(|list| {
        // 02..., 01..., 00..., 03...: the outcome is either first or between warnings and notes.
        let (status, description) = outcome.status();
        if outcome == OutcomeStatus::NoData {
            write_status(list, status, description);
        }
        let warnings = wanted.clone().filter(|n| n.gql_status.starts_with("01"));
        warnings.for_each(|n| write_notification_status(list, n));
        if outcome != OutcomeStatus::NoData {
            write_status(list, status, description);
        }
        let class = |n: &&Notification<'_>| !n.gql_status.starts_with("01");
        let information = |n: &&Notification<'_>| n.gql_status.starts_with("03");
        let successes = wanted.clone().filter(class).filter(|n| !information(n));
        successes.for_each(|n| write_notification_status(list, n));
        wanted
            .filter(information)
            .for_each(|n| write_notification_status(list, n));
    });
}

/// Writes `notifications`, in the form before 5.6; leaves the key out when nothing is wanted.
pub(super) fn write_classic(
    metadata: &mut MapWriter<'_>,
    notifications: &[Notification<'_>],
    filter: NotificationFilter,
) {
    let with_category = metadata.format().version().has_notification_category();
    let mut wanted = notifications
        .iter()
        .filter(|n| filter.wants(n.severity, n.category))
        .peekable();
    if wanted.peek().is_some() {
        metadata.key("notifications").list(|list| {
            wanted.for_each(|n| write_notification(list, n, with_category));
        });
    }
}

fn write_notification(list: &mut ListWriter<'_>, n: &Notification<'_>, with_category: bool) {
    list.item().map(|map| {
        map.string("code", &n.code);
        map.string("title", &n.title);
        map.string("description", &n.description);
        map.string("severity", n.severity.name(!n.code.starts_with("Neo.")));
        if with_category {
            map.string("category", n.category.name());
        }
        if let Some(position) = n.position {
            position.write(map, "position");
        }
    });
}

/// `statuses` of queries about which there is nothing to say but their outcome, by [`OutcomeStatus`].
static OUTCOMES: LazyLock<[EncodedPairs; 3]> = LazyLock::new(|| {
    use OutcomeStatus::{NoData, OmittedResult, Rows};
    [Rows, OmittedResult, NoData].map(|outcome| {
        let (status, description) = outcome.status();
        EncodedPairs::new(|map| {
            map.key("statuses")
                .list(|list| write_status(list, status, description));
        })
    })
});

fn write_status(list: &mut ListWriter<'_>, status: &str, description: &str) {
    list.item().map(|map| {
        map.string("gql_status", status);
        map.string("status_description", description);
    });
}

fn write_notification_status(list: &mut ListWriter<'_>, n: &Notification<'_>) {
    list.item().map(|map| {
        map.string("gql_status", &n.gql_status);
        map.string("status_description", &n.status_description);
        map.string("neo4j_code", &n.code);
        map.string("title", &n.title);
        // Drivers that keep the older interface show this as the notification's description.
        map.string("description", &n.description);
        map.key("diagnostic_record").map(|record| {
            record.string("_severity", n.severity.name(!n.code.starts_with("Neo.")));
            record.string("_classification", n.category.name());
            if let Some(position) = n.position {
                position.write(record, "_position");
            }
        });
    });
}

impl Position {
    pub(super) fn write(self, map: &mut MapWriter<'_>, key: &str) {
        map.key(key).map(|position| {
            position.int("offset", i64::from(self.offset));
            position.int("line", i64::from(self.line));
            position.int("column", i64::from(self.column));
        });
    }
}
