"""Four days of a desk over a Sunday on which clocks change, and what the rules say is sent to whom and when.

Working hours are Monday to Friday, 09:00 to 18:00 on the wall. A normal ticket is answered within 180 of
these minutes; a ticket of high priority that belongs to the team Night within 720 minutes, round the clock.
A breach tells the assignee, the administrators and, at once, the team Leads; 30 minutes later the ticket goes
to the lead. All else is as for any new organization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY, HOUR = timedelta(hours=24), timedelta(hours=1)
FIRST_RESPONSE_NORMAL, FIRST_RESPONSE_NIGHT = 180.0, 720.0

# The Sundays of 2026 on which clocks change, two ways.
CHANGES = {
    "America/New_York": date(2026, 3, 8),
    "Europe/Berlin": date(2026, 3, 29),
    "Australia/Sydney": date(2026, 4, 5),
}

# What people do, by the clock on the wall.
DEEDS = (
    ("Fri 12:00", "the customer asks"),
    ("Fri 12:05", "the agent answers"),
    ("Fri 12:06", "the agent answers"),
    ("Fri 12:07", "the agent answers"),
    ("Fri 12:30", "the customer answers"),
    ("Fri 13:00", "the agent resolves"),
    ("Fri 14:00", "the agent exports"),
    ("Fri 16:00", "the administrator opens a normal ticket"),
    ("Sat 20:00", "the administrator opens a ticket for the night"),
    ("Sun 12:00", "the customer asks again"),
)


@dataclass(frozen=True, order=True)
class Mail:
    """A mail: when it left by the clock on the wall, to whom, and which."""

    local: str
    recipient: str
    template: str


@dataclass(frozen=True)
class Story:
    """The days in one zone, around the Sunday on which its clocks change."""

    zone: str
    sunday: date

    def at(self, moment: str) -> datetime:
        """``Fri 12:05`` as a moment in UTC; Mon is the Monday after the Sunday."""
        name, clock = moment.split()
        days = DAYS.index(name) - DAYS.index("Sun")
        day = self.sunday + timedelta(days=1 if name == "Mon" else days)
        return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(self.zone)).astimezone(UTC)

    def wall(self, moment: datetime) -> str:
        """A moment as the clock on the wall shows it."""
        local = moment.astimezone(ZoneInfo(self.zone))
        return f"{DAYS[local.weekday()]} {local:%H:%M}"

    @property
    def start(self) -> datetime:
        """The first midnight."""
        return self.at("Fri 00:00")

    @property
    def end(self) -> datetime:
        """When the last has been seen."""
        return self.at("Mon 12:00")

    @property
    def resolved(self) -> datetime:
        """When a ticket was resolved, on the Monday before."""
        before = datetime.combine(self.sunday - timedelta(days=6), time(9, 30), ZoneInfo(self.zone))
        return before.astimezone(UTC)

    @property
    def deeds(self) -> Sequence[tuple[datetime, str]]:
        """What people do, and when."""
        return [(self.at(moment), deed) for moment, deed in DEEDS]

    @property
    def mails(self) -> list[Mail]:
        """Exactly what is sent, in order."""
        # Days of auto-close have 24 hours, so its hour on the wall moves with the change of clocks.
        warned = self.wall(_next_hour(self.resolved + 5 * DAY))
        closed = self.wall(_next_hour(self.resolved + 7 * DAY))
        # The night's ticket is counted round the clock, through the hour that is skipped or comes twice.
        opened = self.at("Sat 20:00")
        night_warned = self.wall(opened + timedelta(minutes=0.75 * FIRST_RESPONSE_NIGHT))
        night_due = opened + timedelta(minutes=FIRST_RESPONSE_NIGHT)
        night, night_later = self.wall(night_due), self.wall(night_due + timedelta(minutes=30))
        return sorted(
            Mail(*line)
            for line in (
                ("Fri 08:00", "agent", "daily_digest"),
                ("Fri 08:00", "lead", "daily_digest"),
                ("Fri 12:05", "customer", "new_message"),
                ("Fri 12:10", "customer", "new_message"),  # the second and the third answer in one
                ("Fri 12:30", "agent", "new_message"),
                ("Fri 13:00", "customer", "ticket_resolved"),
                ("Fri 14:00", "agent", "report_ready"),
                ("Fri 16:00", "customer", "ticket_created"),
                ("Fri 16:00", "agent", "assignment"),
                (warned, "customer", "auto_close_warning"),
                ("Sat 20:00", "customer", "ticket_created"),
                ("Sat 20:00", "agent", "assignment"),
                (night_warned, "agent", "sla_warning"),
                (night, "agent", "sla_breach"),
                (night, "admin", "sla_breach"),
                (night, "lead", "sla_breach"),
                (night_later, "lead", "assignment"),
                ("Mon 08:00", "agent", "daily_digest"),
                ("Mon 08:00", "lead", "daily_digest"),
                ("Mon 09:00", "admin", "weekly_report"),
                # 120 minutes on Friday; 135 and 180 are used up on Monday.
                ("Mon 09:15", "agent", "sla_warning"),
                ("Mon 10:00", "agent", "sla_breach"),
                ("Mon 10:00", "admin", "sla_breach"),
                ("Mon 10:00", "lead", "sla_breach"),
                ("Mon 10:30", "lead", "assignment"),
                (closed, "customer", "ticket_closed"),
            )
        )


def _next_hour(moment: datetime) -> datetime:
    """The first full hour that is not before ``moment``: when the scan comes by."""
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole if whole == moment else whole + HOUR
