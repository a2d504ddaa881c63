"""`insightdesk mail`: looking at mails without sending any."""

from __future__ import annotations

from pathlib import Path

from insightdesk.cli.problems import Problem
from insightdesk.email.previews import NoBrowser, preview, take_picture, write
from insightdesk.email.registry import REGISTRY, UnknownTemplate, find

__all__ = ["show"]


def show(template: str | None, out: Path | None, *, picture: bool) -> None:
    """Prints the text of a mail, or writes its parts and pictures; of every mail if none is named.

    Raises:
        Problem: there is no such template, or no browser for a picture.
    """
    if picture and out is None:
        raise Problem("--picture needs --out DIR, the folder to write to")
    try:
        names = [find(template).name] if template else list(REGISTRY)
        for name in names:
            if out is None:
                mail = preview(name)
                print(f"{name}\nSubject: {mail.subject}\n\n{mail.text}")
                continue
            files = write(name, out) + (take_picture(name, out) if picture else [])
            print("\n".join(str(file) for file in files))
    except (UnknownTemplate, NoBrowser) as error:
        raise Problem(str(error)) from error
    except OSError as error:
        raise Problem(f"cannot write to {out}: {error.strerror}") from error
