"""Settings: what is malformed is told in one line that holds no password."""

from __future__ import annotations

import pytest

from insightdesk.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valkey_url", "localhost:6379"),
        ("valkey_url", "http://localhost"),
        ("valkey_url", "valkey://:hunter2@/0"),
        ("valkey_url", "valkey://user:hunter2@host:notaport/0"),
        ("valkey_url", "valkey://host:6379/zero"),
        ("database_url", "mysql://root:hunter2@host/db"),
        ("email_url", "pigeon://coop"),
        ("email_url", "smtp://"),
        ("public_url", "desk.example.com"),
        ("port", 70_000),
    ],
)
def test_a_malformed_setting_is_one_clear_line(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"INSIGHTDESK_{name.upper()}: ")
    assert "\n" not in message
    assert "hunter2" not in message


def test_every_part_of_a_url_is_accepted() -> None:
    settings = load_settings(valkey_url="rediss://user:p%40ss@host.example:6390/3", email_url="local:")
    assert settings.valkey_url == "rediss://user:p%40ss@host.example:6390/3"
