"""Every template renders both parts from its sample, and hostile text stays text."""

from __future__ import annotations

import pytest

from insightdesk.email.kinds import NotificationKind
from insightdesk.email.registry import REGISTRY, UnknownTemplate, find
from insightdesk.email.rendering import Desk, InvalidData, clean_header, render

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}{% raw %}\x1b[31m\u202e\ud800"
DESK = Desk("Demo & Sons", "https://desk.example")


def hostile(value: object) -> object:
    """The sample with every text but links made hostile."""
    if isinstance(value, dict):
        return {key: hostile(part) for key, part in value.items()}
    if isinstance(value, list):
        return [hostile(part) for part in value]
    return HOSTILE if isinstance(value, str) and not value.startswith("https://") else value


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_template_renders_its_sample(name: str) -> None:
    mail = render(name, REGISTRY[name].sample, DESK, unsubscribe_url="https://desk.example/stop/x")
    assert mail.subject
    assert "prefers-color-scheme: dark" in mail.html
    assert 'style="' in mail.html
    assert "Demo &amp; Sons" in mail.html
    assert "Demo & Sons" in mail.text
    assert "https://desk.example/stop/x" in mail.text
    assert "<" not in mail.text
    assert "{{" not in mail.html + mail.text + mail.subject
    assert "\n\n\n" not in mail.text


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_hostile_text_stays_text(name: str) -> None:
    sample = hostile(REGISTRY[name].sample)
    assert isinstance(sample, dict)
    mail = render(name, sample, DESK)
    assert "<script" not in mail.html
    for part in (mail.subject, mail.html, mail.text):
        assert "\x1b" not in part
        assert "\ud800" not in part
        assert "49" not in part.replace("{{ 7*7 }}", "")
        part.encode()
    assert "\u202e" not in mail.subject + mail.text


def test_every_notification_has_a_template() -> None:
    assert {kind.value for kind in NotificationKind} <= set(REGISTRY)


@pytest.mark.parametrize(
    ("brief", "ours"),
    [
        ("ticket-new-message", "new_message"),
        ("ticket-status-change", "status_change"),
        ("ticket-assigned", "assignment"),
        ("welcome", "welcome"),
        ("password-reset", "password_reset"),
    ],
)
def test_the_names_of_the_brief_are_known(brief: str, ours: str) -> None:
    assert find(brief).name == ours


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "layout", "_parts", "ticket", "", "welcome.html", "\0", "Welcome"]
)
def test_only_the_closed_set_is_loaded(name: str) -> None:
    with pytest.raises(UnknownTemplate):
        render(name, {}, DESK)


@pytest.mark.parametrize("kind", ["ticket-new-message", "ticket-status-change", "ticket-assigned"])
def test_the_data_of_the_brief_are_enough(kind: str) -> None:
    ticket = {"id": "t1", "subject": "Printer", "status": "open", "priority": "high", "customerId": "c1"}
    mail = render(kind, {"ticket": ticket, "recipient": {"id": "u1", "name": "Ann"}}, DESK)
    assert mail.subject.endswith("Printer")
    assert "Hello Ann" in mail.text


def test_missing_data_are_named() -> None:
    with pytest.raises(InvalidData, match="'ticket'"):
        render("sla_breach", {"recipient": {"name": "Ann"}}, DESK)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil", "http://a b", "http://a\nb"]
)
def test_a_link_is_http(url: str) -> None:
    with pytest.raises(InvalidData, match="link"):
        render("password_reset", {"name": "Ann", "url": url, "minutes": 30}, DESK)


def test_html_of_a_producer_is_sanitised_and_has_a_text_part() -> None:
    html = (
        "<p onclick=x()>Hello <b>Ann</b> &amp; Bob</p><script>evil()</script><img src=x onerror=evil()>"
        '<a href="javascript:evil()">a</a><a href="https://ok.example/">b</a><style>p{}</style>'
    )
    mail = render("generic", {"subject": "s", "html": html}, DESK)
    assert "evil" not in mail.html
    assert "onclick" not in mail.html
    assert "<b>Ann</b>" in mail.html
    assert 'href="https://ok.example/"' in mail.html
    assert "Hello Ann & Bob" in mail.text


def test_a_subject_is_one_bounded_line() -> None:
    assert clean_header("a\r\nBcc: b@c.d\u2028e\x00f\u202eg") == "a Bcc: b@c.d e fg"
    assert clean_header("family \U0001f468\u200d\U0001f469\u200d\U0001f467") == (
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467"
    )
    assert len(clean_header("x" * 5000)) == 250
