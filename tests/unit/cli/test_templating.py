"""Templates: what they see, what they may not do to each other, and where output goes."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.client.connection import RequestRefused
from gossipd.errors import UsageError
from gossipd.query.records import MemberRecord
from gossipd.query.requests import AUTH_REQUIRED
from gossipd.services.instance import Instance
from gossipd_cli.templating import target as target_module
from gossipd_cli.templating.command import LATEST_SECONDS, QUIET_SECONDS, Pacing
from gossipd_cli.templating.engine import Asked, Template, TemplateError
from gossipd_cli.templating.quoting import (
    as_json,
    haproxy_name,
    haproxy_quote,
    nginx_name,
    nginx_quote,
    scaled,
    shell_quote,
)
from gossipd_cli.templating.target import NotWritten, Target
from gossipd_cli.templating.values import harmless, is_host, show_instance
from support.template_source import FakeSource, hostile_instances, make_instance


def render(tmp_path: Path, text: str, source: FakeSource) -> tuple[str, Asked]:
    file = tmp_path / "t.j2"
    file.write_text(text)
    return Template(str(file), {"HOME": "/root"}).render(source)


def test_a_template_sees_services_members_node_and_environment(tmp_path: Path) -> None:
    source = FakeSource(
        make_instance(tags=("v2",), meta={"k": "v"}, zone="east"),
        make_instance(owner="b", address="::1", status="critical"),
        make_instance("db"),
    )
    text, asked = render(
        tmp_path,
        "{% for s in services() %}{{ s.name }}={{ s.passing }}/{{ s.total }} {% endfor %}.\n"
        "{% for i in service('web') %}{{ i.node }} {{ i.endpoint }} {{ i.meta.k }}{% endfor %}.\n"
        "{% for i in service('web', passing=False) %}{{ i.endpoint }} {% endfor %}.\n"
        "{{ service('web', tag='v2', zone='east', meta={'k': 'v'}) | length }}"
        "{{ service('web', tag=['v2', 'v3']) | length }}"
        "{{ service('web', zone='west') | length }}{{ service('web', near='a') | length }}\n"
        "{% for m in members(status='alive') %}{{ m.endpoint }}{{ m.tags.role }}{% endfor %}.\n"
        "{{ node }} {{ env.HOME }}\n",
        source,
    )
    assert text.splitlines() == [
        "db=1/1 web=1/2 .",
        "a 10.0.0.1:80 v.",
        "10.0.0.1:80 [::1]:80 .",
        "1001",
        "127.0.0.1:7946web.",
        "a /root",
    ]
    assert (list(asked.services), asked.all_services, asked.members) == (["web"], True, True)
    assert source.near == ["a"]


def test_only_what_was_asked_for_is_noted(tmp_path: Path) -> None:
    _, asked = render(tmp_path, "{{ service('db') | length }}", FakeSource())
    assert (list(asked.services), asked.all_services, asked.members) == (["db"], False, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{{ b", "t.j2:2: unexpected end of template"),
        ("a\n\n{{ b }}", "t.j2:3: 'b' is undefined"),
        ("{{ env.NOTHING }}", "t.j2:1: 'dict object' has no attribute 'NOTHING'"),
        ("a\n{{ 1 / 0 }}", "t.j2:2: ZeroDivisionError: division by zero"),
        ("\n{% include 'none.j2' %}", "t.j2:2: 'none.j2' not found"),
        ("\n{% include 'part.j2' %}", "part.j2:2: 'lost' is undefined"),
        ("{{ ''.__class__.__mro__ }}", "t.j2:1: access to attribute '__class__'"),
        ("{{ services.__globals__ }}", "t.j2:1: access to attribute '__globals__'"),
        ("{{ env.update(a=1) }}", "t.j2:1:"),
        ("{{ service() }}", "t.j2:1: TypeError"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "part.j2").write_text("\n{{ lost }}")
    with pytest.raises(TemplateError) as caught:
        render(tmp_path, text, FakeSource())
    assert f"{tmp_path}/{message}" in str(caught.value)


def test_what_the_daemon_refuses_is_an_error_of_that_line(tmp_path: Path) -> None:
    class Refusing(FakeSource):
        def instances(self, name: str, near: str) -> Sequence[Instance]:
            raise RequestRefused(f"nothing is known of where {near!r} is")

    (tmp_path / "t.j2").write_text("\n{{ service('web', near='gone') }}")
    asked = Asked()
    with pytest.raises(TemplateError, match=r"t\.j2:2: nothing is known of where 'gone' is"):
        Template(str(tmp_path / "t.j2")).render(Refusing(), asked)
    assert list(asked.services) == ["web"]


def test_a_template_that_cannot_be_read_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the template .*: No such file"):
        Template(str(tmp_path / "none.j2"))
    (tmp_path / "latin.j2").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="it is not UTF-8"):
        Template(str(tmp_path / "latin.j2"))


def test_nothing_of_a_provider_brings_a_line_or_an_expression_into_a_template(
    tmp_path: Path,
) -> None:
    text, asked = render(
        tmp_path,
        "{% for i in service('web') %}{{ i.key }} {{ i.tags }} {{ i.zone }} {{ i.address }}"
        " {% for k in i.meta %}{{ k }}{{ i.meta[k] }}{% endfor %};\n{% endfor %}",
        FakeSource(*hostile_instances()),
    )
    assert text.count("\n") == len(text.splitlines()) == 7
    assert "{{ 7 * 7 }}" in text
    assert asked.hidden == ["b/web"]


@given(st.text())
def test_harmless_text_is_printable_and_printable_text_stays(text: str) -> None:
    assert harmless(text).isprintable()
    assert len(harmless(text)) == len(text)
    assert (harmless(text) == text) == text.isprintable()


@given(st.text())
def test_quoted_text_is_one_word_of_its_language(text: str) -> None:
    (word,) = shlex.split(shell_quote(text))
    assert len(word) == len(text)
    for quoted in (haproxy_quote(text), nginx_quote(text), shell_quote(text), as_json(text)):
        assert len(quoted.splitlines()) == 1
    assert "$" not in nginx_quote(text)
    assert shlex.split(haproxy_quote(text)) == [word]
    assert json.loads(as_json(text)) == text


@given(st.text(), st.text())
def test_names_stay_names_and_stay_apart(one: str, other: str) -> None:
    for as_name in (haproxy_name, nginx_name):
        assert re.fullmatch("[A-Za-z0-9_.:-]+", as_name(one), flags=re.ASCII)
        assert one == other or as_name(one) != as_name(other)
        # nobody gets the name of another by taking what was made of it
        assert one == as_name(one) or as_name(as_name(one)) != as_name(one)


def test_instances_have_keys_of_their_own_whatever_their_nodes_call_them() -> None:
    pairs = [("a", "x"), ("a", "x\n"), ("a", "x\t"), ("a/b", "c"), ("a", "b/c")]
    keys = [shown.key for owner, own_id in pairs if (shown := show_instance(at(owner, own_id)))]
    assert keys[0] == "a/x"
    forged = [show_instance(at("a", key.removeprefix("a/"))) for key in keys[1:]]
    keys += [shown.key for shown in forged if shown and shown.id != "b/c"]
    assert len(set(keys)) == len(keys) == 8
    assert all(key.isprintable() for key in keys)


def at(owner: str, own_id: str) -> Instance:
    return make_instance(owner=owner, own_id=own_id)


def test_a_service_whose_name_no_owner_would_take_is_not_listed(tmp_path: Path) -> None:
    source = FakeSource(make_instance("web"), make_instance("w\n"), make_instance("w\t"))
    text, asked = render(tmp_path, "{% for s in services() %}{{ s.name }};{% endfor %}", source)
    assert text == "web;"
    assert asked.hidden == ["w\t", "w\n"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("10.0.0.1", True),
        ("::1", True),
        ("2001:db8::1", True),
        ("db-1.example.org", True),
        ("db_1", True),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("a:80", False),
        ("-x", False),
        ("fe80::1%eth0 evil", False),
        ("a;b", False),
        ("a" * 300, False),
        ("ä.example", False),
    ],
)
def test_what_may_be_an_address(text: str, is_one: bool) -> None:
    assert is_host(text) is is_one


def test_an_instance_without_own_address_is_at_its_node() -> None:
    shown = show_instance(make_instance(address=""))
    assert shown is not None
    assert (shown.address, shown.endpoint, shown.is_ip) == ("127.0.0.1", "127.0.0.1:80", True)
    shown = show_instance(make_instance(address="db.local", port=0))
    assert shown is not None
    assert (shown.endpoint, shown.is_ip) == ("db.local", False)


def test_weights_are_scaled_only_where_one_is_too_large() -> None:
    some = [make_instance(weight=weight) for weight in (0, 1, 100)]
    assert [scaled(one.weight, some) for one in some] == [0, 1, 100]
    some = [make_instance(weight=weight) for weight in (0, 1, 500, 1000)]
    assert [scaled(one.weight, some) for one in some] == [0, 1, 128, 256]


def test_values_become_json() -> None:
    shown = show_instance(make_instance())
    assert json.loads(as_json([shown]))[0]["endpoint"] == "10.0.0.1:80"
    with pytest.raises(TypeError):
        as_json(object())


def test_output_is_put_in_place_once_with_the_modes_it_had(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert Target(str(out)).put("one\n")
    mask = os.umask(0)
    os.umask(mask)
    assert out.stat().st_mode & 0o777 == 0o666 & ~mask
    out.chmod(0o640)
    before = out.stat()
    assert not Target(str(out)).put("one\n")
    assert out.stat().st_ino == before.st_ino
    assert Target(str(out)).put("two\n")
    assert out.read_text() == "two\n"
    assert out.stat().st_ino != before.st_ino
    assert out.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["out"]


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    assert Target(str(tmp_path / "link")).put("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_what_the_check_refuses_is_not_put_in_place(tmp_path: Path) -> None:
    out = tmp_path / "it's out"
    target = Target(str(out), "grep -q good {}", f"echo >> {tmp_path}/ran")
    assert target.put("good 1")
    with pytest.raises(
        NotWritten, match=r"--check: exit code 1.*kept as it was: grep -q good \{\}"
    ):
        target.put("bad")
    assert out.read_text() == "good 1"
    assert target.put("good 2")
    assert sorted(os.listdir(tmp_path)) == ["it's out", "ran"]
    assert (tmp_path / "ran").read_text() == "\n\n"


def test_a_check_without_a_place_for_the_file_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--check: say with \{\}"):
        Target("out", "true")


def test_the_command_runs_only_after_a_change_and_again_if_it_failed(tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    target = Target(str(tmp_path / "out"), "", f"cd {tmp_path}; echo >> ran; test ! -e no")
    with pytest.raises(NotWritten, match="--exec: exit code 1"):
        target.put("x")
    assert (tmp_path / "out").read_text() == "x"
    (tmp_path / "no").unlink()
    assert not target.put("x")
    assert not target.put("x")
    assert (tmp_path / "ran").read_text() == "\n\n"


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "COMMAND_SECONDS", 0.05)
    with pytest.raises(NotWritten, match=r"--check: not done after 0.05 s"):
        Target(str(tmp_path / "out"), "sleep 60; : {}").put("x")
    assert os.listdir(tmp_path) == []


def test_standard_output_gets_a_text_once(capsys: pytest.CaptureFixture[str]) -> None:
    target = Target("", "grep -q x {}")
    assert target.put("x\n")
    assert not target.put("x\n")
    with pytest.raises(NotWritten, match="--check: exit code 1: grep"):
        target.put("y\n")
    assert capsys.readouterr().out == "x\n"


def test_a_folder_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--out: cannot write .*: No such file"):
        Target(str(tmp_path / "none" / "out")).put("x")
    with pytest.raises(UsageError, match="is no regular file"):
        Target("/dev/null").put("x")


def test_a_missing_token_is_not_the_templates_fault(tmp_path: Path) -> None:
    class Closed(FakeSource):
        def members(self) -> Sequence[MemberRecord]:
            raise RequestRefused(AUTH_REQUIRED)

    with pytest.raises(RequestRefused):
        render(tmp_path, "{{ members() }}", Closed())


def test_what_is_left_out_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    target = Target("")
    target.tell_hidden([])
    target.tell_hidden(["a/x"])
    target.tell_hidden(["a/x", "b/y"])
    target.tell_hidden(["a/x"])
    told = [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()]
    assert told == ["a/x", "b/y"]
    target.tell_hidden([f"c/{number}" for number in range(target_module.HIDDEN_MAX + 1)])
    assert capsys.readouterr().err.endswith(", ...\n")
    target.tell_hidden(["d"])
    assert len(target._hidden) == 1


def test_a_rendering_waits_for_quiet_but_not_for_ever() -> None:
    pacing = Pacing()
    assert pacing.due() is None
    pacing.note(10.0)
    assert pacing.due() == 10.0 + QUIET_SECONDS
    for tenths in range(1, 30):
        pacing.note(10.0 + tenths / 10)
    assert pacing.due() == 10.0 + LATEST_SECONDS
    pacing.hold(15.0)
    assert pacing.due() == 15.0
    pacing.done()
    assert pacing.due() is None
    pacing.note(20.0)
    assert pacing.due() == 20.0 + QUIET_SECONDS
