"""What people may see of a job: nothing personal or secret, whatever a field is called."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

import toril
from insightdesk.jobs import declared_fields
from insightdesk.kit.redaction import HIDDEN, Private, mask, private_texts, redact

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def test_a_declared_field_is_shown_unless_it_is_private() -> None:
    data = {"ticketId": "t1", "email": "ann@example.com", "color": "red", "region": "north"}
    shown = redact(data, {"ticketId": False, "email": True, "color": False, "region": True})
    assert shown == {"ticketId": "t1", "email": HIDDEN, "color": "red", "region": HIDDEN}


def test_a_personal_name_is_hidden_though_somebody_declared_it_public() -> None:
    assert redact({"phoneNumber": "123"}, {"phoneNumber": False}) == {"phoneNumber": HIDDEN}


def test_fields_that_nobody_declared_are_hidden_unless_harmless() -> None:
    data = {
        "ticketId": "t1", "reportType": "sla", "filters": {"status": "open", "query": "ann"}, "whatever": 7,
        "password": "hunter2", "createdAt": "2026-01-01", "status": "mail to ann@example.com",
    }  # fmt: skip
    assert redact(data) == {
        "ticketId": "t1", "reportType": "sla", "filters": HIDDEN, "whatever": HIDDEN,
        "password": HIDDEN, "createdAt": "2026-01-01", "status": "mail to [address]",
    }  # fmt: skip


@given(JSON, st.text(alphabet="abcdefgh", min_size=6, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_private_text_is_left_and_the_rest_can_be_stored(data: object, secret: str) -> None:
    payload = {"password": f"X{secret}X", "email": {"deep": [f"Y{secret}Y"]}, "more": data}
    shown = json.dumps(redact(payload, {"more": True}))
    assert secret not in shown
    assert "\\u0000" not in shown
    told = mask(f"refused X{secret}X and Y{secret}Y", private_texts(payload))
    assert secret not in told


def test_a_deep_payload_is_cut() -> None:
    data: object = "end"
    for _ in range(500):
        data = {"stateId": data}
    assert "end" not in json.dumps(redact(data, {"stateId": False}))


def test_addresses_and_secrets_leave_a_text() -> None:
    text = "no route for ann.b+c@mail.example.com; Bearer abc.def; idk_abcdefghij; "
    text += "smtp://joe:pw1@host; token=zzz"
    masked = mask(text)
    for secret in ("ann", "mail.example", "abc.def", "abcdefghij", "joe", "pw1", "zzz"):
        assert secret not in masked
    assert "\x00" not in mask("a\x00b")


async def test_a_private_type_is_what_the_job_declares() -> None:
    app = toril.Toril("valkey://127.0.0.1:9/0")

    @app.job("q", name="n")
    async def handler(
        user_id: str, nickname: Private[str], notes: Private[list[str]] | None = None
    ) -> None: ...

    assert handler.new_job(user_id="u", nickname="n", notes=["x"]).data == {
        "userId": "u", "nickname": "n", "notes": ["x"],
    }  # fmt: skip


def test_the_welcome_jobs_person_is_declared_private() -> None:
    assert declared_fields("email", "welcome") == {"userId": False, "email": True, "name": True}
    assert declared_fields("email", "no such job") is None
