"""The page in a real browser: a real cluster, headless Chromium, no library in between.

With ``GOSSIPD_PICTURES`` set to a folder, the pictures of ``docs/ui.md`` are written there.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossipd.client.blocking import Client
from support.agents import GOSSIPD, AgentProcess
from support.chromium import Chromium, find_chromium
from support.clusters import GOSSIP_PORT, Cluster, NewCluster
from support.peers import skip_or_fail
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
HTTP_PORT = 8500
TOLD_SECONDS = 1.0
"""The bar: from the daemon's knowing of a failure to the page's showing it."""
WATCH = """
window.shown = {};
new MutationObserver(() => {
  for (const row of document.querySelectorAll('[data-member]')) {
    const key = row.dataset.member + ' ' + row.dataset.status;
    window.shown[key] ||= Date.now() / 1000;
  }
}).observe(document.body, {subtree: true, childList: true, attributes: true});
"""
UNREACHABLE = """
[...document.querySelectorAll('button, a[href], input, [role=button]')]
  .filter(each => each.tabIndex < 0).map(each => each.outerHTML.slice(0, 80))
"""


def program_of_browser() -> str:
    """Return it; without one the test is skipped."""
    program = find_chromium()
    if program is None:
        skip_or_fail("needs Chromium (Debian package chromium)")
    return program


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    """Return a browser that ends with the test."""
    with Chromium(program_of_browser(), tmp_path) as opened:
        opened.resize(1280, 900)
        opened.prefer("light")
        yield opened


def start_with_page(cluster: Cluster, name: str, *more: str, **settings: Any) -> AgentProcess:
    """Return a running agent that serves HTTP on its address."""
    host = cluster.next_host()
    agent = cluster.prepare(
        GOSSIPD,
        name=name,
        bind=f"{host}:{GOSSIP_PORT}",
        more=("--http-addr", f"{host}:{HTTP_PORT}", *more),
        **settings,
    )
    agent.start()
    return agent


def start_cluster(new_cluster: NewCluster, names: str) -> list[AgentProcess]:
    """Return running agents that know each other; the first serves the page."""
    cluster = new_cluster(profile="local")
    first, *others = names.split()
    agents = [start_with_page(cluster, first, tags={"role": first.partition("-")[0]})]
    for name in others:
        agents.append(
            cluster.prepare(
                GOSSIPD,
                name=name,
                join=[agents[0].options.bind],
                tags={"role": name.partition("-")[0]},
            )
        )
        agents[-1].start()
    wait_for(lambda: len(agents[0].statuses()) == len(agents), 30, "all agents are members")
    return agents


def page_of(agent: AgentProcess) -> str:
    """Return where the agent serves the page."""
    host = agent.options.bind.rpartition(":")[0]
    return f"http://{host}:{HTTP_PORT}/ui/"


def ask(agent: AgentProcess, path: str) -> Any:
    """Return what the agent answers."""
    with urllib.request.urlopen(page_of(agent).replace("/ui/", path), timeout=10) as reply:
        return json.load(reply)


def register(agent: AgentProcess, name: str, **more: Any) -> None:
    """Register a service on the agent."""
    with Client(str(agent.options.socket)) as client:
        client.register_service(name, port=8080, **more)


def take_picture(browser: Chromium, name: str) -> None:
    """Write a picture for the documentation, if it is wanted."""
    folder = os.environ.get("GOSSIPD_PICTURES")
    if folder:
        browser.picture(Path(folder) / name)


def delays(
    browser: Chromium, agent: AgentProcess, names: list[str], record: Callable[[str, object], None]
) -> list[float]:
    """Return after how many seconds of the daemon's knowing the page showed each failure."""
    found = []
    for name in names:
        shown_at = browser.wait_for(f"window.shown['{name} failed']", 30)
        lines = ask(agent, "/v1/gossipd/timeline?kind=failed")["lines"]
        (known_at,) = [line["at"] for line in lines if line["node"] == name]
        found.append(shown_at - known_at)
    told = ", ".join(f"{1000 * seconds:.0f}" for seconds in sorted(found))
    record("shown_after_ms", told)
    sys.stdout.write(f"\nshown so many ms after the daemon knew: {told}\n")
    return found


