"""Single runs of checks on this machine: real scripts, TCP and TLS on the loopback."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import sys
import time
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gossipd.agent.checks.result import Result
from gossipd.agent.checks.runner import Runs
from gossipd.services.definition import (
    CRITICAL,
    HTTP,
    OUTPUT_BYTES_MAX,
    PASSING,
    SCRIPT,
    TCP,
    WARNING,
    CheckDefinition,
)

IN_TIME = 20.0
"""Seconds after which a test fails rather than hangs."""


async def run(check: CheckDefinition) -> Result:
    with trio.fail_after(IN_TIME):
        return await Runs({b"GOSSIPD_SOCKET": b"/run/x"}).run(check, "web-1")


def script(*args: str, timeout: float = 10.0) -> CheckDefinition:
    return CheckDefinition(id="c", kind=SCRIPT, args=args, timeout=timeout)


def shell(text: str, timeout: float = 10.0) -> CheckDefinition:
    return script("/bin/sh", "-c", text, timeout=timeout)


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(") ")[2][0] != "Z"


async def wait_until_ended(pid: int) -> None:
    for _ in range(round(IN_TIME / 0.01)):
        if not is_running(pid):
            return
        await trio.to_thread.run_sync(time.sleep, 0.01)
    raise AssertionError(f"{pid} still runs")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("echo fine", Result(PASSING, "fine\n")),
        ("echo so so; exit 1", Result(WARNING, "so so\nexit status 1")),
        ("echo bad >&2; exit 2", Result(CRITICAL, "bad\nexit status 2")),
        ("kill -9 $$", Result(CRITICAL, "signal: killed")),
        ("echo ok; echo load=0.73", Result(PASSING, "ok\nload=0.73\n", 0.73)),
        ("echo load=2; exit 1", Result(WARNING, "load=2\nexit status 1", 1.0)),
        ("echo $GOSSIPD_SERVICE_ID $GOSSIPD_SERVICE_CHECK $GOSSIPD_SOCKET",
         Result(PASSING, "web-1 c /run/x\n")),
    ],
)  # fmt: skip
async def test_a_script_says_it_by_its_exit_status(text: str, result: Result) -> None:
    assert await run(shell(text)) == result


@pytest.mark.parametrize(
    ("args", "words"),
    [(("/no/such/thing",), "no such file"), (("/etc/passwd",), "permission"), (("a\0b",), "null")],
)
async def test_a_command_that_cannot_be_run_is_critical(args: tuple[str, ...], words: str) -> None:
    result = await run(script(*args))
    assert result.status == CRITICAL
    assert words in result.output


async def test_no_shell_looks_at_the_arguments() -> None:
    assert await run(script("/bin/echo", "$HOME;", "*")) == Result(PASSING, "$HOME; *\n")


async def test_a_script_that_hangs_is_ended_with_all_that_it_forked(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = (
        f"trap '' TERM; for n in 1 2 3; do sh -c 'trap \"\" TERM; sleep 600' & echo $! >> {pids};"
        f" done; setsid sleep 600 & echo $! >> {pids}; echo begun; wait; sleep 600"
    )
    result = await run(shell(text, timeout=0.5))
    assert result == Result(CRITICAL, "begun\nkilled after 0.5s")
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 4
    for pid in found:
        await wait_until_ended(pid)


async def test_what_a_script_left_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    began = trio.current_time()
    pid = tmp_path / "pid"
    result = await run(shell(f"sleep 5 & echo $! > {pid}; echo done"))
    assert result == Result(PASSING, "done\n")
    assert trio.current_time() - began < 4


async def test_a_flood_of_output_is_cut_and_ended() -> None:
    code = "import sys\nwhile True: sys.stdout.write('€' * 10000 + '\\n')"
    result = await run(script(sys.executable, "-c", code, timeout=1.0))
    assert result.status == CRITICAL
    assert result.output.endswith("killed after 1s")
    assert len(result.output.encode()) <= OUTPUT_BYTES_MAX


async def test_tcp_passes_where_somebody_listens() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with listener:
        for host in ("127.0.0.1", "localhost"):
            target = f"{host}:{port}"
            said = await run(CheckDefinition(id="c", kind=TCP, target=target))
            assert said == Result(PASSING, f"connect {target}: success")
    target = f"127.0.0.1:{port}"
    said = await run(CheckDefinition(id="c", kind=TCP, target=target))
    assert said == Result(CRITICAL, f"connect {target}: connection refused")


@pytest.mark.parametrize("host", ["x" * 70 + ".example", "no-such-host.invalid"])
async def test_tcp_to_no_host_is_critical(host: str) -> None:
    said = await run(CheckDefinition(id="c", kind=TCP, target=f"{host}:1"))
    assert said.status == CRITICAL
    assert said.output.startswith(f"connect {host}:1: ")


def certificate(folder: Path) -> Path:
    """Write a certificate for 127.0.0.1 that nobody trusts, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, form, plain))
    return path


async def test_a_certificate_is_looked_at_unless_the_check_says_no(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))

    async def serve(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True, https_compatible=True)
        try:
            await stream.receive_some(4096)
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await stream.aclose()
        except (trio.BrokenResourceError, ssl.SSLError):
            return

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    nursery.start_soon(trio.serve_listeners, serve, listeners)
    url = f"https://127.0.0.1:{port}/health"
    refused = await run(CheckDefinition(id="c", kind=HTTP, target=url))
    assert refused.status == CRITICAL
    assert "the certificate is not trusted" in refused.output
    taken = await run(CheckDefinition(id="c", kind=HTTP, target=url, verify_tls=False))
    assert taken == Result(PASSING, f"GET {url}: 200 OK\nok")
    plain = await run(CheckDefinition(id="c", kind=HTTP, target=url.replace("https", "http")))
    assert plain.status == CRITICAL
    nursery.cancel_scope.cancel()


async def test_a_server_without_tls_is_told_so(nursery: trio.Nursery) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    nursery.start_soon(trio.serve_listeners, serve, listeners)
    url = f"https://127.0.0.1:{port}/"
    said = await run(CheckDefinition(id="c", kind=HTTP, target=url))
    assert said.status == CRITICAL
    assert "TLS: " in said.output
    nursery.cancel_scope.cancel()
