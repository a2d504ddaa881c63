"""`insightdesk mail preview`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from insightdesk.cli.main import app
from insightdesk.cli.problems import Problem
from insightdesk.email import previews
from insightdesk.email.registry import REGISTRY

PNG = b"\x89PNG\r\n"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["mail", "preview", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_the_text_of_one_mail_is_shown() -> None:
    shown = run("ticket-assigned")
    assert "Subject: Ticket assigned to you: " in shown
    assert "Hello Gus Agent" in shown


def test_all_mails_are_written(tmp_path: Path) -> None:
    run("--out", str(tmp_path / "previews"))
    names = {path.name for path in (tmp_path / "previews").iterdir()}
    assert names == {f"{name}.{kind}" for name in REGISTRY for kind in ("html", "txt")}


def test_what_does_not_work_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problem, match="no mail template"):
        run("nonsense")
    with pytest.raises(Problem, match="needs --out"):
        run("welcome", "--picture")
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="cannot write"):
        run("welcome", "--out", str(tmp_path / "file"))
    monkeypatch.setattr(previews.shutil, "which", lambda _: None)
    with pytest.raises(Problem, match="pictures need Chromium"):
        run("welcome", "--out", str(tmp_path), "--picture")


@pytest.mark.browser
def test_pictures_are_taken_in_light_and_dark(tmp_path: Path) -> None:
    run("welcome", "--out", str(tmp_path), "--picture")
    light, dark = ((tmp_path / f"welcome-{scheme}.png").read_bytes() for scheme in ("light", "dark"))
    assert light.startswith(PNG)
    assert dark.startswith(PNG)
    assert light != dark
