"""Partitions between hosts: each server in a network namespace of its own, on one bridge."""

import contextlib
import itertools
import os
import subprocess

import pytest

from cluster import Cluster, Server, eventually
from journal import Journal
from load import Load, found
from test_kill import agrees, judged


# What goes is gone only a while later, so nothing has a name or an address twice.
NUMBERS = itertools.count(1)


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def made(stack, *arguments, gone):
    """Makes something that goes with the stack."""
    ip(*arguments)
    stack.callback(subprocess.run, ["ip", *gone], capture_output=True)


class Host:
    """A network namespace with an address that this process reaches."""

    def __init__(self, stack, net, prefix, number):
        self.name = f"{net}-{number}"
        self.address = f"{prefix}.{number + 1}"
        veth = f"{net}v{number}"
        made(stack, "netns", "add", self.name, gone=["netns", "del", self.name])
        made(stack, "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", self.name, gone=["link", "del", veth])
        ip("link", "set", veth, "master", net, "up")
        for command in (["addr", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
            ip("-n", self.name, *command)

    def drop(self, other):
        """What this host sends to the other goes nowhere."""
        ip("-n", self.name, "route", "add", "blackhole", f"{other.address}/32")

    def reach(self, other):
        ip("-n", self.name, "route", "del", "blackhole", f"{other.address}/32")


class HostServer(Server):
    """A server within a host."""

    def __init__(self, name, directory, host):
        super().__init__(name, directory, cores=1, arguments=["--bolt-address", "0.0.0.0", "--replica-timeout", "1"])
        self.host = host

    @property
    def address(self):
        return f"{self.host.address}:{self.bolt_port}"

    @property
    def endpoint(self):
        return f"{self.host.address}:{self.replication_port}"

    def command(self):
        return ["ip", "netns", "exec", self.host.name, *super().command()]


@pytest.fixture
def hosts(tmp_path):
    """A main and a replica on hosts of their own: the cluster, and the two hosts."""
    number = next(NUMBERS)
    net, prefix = f"qb{os.getpid() % 100_000}x{number}", f"10.77.{number}"
    with contextlib.ExitStack() as stack:
        made(stack, "link", "add", net, "type", "bridge", gone=["link", "del", net])
        ip("addr", "add", f"{prefix}.1/24", "dev", net)
        ip("link", "set", net, "up")
        both = [Host(stack, net, prefix, number) for number in (1, 2)]
        group = Cluster(tmp_path)
        stack.callback(group.stop)
        for name, host in zip(["main", "one"], both):
            group.servers[name] = HostServer(name, tmp_path / name, host).start()
        yield group, *both


@pytest.mark.root
@pytest.mark.parametrize("ways", ["both ways", "to the replica", "to the main"])
def test_a_partition_is_noticed_and_healed(hosts, fire, count, ways):
    group, main, one = hosts
    replica, journal = group.join("one", "SYNC"), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    load.start()
    load.acknowledged_more(50)
    cut = {"both ways": [(main, one), (one, main)], "to the replica": [(main, one)], "to the main": [(one, main)]}[ways]
    for sender, receiver in cut:
        sender.drop(receiver)
    fire(f"partition {ways}")
    # Given up after --replica-timeout; then the main goes on without it, and says so.
    load.acknowledged_more(100, 90)
    eventually(lambda: group.status("one") != "ready", "the main to notice", 60)
    for sender, receiver in cut:
        sender.reach(receiver)
    load.acknowledged_more(20)
    load.stop()
    group.wait_ready("one", seconds=90)
    agrees(replica, group.main)
    judged(group.main, journal)
    judged(replica, journal)


@pytest.mark.root
def test_a_cut_off_replica_that_is_promoted_keeps_its_writes_and_the_old_main_is_refused(hosts, fire, count):
    group, main, one = hosts
    replica, journal = group.join("one", "SYNC"), Journal()
    load = Load(group.main, journal)
    load.prepare()
    count(journal)
    load.start()
    load.acknowledged_more(50)
    main.drop(one)
    one.drop(main)
    fire("partition")
    load.acknowledged_more(20, 90)
    load.stop()
    replica.rows("SET REPLICATION ROLE TO MAIN")
    judged(replica, journal, promised=journal.confirmed)
    replica.rows("CREATE (:Write {id: 1000001})-[:OF {id: 1000001}]->(:Pair {id: 1000001})")
    before = sorted(found(replica))
    main.reach(one)
    one.reach(main)
    eventually(lambda: group.status("one") != "ready" and group.main.replicas()["one"]["detail"], "the old main to learn that it is refused", 60)
    assert sorted(found(replica)) == before, "what the old main has is not shown on the new one"
    assert replica.rows("SHOW REPLICATION ROLE") == [["main"]]
