"""What a picture of the cluster says of its own node."""

from __future__ import annotations

from support.fake_handle import make_member, make_view


def test_own_tags_are_those_of_the_node_itself() -> None:
    view = make_view(
        make_member("other", tags={"role": "db"}),
        make_member("us", tags={"role": "web"}),
        name="us",
    )
    assert view.own_tags() == {"role": "web"}


def test_a_node_that_is_no_member_yet_has_no_tags() -> None:
    assert make_view(make_member("other", tags={"role": "db"})).own_tags() == {}
