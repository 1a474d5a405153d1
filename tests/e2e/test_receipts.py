"""What the summary of a write says of each replica, and SHOW REPLICATION LAG."""

import pytest

from cluster import eventually


def receipt(server, query, **parameters):
    _, summary = server.run(query, **parameters)
    return summary.metadata.get("quoit_commit")


def by_name(found):
    return {replica["name"]: replica for replica in found["replicas"]}


def lag(server):
    with server.driver.session() as session:
        return {record["instance"]: record.data() for record in session.run("SHOW REPLICATION LAG")}


def test_a_write_says_who_has_it_and_how_long_that_took(group):
    assert receipt(group.main, "CREATE (:N)") is None, "there are no replicas"
    group.join("one", "SYNC")
    group.join("two", "ASYNC")
    found = receipt(group.main, "CREATE (:N)")
    replicas = by_name(found)
    assert found["commit"] > 0 and set(replicas) == {"one", "two"}
    assert replicas["one"]["mode"] == "sync" and replicas["one"]["outcome"] == "confirmed"
    assert replicas["one"]["microseconds"] > 0
    assert replicas["two"] == {"name": "two", "mode": "async", "outcome": "not waited for"}
    assert receipt(group.main, "MATCH (n) RETURN n") is None, "a read has none"
    with group.main.driver.session() as session:
        transaction = session.begin_transaction()
        transaction.run("CREATE (:N)").consume()
        transaction.commit()
    later = receipt(group.main, "CREATE (:N)")
    assert later["commit"] == found["commit"] + 2


def test_a_replica_that_does_not_answer_is_named_with_the_reason(group):
    group.join("one", "SYNC WITH TIMEOUT 0.2")
    group.one.pause()
    one = by_name(receipt(group.main, "CREATE (:N)"))["one"]
    assert one["outcome"] == "unconfirmed" and "timeout" in one["reason"]
    assert one["microseconds"] >= 200_000
    # From then on nobody waits for it, until it has caught up.
    one = by_name(receipt(group.main, "CREATE (:N)"))["one"]
    assert one["outcome"] == "not waited for"
    group.one.resume()
    eventually(lambda: by_name(receipt(group.main, "CREATE (:N)"))["one"]["outcome"] == "confirmed", "it to confirm again", 30)


@pytest.mark.parametrize("mode", ["SYNC", "ASYNC"])
def test_lag_is_shown_on_main_and_replica(group, mode):
    group.join("one", mode)
    group.main.rows("CREATE (:N)")
    eventually(lambda: lag(group.main)["one"]["lag_transactions"] == 0, "no lag")
    own = lag(group.main)["main"]
    assert own["term"] == 1 and own["durable_commit"] == own["visible_commit"] == lag(group.main)["one"]["durable_commit"]
    there = eventually(lambda: (row := lag(group.one)["replica"])["visible_commit"] == own["visible_commit"] and row, "the replica to show it")
    assert there["term"] == 1 and there["lag_transactions"] == 0
    assert set(lag(group.one)) == {"replica"}
    group.one.kill()
    group.main.rows("CREATE (:N)")
    behind = lag(group.main)["one"]
    assert behind["lag_transactions"] == 1 and behind["lag_seconds"] >= 0
