//! `SHOW STORAGE INFO`, `SHOW MEMORY INFO`: what the server and its graph hold, and who keeps memory from being freed.
//!
//! Owns the rows. Names and texts of sizes are Memgraph's (`588.14MiB`), of before 3.11 (one table for all) and since (the server's and
//! a database's apart): the server's table has both, since dashboards of either time ask for it. What is Quoit's own follows.

use super::Answer;
use super::show::durability;
use crate::allocator::Figures;
use crate::housekeeping;
use crate::isolation::{Chosen, word};
use crate::node::{DATABASE, Node};
use quoit_graph::Statistics;
use quoit_graph::value::Value;
use std::path::Path;
use std::rc::Rc;

const STORAGE_MODE: &str = "IN_MEMORY_TRANSACTIONAL";

type Row = [Value; 2];

fn row(name: &str, value: impl Into<Value>) -> Row {
    [Value::string(name), value.into()]
}

fn degree(statistics: &Statistics) -> f64 {
    if statistics.vertices == 0 {
        0.0
    } else {
        2.0 * statistics.edges as f64 / statistics.vertices as f64
    }
}

/// Bytes in the text of Memgraph.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(4) as usize;
    match unit {
        0 => format!("{bytes}B"),
        _ => format!(
            "{:.2}{}",
            bytes as f64 / (1_u64 << (10 * unit)) as f64,
            UNITS[unit]
        ),
    }
}

fn limit(bytes: Option<u64>) -> String {
    bytes.map_or("unlimited".to_owned(), size)
}

/// `SHOW STORAGE INFO`.
pub(super) fn storage_info(node: &Rc<Node>, chosen: &Chosen) -> Answer {
    let graph = node.core.graph();
    let statistics = graph.statistics();
    let memory = graph.memory();
    let tail = node.log().tail();
    let process = Process::now();
    Answer::table(
        ["storage info", "value"],
        vec![
            row("name", DATABASE),
            row("vertex_count", statistics.vertices as i64),
            row("edge_count", statistics.edges as i64),
            row("average_degree", degree(&statistics)),
            row("vm_max_map_count", process.max_map_count),
            row("memory_res", size(process.resident)),
            row("peak_memory_res", size(process.peak)),
            row(
                "unreleased_delta_objects",
                node.core.survey_pages().recent as i64,
            ),
            row(
                "disk_usage",
                size(disk_usage(&node.options.data_directory, 4)),
            ),
            row("memory_tracked", size(memory.tracked())),
            row("allocation_limit", limit(memory.limit)),
            row("memory_limit", limit(memory.limit)),
            row(
                "global_isolation_level",
                word(node.shared.isolation.level()),
            ),
            row("session_isolation_level", chosen.session.map_or("", word)),
            row("next_session_isolation_level", chosen.next.map_or("", word)),
            row("storage_mode", STORAGE_MODE),
            row("global_storage_mode", STORAGE_MODE),
            row("durability", durability(&node.options)),
            row(
                "data_directory",
                node.options.data_directory.display().to_string(),
            ),
            row("last_commit", graph.door().visible().0 as i64),
            row("term", tail.term.counter as i64),
            row("incarnation", tail.incarnation.number as i64),
            row("log_position", tail.group.0 as i64),
        ],
    )
}

/// `SHOW STORAGE INFO ON CURRENT DATABASE`.
pub(super) fn database_info(node: &Rc<Node>) -> Answer {
    use quoit_graph::MemoryOwner::{Queries, Transactions};
    let graph = node.core.graph();
    let statistics = graph.statistics();
    let memory = graph.memory();
    let queries = memory.of(Queries) + memory.of(Transactions);
    let uuid = node.cluster();
    Answer::table(
        ["storage info", "value"],
        vec![
            row("name", DATABASE),
            row("database_uuid", uuid_text(uuid)),
            row("state", "ready"),
            row("storage_mode", STORAGE_MODE),
            row("vertex_count", statistics.vertices as i64),
            row("edge_count", statistics.edges as i64),
            row("average_degree", degree(&statistics)),
            row(
                "unreleased_delta_objects",
                node.core.survey_pages().recent as i64,
            ),
            row(
                "disk_usage",
                size(disk_usage(&node.options.data_directory, 4)),
            ),
            row("memory_tracked", size(memory.tracked())),
            row("graph_memory_tracked", size(memory.tracked() - queries)),
            row("query_memory_tracked", size(queries)),
            row("vector_index_memory_tracked", size(0)),
            row(
                "storage_isolation_level",
                word(node.shared.isolation.level()),
            ),
            row("health", "ready"),
        ],
    )
}

