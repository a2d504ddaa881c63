"""Tests of applications on toril: jobs run inline or on demand, assertions, a clock that can be moved.

See docs/testing.md. With pytest there are fixtures too: `toril_url`, `toril_app` and others.
"""

from .clock import MovableClock, clock
from .enqueued import Enqueued
from .inline_mode import Inline, Ran, inline
from .manual_mode import Drained, Manual, manual

__all__ = ["Drained", "Enqueued", "Inline", "Manual", "MovableClock", "Ran", "clock", "inline", "manual"]
