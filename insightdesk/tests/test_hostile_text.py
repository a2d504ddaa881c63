"""What people write is shown, never obeyed, on pages and in the terminal; and no data are ever run."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path

import httpx
import pytest
from desks import Desk

import insightdesk
from insightdesk.accounts.models import Role
from insightdesk.cli.watch import printable

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "{{ 7 * 7 }}{% for x in () %}",
    "</textarea><iframe src='javascript:alert(1)'>",
)
SOURCES = sorted(Path(insightdesk.__file__).parent.rglob("*.py"))
TEMPLATES = sorted((Path(insightdesk.__file__).parent / "pages" / "templates").glob("*.html"))


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_shown_as_text_on_pages(api: httpx.AsyncClient, desk: Desk, text: str) -> None:
    headers = desk.headers(Role.CUSTOMER)
    made = await api.post("/api/tickets", json={"subject": text, "body": text}, headers=headers)
    ticket_id = made.json()["data"]["id"]
    for path in ("/", f"/ui/tickets/{ticket_id}", "/ui/board"):
        page = (await api.get(path, headers=headers)).text
        assert html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;") in page
        assert text == html.escape(text) or text not in page
        assert not re.search(r"<(svg|img|iframe)[^>]*(onload|onerror|javascript)", page)


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\rb\nc", "\x9b31m", "\u202egnp.exe", "\x07"])
def test_hostile_text_is_one_plain_line_in_the_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not set(shown) & {"\x1b", "\r", "\n", "\x9b", "\u202e", "\x07"}


@pytest.mark.parametrize("template", TEMPLATES, ids=[file.name for file in TEMPLATES])
def test_no_page_has_a_script_or_style_inline(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert not re.search(r"(src|href)=[\"'](https?:)?//", text)
    assert "|safe" not in text.replace(" ", "")


def test_nothing_is_run_that_came_as_data() -> None:
    forbidden_calls = {"eval", "exec", "compile", "__import__"}
    forbidden_modules = {"pickle", "marshal", "shelve", "dill", "yaml"}
    assert len(SOURCES) > 50
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            place = f"{file.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in forbidden_calls, place
            if isinstance(node, ast.Import):
                assert not {alias.name.partition(".")[0] for alias in node.names} & forbidden_modules, place
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in forbidden_modules, place


def test_every_dependency_is_pinned() -> None:
    lock = Path(insightdesk.__file__).parents[3] / "requirements.lock"
    lines = [line for line in lock.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) > 50
    for line in lines:
        assert re.match(r"[A-Za-z0-9._\[\],-]+==[\w.!+]+( ;.*)?$", line), line
