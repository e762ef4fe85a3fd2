"""The templates in ``deploy/templates``: what they write the real programs accept."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gossipd.catalog.graph import dot
from gossipd.services.instance import Instance
from gossipd_cli.services.graphing import as_svg
from gossipd_cli.templating.engine import Template
from support.peers import skip_or_fail
from support.template_source import FakeSource, hostile_instances, make_instance

pytestmark = pytest.mark.interop

TEMPLATES = Path(__file__).resolve().parents[2] / "deploy" / "templates"
TAGS = ("http", "metrics")
USUAL = (
    make_instance("web", "a", tags=TAGS, weight=10),
    make_instance("web", "b", address="2001:db8::2", port=8080, tags=TAGS, weight=500),
    make_instance("web", "c", address="10.0.0.3", tags=TAGS, status="critical"),
    make_instance("api", "a", port=90, tags=TAGS, meta={"metrics_path": "/m"}, zone="east"),
    make_instance("db", "a", port=5432),
)
CLUSTERS = {
    "nobody": (),
    "usual": USUAL,
    "hostile": hostile_instances(),
    "none passing": USUAL[2:3],
}


def accepted(program: str, *words: str) -> str:
    """Return what ``program`` says of a configuration that it takes."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin")
    if found is None:
        skip_or_fail(f"needs {program} (Debian packages haproxy, nginx-light, prometheus)")
    done = subprocess.run(
        [found, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def rendered(name: str, instances: tuple[Instance, ...]) -> str:
    return Template(str(TEMPLATES / name), {}).render(FakeSource(*instances))[0]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_haproxy_takes_its_configuration(tmp_path: Path, cluster: str) -> None:
    text = rendered("haproxy.cfg.j2", CLUSTERS[cluster])
    file = tmp_path / "haproxy.cfg"
    file.write_text(text)
    accepted("haproxy", "-c", "-f", str(file))
    assert not [line for line in text.splitlines() if line.split()[:2] == ["server", "evil"]]
    if cluster == "usual":
        assert re.search(
            r"^    server a_web_\w{12} 10\.0\.0\.1:80 weight 5 check", text, flags=re.M
        )
        assert "[2001:db8::2]:8080 weight 256 check" in text
        assert "10.0.0.3" not in text
        assert "5432" not in text


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_nginx_takes_its_configuration(tmp_path: Path, cluster: str) -> None:
    text = rendered("nginx.conf.j2", CLUSTERS[cluster])
    (tmp_path / "web.conf").write_text(text)
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off; include {tmp_path}/web.conf; }}\n"
    )
    accepted("nginx", "-t", "-p", str(tmp_path), "-c", str(whole))
    assert "evil" not in text
    if cluster == "usual":
        assert "    server 10.0.0.1:80 weight=10 max_fails=2" in text
    if cluster in ("nobody", "none passing"):
        assert text.count("    server 127.0.0.1:9 down;\n") == 1


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_prometheus_takes_its_targets(tmp_path: Path, cluster: str) -> None:
    text = rendered("prometheus-file-sd.json.j2", CLUSTERS[cluster])
    (tmp_path / "gossipd.json").write_text(text)
    whole = tmp_path / "prometheus.yml"
    whole.write_text(
        "scrape_configs:\n- job_name: gossipd\n  file_sd_configs:\n"
        f"  - files: ['{tmp_path}/gossipd.json']\n"
    )
    accepted("promtool", "check", "config", str(whole))
    groups: list[dict[str, Any]] = json.loads(text)
    if cluster == "usual":
        assert [group["targets"] for group in groups] == [
            ["10.0.0.1:90"],
            ["10.0.0.1:80"],
            ["[2001:db8::2]:8080"],
            ["10.0.0.3:80"],
        ]
        assert groups[0]["labels"]["__metrics_path__"] == "/m"
    else:
        assert all(len(group["targets"]) == 1 for group in groups)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_graphviz_draws_the_graph(cluster: str) -> None:
    if shutil.which("dot") is None:
        skip_or_fail("needs dot (Debian package graphviz)")
    needing = [
        make_instance(one.service.name, needs=("db", one.owner)) for one in CLUSTERS[cluster]
    ]
    picture = as_svg(dot(FakeSource(*CLUSTERS[cluster], *needing).services()))
    assert "<svg" in picture
    assert picture.rstrip().endswith("</svg>")
