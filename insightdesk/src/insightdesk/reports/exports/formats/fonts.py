"""The letters of PDFs, embedded into each file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

# The first that is there: DejaVu has Cyrillic and Greek too; Vera comes with the PDF library.
_PLAIN = ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "Vera.ttf")
_BOLD = ("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf", "VeraBd.ttf")
MISSING = "?"
"""Stands for a letter that the font does not have."""


@dataclass(frozen=True)
class Fonts:
    """Names of registered fonts.

    Attributes:
        has: whether both fonts have a letter for a character.
    """

    plain: str
    bold: str
    has: Callable[[str], bool]

    def printable(self, text: str) -> str:
        """``text`` on one line, with nothing that the fonts cannot show."""
        shown = "".join(
            c if self.has(c) else " " if c.isspace() or not c.isprintable() else MISSING for c in text
        )
        return " ".join(shown.split())

    def fit(self, text: str, width: float, size: float, *, bold: bool = False) -> str:
        """``text``, cut so that it is no wider than ``width`` points."""
        font = self.bold if bold else self.plain
        text = text[: int(width)]  # no letter is narrower than a point, and a message may be a book
        if pdfmetrics.stringWidth(text, font, size) <= width:
            return text
        while text and pdfmetrics.stringWidth(text + "…", font, size) > width:
            text = text[:-1]
        return text.rstrip() + "…"


@lru_cache(maxsize=4)
def load_fonts(chosen: Path | None) -> Fonts:
    """The fonts, ready for use; ``chosen`` stands for both.

    Raises:
        OSError: The chosen file cannot be read.
        reportlab.pdfbase.ttfonts.TTFError: It is no TrueType font.
    """
    plain = _register("desk", (str(chosen),) if chosen else _PLAIN)
    bold = _register("desk-bold", (str(chosen),) if chosen else _BOLD)
    letters = plain.face.charToGlyph.keys() & bold.face.charToGlyph.keys()
    return Fonts(plain.fontName, bold.fontName, lambda character: ord(character) in letters)


def _register(name: str, files: tuple[str, ...]) -> TTFont:
    *others, last = files
    found = next((file for file in others if Path(file).is_file()), last)
    font = TTFont(name, found)
    pdfmetrics.registerFont(font)
    return font
