//! The last answer of a stream: what a query did.

use super::answer::saturated;
use super::notification::{self, Notification, NotificationFilter, OutcomeStatus};
use super::plan::PlanNode;
use crate::packstream::{EncodedPairs, MapWriter};
use crate::send::SendBuffer;
use std::sync::LazyLock;

/// What the answer to the PULL or DISCARD that ends a stream says.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// What kind of query it was.
    pub kind: QueryKind,
    /// Milliseconds until the last row was produced.
    pub t_last_ms: u64,
    /// The database it ran on.
    pub database: &'a str,
    /// Where it left the database; in auto-commit only.
    pub bookmark: Option<&'a str>,
    /// What it changed.
    pub stats: Stats,
    /// The plan of EXPLAIN or the profile of PROFILE.
    pub plan: Option<&'a PlanNode>,
    /// How it ended, as a GQL status (5.6).
    pub outcome: OutcomeStatus,
    /// What its author should know.
    pub notifications: &'a [Notification<'a>],
    /// What of that the client wants to hear.
    pub filter: NotificationFilter,
}

/// What kind of query a summary speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// `"r"`
    Read,
    /// `"w"`
    Write,
    /// `"rw"`
    ReadWrite,
    /// Indexes, constraints, settings: `"s"`
    Schema,
}

/// How summaries begin, by [`QueryKind`].
static HEADS: LazyLock<[EncodedPairs; 4]> = LazyLock::new(|| {
    use QueryKind::{Read, ReadWrite, Schema, Write};
    [Read, Write, ReadWrite, Schema].map(|kind| {
        EncodedPairs::new(|map| {
            // mgclient needs `has_more` even when it is false.
            map.bool("has_more", false);
            map.string("type", kind.name());
        })
    })
});

impl QueryKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write => "w",
            Self::ReadWrite => "rw",
            Self::Schema => "s",
        }
    }
}

/// What a query changed, in counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stats {
    pub vertices_created: u64,
    pub vertices_deleted: u64,
    pub edges_created: u64,
    pub edges_deleted: u64,
    pub properties_set: u64,
    pub labels_added: u64,
    pub labels_removed: u64,
    pub indexes_added: u64,
    pub indexes_removed: u64,
    pub constraints_added: u64,
    pub constraints_removed: u64,
    pub system_updates: u64,
}

impl Stats {
    /// The counts under their names on the wire, in the order of the documentation.
    fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("nodes-created", self.vertices_created),
            ("nodes-deleted", self.vertices_deleted),
            ("relationships-created", self.edges_created),
            ("relationships-deleted", self.edges_deleted),
            ("properties-set", self.properties_set),
            ("labels-added", self.labels_added),
            ("labels-removed", self.labels_removed),
            ("indexes-added", self.indexes_added),
            ("indexes-removed", self.indexes_removed),
            ("constraints-added", self.constraints_added),
            ("constraints-removed", self.constraints_removed),
            ("system-updates", self.system_updates),
        ]
    }

    fn write(&self, metadata: &mut MapWriter<'_>) {
        let counts = self.named();
        if counts.iter().all(|(_, count)| *count == 0) {
            return;
        }
        metadata.key("stats").map(|map| {
            for (name, count) in counts {
                if count > 0 {
                    map.int(name, saturated(count));
                }
            }
            let system = self.system_updates > 0;
            if counts[..11].iter().any(|(_, count)| *count > 0) {
                map.bool("contains-updates", true);
            }
            if system {
                map.bool("contains-system-updates", true);
            }
        });
    }
}

impl SendBuffer {
    /// Writes the answer to the PULL or DISCARD that ended a stream. `extra` may add keys that are not
    /// part of Bolt, such as Memgraph's times.
    pub fn summary_success(
        &mut self,
        summary: &Summary<'_>,
        extra: impl FnOnce(&mut MapWriter<'_>),
    ) {
        self.success(|map| {
            map.encoded(&HEADS[summary.kind as usize]);
            map.int("t_last", saturated(summary.t_last_ms));
            map.string("db", summary.database);
            if let Some(bookmark) = summary.bookmark {
                map.string("bookmark", bookmark);
            }
            summary.stats.write(map);
            if let Some(plan) = summary.plan {
                plan.write(map);
            }
            notification::write(map, summary.outcome, summary.notifications, summary.filter);
            extra(map);
        });
    }
}
