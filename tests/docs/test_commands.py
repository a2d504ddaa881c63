"""The pages about command lines say what the commands say, of each command and option, and no other."""

from __future__ import annotations

import pytest

from .commands import PAGES, ROOT, commands, rewritten


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_the_commands_say(page: str) -> None:
    assert rewritten(page) == (ROOT / page).read_text(), "run: python tests/docs/commands.py"


@pytest.mark.parametrize("page", PAGES)
def test_each_option_says_what_it_does(page: str) -> None:
    for words, command in commands(*PAGES[page]):
        for param in command.params:
            assert param.help, f"{words}: {param.name}"
