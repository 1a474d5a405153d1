//! A query's plan in a summary: the `plan` of EXPLAIN, the `profile` of PROFILE.

use super::answer::saturated;
use crate::packstream::MapWriter;

/// An operator of a plan and those below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanNode {
    /// The operator's name.
    pub operator: String,
    /// The variables it provides.
    pub identifiers: Vec<String>,
    /// Anything else about it, by name.
    pub arguments: Vec<(String, PlanArgument)>,
    /// What it did, if the query was profiled.
    pub profile: Option<Profile>,
    /// Where its rows come from.
    pub children: Vec<PlanNode>,
}

/// A fact about an operator.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanArgument {
    /// A text.
    Text(String),
    /// A count.
    Int(i64),
    /// An estimate.
    Float(f64),
}

/// What an operator did when it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Accesses to stored data.
    pub db_hits: u64,
    /// Rows produced.
    pub rows: u64,
    /// Time spent in it, in nanoseconds.
    pub time_ns: Option<u64>,
}

/// Operators below one another beyond this are not shown: no client could bear more nesting, since each
/// level is two of PackStream's.
const DEPTH_MAX: usize = 100;

impl PlanNode {
    pub(super) fn write(&self, metadata: &mut MapWriter<'_>) {
        let key = if self.profile.is_some() {
            "profile"
        } else {
            "plan"
        };
        metadata.key(key).map(|map| self.write_entries(map, 1));
    }

    fn write_entries(&self, map: &mut MapWriter<'_>, depth: usize) {
        map.string("operatorType", &self.operator);
        map.strings("identifiers", self.identifiers.iter().map(String::as_str));
        map.key("args").map(|args| {
            for (name, argument) in &self.arguments {
                match argument {
                    PlanArgument::Text(text) => args.string(name, text),
                    PlanArgument::Int(int) => args.int(name, *int),
                    PlanArgument::Float(float) => args.float(name, *float),
                }
            }
        });
        if let Some(profile) = &self.profile {
            map.int("dbHits", saturated(profile.db_hits));
            map.int("rows", saturated(profile.rows));
            if let Some(time_ns) = profile.time_ns {
                map.int("time", saturated(time_ns));
            }
        }
        map.key("children").list(|list| {
            if depth < DEPTH_MAX {
                for child in &self.children {
                    list.item().map(|map| child.write_entries(map, depth + 1));
                }
            }
        });
    }
}
