"""Which files of services a start reads, and ``gossipd config check`` with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gossipd.errors import ConfigError
from gossipd_cli.config import command
from gossipd_cli.configuration import configured


def names(flags: dict[str, object], environment: dict[str, str] | None = None) -> list[str]:
    return [service.id for service in configured(flags, environment or {}).config.services]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "g.toml").write_text('[[service]]\nname = "web"\n')
    (tmp_path / "services.d").mkdir()
    (tmp_path / "services.d" / "b.json").write_text('{"name": "b"}')
    (tmp_path / "services.d" / "a.toml").write_text('name = "a"\n')
    (tmp_path / "services.d" / ".hidden.toml").write_text("x x")
    (tmp_path / "services.d" / "README").write_text("x x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "c.toml").write_text('name = "c"\n')
    return tmp_path


def test_services_d_beside_the_file_or_in_the_folder_is_read_in_the_order_of_names(
    folder: Path,
) -> None:
    assert names({"config": (str(folder / "g.toml"),)}) == ["web", "a", "b"]
    assert names({"config": (str(folder),)}) == ["web", "a", "b"]
    assert names({"config": (f"{folder}/", str(folder / "g.toml"))[:1]}) == ["web", "a", "b"]
    assert names({}) == []


def test_services_dir_is_read_instead(folder: Path) -> None:
    other = str(folder / "other")
    config = (str(folder / "g.toml"),)
    assert names({"config": config, "services_dir": other}) == ["web", "c"]
    assert names({"services_dir": other}) == ["c"]
    assert names({}, {"GOSSIPD_SERVICES_DIR": other}) == ["c"]
    with pytest.raises(ConfigError, match="services_dir /nowhere: it is not a folder"):
        names({"services_dir": "/nowhere"})


def test_config_check_looks_at_them_too(folder: Path) -> None:
    done = CliRunner().invoke(command, ["check", str(folder / "g.toml")])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "services.d/a.toml" in done.stdout
    (folder / "services.d" / "a.toml").write_text('name = "a"\nport = "x"\n')
    (folder / "services.d" / "z.toml").write_text('name = "web"\n')
    done = CliRunner().invoke(command, ["check", "--json", str(folder)])
    assert done.exit_code == 2
    said = [(c["file"], c["line"], c["key"]) for c in json.loads(done.stdout)["complaints"]]
    near = folder / "services.d"
    assert said == [(str(near / "a.toml"), 2, "service"), (str(near / "z.toml"), 1, "service")]
    (folder / "g.toml").write_text('services_dir = "/nowhere"\n')
    done = CliRunner().invoke(command, ["check", str(folder / "g.toml")])
    assert done.exit_code == 2
    assert "services_dir /nowhere: it is not a folder" in done.stderr


def test_config_check_knows_what_a_node_would_refuse_and_warn_of(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    meta = "".join(f'k{n} = "{"x" * 400}"\n' for n in range(60))
    file.write_text(
        '[[service]]\nname = "held"\ncheck = { held = true }\n'
        f'[[service]]\nname = "large"\n[service.meta]\n{meta}'
        '[[service]]\nname = "not for DNS"\n'
    )
    done = CliRunner().invoke(command, ["check", str(file)])
    assert done.exit_code == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{file}:1: service: check ")
    assert second.startswith(f"{file}:4: service: service 'large' is ")
    assert "catalog.record_bytes_max" in second
    assert f"warning: {file}:67: service 'not for DNS': " in done.stdout
