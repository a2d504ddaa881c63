"""What a URL says, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

import toril
from toril.storage.address import Address
from toril.storage.endpoint import Endpoint, Kind, Login, Replicas
from toril.storage.slots import hash_tag, slot_of
from toril.storage.tls import Verify

from .certificates import Authority


def test_a_server() -> None:
    address = Address.of("valkey://ann:se%40cret@db.example:6380/3")
    assert address.kind is Kind.SERVER
    assert address.endpoints == (Endpoint("db.example", 6380),)
    assert address.login == Login("ann", "se@cret")
    assert address.database == 3
    assert address.tls is None
    assert str(address) == "valkey://db.example:6380/3"


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("redis://", Endpoint()),
        ("valkey://db", Endpoint("db", 6379)),
        ("valkey://:pw@db", Endpoint("db", 6379)),
        ("valkey://[::1]:7000/0", Endpoint("::1", 7000)),
        ("rediss://db/1", Endpoint("db", 6379)),
        ("unix:///run/valkey.sock?db=2", Endpoint("", 0, "/run/valkey.sock")),
    ],
)
def test_where_the_server_is(url: str, endpoint: Endpoint) -> None:
    assert Address.of(url).endpoints == (endpoint,)


def test_sentinels() -> None:
    address = Address.of(
        "redis+sentinel://ann:pw@h1,h2:26380/mymaster/2?sentinel_username=bob&sentinel_password=other"
    )
    assert address.kind is Kind.SENTINEL
    assert address.endpoints == (Endpoint("h1", 26379), Endpoint("h2", 26380))
    assert (address.master, address.database) == ("mymaster", 2)
    assert (address.login, address.sentinel_login) == (Login("ann", "pw"), Login("bob", "other"))
    assert str(address) == "valkey+sentinel://h1:26379,h2:26380/mymaster/2"


def test_a_cluster() -> None:
    address = Address.of("valkey+cluster://:pw@h1:7000,h2:7001?replicas=1&replicas_timeout=0.25")
    assert address.kind is Kind.CLUSTER
    assert address.endpoints == (Endpoint("h1", 7000), Endpoint("h2", 7001))
    assert address.replicas == Replicas(1, 250)
    assert address.serving("{bull}:email:").slot == slot_of("bull")
    assert address.serving("bull:{email}:").slot == slot_of("email")


def test_tls(authority: Authority) -> None:
    own = authority.certificate("client")
    address = Address.of(f"valkeys://db?tls_ca={authority.ca}&tls_cert={own}&tls_verify=ca")
    assert address.tls is not None
    assert (address.tls.ca, address.tls.certificate) == (str(authority.ca), str(own))
    assert address.tls.verify is Verify.CA


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("db:6379", "write valkey://"),
        ("http://db", "write valkey://"),
        ("valkey://db:port", "no port"),
        ("valkey://db:66000", "no port"),
        ("valkey://db/first", "no database"),
        ("valkey://db/0/1", "says too much"),
        ("valkey://a,b/0", "several hosts"),
        ("valkey://db?tls_ca=ca.pem", "needs valkeys://"),
        ("valkeys://db?tls_ca=/no/such.pem", "TLS files"),
        ("valkeys://db?tls_verify=maybe", "full, ca, none"),
        ("valkeys://db?tls_key=key.pem", "needs tls_cert"),
        ("valkey://db?socket_timeout=1", "'socket_timeout' means nothing"),
        ("valkey://db?db=1&db=2", "twice"),
        ("valkey://db?sentinel_username=x", "needs +sentinel://"),
        ("valkey://:se#cret@db", "%23"),
        ("unix://", "path is missing"),
        ("valkey+sentinel://h1,h2", "/mymaster"),
        ("valkey+sentinel://h1,/mymaster", "host is missing"),
        ("valkey+cluster://h1/1", "database 0"),
        ("valkey+cluster://h1?db=0", "means nothing"),
        ("valkey://db?replicas=some", "number of replicas"),
        ("valkey://db?replicas=1&replicas_timeout=0", "wait for ever"),
        ("valkey://db?replicas_timeout=1", "needs replicas"),
    ],
)
def test_a_wrong_url_is_refused_with_its_reason(url: str, says: str) -> None:
    with pytest.raises(toril.InvalidOption, match="not a Valkey URL") as refused:
        Address.of(url)
    assert says in str(refused.value)


def test_no_password_is_in_a_message() -> None:
    for url in ("valkey://ann:verysecret@db:x", "valkey+sentinel://h1?sentinel_password=verysecret"):
        with pytest.raises(toril.InvalidOption) as refused:
            Address.of(url)
        assert "verysecret" not in str(refused.value)


def test_hash_tags_are_the_servers(valkey_url: str) -> None:
    assert hash_tag("{bull}:email:wait") == "bull"
    assert hash_tag("bull:{email}:wait") == "email"
    assert hash_tag("bull:email:wait") is None
    assert hash_tag("{}{bull}") is None
    assert slot_of("123456789") == 12739  # the check value of the Cluster specification
    assert slot_of("{bull}:a") == slot_of("{bull}:b") == slot_of("bull")


MAKERS: list[Callable[[str, str, str], object]] = [
    lambda url, queue, prefix: toril.Queue(queue, url, prefix=prefix),
    lambda url, queue, prefix: toril.QueueEvents(queue, url, prefix=prefix),
    lambda url, queue, prefix: toril.Worker(queue, print, url=url, prefix=prefix),
]


@pytest.mark.parametrize("maker", MAKERS)
def test_on_cluster_keys_need_a_hash_tag(maker: Callable[[str, str, str], object]) -> None:
    url = "valkey+cluster://127.0.0.1:1"
    with pytest.raises(toril.InvalidOption, match=r"prefix='\{bull\}'.*'\{email\}'"):
        maker(url, "email", "bull")
    maker(url, "email", "{bull}")
    maker(url, "{email}", "bull")


def test_an_unreadable_certificate_is_told_at_the_edge(tmp_path: Path) -> None:
    nonsense = tmp_path / f"{uuid.uuid4().hex}.pem"
    nonsense.write_text("no certificate")
    with pytest.raises(toril.InvalidOption, match="cannot be used"):
        toril.Queue("email", f"valkeys://db?tls_cert={nonsense}")
