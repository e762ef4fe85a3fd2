"""A cluster that templates are rendered from, without a daemon."""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.query.records import MemberRecord
from gossipd.services.definition import PASSING, Service
from gossipd.services.instance import Instance, ServiceSummary
from gossipd_cli.templating.quoting import checksum


class FakeSource:
    """Shows the instances it is given; counts them as the daemon does."""

    def __init__(self, *instances: Instance) -> None:
        self.known = instances
        self.near: list[str] = []

    def services(self) -> Sequence[ServiceSummary]:
        names = sorted({instance.service.name for instance in self.known})
        return [self._summary(name) for name in names]

    def instances(self, name: str, near: str) -> Sequence[Instance]:
        if near:
            self.near.append(near)
        return [instance for instance in self.known if instance.service.name == name]

    def members(self) -> Sequence[MemberRecord]:
        versions = (5, 5, 2)
        return [
            MemberRecord("a", b"\x7f\0\0\x01", 7946, "alive", {"role": "web"}, versions, versions)
        ]

    def node(self) -> str:
        return "a"

    def _summary(self, name: str) -> ServiceSummary:
        found = self.instances(name, "")
        return ServiceSummary(
            name=name,
            index=1,
            passing=sum([instance.is_usable for instance in found]),
            critical=sum([not instance.is_usable for instance in found]),
            tags=tuple(sorted({tag for one in found for tag in one.service.tags})),
            needs=tuple(sorted({name for one in found for name in one.service.needs})),
        )


def make_instance(
    name: str = "web",
    owner: str = "a",
    address: str = "10.0.0.1",
    port: int = 80,
    *,
    status: str = PASSING,
    weight: int = 1,
    tags: tuple[str, ...] = (),
    meta: dict[str, str] | None = None,
    own_id: str = "",
    zone: str = "",
    needs: tuple[str, ...] = (),
    version: int = 1,
) -> Instance:
    """Return one instance of the usual kind."""
    service = Service(
        id=own_id or name,
        name=name,
        address=address,
        port=port,
        tags=tags,
        meta=meta or {},
        needs=needs,
        weight=weight,
    )
    return Instance(
        owner=owner,
        owner_address="127.0.0.1",
        service=service,
        status=status,
        weight=weight,
        zone=zone,
        version=version,
    )


EVIL = "x\n    server evil 6.6.6.6:80\n\r\u2028};\" '\\$(reboot){{ 7 * 7 }}"
"""What a hostile provider would put wherever it can."""


def hostile_instances() -> tuple[Instance, ...]:
    """Return instances of which every text wants out of its place."""
    tags = ("http", "metrics", EVIL)
    return (
        make_instance("web", EVIL, own_id=EVIL, tags=tags, meta={EVIL: EVIL}, zone=EVIL),
        make_instance("web", "b", address="10.0.0.2:80 evil\n", tags=tags),
        make_instance("web", "c", address="no-such-host.invalid", tags=tags),
        make_instance("web", "d", address="fe80::1", port=8080, weight=60000, tags=tags),
        make_instance("web", "e", address="10.0.0.3", weight=0, tags=tags),
        make_instance("web", "e", own_id="web 2", port=0, tags=tags),
        make_instance("web", "e e", own_id="1", port=81, tags=tags),
        make_instance("web", "e_e", own_id="1", port=82, tags=tags),
        make_instance("x y", "f", tags=tags, meta={"metrics_path": "/m\n"}),
        make_instance("x_y", "f", tags=tags),
        make_instance("x y_" + checksum("x y"), "f", tags=tags),
        make_instance("x_y_" + checksum("x y"), "f", tags=tags),
        make_instance("x\ty", "f", tags=tags),
        make_instance("x\ny", "f", tags=tags),
        make_instance("none", "f", own_id="x\t", tags=tags),
        make_instance("none", "f", own_id="x\n", tags=tags),
        make_instance("none", "f", own_id="\ufffd~" + checksum("1/f/x\t"), tags=tags),
        make_instance("none", "f", own_id="g/x", tags=tags),
        make_instance("none", "f/g", own_id="x", tags=tags),
    )
