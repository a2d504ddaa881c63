"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig


class TorilConfig(AppConfig):
    """Has the command `toril_worker` and the outbox's table."""

    name = "toril.integrations.django"
    label = "toril"
    verbose_name = "toril"
