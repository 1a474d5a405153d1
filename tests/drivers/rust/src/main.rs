//! The founding story through neo4rs (Bolt 4.0 and 4.1: the oldest wire of our drivers).

use neo4rs::{BoltType, ConfigBuilder, Graph, Node, Path, query};
use std::time::{Duration, Instant};

const FOUNDING: &str = "This is going to be replicated!";

fn check(condition: bool, what: impl std::fmt::Display) {
    if !condition {
        println!("differs: {what}");
        std::process::exit(1);
    }
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

async fn open(scheme: &str, address: &str) -> Graph {
    let config = ConfigBuilder::default().uri(format!("{scheme}://{address}")).user("").password("").db("memgraph").build();
    Graph::connect(config.expect("a configuration")).await.unwrap_or_else(|e| panic!("{address}: {e}"))
}

async fn rows(graph: &Graph, text: &str) -> Vec<neo4rs::Row> {
    let mut stream = graph.execute(query(text)).await.unwrap_or_else(|e| panic!("{text}: {e}"));
    let mut found = Vec::new();
    while let Some(row) = stream.next().await.unwrap_or_else(|e| panic!("{text}: {e}")) {
        found.push(row);
    }
    found
}

async fn fails(graph: &Graph, text: &str) -> String {
    match graph.run(query(text)).await {
        Ok(()) => {
            check(false, format!("{text} succeeded"));
            unreachable!()
        }
        Err(error) => format!("{error:?}").to_lowercase(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let scheme = env("STORY_SCHEME");
    let (replica_addresses, endpoints) = (env("STORY_REPLICAS"), env("STORY_REPLICATION"));
    let endpoints: Vec<&str> = endpoints.split(',').collect();
    let main = open(&scheme, &env("STORY_MAIN")).await;
    let mut replicas = Vec::new();
    for address in replica_addresses.split(',') {
        replicas.push(open(&scheme, address).await);
    }

    for (graph, endpoint) in replicas.iter().zip(&endpoints) {
        let port = endpoint.rsplit(':').next().expect("a port");
        check(rows(graph, &format!("SET REPLICATION ROLE TO REPLICA WITH PORT {port};")).await.is_empty(), "SET ROLE");
        let role: String = rows(graph, "SHOW REPLICATION ROLE;").await[0].get("replication role").expect("a role");
        check(role == "replica", format!("role {role}"));
    }
    for (i, mode) in ["SYNC", "ASYNC", "SYNC WITH TIMEOUT 1"].iter().enumerate() {
        rows(&main, &format!("REGISTER REPLICA r{} {mode} TO \"{}\";", i + 1, endpoints[i])).await;
    }
    rows(&main, &format!("CREATE (n:N {{p: \"{FOUNDING}\"}});")).await;

    for graph in &replicas {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut found = rows(graph, "MATCH (n:N) RETURN n;").await;
        while found.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
            found = rows(graph, "MATCH (n:N) RETURN n;").await;
        }
        check(found.len() == 1, format!("a replica shows {} vertices", found.len()));
        let node: Node = found[0].get("n").expect("a node");
        check(node.labels() == ["N"] && node.get::<String>("p").is_ok_and(|p| p == FOUNDING), "the founding vertex");
    }
    let names: Vec<String> = rows(&main, "SHOW REPLICAS;").await.iter().map(|r| r.get("name").expect("a name")).collect();
    check(names == ["r1", "r2", "r3"], format!("SHOW REPLICAS lists {names:?}"));

    let refusal = fails(&replicas[0], "CREATE (:Forbidden);").await;
    check(refusal.contains("replica"), format!("the refusal reads {refusal}"));
    check(rows(&replicas[0], "MATCH (n) RETURN n").await.len() == 1, "a replica after a refused write");
    let syntax = fails(&main, "MATCH (n RETURN n").await;
    check(syntax.contains("line 1"), format!("a syntax error reads {syntax}"));
    check(rows(&main, "RETURN 1 AS one").await[0].get::<i64>("one").is_ok_and(|one| one == 1), "the connection after an error");

    // No integer from -16 to -1: neo4rs 0.8.0 reads those one-byte forms as 240 to 255.
    let values: Vec<BoltType> = vec![
        true.into(), 0i64.into(), (-17i64).into(), 127i64.into(), 128i64.into(), (-129i64).into(), i64::MAX.into(), i64::MIN.into(),
        1.5f64.into(), "".into(), "ä€😀".repeat(100).into(), vec![1i64, 2, 3].into(), (0i64..300).collect::<Vec<_>>().into(),
        "x".repeat(70_000).into(),
    ];
    for value in values {
        let mut stream = main.execute(query("RETURN $value AS v").param("value", value.clone())).await.expect("a stream");
        let row = stream.next().await.expect("an answer").expect("a row");
        let back: BoltType = row.get("v").expect("a value");
        check(back == value, format!("round trip of {:.60}", format!("{value:?}")));
    }

    let created = rows(&main, "CREATE p = (:A {i: 1})-[:R {w: 0.5}]->(:B {i: 2})<-[:S]-(:C) RETURN p").await;
    let path: Path = created[0].get("p").expect("a path");
    check(path.rels().iter().map(|r| r.typ().to_string()).collect::<Vec<_>>() == ["R", "S"], "path relationships");
    check(path.nodes().iter().map(|n| n.labels().join("")).collect::<Vec<_>>() == ["A", "B", "C"], "path nodes");

    let mut first = main.start_txn().await.expect("a transaction");
    first.run(query("CREATE (:Tx {i: 1})")).await.expect("a write");
    first.rollback().await.expect("a rollback");
    let mut second = main.start_txn().await.expect("a transaction");
    second.run(query("CREATE (:Tx {i: 2})")).await.expect("a write");
    second.commit().await.expect("a commit");
    let left: Vec<i64> = rows(&main, "MATCH (n:Tx) RETURN n.i AS i").await.iter().map(|r| r.get("i").expect("i")).collect();
    check(left == [2], format!("transactions left {left:?}"));

    let stream: Vec<i64> = rows(&main, "UNWIND range(1, 10000) AS i RETURN i").await.iter().map(|r| r.get("i").expect("i")).collect();
    check(stream == (1..=10_000).collect::<Vec<_>>(), "stream of 10,000 rows");
    // neo4rs 0.8 shows no notifications: the writes succeed.
    for what in ["kill r1", "pause r2", "pause r3", "resume r2", "resume r3"] {
        println!("harness: {what}");
        std::io::stdin().read_line(&mut String::new()).expect("an answer");
        main.run(query("CREATE (:Mode)")).await.expect("a write");
    }
    let count = rows(&main, "MATCH (n:Mode) RETURN count(n) AS c").await[0].get::<i64>("c");
    check(count.is_ok_and(|count| count == 5), "writes with replicas dead and stuck");
    println!("story ok");
}
