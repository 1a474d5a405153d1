package story;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.neo4j.driver.AccessMode;
import org.neo4j.driver.AuthTokens;
import org.neo4j.driver.Driver;
import org.neo4j.driver.GraphDatabase;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.exceptions.Neo4jException;
import org.neo4j.driver.types.Node;
import org.neo4j.driver.types.Path;

/** The founding story through the official Java driver. */
public final class Story {
    private static final String SCHEME = System.getenv("STORY_SCHEME");
    private static final String FOUNDING = "This is going to be replicated!";

    private static void check(boolean condition, String what) {
        if (!condition) {
            System.out.println("differs: " + what);
            System.exit(1);
        }
    }

    private static Driver open(String address) {
        return GraphDatabase.driver(SCHEME + "://" + address, AuthTokens.none());
    }

    private static List<List<Object>> rows(Driver driver, AccessMode mode, String query, Map<String, Object> parameters) {
        try (var session = driver.session(SessionConfig.builder().withDefaultAccessMode(mode).build())) {
            return session.run(query, parameters)
                    .list(record -> record.values().stream().map(v -> v.asObject()).collect(Collectors.toCollection(ArrayList::new)));
        }
    }

    private static List<List<Object>> rows(Driver driver, String query) {
        return rows(driver, AccessMode.WRITE, query, Map.of());
    }

    private static Neo4jException failure(Driver driver, String query) {
        try {
            rows(driver, query);
        } catch (Neo4jException error) {
            return error;
        }
        check(false, query + " succeeded");
        return null;
    }

    private static final BufferedReader ANSWERS = new BufferedReader(new InputStreamReader(System.in));

    private static void askHarness(String what) throws IOException {
        System.out.println("harness: " + what);
        ANSWERS.readLine();
    }

    /** Names of the replicas that the WARNINGs of one write name. */
    private static List<String> warnedOf(Driver main) {
        try (var session = main.session()) {
            var texts = session.run("CREATE (:Mode)").consume().notifications().stream()
                    .filter(n -> n.rawSeverityLevel().orElse("").equals("WARNING")).map(n -> n.title()).toList();
            return List.of("r1", "r2", "r3").stream().filter(name -> texts.stream().anyMatch(text -> text.contains("'" + name + "'"))).toList();
        }
    }

