"""The conversations of the clients."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from dar_retriever import InvalidInputError, Question, Turn
from dar_retriever.agents import Event, Listing, SearchCall

State = tuple[tuple[Event, ...], Question | None]

# Of a longer conversation the oldest events are forgotten.
_MOST_EVENTS: Final = 600
_SECONDS: Final = 10.0
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS conversations (id TEXT PRIMARY KEY, used REAL, state TEXT);"
    "CREATE INDEX IF NOT EXISTS by_use ON conversations (used)"
)
_OLDEST: Final = (
    "DELETE FROM conversations WHERE used < "
    "(SELECT used FROM conversations ORDER BY used DESC LIMIT 1 OFFSET ?)"
)


class KeptConversations(Protocol):
    """Keeps conversations under ids that cannot be guessed.

    The protocol has no sessions any more, and a client may have several conversations over one
    connection. So only the id tells which conversation a call belongs to.
    """

    def of(self, id: str) -> State:
        """The events of a conversation, and the last question for its user.

        Raises:
            InvalidInputError: The id is unknown, or the conversation was forgotten.
        """
        ...

    def keep(self, id: str, events: Sequence[Event], question: Question | None) -> None:
        """Remember a conversation."""
        ...


def new_id() -> str:
    """The id of a new conversation."""
    return secrets.token_urlsafe(12)


class Conversations:
    """Conversations in the memory of one process; see ``KeptConversations``.

    Args:
        most: Maximum number of conversations to keep; the least recently used ones are forgotten.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._kept: OrderedDict[str, State] = OrderedDict()

    def of(self, id: str) -> State:
        """See ``KeptConversations``."""
        if id not in self._kept:
            raise _unknown(id)
        self._kept.move_to_end(id)
        return self._kept[id]

    def keep(self, id: str, events: Sequence[Event], question: Question | None) -> None:
        """See ``KeptConversations``."""
        self._kept[id] = tuple(events)[-_MOST_EVENTS:], question
        self._kept.move_to_end(id)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


class SharedConversations:
    """Conversations in an SQLite file, for servers behind a balancer and for restarts.

    All servers on one machine, or on one file system with locks, may share the file. Only its owner
    can read it, and it holds hashes of the ids, so that nobody can go on with a conversation by it.

    Args:
        path: The file; it is made where it is missing.
        most: Maximum number of conversations to keep; the least recently used ones are forgotten.

    Raises:
        InvalidInputError: The file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str], most: int = 100_000) -> None:
        self._path = Path(path)
        self._most = most
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            with self._opened() as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.executescript(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise InvalidInputError(
                f"{self._path}: conversations cannot be kept there ({error}); name a file in a "
                "folder that can be written"
            ) from error

    def of(self, id: str) -> State:
        """See ``KeptConversations``."""
        with self._opened() as database:
            query = "SELECT state FROM conversations WHERE id = ?"
            found = database.execute(query, (_hashed(id),)).fetchone()
        if found is None:
            raise _unknown(id)
        return _read(json.loads(found[0]))

    def keep(self, id: str, events: Sequence[Event], question: Question | None) -> None:
        """See ``KeptConversations``."""
        state = json.dumps(_written(events[-_MOST_EVENTS:], question))
        with self._opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)",
                (_hashed(id), time.time(), state),
            )
            database.execute(_OLDEST, (self._most - 1,))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # One for each use, since calls come from several threads.
        with closing(sqlite3.connect(self._path, timeout=_SECONDS)) as database, database:
            yield database


def _unknown(id: str) -> InvalidInputError:
    return InvalidInputError(
        f"conversation={id!r}: not known, or forgotten; leave it out to begin a new one and pass "
        "what the user said before as earlier_turns"
    )


def _hashed(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()


def _written(events: Sequence[Event], question: Question | None) -> dict[str, Any]:
    return {
        "events": [_event(event) for event in events],
        "question": question and [question.text, list(question.choices)],
    }


def _event(event: Event) -> dict[str, Any]:
    if isinstance(event, Turn):
        return {"role": event.role, "text": event.text}
    if isinstance(event, SearchCall):
        return {"call": event.model_dump()}
    return {"listed": list(event.ids) if isinstance(event, Listing) else []}


def _read(state: dict[str, Any]) -> State:
    asked = state["question"]
    question = Question(asked[0], tuple(asked[1])) if asked else None
    return tuple(map(_event_of, state["events"])), question


def _event_of(written: dict[str, Any]) -> Event:
    if "role" in written:
        return Turn(written["role"], written["text"])
    if "call" in written:
        return SearchCall.model_validate(written["call"])
    return Listing(tuple(written["listed"]))
