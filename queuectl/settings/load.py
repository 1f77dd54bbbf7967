"""Read settings: flag > environment (`QUEUECTL_*`) > file (`queuectl.toml`) > default, each value with its origin."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from queuectl.model import UsageError
from queuectl.settings import transports
from queuectl.settings.model import Settings

ENV_PREFIX = "QUEUECTL_"
ENV_SHORTHANDS = {"QUEUECTL_URL": ("server", "url"), "QUEUECTL_THEME": ("console", "theme")}
NOT_SETTINGS = frozenset({"QUEUECTL_CONFIG", "QUEUECTL_ASCII", "QUEUECTL_OPERATOR", "QUEUECTL_TEST_SERVER"})
"""Variables with our prefix that are read elsewhere."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and, for every value that is not a default, where it came from (dotted key -> origin)."""

    settings: Settings
    origins: Mapping[str, str]


def default_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the settings file is looked for, first hit wins."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config")
    return (Path("queuectl.toml"), home / "queuectl" / "queuectl.toml", Path("/etc/queuectl/queuectl.toml"))


def load(*, config: Path | None = None, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str]) -> Loaded:
    """Merge all sources and validate.

    `flags` maps dotted keys ("server.url") to values; None values are "not given".
    Raises UsageError that names the file or variable, the key, the value and what is allowed.
    """
    tree: dict[str, Any] = {}
    origins: dict[str, str] = {}
    path = _find(config, environ)
    if path:
        _merge(tree, _read(path), origins, str(path))
    if environ.get("REDIS_URL"):
        _put(tree, origins, ("server", "url"), environ["REDIS_URL"], "REDIS_URL")
    for name, value in sorted(environ.items()):
        if name.startswith(ENV_PREFIX) and name not in NOT_SETTINGS:
            _put(tree, origins, _env_key(name), value, name)
    for dotted, value in (flags or {}).items():
        if value is not None:
            _put(tree, origins, tuple(dotted.split(".")), value, f"--{dotted.rsplit('.', 1)[-1].replace('_', '-')}")
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise UsageError(_explain(error, origins)) from None
    _check(settings, origins)
    return Loaded(settings, origins)


def values(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Every setting as (dotted key, value, origin), for `config show`. Passwords in URLs are masked."""
    for path, value in _flatten(loaded.settings.model_dump(mode="json", by_alias=True)):
        key = ".".join(path)
        shown = mask_url(str(value)) if key.endswith("url") else str(value)
        yield key, shown, loaded.origins.get(key, "default")


def mask_url(url: str) -> str:
    """The URL without its password (and without one hidden in a query)."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    place, query_sign, query = rest.partition("?")
    credentials, at, host = ("", "", place) if place.startswith("/") else place.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user}:***" if colon else credentials
    kept = "" if "password=" in query else f"{query_sign}{query}"
    return f"{scheme}://{shown}{at}{host}{kept}"


