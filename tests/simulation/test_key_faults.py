"""Keys that change host by host: who can talk to whom meanwhile, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.cluster import Cluster
from gossipd_sim.errors import ScenarioError
from gossipd_sim.key_faults import AskInstallKey
from gossipd_sim.scenario import library, read_scenario

OLD, NEW = "b2xkIGtleSBvZiAxNiBieQ==", "bmV3IGtleSBvZiAxNiBieQ=="
OLD_BYTES, NEW_BYTES = b"old key of 16 by", b"new key of 16 by"


def made(*faults: str, keys: str = f"keys = ['{OLD}']", horizon: int = 60) -> Cluster:
    head = f"nodes = 4\nhorizon = {horizon}\nsettle = 20\n{keys}\n"
    text = head + "".join("[[faults]]\n" + "\n".join(fault.split("; ")) + "\n" for fault in faults)
    return Cluster(read_scenario(text, "f.toml"), 3)


def change(do: str, at: int, hosts: str = "all", key: str = NEW, more: str = "") -> str:
    return f"do = '{do}'; at = {at}; hosts = '{hosts}'; key = '{key}'{more}"


def keys_of(cluster: Cluster, name: str) -> tuple[bytes, ...]:
    node = cluster.hosts[name].node
    assert node is not None
    assert node.keyring is not None
    return node.keyring.keys


def test_each_step_changes_the_ring_of_the_running_node_and_stagger_takes_one_after_another() -> (
    None
):
    cluster = made(
        change("install_key", 10, more="; stagger = 2"),
        change("use_key", 20),
        change("remove_key", 30, key=OLD),
    )
    cluster.world.run_until(13.0)
    assert keys_of(cluster, "n001") == (OLD_BYTES, NEW_BYTES)
    assert keys_of(cluster, "n002") == (OLD_BYTES,)
    cluster.world.run_until(25.0)
    assert keys_of(cluster, "n002") == (NEW_BYTES, OLD_BYTES)
    assert cluster.run().violations == ()
    assert {keys_of(cluster, name) for name in cluster.hosts} == {(NEW_BYTES,)}


def test_a_host_that_is_down_boots_with_what_its_file_says_and_a_frozen_one_reads_it_late() -> None:
    cluster = made(
        "do = 'crash'; at = 8; hosts = 'n001'; lasts = 10",
        "do = 'freeze'; at = 8; hosts = 'n002'; lasts = 4",
        change("install_key", 9),
        change("use_key", 10),
    )
    cluster.world.run_until(11.0)
    assert cluster.hosts["n001"].config.keys == (NEW_BYTES, OLD_BYTES)
    assert keys_of(cluster, "n002") == (OLD_BYTES,)
    cluster.world.run_until(19.0)
    assert keys_of(cluster, "n001") == keys_of(cluster, "n002") == (NEW_BYTES, OLD_BYTES)
    assert cluster.run().violations == ()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_is_suspected_of_anything_while_all_keys_change_in_the_right_order(
    seed: int,
) -> None:
    text = library()["key-rotation"].read_text(encoding="utf-8")
    outcome = Cluster(read_scenario(text, "key-rotation.toml"), seed).run()
    assert outcome.violations == ()
    suspicions = outcome.measures["suspicions"]
    assert isinstance(suspicions, Mapping)
    assert suspicions["told"] == 0


def test_a_key_that_is_used_before_all_have_it_parts_the_cluster_until_they_do() -> None:
    text = library()["key-rotation-too-early"].read_text(encoding="utf-8")
    cluster = Cluster(read_scenario(text, "key-rotation-too-early.toml"), 1)
    early, late = list(cluster.hosts)[4:], list(cluster.hosts)[:4]
    cluster.world.run_until(67.0)
    for host in cluster.hosts.values():
        dead = {name for name, status in host.statuses().items() if status is MemberStatus.FAILED}
        if host.name in late:
            assert dead == set(early), host.name
        else:  # hears the others object now and then, and is not heard itself
            assert dead, host.name
            assert dead <= set(late), host.name
    assert cluster.run().violations == ()
    assert cluster.site.all_show(MemberStatus.ALIVE, cluster.hosts)


def test_what_was_held_back_under_a_key_that_is_gone_is_no_violation() -> None:
    cluster = made(
        "do = 'block_sending'; at = 8; hosts = 'n001'; lasts = 20",
        change("install_key", 12),
        change("use_key", 14),
        change("remove_key", 16, key=OLD),
        horizon=90,
    )
    assert [one.checker for one in cluster.run().violations] == []


@pytest.mark.parametrize(
    ("faults", "keys", "why"),
    [
        ([change("use_key", 10)], OLD, "n000 cannot use key at 10 s: Requested key is not in"),
        (
            [change("remove_key", 10, key=OLD)],
            OLD,
            "n000 cannot remove key at 10 s: Removing the primary key is not allowed",
        ),
        (
            [change("install_key", 10, "n001-n003"), change("use_key", 12)],
            OLD,
            r"faults\[1\].key: n000 cannot use key at 12 s",
        ),
        (
            [change("install_key", 10, more="; stagger = 5"), change("use_key", 12)],
            OLD,
            "n001 cannot use key at 12 s",
        ),
        ([change("install_key", 10)], "", "the cluster is not encrypted; give it a first key"),
        ([change("install_key", 10, key="c2hvcnQ=")], OLD, "5 bytes; a key has 16, 24 or 32"),
        ([change("install_key", 10, more="; lasts = 5")], OLD, "install_key does not last"),
    ],
)
def test_a_change_that_a_host_cannot_make_then_is_refused_with_its_key(
    faults: list[str], keys: str, why: str
) -> None:
    with pytest.raises(ScenarioError, match=why):
        made(*faults, keys=f"keys = ['{keys}']" if keys else "")


# -- one host asks all ---------------------------------------------------------------


def test_one_host_rotates_the_keys_of_all_and_their_files_follow() -> None:
    cluster = made(
        change("ask_install_key", 10, "n001"),
        change("ask_use_key", 20, "n002"),
        change("ask_remove_key", 30, "n003", key=OLD),
        horizon=70,
    )
    cluster.world.run_until(15.0)
    assert {keys_of(cluster, name) for name in cluster.hosts} == {(OLD_BYTES, NEW_BYTES)}
    assert cluster.run().violations == ()
    assert {keys_of(cluster, name) for name in cluster.hosts} == {(NEW_BYTES,)}
    assert {host.config.keys for host in cluster.hosts.values()} == {(NEW_BYTES,)}


def test_who_is_down_does_not_hear_of_it_and_comes_back_with_what_it_had() -> None:
    cluster = made(
        "do = 'crash'; at = 8; hosts = 'n003'; lasts = 10",
        change("ask_install_key", 12, "n001"),
        horizon=70,
    )
    cluster.run()
    assert keys_of(cluster, "n003") == (OLD_BYTES,)
    assert keys_of(cluster, "n002") == (OLD_BYTES, NEW_BYTES)


def test_a_host_that_leaves_asks_for_nothing() -> None:
    cluster = made(
        "do = 'leave'; at = 9.9; hosts = 'n001'",
        change("ask_install_key", 12, "n000"),
        "do = 'leave'; at = 20; hosts = 'n000'",
        horizon=70,
    )
    cluster.world.run_until(20.01)
    AskInstallKey(at=20.01, hosts="n000", key=bytes(16)).apply(cluster)
    assert cluster.run().violations == ()
    assert keys_of(cluster, "n002") == (OLD_BYTES, NEW_BYTES)


def test_the_same_rotation_by_wire_is_the_same_run() -> None:
    faults = (
        change("ask_install_key", 10, "n001"),
        change("ask_use_key", 20, "n002"),
        change("ask_remove_key", 30, "n003", key=OLD),
    )
    by_reference = made(*faults).run()
    by_wire = made(*faults, keys=f"keys = ['{OLD}']\nby_wire = true").run()
    assert by_wire.trace == by_reference.trace
