"""Faults of encryption keys: what an operator does to the key file of each host, and a reload.

A rotation is three rounds over all hosts: install the new key everywhere, use
it everywhere, remove the old one everywhere (gossip.md, section 5.4). Each
round may be staggered. A host that is down has its file changed and reads it
when it boots. Or one host asks all members to change their keys (section 18.1): those
that are down then do not hear of it.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b

from gossipd.errors import Unavailable, UsageError
from gossipd.node.node import Node
from gossipd.serf.question import KeyCommand
from gossipd.value import replace
from gossipd.wire.keyring import Keyring
from gossipd_sim.errors import ScenarioError
from gossipd_sim.faults import ABSENT, FROZEN, GONE, UP, HostFault, Stage
from gossipd_sim.host import Host


class KeyFault(HostFault, kw_only=True):
    """Base of those that change the keys of hosts; ``key`` has 16, 24 or 32 bytes."""

    key: bytes

    needs = frozenset({UP, FROZEN, GONE, ABSENT})

    def befall(self, host: Host, stage: Stage) -> None:
        file = Keyring(host.config.keys)
        self.change(file)
        host.config = replace(host.config, keys=file.keys)
        host.command(self._reload)

    def _reload(self, node: Node, now: float) -> None:
        if node.keyring is not None:
            self.change(node.keyring)

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


class AskForKeys(HostFault, kw_only=True):
    """Base of those where the hosts ask all members to change their keys, by a query."""

    key: bytes

    command = KeyCommand.LIST

    def befall(self, host: Host, stage: Stage) -> None:
        host.command(self._ask)

    def _ask(self, node: Node, now: float) -> None:
        with suppress(UsageError, Unavailable):  # it leaves, or too many queries are open
            node.manage_keys(self.command, self.key, now)

    def describe(self) -> str:
        key = blake2b(self.key, digest_size=4).hexdigest()
        return f"{self.hosts} asks all: {self.command.value} {key}"


class AskInstallKey(AskForKeys, kw_only=True):
    """Every member that hears of it can open what is sealed with ``key``."""

    do = "ask_install_key"
    command = KeyCommand.INSTALL


class AskUseKey(AskForKeys, kw_only=True):
    """Every member that hears of it, and has ``key``, seals with it."""

    do = "ask_use_key"
    command = KeyCommand.USE


class AskRemoveKey(AskForKeys, kw_only=True):
    """Every member that hears of it forgets ``key``, unless it seals with it."""

    do = "ask_remove_key"
    command = KeyCommand.REMOVE


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


FAULTS_OF_KEYS: tuple[type[HostFault], ...] = (
    InstallKey,
    UseKey,
    RemoveKey,
    AskInstallKey,
    AskUseKey,
    AskRemoveKey,
)