def _find(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = config or (Path(environ["QUEUECTL_CONFIG"]) if environ.get("QUEUECTL_CONFIG") else None)
    if named:
        if not named.is_file():
            raise UsageError(f"settings file {named} does not exist")
        return named
    return next((path for path in default_paths(environ) if path.is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _env_key(name: str) -> tuple[str, ...]:
    """QUEUECTL_WORKER__GRACE_S -> ("worker", "grace_s"): two underscores divide, one belongs to the name."""
    return ENV_SHORTHANDS.get(name) or tuple(part.lower() for part in name[len(ENV_PREFIX) :].split("__"))


def _put(tree: dict[str, Any], origins: dict[str, str], key: tuple[str, ...], value: Any, origin: str) -> None:
    node = tree
    for part in key[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise UsageError(f"{origin}: {'.'.join(key)}: {part!r} is not a section")
    node[key[-1]] = value
    origins[".".join(key)] = origin


def _merge(tree: dict[str, Any], new: dict[str, Any], origins: dict[str, str], origin: str) -> None:
    for path, value in _flatten(new):
        _put(tree, origins, path, value, origin)
    for key, value in new.items():
        if value == {}:
            tree.setdefault(key, {})


def _flatten(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value); a name may hold dots, as in [queues."shop.orders"]."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, (*above, key))
        else:
            yield (*above, key), value


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        parts = [str(part) for part in problem["loc"] if part != "[key]"]
        key = ".".join(parts)
        origin = _origin(parts, origins)
        if problem["type"] == "extra_forbidden":
            lines.append(f"{origin}: unknown key {key!r}; allowed here: {', '.join(_allowed(parts[:-1]))}")
        else:
            lines.append(f"{origin}: {key} = {problem['input']!r}: {problem['msg']}")
    return "\n".join(lines)


def _origin(parts: list[str], origins: Mapping[str, str]) -> str:
    """Where a key was set; of a missing one, where its section was begun."""
    for length in range(len(parts), 0, -1):
        key = ".".join(parts[:length])
        for dotted, found in origins.items():
            if dotted == key or dotted.startswith(f"{key}.") or key.startswith(f"{dotted}."):
                return found
    return "settings"


def _allowed(section: list[str]) -> list[str]:
    """The keys a section takes; sections such as [queues.NAME] are found through their dictionary's value type."""
    model: Any = Settings
    for part in section:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = _plain(model.model_fields[part].annotation)
        else:
            model = get_args(model)[1 if get_origin(model) is dict else 0]
    if isinstance(model, type) and issubclass(model, BaseModel):
        return sorted(field.alias or name for name, field in model.model_fields.items())
    return ["any name"]


def _plain(annotation: Any) -> Any:
    """Without `| None`."""
    return get_args(annotation)[0] if type(None) in get_args(annotation) else annotation


def _check(settings: Settings, origins: Mapping[str, str]) -> None:
    """Rules across sections."""
    _check_routes(settings, origins)
    if settings.delivery.dkim and find_spec("dkim") is None:
        where = origins.get("delivery.dkim.selector", "settings")
        raise UsageError(f"{where}: delivery.dkim needs the extra `dkim`: pip install 'queuectl[dkim]'")
    for name, provider in settings.providers.items():
        if problem := transports.unknown(provider.transport):
            where = origins.get(f"providers.{name}.transport", "settings")
            raise UsageError(f"{where}: providers.{name}.transport: {problem}")
        where = origins.get(f"providers.{name}.host", "settings")
        if provider.tls == "none" and provider.transport == "smtp" and not _is_loopback(provider.host):
            raise UsageError(f"{where}: providers.{name}.tls = 'none' is accepted for loopback only, and "
                             f"{provider.host!r} is not; use 'starttls' or 'implicit'")  # fmt: skip
        if provider.fallback and provider.fallback not in settings.providers:
            where = origins.get(f"providers.{name}.fallback", "settings")
            raise UsageError(f"{where}: providers.{name}.fallback = {provider.fallback!r}: no such provider; known: "
                             f"{', '.join(sorted(settings.providers))}")  # fmt: skip
    for name, pool in settings.pools.items():
        for queue_name in pool.weights:
            if queue_name not in pool.queues:
                raise UsageError(f"{origins.get(f'pools.{name}.weights.{queue_name}', 'settings')}: pools.{name}."
                                 f"weights.{queue_name}: the pool does not serve that queue")  # fmt: skip
    for name, queue in settings.queues.items():
        if queue.provider != "default" and queue.provider not in settings.providers:
            where = origins.get(f"queues.{name}.provider", "settings")
            known = ", ".join(sorted(settings.providers)) or "none"
            raise UsageError(f"{where}: queues.{name}.provider = {queue.provider!r}: no such provider; known: {known}")


def _check_routes(settings: Settings, origins: Mapping[str, str]) -> None:
    for kind, routes in settings.routes.items():
        where = origins.get(f"routes.{kind}", "settings")
        for route in routes:
            if route.provider not in (None, "default", *settings.providers):
                raise UsageError(f"{where}: routes.{kind}: provider = {route.provider!r}: no such provider; known: "
                                 f"{', '.join(sorted(settings.providers))}")  # fmt: skip
            queue = settings.queues.get(route.queue)
            for what, said, known in (
                ("class", route.queue_class, queue and queue.queue_class),
                ("provider", route.provider, queue and queue.provider),
            ):
                if said is not None and said != known:
                    raise UsageError(f"{where}: routes.{kind}: {what} = {str(said)!r}, but queue {route.queue} has "
                                     f"{str(known)!r}")  # fmt: skip


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
