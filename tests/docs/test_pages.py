"""Each page has its place in the site, fences that say what they are, and links that lead somewhere.

`make check` runs this: it takes no server and no second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from page import Wrong, blocks
from pages import BESIDE, PAGES, ROOT, SITE, name_of

import toril

FENCED = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = "`" * 3


def placed(entries: object) -> Iterator[str]:
    """The pages that a navigation names."""
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, list | dict):
        for entry in entries.values() if isinstance(entries, dict) else entries:
            yield from placed(entry)


def test_each_page_has_one_place_in_the_navigation_of_mkdocs_yml() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    places = [ROOT / "docs" / place for place in placed(navigation)]
    assert sorted(places) == SITE


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_fence_says_what_it_is(page: Path) -> None:
    list(blocks(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", SITE, ids=name_of)
def test_lists_and_tables_begin_after_an_empty_line(page: Path) -> None:
    """The site shows them as running text otherwise, though other readers of Markdown do not."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    begun = re.search(r"^(?![-*] |\||\s|\d+\. )(.*\S.*)\n(?:[-*] |\d+\. |\|)", text, re.MULTILINE)
    assert begun is None, begun


@pytest.mark.parametrize("page", BESIDE, ids=name_of)
def test_links_of_pages_beside_the_site_lead_somewhere(page: Path) -> None:
    """Those within the site, with their anchors, are checked when it is built."""
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = unquote(link).partition("#")
        if not re.match(r"\w+:", link):
            target = page.parent / path if path else page
            assert target.exists(), link
            if anchor:
                headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in slugs, link


def test_the_reference_names_each_public_name_once() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    named = re.findall(r"^::: toril\.(\w+)$", text, re.MULTILINE)
    modules = {"events", "outbox", "telemetry", "testing", "web"}
    assert sorted(set(named) - modules) == sorted(toril.__all__)
    assert len(named) == len(set(named))


@pytest.mark.parametrize(
    "text",
    [
        f"{FENCE}\nx\n{FENCE}\n",
        f"{FENCE}py\nx\n{FENCE}\n",
        "<!-- snippet: skip -->\n",
        "<!-- snippet: x -->\n",
    ],
)
def test_no_example_is_left_out_by_mistake(text: str) -> None:
    with pytest.raises(Wrong, match=r"line 1: .*CONTRIBUTING\.md"):
        list(blocks(text))
