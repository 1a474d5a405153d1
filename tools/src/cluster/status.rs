//! `quoit cluster status`: what each node's process does, what it says of itself, and what the main
//! says of it.

use super::node::connect;
use super::state::{ClusterState, Kind, NodeState, Process};
use super::story::{replica_rows, replica_state};
use crate::bolt::{Answer, Value, lookup};
use crate::console::{table, text_of};

/// What the main says of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    state: String,
    effective_mode: String,
    lag: String,
}

/// The status of a cluster as a table. Nodes that do not answer within two seconds show a dash.
pub fn status(state: &ClusterState) -> String {
    let main = state.nodes.iter().find(|node| node.kind == Kind::Main);
    let replicas = main.and_then(|main| ask(main, "SHOW REPLICAS;"));
    let rows: Vec<Vec<String>> = state
        .nodes
        .iter()
        .map(|node| {
            let seen = replicas
                .as_ref()
                .and_then(|answer| seen_by_main(answer, &node.name));
            row(node, role(node), seen)
        })
        .collect();
    let header = [
        "node", "mode", "process", "pid", "bolt", "role", "state", "works as", "lag",
    ];
    table(&header.map(str::to_owned), &rows, None)
}

fn row(node: &NodeState, role: Option<String>, seen: Option<Seen>) -> Vec<String> {
    let dash = || "-".to_owned();
    let (state, effective_mode, lag) = match seen {
        Some(seen) => (seen.state, seen.effective_mode, seen.lag),
        None => (dash(), dash(), dash()),
    };
    vec![
        node.name.clone(),
        node.kind.word().to_owned(),
        node.process.word().to_owned(),
        node.pid.map_or_else(dash, |pid| pid.to_string()),
        format!("127.0.0.1:{}", node.bolt_port),
        role.unwrap_or_else(dash),
        state,
        effective_mode,
        lag,
    ]
}

fn role(node: &NodeState) -> Option<String> {
    let answer = ask(node, "SHOW REPLICATION ROLE;")?;
    let value = answer.rows.first()?.first()?;
    value.as_str().map(str::to_owned)
}

fn ask(node: &NodeState, statement: &str) -> Option<Answer> {
    if node.process != Process::Running {
        return None;
    }
    let mut client = connect(node.bolt_port).ok()?;
    let answer = client.run(statement, &[]).ok();
    client.close();
    answer
}

fn seen_by_main(answer: &Answer, name: &str) -> Option<Seen> {
    let row = replica_rows(answer)
        .into_iter()
        .find(|row| lookup(row, "name").and_then(Value::as_str) == Some(name))?;
    let text = |key: &str| match lookup(&row, key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Float(float)) => Some(format!("{float:.1}")),
        Some(other) => Some(text_of(other)),
    };
    let lag = match (text("lag_transactions"), text("lag_seconds")) {
        (Some(transactions), Some(seconds)) => format!("{transactions} tx, {seconds} s"),
        (Some(transactions), None) => format!("{transactions} tx"),
        _ => "-".to_owned(),
    };
    Some(Seen {
        state: replica_state(&row).to_owned(),
        effective_mode: text("effective_mode").unwrap_or_else(|| "-".to_owned()),
        lag,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replicas_line_holds_what_the_main_says_of_it() {
        let database = vec![("status".to_owned(), Value::String("recovery".into()))];
        let info = vec![("memgraph".to_owned(), Value::Map(database))];
        let columns = [
            ("name", Value::String("r3".into())),
            ("data_info", Value::Map(info)),
            ("effective_mode", Value::String("async".into())),
            ("lag_transactions", Value::Int(7)),
            ("lag_seconds", Value::Float(0.5)),
        ];
        let answer = Answer {
            fields: columns.iter().map(|(name, _)| name.to_string()).collect(),
            rows: vec![columns.iter().map(|(_, value)| value.clone()).collect()],
            ..Answer::default()
        };
        assert_eq!(seen_by_main(&answer, "r1"), None);
        let node = NodeState {
            name: "r3".into(),
            kind: Kind::SemiSync,
            bolt_port: 5,
            replication_port: 6,
            process: Process::Running,
            pid: Some(77),
        };
        let seen = seen_by_main(&answer, "r3");
        assert_eq!(
            row(&node, Some("replica".into()), seen),
            [
                "r3",
                "semi-sync",
                "running",
                "77",
                "127.0.0.1:5",
                "replica",
                "recovery",
                "async",
                "7 tx, 0.5 s"
            ]
        );
    }
}