    public static void main(String[] arguments) throws Exception {
        var main = open(System.getenv("STORY_MAIN"));
        var replicas = new ArrayList<Driver>();
        for (var address : System.getenv("STORY_REPLICAS").split(",")) replicas.add(open(address));
        var endpoints = System.getenv("STORY_REPLICATION").split(",");

        for (int i = 0; i < 3; i++) {
            var port = endpoints[i].substring(endpoints[i].lastIndexOf(':') + 1);
            check(rows(replicas.get(i), "SET REPLICATION ROLE TO REPLICA WITH PORT " + port + ";").isEmpty(), "SET ROLE returns no rows");
            check(rows(replicas.get(i), AccessMode.READ, "SHOW REPLICATION ROLE;", Map.of()).equals(List.of(List.of("replica"))), "role of a replica");
        }
        var modes = List.of("SYNC", "ASYNC", "SYNC WITH TIMEOUT 1");
        for (int i = 0; i < 3; i++) {
            rows(main, "REGISTER REPLICA r" + (i + 1) + " " + modes.get(i) + " TO \"" + endpoints[i] + "\";");
        }
        check(rows(main, "SHOW REPLICATION ROLE;").equals(List.of(List.of("main"))), "role of the main");

        rows(main, "CREATE (n:N {p: \"" + FOUNDING + "\"});");
        for (var driver : replicas) {
            var deadline = System.nanoTime() + 10_000_000_000L;
            List<List<Object>> found;
            while (true) {
                found = rows(driver, AccessMode.READ, "MATCH (n:N) RETURN n;", Map.of());
                if (!found.isEmpty() || System.nanoTime() > deadline) break;
                Thread.sleep(10);
            }
            check(found.size() == 1, "a replica shows " + found.size() + " vertices");
            var node = (Node) found.get(0).get(0);
            check(node.hasLabel("N") && node.asMap().equals(Map.of("p", FOUNDING)), "a replica shows " + node.asMap());
        }
        check(rows(main, "SHOW REPLICAS;").stream().map(r -> r.get(0)).toList().equals(List.of("r1", "r2", "r3")), "SHOW REPLICAS");

        if (SCHEME.equals("bolt")) {
            var refusal = failure(replicas.get(0), "CREATE (:Forbidden);");
            check(refusal.getMessage().toLowerCase().contains("replica") || refusal.getMessage().toLowerCase().contains("write"),
                    "the refusal reads " + refusal.getMessage());
        }
        check(rows(replicas.get(0), AccessMode.READ, "MATCH (n) RETURN n", Map.of()).size() == 1, "a replica after a refused write");
        var syntax = failure(main, "MATCH (n RETURN n");
        check(syntax.code().contains("SyntaxError") && syntax.getMessage().toLowerCase().contains("line 1"), syntax.code() + ": " + syntax.getMessage());
        check(rows(main, "RETURN 1").equals(List.of(List.of(1L))), "the connection after an error");

        var values = new ArrayList<Object>(List.of(true, false, 0L, -1L, 127L, 128L, -129L, Long.MAX_VALUE, Long.MIN_VALUE, 1.5, "", "ä€😀".repeat(100)));
        values.add(List.of(1L, "two", List.of(3.5)));
        values.add(Map.of("k", List.of(1L, Map.of("deep", true))));
        values.add(LongStream.range(0, 300).boxed().toList());
        values.add("x".repeat(70_000));
        values.add(null);
        for (var value : values) {
            var parameters = new java.util.HashMap<String, Object>();
            parameters.put("value", value);
            var back = rows(main, AccessMode.WRITE, "RETURN $value AS v", parameters).get(0).get(0);
            check(Objects.equals(back, value), "round trip of " + value);
        }

        var path = (Path) rows(main, "CREATE p = (:A {i: 1})-[:R {w: 0.5}]->(:B {i: 2})<-[:S]-(:C) RETURN p").get(0).get(0);
        var types = new ArrayList<String>();
        path.relationships().forEach(r -> types.add(r.type()));
        check(types.equals(List.of("R", "S")), "path relationships " + types);
        var labels = new ArrayList<String>();
        path.nodes().forEach(n -> n.labels().forEach(labels::add));
        check(labels.equals(List.of("A", "B", "C")), "path nodes " + labels);

        try (var session = main.session()) {
            try (var tx = session.beginTransaction()) {
                tx.run("CREATE (:Tx {i: 1})").consume();
                tx.rollback();
            }
            try (var tx = session.beginTransaction()) {
                tx.run("CREATE (:Tx {i: 2})").consume();
                tx.commit();
            }
            session.executeWrite(tx -> tx.run("CREATE (:Tx {i: 3})").consume());
        }
        check(rows(main, "MATCH (n:Tx) RETURN n.i ORDER BY n.i").equals(List.of(List.of(2L), List.of(3L))), "transactions");

        var stream = rows(main, "UNWIND range(1, 10000) AS i RETURN i");
        check(stream.stream().map(r -> (Long) r.get(0)).toList().equals(LongStream.rangeClosed(1, 10_000).boxed().toList()), "stream of 10,000 rows");

        check(warnedOf(main).isEmpty(), "a warning while all replicas are well");
        askHarness("kill r1");
        check(warnedOf(main).equals(List.of("r1")), "warnings with a dead SYNC replica");
        askHarness("pause r2");
        check(warnedOf(main).equals(List.of("r1")), "warnings with a stuck ASYNC replica too");
        askHarness("pause r3");
        check(warnedOf(main).equals(List.of("r1", "r3")), "warnings of the write that a stuck SYNC WITH TIMEOUT replica delayed");
        check(warnedOf(main).equals(List.of("r1")), "warnings of the write after it");
        askHarness("resume r2");
        askHarness("resume r3");

        for (var driver : replicas) driver.close();
        main.close();
        System.out.println("story ok");
    }
}
