"""Reads the URL of a server.

    valkey://[user[:password]@]host[:port][/database]     valkeys:// with TLS; redis, rediss likewise
    unix://[user[:password]@]/path/of/socket[?db=database]
    valkey+sentinel://[user[:password]@]host[:port],host[:port]/master[/database]
    valkey+cluster://[user[:password]@]host[:port],host[:port]

docs/deployment.md tells the parameters that may follow.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ..errors import InvalidOption
from ..options import milliseconds
from .endpoint import NOBODY, Endpoint, Kind, Login, Replicas
from .tls import Tls, Verify

_SCHEMES = {
    f"{name}{secured}{kind}": (meant, bool(secured))
    for name, secured in (("valkey", ""), ("valkey", "s"), ("redis", ""), ("redis", "s"))
    for kind, meant in (("", Kind.SERVER), ("+sentinel", Kind.SENTINEL), ("+cluster", Kind.CLUSTER))
}
_PORTS = {Kind.SERVER: 6379, Kind.SENTINEL: 26379, Kind.CLUSTER: 6379}
_TLS = ("tls_ca", "tls_cert", "tls_key", "tls_verify")
_SENTINEL = ("sentinel_username", "sentinel_password")
_REPLICAS = ("replicas", "replicas_timeout")


class Parts(NamedTuple):
    """What a URL says; the fields are those of `Address`."""

    kind: Kind
    endpoints: tuple[Endpoint, ...]
    database: int
    login: Login
    tls: Tls | None = None
    master: str = ""
    sentinel_login: Login = NOBODY
    replicas: Replicas | None = None


def parse(url: str) -> Parts:
    """Read a URL. Raises InvalidOption, without a word of passwords."""
    scheme, separator, _ = url.partition("://")
    try:
        if scheme == "unix" and separator:
            return _unix(urlsplit(url))
        if scheme not in _SCHEMES or not separator:
            raise ValueError("write valkey://host:port/database")
        kind, secured = _SCHEMES[scheme]
        return _network(urlsplit(url), kind, secured)
    except ValueError as error:
        raise InvalidOption(f"not a Valkey URL: {_without_secrets(url)!r} ({error})") from None


def _network(url: SplitResult, kind: Kind, secured: bool) -> Parts:
    if url.fragment:
        raise ValueError("a '#' is written %23")
    query = _query(
        url,
        *_REPLICAS,
        *(_TLS if secured else ()),
        *(_SENTINEL if kind is Kind.SENTINEL else ()),
        *(() if kind is Kind.CLUSTER else ("db",)),
    )
    login, hosts = _login(url.netloc)
    names = hosts.split(",")
    if kind is Kind.SERVER and len(names) > 1:
        raise ValueError("several hosts need +sentinel or +cluster behind the scheme")
    path = [unquote(part) for part in url.path.strip("/").split("/") if part]
    master = ""
    if kind is Kind.SENTINEL:
        if not path:
            raise ValueError("the master's name must stand behind the hosts, as in /mymaster")
        master = path.pop(0)
    if len(path) > 1:
        raise ValueError(f"{url.path!r} says too much")
    database = _number(path[0] if path else query.get("db", "0"), "database", 2**31)
    if kind is Kind.CLUSTER and database:
        raise ValueError("a Cluster has database 0 alone")
    return Parts(
        kind,
        tuple(_endpoint(name, _PORTS[kind], required=kind is not Kind.SERVER) for name in names),
        database,
        login,
        _tls(query) if secured else None,
        master,
        Login(query.get("sentinel_username"), query.get("sentinel_password")),
        _replicas(query),
    )


def _unix(url: SplitResult) -> Parts:
    query = _query(url, "db", *_REPLICAS)
    login, _ = _login(url.netloc)
    if not url.path.strip("/"):
        raise ValueError("the socket's path is missing")
    database = _number(query.get("db", "0"), "database", 2**31)
    endpoint = Endpoint("", 0, unquote(url.path))
    return Parts(Kind.SERVER, (endpoint,), database, login, replicas=_replicas(query))


def _login(netloc: str) -> tuple[Login, str]:
    who, at, hosts = netloc.rpartition("@")
    if not at:
        return NOBODY, hosts
    user, colon, password = who.partition(":")
    return Login(unquote(user) or None, unquote(password) if colon else None), hosts


def _endpoint(text: str, port: int, *, required: bool) -> Endpoint:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no host")
        number = rest[1:]
    else:
        host, _, number = text.partition(":")
    if required and not host:
        raise ValueError("a host is missing")
    return Endpoint(unquote(host) or "127.0.0.1", _number(number, "port", 65_536) if number else port)


def _tls(query: dict[str, str]) -> Tls:
    verify = query.get("tls_verify", Verify.FULL)
    if verify not in set(Verify):
        raise ValueError(f"tls_verify is one of {', '.join(Verify)}, not {verify!r}")
    if "tls_key" in query and "tls_cert" not in query:
        raise ValueError("tls_key needs tls_cert")
    tls = Tls(query.get("tls_ca"), query.get("tls_cert"), query.get("tls_key"), Verify(verify))
    tls.context()  # wrong files are told of now, not at the first job
    return tls


def _replicas(query: dict[str, str]) -> Replicas | None:
    count = _number(query.get("replicas", "0"), "number of replicas", 1_000)
    if not count:
        if "replicas_timeout" in query:
            raise ValueError("replicas_timeout needs replicas")
        return None
    timeout = milliseconds(float(query.get("replicas_timeout", "1")), "replicas_timeout")
    if timeout == 0:
        raise ValueError("replicas_timeout must be at least 0.001 s: 0 would wait for ever")
    return Replicas(count, timeout)


def _query(url: SplitResult, *known: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if name not in known:
            needs = {**dict.fromkeys(_TLS, "valkeys://"), **dict.fromkeys(_SENTINEL, "+sentinel://")}
            reason = f"needs {needs[name]}" if name in needs else "means nothing"
            raise ValueError(f"parameter {name!r} {reason} here")
        if name in found:
            raise ValueError(f"parameter {name!r} is there twice")
        found[name] = value
    return found


def _number(text: str, what: str, below: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < below):
        raise ValueError(f"{text!r} is no {what}")
    return int(text)


def _without_secrets(url: str) -> str:
    head, at, tail = url.partition("?")[0].rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else tail
