"""Faults of encryption keys: what an operator does to the key file of each host, and a reload.

A rotation is three rounds over all hosts: install the new key everywhere, use
it everywhere, remove the old one everywhere (gossip.md, section 5.4). Each
round may be staggered. A host that is down has its file changed and reads it
when it boots.
"""

from __future__ import annotations

from hashlib import blake2b

from gossipd.errors import UsageError
from gossipd.wire.keyring import Keyring
from gossipd_sim.errors import ScenarioError
from gossipd_sim.faults import ABSENT, FROZEN, GONE, UP, HostFault, Stage
from gossipd_sim.host import Host


class KeyFault(HostFault, kw_only=True):
    """Base of those that change the keys of hosts; ``key`` has 16, 24 or 32 bytes."""

    key: bytes

    needs = frozenset({UP, FROZEN, GONE, ABSENT})

    def befall(self, host: Host, stage: Stage) -> None:
        host.change_keys(self.change)

    def change(self, keyring: Keyring) -> None:
        """Change one ring of keys.

        Raises:
            UsageError: the ring does not permit it.
        """
        raise NotImplementedError

    def describe(self) -> str:
        word = self.do.replace("_", " ")
        return f"{word} {blake2b(self.key, digest_size=4).hexdigest()} at {self.hosts}"


class InstallKey(KeyFault, kw_only=True):
    """The hosts can open what is sealed with ``key`` from now on, and seal as before."""

    do = "install_key"

    def change(self, keyring: Keyring) -> None:
        keyring.add(self.key)


class UseKey(KeyFault, kw_only=True):
    """The hosts seal with ``key``, which is installed, from now on."""

    do = "use_key"

    def change(self, keyring: Keyring) -> None:
        keyring.use(self.key)


class RemoveKey(KeyFault, kw_only=True):
    """The hosts can no longer open what is sealed with ``key``; never the one they use."""

    do = "remove_key"

    def change(self, keyring: Keyring) -> None:
        keyring.remove(self.key)


class Keyrings:
    """The keys of every host while a run is planned: what cannot happen is refused there.

    Args:
        keys: what every host has at the start, the primary first.
    """

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys
        self._rings: dict[str, Keyring] = {}

    def change(self, fault: KeyFault, names: tuple[str, ...]) -> None:
        """Change the keys of the hosts ``names`` as ``fault`` will.

        Raises:
            ScenarioError: the cluster has no keys, or a host cannot do that then.
        """
        if not self._keys:
            raise ScenarioError("the cluster is not encrypted; give it a first key under 'keys'")
        for name in names:
            ring = self._rings.setdefault(name, Keyring(self._keys))
            try:
                fault.change(ring)
            except UsageError as error:
                what = f"{name} cannot {fault.do.replace('_', ' ')} at {fault.at:g} s"
                raise ScenarioError(f"{what}: {error}") from error


FAULTS_OF_KEYS: tuple[type[KeyFault], ...] = (InstallKey, UseKey, RemoveKey)
