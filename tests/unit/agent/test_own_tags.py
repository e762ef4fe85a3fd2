"""Our tags: the configuration is the base, what the command changed wins, and nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.agent.state.folder import tags_file_of, with_state_folder
from gossipd.agent.state.own_tags import OwnTags
from gossipd.config.agent_model import AgentConfig, check_agent_config
from gossipd.config.model import NodeConfig
from gossipd.errors import ConfigError, Unavailable, UsageError


def change(tags: OwnTags, given: dict[str, str], delete: tuple[str, ...] = ()) -> None:
    changes = tags.plan(given, delete)
    tags.write(changes)
    tags.adopt(changes)


def test_the_tags_file_of_serf_holds_all_tags_as_serf_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "tags.json"
    tags = OwnTags({}, str(path))
    assert not path.exists()
    change(tags, {"role": "web", "dc": "east"})
    change(tags, {"x": "1"}, ("dc", "unknown"))
    assert path.read_text() == '{\n  "role": "web",\n  "x": "1"\n}\n'
    assert path.stat().st_mode & 0o777 == 0o600
    again = OwnTags({}, str(path))
    assert again.current == {"role": "web", "x": "1"}
    assert again.restored == 2


def test_what_the_command_changed_wins_over_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "tags.json"
    change(OwnTags({"role": "web", "dc": "east"}, str(path)), {"x": "1", "role": "db"}, ("dc",))
    assert json.loads(path.read_text()) == {"dc": None, "role": "db", "x": "1"}
    again = OwnTags({"role": "cache", "dc": "west", "new": "n"}, str(path))
    assert again.current == {"role": "db", "x": "1", "new": "n"}


def test_a_reload_keeps_what_the_command_changed() -> None:
    tags = OwnTags({"role": "web", "dc": "east"})
    change(tags, {"x": "1"}, ("dc",))
    assert tags.rebase({"role": "db", "dc": "west"}) == {"role": "db", "x": "1"}
    assert tags.rebase({}) == {"x": "1"}
    change(tags, {"y": "2"})
    assert tags.rebase({"dc": "east"}) == {"x": "1", "y": "2"}, "the deletion is still known"


def test_a_tag_set_to_what_the_configuration_says_stays_so() -> None:
    tags = OwnTags({"role": "web"})
    change(tags, {"role": "web"})
    assert tags.rebase({"role": "db"}) == {"role": "web"}


def test_tags_that_do_not_fit_change_nothing() -> None:
    tags = OwnTags({"a": "1"})
    with pytest.raises(UsageError, match="512 bytes"):
        tags.plan({"b": "x" * 600}, ())
    with pytest.raises(UsageError, match="512 bytes"):
        tags.rebase({"b": "x" * 600})
    assert tags.current == {"a": "1"}


def test_a_file_that_cannot_be_written_is_told_and_stays(tmp_path: Path) -> None:
    tags = OwnTags({}, str(tmp_path / "gone" / "tags.json"))
    with pytest.raises(Unavailable, match="no such file or directory; the tags are unchanged"):
        tags.write(tags.plan({"a": "1"}, ()))
    assert tags.current == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 100_000, " " * 70_000])
def test_a_file_that_is_no_object_of_texts_ends_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tags.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"tags file .*tags.json"):
        OwnTags({}, str(path))


@pytest.mark.timeout(5)
def test_a_pipe_that_nobody_writes_to_does_not_hold_up_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        OwnTags({}, str(tmp_path / "pipe"))


def test_tags_and_a_tags_file_exclude_each_other() -> None:
    config = AgentConfig(node=NodeConfig(name="a", tags={"a": "b"}), tags_file="t.json")
    with pytest.raises(ConfigError, match="Tags config not allowed while using tag files"):
        check_agent_config(config)


def test_the_state_folder_is_made_and_names_what_no_option_names(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    config = AgentConfig(node=NodeConfig(name="a"), data_dir=str(folder))
    made = with_state_folder(config)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made.snapshot_path == str(folder / "snapshot")
    assert tags_file_of(made) == str(folder / "tags.json")
    named = AgentConfig(
        node=NodeConfig(name="a"), data_dir=str(folder), snapshot_path="s", tags_file="t"
    )
    assert with_state_folder(named).snapshot_path == "s"
    assert tags_file_of(named) == "t"
    assert tags_file_of(AgentConfig(node=NodeConfig(name="a"))) == ""


@pytest.mark.parametrize("place", ["missing/state", "file"])
def test_a_state_folder_that_cannot_be_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    config = AgentConfig(node=NodeConfig(name="a"), data_dir=str(tmp_path / place))
    with pytest.raises(ConfigError, match=f"data_dir .*{place}: "):
        with_state_folder(config)


names = st.sampled_from("abcd")
maps = st.dictionaries(names, st.sampled_from("xyz"), max_size=4)


@given(maps, st.lists(st.tuples(maps, st.lists(names, max_size=2)), max_size=5), maps)
def test_a_tag_that_was_set_outlives_every_reload(
    base: dict[str, str], changes: list[tuple[dict[str, str], list[str]]], later: dict[str, str]
) -> None:
    tags = OwnTags(base)
    shown = dict(base)
    was_set: set[str] = set()
    for given_tags, delete in changes:
        tags.adopt(tags.plan(given_tags, delete))
        shown = {k: v for k, v in shown.items() if k not in delete} | given_tags
        was_set |= given_tags.keys()
        assert tags.current == shown
    after = tags.rebase(later)
    assert all(after[key] == shown[key] for key in was_set & shown.keys())