def test_a_killed_node_turns_failed_on_the_page_by_itself(
    browser: Chromium,
    new_cluster: NewCluster,
    record_property: Callable[[str, object], None],
) -> None:
    names = "front-1 front-2 app-1 app-2 app-3 db-1 db-2 cache-1"
    agents = start_cluster(new_cluster, names)
    by_name = {agent.options.name: agent for agent in agents}
    needs = {"front": ["app"], "app": ["db", "cache"], "db": [], "cache": []}
    for agent in agents:
        role = agent.options.name.partition("-")[0]
        register(agent, role, needs=needs[role], tags=["v2"])
    with Client(str(by_name["db-2"].options.socket)) as client:
        client.maintenance("db", "a new disk")
    browser.open(page_of(agents[0]))
    browser.wait_for("document.querySelectorAll('#members-list > li').length === 8")
    browser.wait_for("document.querySelectorAll('#services-list > li').length === 4")
    browser.wait_for("document.querySelectorAll('#graph-box g.box').length === 4")
    browser.run(WATCH)
    by_name["app-3"].kill()
    browser.wait_for("window.shown['app-3 suspect'] || window.shown['app-3 failed']", 30)
    (delay,) = delays(browser, agents[0], ["app-3"], record_property)
    assert 0 <= delay + 0.01 < TOLD_SECONDS
    browser.wait_for("document.querySelector('[data-kind=failed]') !== null")
    why = browser.run("document.querySelector('[data-kind=failed]').textContent")
    assert "app-3 failed" in why
    browser.run("document.querySelector('[data-service=db] button').click()")
    assert "a new disk" in browser.wait_for(
        "document.querySelector('[data-service=db] .instances').textContent"
    )
    look_at_it(browser)
    lost = ["cache-1", "db-1", "front-2"]
    for name in lost:
        by_name[name].kill()
    found = delays(browser, agents[0], lost, record_property)
    assert all(0 <= delay + 0.01 < TOLD_SECONDS for delay in found)
    assert browser.complaints == []


