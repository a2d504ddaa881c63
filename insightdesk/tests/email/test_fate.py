"""The decision about a delivery whose earlier try was cut off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from insightdesk.email.fate import Plan, Step, plan

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@given(
    handed=st.none() | st.integers(0, 200_000).map(lambda seconds: NOW - timedelta(seconds=seconds)),
    extra=st.integers(0, 2),
    cut_off=st.booleans(),
    known=st.booleans(),
    remembers=st.none() | st.just(timedelta(hours=24)),
)
def test_a_mail_of_open_fate_is_never_sent_blindly(
    handed: datetime | None, extra: int, cut_off: bool, known: bool, remembers: timedelta | None
) -> None:
    decided = plan(
        handed_over_at=handed,
        extra_sends=extra,
        cut_off=cut_off,
        known=known,
        remembers=remembers,
        timeout=20.0,
        now=NOW,
    )
    if handed is None:
        assert decided == Plan(Step.SEND)
        return
    assert decided.step is not Step.SEND
    if decided.step is Step.ASK:
        assert known
        assert remembers is not None
        assert handed + remembers > NOW
    if decided.step is Step.SEND_AGAIN:
        assert known
        assert extra == 0
        assert remembers is None
        assert not cut_off or handed + timedelta(seconds=20) <= NOW
    if decided.step is Step.WAIT:
        assert 0 < decided.seconds <= 20
