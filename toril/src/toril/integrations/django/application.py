"""The Toril application of a Django project."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ...app import Toril
from ..portal import Portal


def application() -> Toril:
    """What the setting TORIL_APP names, as `module:app`. Raises ImproperlyConfigured."""
    target = getattr(settings, "TORIL_APP", None)
    if not isinstance(target, str):
        raise ImproperlyConfigured('TORIL_APP must name the application: TORIL_APP = "shop.jobs:app"')
    try:
        found = import_string(target.replace(":", "."))
    except ImportError as error:
        raise ImproperlyConfigured(f"TORIL_APP = {target!r}: {error}") from error
    if not isinstance(found, Toril):
        raise ImproperlyConfigured(f"TORIL_APP = {target!r} is a {type(found).__name__}, not a toril.Toril")
    return found


@lru_cache(maxsize=1)
def portal() -> Portal:
    """By which plain views add jobs; one a process."""
    return Portal(application())