def look_at_it(browser: Chromium) -> None:
    """Look at the page as people do: pictures, keys, names of controls, a phone."""
    take_picture(browser, "ui-light.png")
    browser.prefer("dark")
    browser.wait_for("document.documentElement.dataset.theme === 'dark'")
    take_picture(browser, "ui-dark.png")
    browser.prefer("light")
    assert browser.run(UNREACHABLE) == []
    nameless = [
        node
        for node in browser.accessibility()
        if node.get("role", {}).get("value") in CONTROLS
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
    browser.key("/", "Slash", "/")
    assert browser.run("document.activeElement.id") == "search"
    for letter in "db-1":
        browser.key(letter, text=letter)
    browser.wait_for("document.querySelectorAll('#members-list > li').length === 1")
    browser.key("Escape")
    browser.wait_for("document.querySelectorAll('#members-list > li').length === 8")
    browser.key("Tab")
    assert browser.run("document.activeElement.tagName") in ("BUTTON", "A")
    browser.run("document.querySelector('[data-focus=\"m:db-1\"]').focus()")
    browser.key("Enter", text="\r")
    browser.wait_for(
        "document.querySelector('[data-focus=\"m:db-1\"]').ariaExpanded === 'true'"
        " && document.activeElement.dataset.focus === 'm:db-1'"
    )
    browser.run("document.querySelector('[data-focus=\"i:node:db-1\"]').click()")
    browser.wait_for("document.getElementById('impact-body').textContent.includes('db')")
    browser.key("Escape")
    browser.resize(390, 844, phone=True)
    browser.run("document.querySelector('[data-focus=\"m:db-1\"]').click(); scrollTo(0, 0)")
    take_picture(browser, "ui-phone.png")
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.run(wide) == 0


CONTROLS = (
    *("button", "link", "textbox", "searchbox", "checkbox", "combobox", "switch", "dialog"),
    *("tab", "menuitem", "slider", "spinbutton", "radio", "alertdialog"),
)


def test_what_peers_say_is_shown_as_text(browser: Chromium, new_cluster: NewCluster) -> None:
    (agent,) = start_cluster(new_cluster, "a")
    with Client(str(agent.options.socket)) as client:
        client.set_tags({"note": EVIL})
        client.event("deploy", EVIL)
    register(agent, "web", meta={"m": EVIL}, tags=[EVIL], needs=["other"])
    with Client(str(agent.options.socket)) as client:
        client.maintenance("web", EVIL)
    browser.open(page_of(agent))
    browser.wait_for("document.querySelector('[data-service=web]') !== null")
    browser.run("document.querySelectorAll('.name').forEach(each => each.click())")
    browser.wait_for(f"document.body.textContent.split({json.dumps(EVIL)}).length > 3")
    assert browser.run("document.images.length") == 0
    assert browser.run("document.scripts.length") == 1
    assert browser.complaints == []


def test_the_page_asks_for_a_token_and_keeps_it_for_the_tab(
    browser: Chromium, new_cluster: NewCluster
) -> None:
    config = Path(os.environ.get("TMPDIR", "/tmp")) / f"gossipd-ui-{os.getpid()}.toml"
    config.write_text('[http]\ntoken = "all-of-it"\nread_token = "look-only"\n')
    try:
        agent = start_with_page(new_cluster(profile="local"), "a", "--config-file", str(config))
    finally:
        config.unlink()
    browser.open(page_of(agent))
    browser.wait_for("document.getElementById('token-dialog').open")
    assert browser.run("document.activeElement.id") == "token"
    for token, opened in (("wrong", True), ("look-only", False)):
        browser.run(f"document.getElementById('token').value = '{token}'")
        browser.run("document.querySelector('#token-form button').click()")
        words = "'That token'" if opened else "'live'"
        place = "token-why" if opened else "link"
        browser.wait_for(f"document.getElementById('{place}').textContent.startsWith({words})")
        assert browser.run("document.getElementById('token-dialog').open") is opened
    assert "look-only" not in browser.run("document.documentElement.outerHTML")
    assert browser.run("localStorage.length") == 0
    browser.call("Page.reload")
    browser.wait_for("document.getElementById('link').textContent === 'live'")
    refused = ("401", "403")
    assert [each for each in browser.complaints if not any(code in each for code in refused)] == []


def test_under_a_foreign_name_the_page_says_so_and_asks_for_no_token(
    tmp_path: Path, new_cluster: NewCluster
) -> None:
    agent = start_with_page(new_cluster(profile="local"), "a")
    host = agent.options.bind.rpartition(":")[0]
    rebound = f"--host-resolver-rules=MAP rebound.example.com {host}"
    with Chromium(program_of_browser(), tmp_path, rebound) as browser:
        browser.open(page_of(agent).replace(host, "rebound.example.com"))
        browser.wait_for("document.getElementById('link').textContent === 'refused'")
        words = browser.run("document.getElementById('notice').textContent")
        assert words.startswith("The daemon refuses this page: Host is not a name of ours")
        assert "http.hosts" in words
        assert browser.run("document.getElementById('token-dialog').open") is False
        assert browser.run("document.getElementById('notice').hidden") is False


def test_the_page_comes_back_with_the_daemon(browser: Chromium, new_cluster: NewCluster) -> None:
    cluster = new_cluster(profile="local")
    agent = start_with_page(cluster, "a")
    browser.open(page_of(agent))
    browser.wait_for("document.getElementById('link').textContent === 'live'")
    agent.kill()
    browser.wait_for("document.getElementById('link').className === 'pill bad'", 20)
    agent.start()
    browser.wait_for("document.getElementById('link').textContent === 'live'", 40)
    assert browser.run("document.querySelectorAll('#members-list > li').length") == 1
