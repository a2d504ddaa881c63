"""Every mail with its sample data, as HTML, text and picture; nothing is sent."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from html import escape
from pathlib import Path

from insightdesk.email.registry import find
from insightdesk.email.rendering import Desk, RenderedMail, render

__all__ = ["NoBrowser", "in_scheme", "preview", "take_picture", "write"]

_DESK = Desk("Demo Helpdesk", "https://desk.example")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SIZE = (1120, 1000)
# Chromium's own numbers of its setting preferredColorScheme.
_PREFERS_DARK = "@media (prefers-color-scheme: dark)"
_SCHEMES = {"dark": 0, "light": 1}


class NoBrowser(RuntimeError):
    """A picture needs Chromium, and there is none, or it took none."""


def preview(name: str) -> RenderedMail:
    """The template with its sample. Raises UnknownTemplate."""
    template = find(name)
    stop = "https://desk.example/mail/stop/sample" if template.optional else None
    return render(template.name, template.sample, _DESK, unsubscribe_url=stop)


def in_scheme(html: str, scheme: str) -> str:
    """A mail's HTML as it is in `light` or in `dark`, whatever the system prefers; unchanged for another."""
    if scheme not in _SCHEMES:
        return html
    dark = "all" if scheme == "dark" else "not all"
    return html.replace(_PREFERS_DARK, f"@media {dark}").replace(
        'content="light dark"', f'content="{scheme}"'
    )


def write(name: str, folder: Path) -> list[Path]:
    """Writes both parts into a folder, which is made if it is missing; returns the files."""
    mail = preview(name)
    folder.mkdir(parents=True, exist_ok=True)
    stem = find(name).name
    files = [folder / f"{stem}.html", folder / f"{stem}.txt"]
    files[0].write_text(mail.html, encoding="utf-8")
    files[1].write_text(f"Subject: {mail.subject}\n\n{mail.text}", encoding="utf-8")
    return files


def take_picture(name: str, folder: Path) -> list[Path]:
    """Takes a picture of the mail at a desk's and a phone's width, in light and in dark.

    Raises:
        NoBrowser: Chromium is missing, or fails.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise NoBrowser("pictures need Chromium: none of " + ", ".join(_BROWSERS) + " is on the path")
    mail, stem = preview(name), find(name).name
    return [
        _picture(browser, mail.html, folder / f"{stem}-{scheme}.png", number)
        for scheme, number in _SCHEMES.items()
    ]


def _picture(browser: str, html: str, path: Path, scheme: int) -> Path:
    frames = "".join(
        f'<iframe srcdoc="{escape(html)}" width="{width}" height="{_SIZE[1] - 40}"></iframe>'
        for width in (680, 380)
    )
    page = (
        '<!doctype html><meta charset="utf-8"><style>:root { color-scheme: light dark; } '
        "body { margin: 20px; display: flex; gap: 20px; } iframe { border: 0; }</style>" + frames
    )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(page, encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--blink-settings=preferredColorScheme={scheme}",
            f"--window-size={_SIZE[0]},{_SIZE[1]}",
            f"--screenshot={path.absolute()}",
            source.as_uri(),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (subprocess.SubprocessError, OSError) as error:
            raise NoBrowser(f"{browser} took no picture: {type(error).__name__}") from error
    if not path.is_file():
        raise NoBrowser(f"{browser} took no picture")
    return path
