"""Where a command finds the agent's configuration: files and folders, environment, flags."""

from __future__ import annotations

import os

from gossipd.config.load import Loaded, load
from gossipd.config.origin import ConfigFile
from gossipd.errors import ConfigError
from gossipd.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_FILE = "/etc/gossipd/gossipd.toml"
CONFIG_BYTES_MAX = 4 * 1024 * 1024
SERVICES_FOLDER = "services.d"
_SUFFIXES = (".toml", ".json")


def configured(
    flags: Mapping[str, object], environment: Mapping[str, str], *, again: bool = False
) -> Loaded:
    """Return the merged configuration, with the default socket filled in.

    Args:
        flags: by option key, and ``config``: files and folders to read.
        environment: of the process.
        again: they were read before, so a pipe has nothing more to say.

    Raises:
        ConfigError: a file cannot be read, or a setting is wrong.
    """
    from gossipd.client.endpoint import default_socket_path

    named = flags.get("config", ())
    assert isinstance(named, tuple)
    rest = {key: value for key, value in flags.items() if key != "config"}
    files = read_files(named or default_files(), again=again)
    loaded = load(files, environment, rest, node_name=os.uname().nodename)
    services = service_files(named or default_files(), loaded.config.services_dir, again=again)
    if services:  # only now is it known which folder they are in
        name = os.uname().nodename
        loaded = load(files, environment, rest, node_name=name, services=services)
    read = {file.name for file in files} | {os.path.dirname(file.name) for file in files}
    empty = [path for path in named if path not in read and path.rstrip("/") not in read]
    if empty:
        told = (f"no *.toml or *.json in {path}" for path in empty)
        config = replace(loaded.config, warnings=(*loaded.config.warnings, *told))
        loaded = replace(loaded, config=config)
    if not loaded.config.socket:
        socket = default_socket_path(environment, os.geteuid())
        loaded = replace(loaded, config=replace(loaded.config, socket=socket))
    return loaded


def default_files() -> tuple[str, ...]:
    """Return what is read when no file is named."""
    return (DEFAULT_FILE,) if os.path.exists(DEFAULT_FILE) else ()


def service_files(
    paths: Sequence[str], services_dir: str, *, again: bool = False
) -> list[ConfigFile]:
    """Return the files that say of services only.

    Args:
        paths: of the configuration; beside each file, and in each folder, ``services.d``
            is looked into.
        services_dir: is looked into instead, if it is not empty.
        again: they were read before.

    Raises:
        ConfigError: one cannot be read, or ``services_dir`` is no folder.
    """
    if services_dir:
        if not os.path.isdir(services_dir):
            raise ConfigError(f"services_dir {services_dir}: it is not a folder")
        return _read(services_dir, again)
    near = (path if os.path.isdir(path) else os.path.dirname(path) for path in paths)
    folders = dict.fromkeys(os.path.join(folder, SERVICES_FOLDER) for folder in near)
    return [file for folder in folders if os.path.isdir(folder) for file in _read(folder, again)]


def read_files(paths: Sequence[str], *, again: bool = False) -> list[ConfigFile]:
    """Return the files at ``paths``; of a folder its configuration files by name.

    Raises:
        ConfigError: one cannot be read, also not ``again``, or is too large.
    """
    return [file for path in paths for file in _read(path, again)]


def _read(path: str, again: bool) -> list[ConfigFile]:
    try:
        if again and not (os.path.isfile(path) or os.path.isdir(path)) and os.path.exists(path):
            raise ConfigError(f"Error reading '{path}': it is no file, and cannot be read again")
        if os.path.isdir(path):
            # hidden ones are editors' own: Emacs locks a file by a link that leads nowhere
            names = sorted(
                name
                for name in os.listdir(path)
                if name.endswith(_SUFFIXES) and not name.startswith(".")
            )
            return [file for name in names for file in _read(os.path.join(path, name), again)]
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(CONFIG_BYTES_MAX + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"Error reading '{path}': {reason}") from error
    if len(text) > CONFIG_BYTES_MAX:
        raise ConfigError(f"Error reading '{path}': larger than {CONFIG_BYTES_MAX} bytes")
    return [ConfigFile(path, text)]
