"""Leaves out of a conversation what is not about pictures, and what is private."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

from dar_retriever.conversation.dialogue import Turn

_POLITE: Final = (
    r"(?:(?:please|pls|hi|hey|hello|ok|okay|great|thanks|thank you|thx|now|then|also|and|but|so|"
    r"first|"
    r"next|before that|by the way|btw|one more thing|quick question|"
    r"(?:can|could|would|will) you(?: please)?|i(?:'d| would) like you to|i (?:need|want) you to|"
    r"i want to|i need to|help me(?: to)?|let'?s|let me)\b[\s,:!.-]*)*"
)
_TASK: Final = (
    r"(?:(?:re)?write|draft|compose|re-?phrase|paraphrase|proof-?read|translate|summari[sz]e|"
    r"remind|"
    r"schedule|reschedule|book|reserve|e-?mail|reply|forward|call|phone|ring|message|"
    r"send|post|publish|calculate|compute|convert|solve|explain|define|spell|debug|refactor|"
    r"install|"
    r"log (?:me )?(?:in|out)|sign (?:me )?(?:in|up|out)|pay|cancel|count|recite|sing|vote|"
    r"play (?:me |us |my |some |a |the )|tell (?:me |us |my |him |her |them )|say |"
    r"set (?:up )?(?:me )?(?:an? |the |my )?(?:timer|alarm|reminder|meeting|password)|"
    r"turn (?:on|off|up|down) |make (?:me )?(?:a |an )(?:note|list|plan|reservation|appointment|"
    r"reminder|call|payment)|take (?:a )?notes?|plan (?:my|our|a|the|an)|"
    r"(?:add|put) .+ (?:to|on|in(?:to)?) (?:my|our|the) (?:calendar|to-?do|list|shopping list|"
    r"basket|"
    r"cart|agenda|diary)|"
    r"(?:what|how) (?:do|should|would|can) (?:i|we|you) (?!have|sell|show|find|stock)|"
    r"(?:what|which|who|whose|whom|when|why|where|how)(?:'s)?\b(?! (?:about|if|else|ones?)\b)"
    r"(?!.*\b(?:you|these|those|this|that|it|ones?|results?|look|looks)\b)|"
    r"what do you think|how are you|who are you|"
    r"(?:is|will) it (?:going to )?(?:rain|snow)|(?:do|did|are|have) you (?:know|a robot|an ai|"
    r"real|"
    r"hear|remember))"
)
_ABOUT_ME: Final = (
    r"(?:(?:my|our) (?:\w+ ){0,2}?(?:e-?mail|mail|phone|telephone|mobile|number|address|name|"
    r"password|"
    r"passcode|pin|card|account|iban|birthday|date of birth|post ?code|zip(?: code)?|insurance|"
    r"passport|appointment|meeting|flight)\b(?: \w+){0,2}? ?(?:is|was|are|:|=)|i live (?:at|in)\b|"
    r"i (?:was|am) born\b|(?:you can )?(?:reach|call|phone|e-?mail|text|contact) me (?:at|on|"
    r"under)\b|"
    r"i(?:'m| am) called\b|i(?:'m| am) \d+ years old\b)"
)
_ASIDE: Final = re.compile(rf"^{_POLITE}(?:{_TASK}|{_ABOUT_ME})", re.IGNORECASE)
# Opens the subject of pictures again: "write an advertisement, and show me a mug".
_SEEKS: Final = (
    r"(?:(?:show|find|fetch|bring|get|give) (?:me|us)|show|find|search|look(?:ing)? for|"
    r"i'?m looking|"
    r"i (?:need|want|would like|'d like)(?! (?:you )?to)|do you (?:have|sell|stock)|have you got|"
    r"(?:an? |some |any |the )?(?:photo|picture|image|pic|shot|drawing)s?\b)"
)
_ASKS: Final = re.compile(rf"^{_POLITE}{_SEEKS}", re.IGNORECASE)
_PICTURES: Final = re.compile(r"\b(?:photo|picture|image|pic|drawing)s?\b", re.IGNORECASE)
_PARTS: Final = re.compile(
    r"(?<=[.!?;\n])\s+|(?:,|;|,? (?:and|then|but))\s+"
    rf"(?=(?:then |also |now |please |(?:can|could) you (?:please )?)*{_SEEKS})",
    re.IGNORECASE,
)
_GOES_ON: Final = re.compile(
    r"^(?:(?:make|keep|sign|end|begin|start|shorten|lengthen|mention|add|use|change|try|not|no|yes|"
    r"shorter|longer|in (?:german|french|english|spanish|italian)|funnier|more|less|it|that|this|"
    r"perfect|at \d|tomorrow|tonight|on (?:mon|tues|wednes|thurs|fri|satur|sun)day)\b)",
    re.IGNORECASE,
)
_PRIVATE: Final = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # addresses of mail
    r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"  # accounts
    r"|(?<![\w.])(?:\+|00)?\(?\d(?:[ ()/.-]{0,2}\d){6,18}(?![\w.]*\d)"  # phones and cards
)


def about_pictures(turns: Sequence[Turn], but: int | None = None) -> tuple[Turn, ...]:
    """The turns without what belongs to other matters: tasks, questions of fact, personal data.

    Images always stay. If nothing else of the user would be left, the last message stays: somebody
    has searched for it.

    Args:
        turns: Turns of user and assistant, oldest first. Only English is read; of other languages
            all stays but addresses and numbers that are private.
        but: The place from which on all turns stay as they are.
    """
    kept: list[Turn] = []
    aside = False
    for turn in turns[:but]:
        if turn.role == "assistant":
            # What is said to another matter belongs to it.
            kept += [] if aside else [turn]
            continue
        text, aside = _about_pictures(turn.text, aside=aside)
        if text or turn.images or turn.like or turn.unlike or not turn.text:
            kept.append(dataclasses.replace(turn, text=text))
    kept += turns[len(turns[:but]) :]
    if any(turn.has_content for turn in kept):
        return tuple(kept)
    last = [turn for turn in turns if turn.role == "user" and turn.text][-1:]
    return (*kept, *(dataclasses.replace(turn, text=without_private(turn.text)) for turn in last))


def without_private(text: str) -> str:
    """A text without addresses of mail, and numbers of phones, cards and accounts."""
    return " ".join(_PRIVATE.sub(" ", text).split())


def _about_pictures(text: str, *, aside: bool) -> tuple[str, bool]:
    """What of a message is about pictures, and whether it ends with another matter.

    Args:
        text: The message.
        aside: Whether the message before ended with another matter, which this one may go on with.
    """
    kept = []
    aside = aside and bool(_GOES_ON.match(text))
    for part in filter(None, _PARTS.split(text)):
        if _ASIDE.match(part) and not (_ASKS.match(part) or _PICTURES.search(part)):
            aside = True
        elif _ASKS.match(part):
            aside = False
        if not aside:
            kept.append(part)
    return without_private(" ".join(kept)), aside
