// The founding story through the official Go driver.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
)

var (
	ctx    = context.Background()
	scheme = os.Getenv("STORY_SCHEME")
)

const founding = "This is going to be replicated!"

func check(condition bool, format string, arguments ...any) {
	if !condition {
		fmt.Printf("differs: "+format+"\n", arguments...)
		os.Exit(1)
	}
}

func open(address string) neo4j.DriverWithContext {
	driver, err := neo4j.NewDriverWithContext(scheme+"://"+address, neo4j.NoAuth())
	check(err == nil, "open %s: %v", address, err)
	return driver
}

func run(driver neo4j.DriverWithContext, mode neo4j.AccessMode, query string, parameters map[string]any) ([][]any, error) {
	session := driver.NewSession(ctx, neo4j.SessionConfig{AccessMode: mode})
	defer session.Close(ctx)
	result, err := session.Run(ctx, query, parameters)
	if err != nil {
		return nil, err
	}
	records, err := result.Collect(ctx)
	if err != nil {
		return nil, err
	}
	rows := [][]any{}
	for _, record := range records {
		rows = append(rows, record.Values)
	}
	return rows, nil
}

func rows(driver neo4j.DriverWithContext, query string) [][]any {
	found, err := run(driver, neo4j.AccessModeWrite, query, nil)
	check(err == nil, "%s: %v", query, err)
	return found
}

func readRows(driver neo4j.DriverWithContext, query string) [][]any {
	found, err := run(driver, neo4j.AccessModeRead, query, nil)
	check(err == nil, "%s: %v", query, err)
	return found
}

