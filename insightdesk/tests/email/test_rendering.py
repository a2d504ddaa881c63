"""Every template renders both parts, and hostile text stays text."""

from __future__ import annotations

import pytest

from insightdesk.email.kinds import SUBJECTS, NotificationKind
from insightdesk.email.rendering import TEMPLATES, UnknownTemplate, clean_header, render

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}{% raw %}"
VALUES: dict[str, object] = {
    "recipient": {"name": HOSTILE},
    "ticket": {"subject": HOSTILE, "status": "open", "priority": "high"},
    "message": {"author": HOSTILE, "body": HOSTILE},
    "sla": {"metric": "first response", "due": "2026-11-23 20:00:00 UTC"},
    "name": HOSTILE,
    "body": HOSTILE,
    "facts": [(HOSTILE, HOSTILE)],
}


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_every_template_renders_html_and_text(template: str) -> None:
    mail = render(template, HOSTILE, VALUES)
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert HOSTILE in mail.text
    assert "49" not in mail.html.replace("{{ 7*7 }}", "")
    assert "prefers-color-scheme: dark" in mail.html
    assert 'style="' in mail.html


def test_every_notification_has_a_template_and_a_subject() -> None:
    assert {kind.value for kind in NotificationKind} == TEMPLATES - {"welcome", "generic"}
    assert set(SUBJECTS) == set(NotificationKind)


@pytest.mark.parametrize("name", ["../../etc/passwd", "layout", "_ticket", "", "welcome.html", "\0"])
def test_only_the_closed_set_is_loaded(name: str) -> None:
    with pytest.raises(UnknownTemplate):
        render(name, "subject", VALUES)


def test_a_subject_is_one_bounded_line() -> None:
    assert clean_header("a\r\nBcc: b@c.d\u2028e\x00f") == "a Bcc: b@c.d e f"
    assert len(clean_header("x" * 5000)) == 250
