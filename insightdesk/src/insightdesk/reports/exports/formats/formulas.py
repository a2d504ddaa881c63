"""Text that a spreadsheet would run as a formula (OWASP: CSV injection), and how it is kept from that."""

from __future__ import annotations

import re

# What starts a formula, in the width of East Asian keyboards too; spreadsheets skip blanks, control and
# invisible characters that stand before it. A cell that starts with a tab or a line break is one as well.
_FORMULA = re.compile(
    r"[\s\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]"
)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may run ``text``."""
    return _FORMULA.match(text) is not None


def neutral(text: str) -> str:
    """``text``, led by an apostrophe if a spreadsheet might run it."""
    return "'" + text if is_formula(text) else text
