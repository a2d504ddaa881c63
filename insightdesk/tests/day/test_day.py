"""The brief's day over a change of clocks: exactly the mails that the rules say, once each, whatever dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from story import CHANGES, Mail, Story

TOUCHES = 7_400
"""About how often a story touches the servers."""

DEATHS = 4
"""How many players are killed in a story, one after another."""


@dataclass(frozen=True)
class Told:
    """What a story has left behind.

    Attributes:
        mails: all that were sent, in order.
        unsent: state and error of each mail that was not sent, or perhaps sent twice.
        archived: the subjects in the archive.
    """

    mails: list[Mail]
    unsent: list[tuple[str, str]]
    archived: list[str]


@dataclass(frozen=True)
class Stage:
    """Where stories are played.

    Attributes:
        folder: keeps how far the story has come.
        environment: of the players.
    """

    folder: Path
    environment: dict[str, str]

    def play(self, zone: str, killed_at: int | None = None) -> int:
        """Let a process play; returns its exit code."""
        player = [sys.executable, str(Path(__file__).parent / "player.py"), str(self.folder), zone]
        if killed_at is not None:
            player.append(str(killed_at))
        done = subprocess.run(
            player, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr[-4000:]
        return done.returncode


@pytest.fixture
def stage(own_database_url: str, valkey_url: str, tmp_path: Path) -> Stage:
    """Real servers, and a folder."""
    own = {
        "INSIGHTDESK_DATABASE_URL": own_database_url,
        "INSIGHTDESK_STORAGE_URL": f"file://{tmp_path}/files",
    }
    return Stage(tmp_path, os.environ | own)


def told(url: str, story: Story) -> Told:
    """Read what the players have left in the database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        sent = connection.execute(
            text(
                "SELECT sent_at, split_part(recipient, '@', 1) AS recipient, template, state, error,"
                " extra_sends FROM deliveries"
            )
        ).all()
        archived = connection.execute(text("SELECT subject FROM archived_tickets")).scalars().all()
    engine.dispose()
    return Told(
        sorted(
            Mail(story.wall(each.sent_at), each.recipient, each.template) for each in sent if each.sent_at
        ),
        [(each.state, each.error) for each in sent if each.state != "sent" or each.extra_sends],
        list(archived),
    )


@pytest.mark.parametrize("zone", CHANGES)
def test_over_a_change_of_clocks_exactly_what_the_rules_say_is_sent(
    zone: str, stage: Stage, own_database_url: str
) -> None:
    story = Story(zone, CHANGES[zone])
    assert stage.play(zone) == 0
    found = told(own_database_url, story)
    assert found.mails == story.mails
    assert found.unsent == []
    assert found.archived == ["Of last year"]


def test_dying_at_random_points_changes_no_mail(day_seed: int, stage: Stage, own_database_url: str) -> None:
    chance = random.Random(day_seed)
    zone = chance.choice(list(CHANGES))
    story = Story(zone, CHANGES[zone])
    ends = [stage.play(zone, chance.randint(1, TOUCHES // DEATHS)) for _ in range(DEATHS)]
    assert ends == [-signal.SIGKILL] * DEATHS
    assert stage.play(zone) == 0
    found = told(own_database_url, story)
    assert found.mails == story.mails
    assert found.unsent == []
    assert found.archived == ["Of last year"]
