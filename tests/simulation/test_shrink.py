"""The shrinker brings a failing document to its core, against checkers made up here."""

from __future__ import annotations

from gossipd_sim.document import Table
from gossipd_sim.shrink import Failure, Shrinker, fewer_nodes, less_time, size_of


def faults_of(document: Table) -> list[Table]:
    faults = document["faults"]
    assert isinstance(faults, list)
    return faults


def big_document() -> Table:
    faults: list[Table] = [
        {"at": 40.0 + index, "do": "crash", "hosts": f"n{index:03d}"} for index in range(20)
    ]
    faults[7] = {"at": 47.0, "do": "freeze", "hosts": "n017", "lasts": 5.0}
    faults[13] = {"at": 53.0, "do": "links", "sources": "n030", "targets": "n017"}
    return {
        "name": "big",
        "nodes": 40,
        "horizon": 300.0,
        "settle": 60.0,
        "swim": {"probe_interval": 0.5, "gossip_nodes": 4},
        "network": {"loss": 0.01},
        "faults": faults,
    }


def test_only_what_the_complaint_needs_is_left() -> None:
    def complains(document: Table, seed: int) -> float | None:
        kinds = [fault["do"] for fault in faults_of(document)]
        holds = kinds.count("freeze") == 1 and "links" in kinds and "swim" in document
        return 300.0 if holds else None

    shrinker = Shrinker(complains, Failure(big_document(), 5, 300.0), runs_max=500)
    best = shrinker.shrink().document
    assert [fault["do"] for fault in faults_of(best)] == ["freeze", "links"]
    assert best["nodes"] == 3  # the seed and the two that faults name
    assert isinstance(best["horizon"], float)
    assert best["horizon"] < 60
    assert "network" not in best
    assert isinstance(best["swim"], dict)
    assert len(best["swim"]) == 1


def test_hosts_that_faults_name_move_into_a_smaller_cluster() -> None:
    def complains(document: Table, seed: int) -> float | None:
        links = [fault for fault in faults_of(document) if fault["do"] == "links"]
        nodes = document["nodes"]
        assert isinstance(nodes, int)
        return 300.0 if nodes >= 3 and links else None

    shrinker = Shrinker(complains, Failure(big_document(), 5, 300.0), runs_max=500)
    best = shrinker.shrink().document
    assert best["nodes"] == 3
    (link,) = faults_of(best)
    assert {link["sources"], link["targets"]} == {"n001", "n002"}


def test_faults_of_nobody_are_left_out_with_the_hosts_they_name() -> None:
    start = big_document()
    start["faults"] = [
        {"at": 10.0, "do": "partition", "groups": ["n000-n019", "n020-n029", "n030-n039"]},
        {"at": 20.0, "do": "partition", "groups": ["n000", "n039"], "lasts": 90.0},
        {"at": 30.0, "do": "crash", "hosts": "random:2"},
    ]
    (halved, *_) = (
        document for document in fewer_nodes(Failure(start, 5, 300.0)) if document["nodes"] == 20
    )
    assert faults_of(halved) == [{"at": 30.0, "do": "crash", "hosts": "random:2"}]


def test_time_after_the_complaint_is_cut_off_and_faults_do_not_outlast_it() -> None:
    first = next(less_time(Failure(big_document(), 5, 49.5)))
    assert first["horizon"] == 50.5
    assert first["settle"] == 0.5
    faults = faults_of(first)
    assert [fault["at"] for fault in faults] == [40.0 + index for index in range(10)]
    assert faults[7]["lasts"] == 3.0


def test_no_more_runs_are_made_than_allowed_and_each_is_told() -> None:
    told: list[str] = []
    shrinker = Shrinker(lambda document, seed: 300.0, Failure(big_document(), 5, 300.0), runs_max=3)
    shrinker.shrink(told.append)
    assert shrinker.runs == len(told) == 3
    assert told[-1] == size_of(shrinker.best.document)


def test_a_complaint_that_needs_everything_keeps_the_document() -> None:
    start = Failure(big_document(), 5, 300.0)
    shrinker = Shrinker(lambda document, seed: None, start, runs_max=1000)
    assert shrinker.shrink() == start
    assert shrinker.runs < 1000


def test_another_seed_is_tried_where_the_first_one_no_longer_complains() -> None:
    def complains(document: Table, seed: int) -> float | None:
        holds = document["nodes"] == 40 or (seed == 1 and document["nodes"] == 3)
        return 300.0 if holds else None

    start = Failure({**big_document(), "faults": []}, 5, 300.0)
    best = Shrinker(complains, start, runs_max=1000).shrink()
    assert best.document["nodes"] == 3
    assert best.seed == 1
