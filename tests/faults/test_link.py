"""Links that are slow, that break at any byte, that swallow what is sent."""

import pytest

from cluster import eventually
from journal import Journal
from load import Load
from proxy import Proxy
from test_kill import agrees, judged


@pytest.fixture
def linked(group):
    """A replica behind a proxy, registered by `register(mode)`."""
    replica = group.add("one")
    replica.rows(f"SET REPLICATION ROLE TO REPLICA WITH PORT {replica.replication_port}")
    proxy = Proxy(("127.0.0.1", replica.replication_port))

    def register(mode):
        group.main.rows(f'REGISTER REPLICA one {mode} TO "127.0.0.1:{proxy.port}"')
        return replica

    yield register, proxy
    proxy.stop()


def test_a_link_that_breaks_at_any_byte_is_taken_up_where_it_was(group, linked, fire, count, dice, rounds):
    register, proxy = linked
    replica, journal = register("ASYNC"), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    load.start()
    for _ in range(5 * rounds):
        # Cut by a number of bytes, within handshakes, heads and groups alike; then without.
        before = proxy.cuts
        proxy.cut_after = dice.randrange(1, 200_000)
        proxy.cut()
        eventually(lambda: proxy.cuts >= before + 2, "the link to break", 60)
        fire("cut of a link")
    proxy.cut_after = None
    proxy.cut()
    load.acknowledged_more(20)
    load.stop()
    group.wait_ready("one", seconds=90)
    agrees(replica, group.main)
    judged(group.main, journal)
    judged(replica, journal)


def test_a_replica_a_hundred_times_slower_falls_behind_without_holding_the_main_up(group, linked, fire, count):
    register, proxy = linked
    replica, journal = register("SYNC WITH TIMEOUT 0.2"), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    proxy.bytes_per_second = 100_000
    proxy.delay = 0.02
    fire("slow link")
    load.start()
    load.acknowledged_more(300, 90)
    load.stop()
    proxy.bytes_per_second, proxy.delay = None, 0.0
    group.wait_ready("one", seconds=90)
    agrees(replica, group.main)
    judged(group.main, journal)
    judged(replica, journal)


def test_a_link_that_swallows_everything_is_noticed_and_healed(group, linked, fire, count):
    register, proxy = linked
    replica, journal = register("SYNC WITH TIMEOUT 0.3"), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    load.start()
    load.acknowledged_more(30)
    proxy.swallows = True
    fire("half-open link")
    load.acknowledged_more(100, 90)
    eventually(lambda: group.status("one") != "ready", "the main to notice", 60)
    proxy.swallows = False
    load.stop()
    group.wait_ready("one", seconds=90)
    agrees(replica, group.main)
    judged(group.main, journal)
    judged(replica, journal)