fn uuid_text(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// `SHOW MEMORY INFO`: sizes in bytes.
pub(super) fn memory_info(node: &Rc<Node>) -> Answer {
    let graph = node.core.graph();
    // This core's own transactions as of now; the others' as of their last look.
    housekeeping::look(node);
    let memory = graph.memory();
    let pages = node.core.survey_pages();
    let figures = Figures::now();
    let line =
        |name: &str, value: Value, detail: String| [Value::string(name), value, detail.into()];
    let bytes = |name: &str, bytes: u64, detail: &str| {
        line(name, Value::Int(bytes as i64), detail.to_owned())
    };
    let mut rows: Vec<[Value; 3]> = memory
        .owners
        .iter()
        .map(|&(owner, used)| bytes(owner.name(), used, owner.description()))
        .collect();
    rows.push(bytes("tracked", memory.tracked(), "all of the above"));
    rows.push(bytes(
        "untracked",
        figures.active.saturating_sub(memory.tracked()),
        "buffers of sessions and of the log, plans, what the allocator rounds up and cannot give back",
    ));
    rows.push(line(
        "limit",
        memory
            .limit
            .map_or(Value::Null, |limit| Value::Int(limit as i64)),
        "--memory-limit; null: none".to_owned(),
    ));
    rows.push(bytes(
        "reserve",
        memory.reserve,
        "the part of the limit that is kept for undoing and housekeeping",
    ));
    rows.push(bytes(
        "allocator allocated",
        figures.allocated,
        "handed out",
    ));
    rows.push(bytes(
        "allocator resident",
        figures.resident,
        "pages in physical memory, free ones included until they go back to the system",
    ));
    rows.push(bytes(
        "allocator retained",
        figures.retained,
        "address space without memory behind it",
    ));
    rows.push(line(
        "sparse pages",
        Value::Int(pages.sparse_bytes as i64),
        format!(
            "{} of {} pages have a vertex on less than an eighth of their slots, {} together; a page goes with its last vertex",
            pages.sparse_pages, pages.pages, pages.sparse_vertices
        ),
    ));
    rows.push(line(
        "recent vertices",
        Value::Int(pages.recent as i64),
        format!(
            "of {} vertices so many have something that is not folded into columns",
            pages.vertices
        ),
    ));
    let (now, visible) = (node.rt.now(), graph.door().visible().0);
    for (core, transaction) in node.shared.board.all() {
        let age = now.saturating_since(transaction.begun);
        let commits = visible.saturating_sub(transaction.snapshot.0);
        rows.push(line(
            &format!("transaction of bolt-{}", transaction.connection),
            Value::Int(commits as i64),
            format!(
                "open for {:.1} s on core {core}, sees commit {}; what the {commits} commits since have replaced or deleted of what it \
                 sees is kept until it ends",
                age.as_secs_f64(),
                transaction.snapshot.0
            ),
        ));
    }
    Answer::table(["memory info", "value", "detail"], rows)
}

/// What the system says of this process.
struct Process {
    resident: u64,
    peak: u64,
    /// -1: unknown.
    max_map_count: i64,
}

impl Process {
    /// As of now; zeros where /proc is not to be had.
    fn now() -> Process {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
            kib.and_then(|kib| kib.trim().parse::<u64>().ok())
                .map_or(0, |kib| kib * 1024)
        };
        let maps = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
        Process {
            resident: field("VmRSS:"),
            peak: field("VmHWM:"),
            max_map_count: maps.trim().parse().unwrap_or(-1),
        }
    }
}

/// Bytes of the files in a directory and, so many levels deep, below it.
fn disk_usage(directory: &Path, levels: u32) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() && levels > 0 => disk_usage(&entry.path(), levels - 1),
            Ok(found) if found.is_file() => found.len(),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_memgraph_writes_them() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00KiB"),
            (616_709_816, "588.14MiB"),
            (1 << 50, "1024.00TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_cluster_id_is_written_as_a_uuid() {
        let text = uuid_text(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        assert_eq!(text, "00112233-4455-6677-8899-aabbccddeeff");
    }
}