func main() {
	main := open(os.Getenv("STORY_MAIN"))
	replicas := []neo4j.DriverWithContext{}
	for _, address := range strings.Split(os.Getenv("STORY_REPLICAS"), ",") {
		replicas = append(replicas, open(address))
	}
	endpoints := strings.Split(os.Getenv("STORY_REPLICATION"), ",")

	for i, driver := range replicas {
		port := endpoints[i][strings.LastIndex(endpoints[i], ":")+1:]
		check(len(rows(driver, "SET REPLICATION ROLE TO REPLICA WITH PORT "+port+";")) == 0, "SET ROLE returns no rows")
		check(reflect.DeepEqual(readRows(driver, "SHOW REPLICATION ROLE;"), [][]any{{"replica"}}), "role of a replica")
	}
	for i, mode := range []string{"SYNC", "ASYNC", "SYNC WITH TIMEOUT 1"} {
		rows(main, fmt.Sprintf("REGISTER REPLICA r%d %s TO %q;", i+1, mode, endpoints[i]))
	}
	check(reflect.DeepEqual(rows(main, "SHOW REPLICATION ROLE;"), [][]any{{"main"}}), "role of the main")

	rows(main, fmt.Sprintf("CREATE (n:N {p: %q});", founding))
	for _, driver := range replicas {
		deadline := time.Now().Add(10 * time.Second)
		found := readRows(driver, "MATCH (n:N) RETURN n;")
		for len(found) == 0 && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
			found = readRows(driver, "MATCH (n:N) RETURN n;")
		}
		check(len(found) == 1, "a replica shows %d vertices", len(found))
		node := found[0][0].(neo4j.Node)
		check(reflect.DeepEqual(node.Labels, []string{"N"}) && reflect.DeepEqual(node.Props, map[string]any{"p": founding}),
			"a replica shows %v", node)
	}
	names := []any{}
	for _, row := range rows(main, "SHOW REPLICAS;") {
		names = append(names, row[0])
	}
	check(reflect.DeepEqual(names, []any{"r1", "r2", "r3"}), "SHOW REPLICAS lists %v", names)

	if scheme == "bolt" {
		_, err := run(replicas[0], neo4j.AccessModeWrite, "CREATE (:Forbidden);", nil)
		check(err != nil && strings.Contains(strings.ToLower(err.Error()), "replica"), "the refusal reads %v", err)
	}
	check(len(readRows(replicas[0], "MATCH (n) RETURN n")) == 1, "a replica after a refused write")
	_, err := run(main, neo4j.AccessModeWrite, "MATCH (n RETURN n", nil)
	var syntax *neo4j.Neo4jError
	check(errors.As(err, &syntax) && strings.Contains(syntax.Code, "SyntaxError") && strings.Contains(strings.ToLower(syntax.Msg), "line 1"),
		"a syntax error reads %v", err)
	check(reflect.DeepEqual(rows(main, "RETURN 1"), [][]any{{int64(1)}}), "the connection after an error")

	counted := []any{}
	for i := range 300 {
		counted = append(counted, int64(i))
	}
	values := []any{nil, true, false, int64(0), int64(-1), int64(127), int64(128), int64(-129), int64(1<<63 - 1), int64(-1 << 63), 1.5, "",
		strings.Repeat("ä€😀", 100), []any{int64(1), "two", nil, []any{3.0}}, map[string]any{"k": []any{int64(1), map[string]any{"deep": true}}},
		counted, strings.Repeat("x", 70000), []byte{0, 255}}
	for _, value := range values {
		found, err := run(main, neo4j.AccessModeWrite, "RETURN $value AS v", map[string]any{"value": value})
		check(err == nil && reflect.DeepEqual(found, [][]any{{value}}), "round trip of %.60v: %.60v %v", value, found, err)
	}

	path := rows(main, "CREATE p = (:A {i: 1})-[:R {w: 0.5}]->(:B {i: 2})<-[:S]-(:C) RETURN p")[0][0].(neo4j.Path)
	check(len(path.Relationships) == 2 && path.Relationships[0].Type == "R" && path.Relationships[1].Type == "S", "path %v", path)
	check(len(path.Nodes) == 3 && path.Nodes[0].Labels[0] == "A" && path.Nodes[1].Labels[0] == "B" && path.Nodes[2].Labels[0] == "C", "path %v", path)

	session := main.NewSession(ctx, neo4j.SessionConfig{})
	first, err := session.BeginTransaction(ctx)
	check(err == nil, "begin: %v", err)
	_, err = first.Run(ctx, "CREATE (:Tx {i: 1})", nil)
	check(err == nil, "run: %v", err)
	check(first.Rollback(ctx) == nil, "rollback")
	second, err := session.BeginTransaction(ctx)
	check(err == nil, "begin: %v", err)
	_, err = second.Run(ctx, "CREATE (:Tx {i: 2})", nil)
	check(err == nil, "run: %v", err)
	check(second.Commit(ctx) == nil, "commit")
	_, err = session.ExecuteWrite(ctx, func(tx neo4j.ManagedTransaction) (any, error) {
		return tx.Run(ctx, "CREATE (:Tx {i: 3})", nil)
	})
	check(err == nil, "managed transaction: %v", err)
	session.Close(ctx)
	check(reflect.DeepEqual(rows(main, "MATCH (n:Tx) RETURN n.i ORDER BY n.i"), [][]any{{int64(2)}, {int64(3)}}), "transactions")

	stream := rows(main, "UNWIND range(1, 10000) AS i RETURN i")
	check(len(stream) == 10000, "stream of %d rows", len(stream))
	for i, row := range stream {
		check(row[0] == int64(i+1), "row %d is %v", i, row)
	}

	answers := bufio.NewReader(os.Stdin)
	askHarness := func(what string) {
		fmt.Printf("harness: %s\n", what)
		answers.ReadString('\n')
	}
	// Names of the replicas that the WARNINGs of one write name.
	warnedOf := func() string {
		session := main.NewSession(ctx, neo4j.SessionConfig{})
		defer session.Close(ctx)
		result, err := session.Run(ctx, "CREATE (:Mode)", nil)
		check(err == nil, "a write: %v", err)
		summary, err := result.Consume(ctx)
		check(err == nil, "a write: %v", err)
		named := []string{}
		for _, name := range []string{"r1", "r2", "r3"} {
			for _, n := range summary.Notifications() {
				if n.RawSeverityLevel() == "WARNING" && strings.Contains(n.Title(), "'"+name+"'") {
					named = append(named, name)
				}
			}
		}
		return strings.Join(named, " ")
	}
	for _, step := range []struct{ ask, warned string }{
		{"", ""}, {"kill r1", "r1"}, {"pause r2", "r1"}, {"pause r3", "r1 r3"}, {"", "r1"},
	} {
		if step.ask != "" {
			askHarness(step.ask)
		}
		found := warnedOf()
		check(found == step.warned, "after %q the write warns of %q, not of %q", step.ask, found, step.warned)
	}
	askHarness("resume r2")
	askHarness("resume r3")

	for _, driver := range append(replicas, main) {
		driver.Close(ctx)
	}
	fmt.Println("story ok")
}
