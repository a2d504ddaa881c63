"""Job types as they are on the wire: queue, name, fields, retries, priority, limits of what is kept."""

from __future__ import annotations

import pytest

import toril
from insightdesk.jobs import HIGH, LOW, MEDIUM, Preset
from insightdesk.queues import QUEUES
from insightdesk.worker import app

HOUR, DAY = 3600.0, 86_400.0

# The fields are those that the brief names, or more.
TYPES = [
    ("email", "send", "to subject template data", 5, 30.0, 1),
    ("email", "welcome", "userId email name", 5, 60.0, 1),
    ("email", "ticket-notification", "ticketId recipientId type", 3, 30.0, 1),
    ("email-welcome", "welcome", "userId email name", 5, 60.0, 1),
    ("email-ticket-notification", "ticket-notification", "ticketId recipientId type", 3, 30.0, 1),
    ("sla-check", "check", "ticketId checkType", 5, 30.0, 1),
    ("sla-check", "scan", "", 5, 30.0, 1),
    ("ticket-actions", "auto-close-scan", "", 3, 60.0, 5),
    ("ticket-actions", "auto-close", "ticketId reason", 3, 60.0, 5),
    ("notifications", "ticket", "ticketId action actorId recipientIds", 3, 60.0, 5),
    ("reports", "daily-digest-scan", "", 2, 300.0, 10),
    ("reports", "daily-digest", "organizationId date", 2, 300.0, 10),
    ("reports", "daily-digest-agent", "organizationId agentId date", 2, 300.0, 10),
    ("reports", "weekly-report", "", 2, 300.0, 10),
    ("reports", "export", "organizationId reportType filters requestedBy", 2, 300.0, 10),
    ("cleanup", "archive", "action", 2, 300.0, 10),
]
DEFINED = {(each.queue, each.name): each for each in app.definitions}


def test_presets_are_those_of_the_brief() -> None:
    def preset(attempts: int, seconds: float, priority: int) -> Preset:
        return Preset(attempts, toril.Backoff.exponential(seconds, jitter=0.1), priority)

    assert (preset(5, 30.0, 1), preset(3, 60.0, 5), preset(2, 300.0, 10)) == (HIGH, MEDIUM, LOW)


@pytest.mark.parametrize(("queue", "name", "fields", "attempts", "seconds", "priority"), TYPES)
def test_each_job_type_is_as_it_was_agreed(
    queue: str, name: str, fields: str, attempts: int, seconds: float, priority: int
) -> None:
    definition = DEFINED[queue, name]
    assert set(fields.split()) <= set(definition.payload.wire_names.values())
    options = definition.default_options
    assert options["attempts"] == attempts
    assert options["backoff"] == toril.Backoff.exponential(seconds, jitter=0.1)
    assert options["priority"] == priority


def test_every_job_has_both_limits_and_those_of_mails_and_reports_are_the_briefs() -> None:
    ages: dict[str, set[tuple[float, float]]] = {}
    for definition in app.definitions:
        done, failed = (definition.default_options[which] for which in ("keep_completed", "keep_failed"))
        assert isinstance(done, toril.Keep)
        assert isinstance(failed, toril.Keep)
        assert None not in (done.count, done.age, failed.count, failed.age), definition.name
        ages.setdefault(definition.queue, set()).add((done.age or 0.0, failed.age or 0.0))
    for queue in ("email", "email-welcome", "email-ticket-notification"):
        assert ages[queue] == {(HOUR, DAY)}
    assert ages["reports"] == {(4 * HOUR, DAY)}


def test_queues_are_declared_once_and_each_has_handlers() -> None:
    concurrency = {spec.name: spec.concurrency for spec in QUEUES}
    assert set(concurrency) == {queue for queue, _ in DEFINED}
    assert (concurrency["email"], concurrency["sla-check"], concurrency["reports"]) == (5, 5, 2)
    assert (concurrency["email-welcome"], concurrency["email-ticket-notification"]) == (1, 10)
    assert concurrency["notifications"] == 5
