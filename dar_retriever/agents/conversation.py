"""A conversation with an agent: turns, image searches, and the hits that they listed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from dar_retriever.agents.arguments import SearchCall
from dar_retriever.agents.asides import about_pictures, without_private
from dar_retriever.agents.requests import adds_to, own_wish
from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.errors import InvalidImageError, InvalidInputError
from dar_retriever.stores.base import SearchableStore


@dataclass(frozen=True, slots=True)
class Listing:
    """The ids of the hits that a call has listed, best first."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """Something in the conversation that could not be read, and why."""

    reason: str


Event = Turn | SearchCall | Listing | Unread


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation in which hits were listed and judged.

    Attributes:
        turns: The turns of user and assistant.
        subject: The turns that the next search is about: all of them, or what was said since a
            request that took their place.
        searched: Whether the subject was searched for before.
        listed: Ids of the hits in the last list.
        liked: Ids of hits that the user liked.
        rejected: Ids of hits that the user rejected.
        judged_at: For the id of each hit that was judged while the subject was spoken about, the
            number of the subject's turns before the judgement.
        notes: What could not be used, such as a judged image that is gone.
    """

    turns: tuple[Turn, ...] = ()
    subject: tuple[Turn, ...] = ()
    searched: bool = False
    listed: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    judged_at: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def after(self, event: Event) -> Conversation:
        """This conversation after one more event.

        Of an earlier call count the judgements, and the request if it took the place of what was
        said before. Otherwise the request only repeats the user's turns in other words.
        """
        if isinstance(event, Turn):
            return dataclasses.replace(
                self, turns=(*self.turns, event), subject=(*self.subject, event)
            )
        if isinstance(event, Listing):
            return dataclasses.replace(self, listed=event.ids)
        if isinstance(event, Unread):
            return dataclasses.replace(self, notes=(*self.notes, event.reason))
        named = self.named(event)
        judged = self.asking(event.request).judging(named.more_like, named.less_like)
        return dataclasses.replace(judged, searched=True)

    def asking(self, request: str) -> Conversation:
        """This conversation with a request for something of its own as its subject.

        It stays as it is if the request is about what was said. Hits that were judged before no
        longer move the query if the request is for another thing.
        """
        subject = about_pictures(self.subject)
        wish = own_wish(request, subject, self.turns, searched=self.searched)
        if wish is None:
            return self
        judged = {} if wish.another else dict.fromkeys(self.judged_at, len(wish.turns))
        return dataclasses.replace(self, subject=wish.turns, searched=False, judged_at=judged)

    def named(self, call: SearchCall) -> SearchCall:
        """A call with the ids of hits in place of their numbers in the last list."""
        liked, rejected = self._ids(call.more_like), self._ids(call.less_like)
        return call.model_copy(update={"more_like": liked, "less_like": rejected})

    def judged(self, call: SearchCall, store: SearchableStore) -> Conversation:
        """This conversation with a call's likes and dislikes, which replace earlier judgements.

        Raises:
            InvalidInputError: A number is not in the last list, an id is not in the store, or an
                image is both liked and rejected.
        """
        likes, dislikes = self._ids(call.more_like), self._ids(call.less_like)
        unknown = sorted({*likes, *dislikes} - store.known([*likes, *dislikes]))
        if unknown:
            # A sub-agent may not see the list that the user speaks of.
            way_out = (
                f"name a number from 1 to {len(self.listed)} or the id of an earlier result"
                if self.listed
                else "there is no earlier list of results in this conversation, so name the ids of "
                "results, or say in the request what they look like"
            )
            raise InvalidInputError(f"{', '.join(unknown)}: no such image; {way_out}")
        torn = sorted({*likes} & {*dislikes})
        if torn:
            raise InvalidInputError(
                f"{', '.join(torn)}: in more_like and in less_like; leave it in one of them"
            )
        return self.judging(likes, dislikes)

    def judging(self, likes: Sequence[str | int], dislikes: Sequence[str | int]) -> Conversation:
        """This conversation with hits that are liked and turned down, by their ids."""
        liked = [str(id_) for id_ in (*self.liked, *likes) if id_ not in dislikes]
        rejected = [id_ for id_ in self.rejected if id_ not in liked]
        judged = [str(id_) for id_ in (*likes, *dislikes)]
        return dataclasses.replace(
            self,
            liked=tuple(dict.fromkeys(liked)),
            rejected=tuple(dict.fromkeys([*rejected, *map(str, dislikes)])),
            judged_at={**self.judged_at, **dict.fromkeys(judged, len(self.subject))},
        )

    def dialogue(self, request: str, store: SearchableStore) -> tuple[Dialogue, tuple[str, ...]]:
        """The dialogue to search with, and notes about what could not be used.

        Args:
            request: The model's request; see ``asking``. It becomes a turn if it says something
                that the user's last turn does not.
            store: The store of the judged images. Each joins the turn in which it was judged.
        """
        said = without_private(request)
        dialogue = Dialogue(self.subject)
        if adds_to(said, self.subject):
            dialogue = dialogue.say(said)
        like, lost = _opened(self.liked, store)
        unlike, also_lost = _opened(self.rejected, store)
        for id_, place in self.judged_at.items():
            judged = (like.get(id_, ()), unlike.get(id_, ()))
            # A judgement of the current call belongs to its request.
            before = len(dialogue.turns) if place == len(self.subject) else place
            dialogue = _with_judgement(dialogue, before, *judged) if any(judged) else dialogue
        turns = about_pictures(dialogue.turns, but=len(self.subject))
        return dataclasses.replace(dialogue, turns=turns), (*self.notes, *lost, *also_lost)

    def _ids(self, names: Sequence[int | str]) -> list[str]:
        by_number = {str(number): id_ for number, id_ in enumerate(self.listed, 1)}
        asked = [str(name).strip().lstrip("#") for name in names]
        return [by_number.get(name, name) for name in asked]


def _opened(
    ids: Sequence[str], store: SearchableStore
) -> tuple[dict[str, tuple[Image.Image]], tuple[str, ...]]:
    """The images of hits by id, and notes about missing ones."""
    hits = store.get(ids)
    known = {hit.id for hit in hits}
    lost = [f"a judged image is gone: {id_}" for id_ in ids if id_ not in known]
    images = {}
    for hit in hits:
        try:
            images[hit.id] = (hit.open(),)
        except InvalidImageError as error:
            lost.append(f"a judged image was left out: {error}")
    return images, tuple(lost)


def _with_judgement(
    dialogue: Dialogue, before: int, like: tuple[Image.Image, ...], unlike: tuple[Image.Image, ...]
) -> Dialogue:
    """Add a judged hit to the last user turn before a place."""
    users = [place for place, turn in enumerate(dialogue.turns) if turn.role == "user"]
    if not users:
        return dialogue.say(like=like, unlike=unlike)
    at = max((place for place in users if place < before), default=users[0])
    turn = dialogue.turns[at]
    judged = dataclasses.replace(turn, like=(*turn.like, *like), unlike=(*turn.unlike, *unlike))
    turns = (*dialogue.turns[:at], judged, *dialogue.turns[at + 1 :])
    return dataclasses.replace(dialogue, turns=turns)
