"""Vivaldi against the reference's own sequences, and against peers that lie (section 19)."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import distance, pushed, raw_distance
from gossipd.coordinates.vivaldi import Verdict, Vivaldi, VivaldiSettings
from gossipd.value import replace
from support import gossip_vectors as vectors

VECTORS = {entry["name"]: entry["decoded"] for entry in vectors.load("vivaldi.json")}
SEQUENCES = [name for name in VECTORS if name.startswith("vivaldi.update.")]
AS_SERF = VivaldiSettings(distance_max=math.inf)
HERE = Coordinate(vec=(0.01, *(0.0,) * 7))
THERE = Coordinate(vec=(0.03, 0.02, *(0.0,) * 6), error=0.5, height=1e-4)


def coordinate(fields: dict[str, Any]) -> Coordinate:
    return Coordinate(
        vec=tuple(map(float, fields["Vec"])),
        error=float(fields["Error"]),
        adjustment=float(fields["Adjustment"]),
        height=float(fields["Height"]),
    )


def numbers(of: Coordinate) -> list[float]:
    return [*of.vec, of.error, of.adjustment, of.height]


def close(expected: Coordinate) -> Any:
    return pytest.approx(numbers(expected), rel=1e-12, abs=1e-12)


def test_the_vector_file_holds_the_sequences_tested_here() -> None:
    assert len(SEQUENCES) == 4
    assert set(VECTORS) == {*SEQUENCES, "vivaldi.distances", "vivaldi.apply_force"}


@pytest.mark.parametrize("name", SEQUENCES)
def test_case_137_each_step_of_the_reference_is_repeated_to_1e_12(name: str) -> None:
    sequence = VECTORS[name]
    ours = Vivaldi(Random(0), AS_SERF, start=coordinate(sequence["start"]))
    for step in sequence["steps"]:
        other = coordinate(step["other"])
        verdict = ours.update(step["node"], other, step["rtt_ns"] / 1e9)
        assert numbers(ours.coordinate) == close(coordinate(step["after"]))
        assert verdict.is_rejection == ("error" in step)
        assert ours.resets == step["resets"]
        assert distance(ours.coordinate, other) * 1e9 == pytest.approx(
            step["distance_to_other_ns"], rel=1e-15, abs=1
        )


def test_distances_are_the_reference_s_whole_nanoseconds() -> None:
    for pair in VECTORS["vivaldi.distances"]:
        found = distance(coordinate(pair["a"]), coordinate(pair["b"]))
        assert round(found * 1e9) == pair["distance_ns"]


def test_forces_move_points_and_heights_as_the_reference_does() -> None:
    for case in VECTORS["vivaldi.apply_force"]:
        moved = pushed(
            coordinate(case["coord"]), case["force"], coordinate(case["other"]), 1e-5, Random(0)
        )
        assert numbers(moved) == close(coordinate(case["after"]))


@pytest.mark.parametrize("rtt", [-1e-9, 10.000000001, math.inf, math.nan])
def test_a_round_trip_that_cannot_be_is_ignored_and_counted(rtt: float) -> None:
    ours = Vivaldi(Random(0))
    assert ours.update("b", THERE, rtt) is Verdict.BAD_RTT
    assert (ours.coordinate, ours.rejected) == (Coordinate(), 1)


@pytest.mark.parametrize("rtt", [0.0, 10.0])
def test_the_longest_and_the_shortest_round_trip_count(rtt: float) -> None:
    ours = Vivaldi(Random(0))
    assert ours.update("b", THERE, rtt) is Verdict.ADOPTED
    assert ours.coordinate != Coordinate()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["vec", "error", "adjustment", "height"])
def test_a_coordinate_that_is_no_number_is_ignored_and_counted(field: str, bad: float) -> None:
    ours = Vivaldi(Random(0))
    value: object = (bad, *(0.0,) * 7) if field == "vec" else bad
    assert ours.update("b", replace(THERE, **{field: value}), 0.02) is Verdict.NOT_FINITE
    assert (ours.coordinate, ours.rejected) == (Coordinate(), 1)


@pytest.mark.parametrize(
    "lie",
    [
        replace(THERE, vec=(1e150, *(0.0,) * 7)),
        replace(THERE, vec=(1e308, *(0.0,) * 7)),
        replace(THERE, vec=(31.0, *(0.0,) * 7)),
        replace(THERE, height=1e6),
        replace(THERE, height=-1.0),
        replace(THERE, error=-1.0),
        replace(THERE, adjustment=-1e6),
    ],
)
def test_a_finite_lie_is_ignored_and_counted(lie: Coordinate) -> None:
    ours = Vivaldi(Random(0))
    assert ours.update("b", lie, 0.02) is Verdict.ABSURD
    assert (ours.coordinate, ours.rejected, ours.resets) == (Coordinate(), 1, 0)


@pytest.mark.parametrize("dimensions", [0, 7, 9])
def test_a_coordinate_of_another_space_is_ignored(dimensions: int) -> None:
    ours = Vivaldi(Random(0))
    assert ours.update("b", Coordinate(vec=(0.0,) * dimensions), 0.02) is Verdict.BAD_DIMENSIONS
    assert ours.coordinate == Coordinate()


def test_one_odd_sample_among_three_of_a_peer_moves_nothing() -> None:
    calm, shaken = (Vivaldi(Random(0), start=HERE) for _ in range(2))
    for rtt in (0.02, 0.02):
        calm.update("b", THERE, rtt)
        shaken.update("b", THERE, rtt)
    calm.update("b", THERE, 0.02)
    shaken.update("b", THERE, 9.0)
    assert shaken.coordinate == calm.coordinate


def test_a_forgotten_peer_starts_its_samples_anew() -> None:
    ours, fresh = (Vivaldi(Random(0), start=HERE) for _ in range(2))
    for one in (ours, fresh):
        one.update("b", THERE, 0.02)
        one.update("b", THERE, 0.02)
    before = ours.coordinate
    ours.forget("b")
    ours.update("b", THERE, 0.5)
    fresh.update("b", THERE, 0.5)  # the median of three is still 0.02
    assert fresh.coordinate != ours.coordinate
    assert raw_distance(ours.coordinate, THERE) > raw_distance(before, THERE)


def test_nodes_in_the_same_place_part_in_a_direction_of_the_seed() -> None:
    first, again, other = (Vivaldi(Random(seed)) for seed in (1, 1, 2))
    for one in (first, again, other):
        one.update("b", Coordinate(), 0.02)
    assert first.coordinate == again.coordinate
    assert first.coordinate.vec != other.coordinate.vec
    assert sum(map(abs, first.coordinate.vec)) > 0


def test_gravity_holds_a_node_that_all_springs_push_away() -> None:
    ours = Vivaldi(Random(0))
    for number in range(3000):
        place = replace(THERE, vec=ours.coordinate.vec, error=1.5)
        assert ours.update(f"n{number % 8}", place, 10.0) is Verdict.ADOPTED
    assert raw_distance(ours.coordinate, Coordinate()) < 500
    assert ours.resets == 0


def test_a_node_that_was_led_astray_finds_its_way_back_to_those_who_tell_the_truth() -> None:
    ours = Vivaldi(Random(0), start=replace(HERE, vec=(200.0, *(0.0,) * 7)))
    for number in range(1200):  # at first they are too far away to be believed
        ours.update(f"n{number % 8}", THERE, 0.02)
    assert raw_distance(ours.coordinate, THERE) < 0.1
    assert 0 < ours.rejected < 1000


@pytest.mark.parametrize("far", [1e4, 999.0, 31.0])
def test_one_liar_among_many_spoils_nothing(far: float) -> None:
    nodes = [Vivaldi(Random(seed)) for seed in range(12)]
    liar = Coordinate(vec=(far, *(0.0,) * 7), error=0.0)
    random = Random(1)
    for _ in range(200):
        for node in nodes:
            index = random.randrange(len(nodes) + 1)
            if index == len(nodes):
                assert node.update("liar", liar, 0.001) is Verdict.ABSURD
            elif nodes[index] is not node:
                node.update(str(index), nodes[index].coordinate, 0.02)
    for node in nodes[1:]:
        assert 0.01 < distance(nodes[0].coordinate, node.coordinate) < 0.03


def test_an_adjustment_that_would_make_a_distance_negative_does_not_count() -> None:
    low = replace(HERE, adjustment=-5.0)
    assert distance(low, THERE) == pytest.approx(raw_distance(low, THERE), abs=1e-9)
    assert distance(replace(HERE, adjustment=0.001), THERE) > raw_distance(HERE, THERE)
