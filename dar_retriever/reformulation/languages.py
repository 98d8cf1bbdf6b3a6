"""Which language the user's words are in, and how it is read."""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import LanguageRules
from dar_retriever.reformulation.english import English
from dar_retriever.reformulation.french import FRENCH
from dar_retriever.reformulation.german import GERMAN
from dar_retriever.reformulation.own_words import OwnWords
from dar_retriever.reformulation.spanish import SPANISH

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LANGUAGES: Final = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""Those that are told apart, by their ISO 639-1 codes."""

_RULES: Final[dict[str, LanguageRules]] = {
    "en": English(),
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
}
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W\d_]+)*")
_MOST_WORDS: Final = 300
_SURE: Final = 0.75
# "chaise longue" and "croissants on a plate" are English as well.
_FEW: Final = 4
_ENGLISH: Final = frozenset(["the", "and", "of", "with", "without", "on", "for", "is", "not"])
_SURE_IN_DOUBT: Final = 0.9
# Read as letters, it looks Portuguese.
_WITHOUT: Final = re.compile(r"\bw/o\b", re.IGNORECASE)
_LATIN: Final = re.compile(r"[A-Za-z\u00c0-\u024f]")


def language_of(dialogue: Dialogue) -> str:
    """The language of the user's words, all turns together.

    English unless another is sure: a brand, a loan word or a typo is no change of language.

    Args:
        dialogue: What was said; what the assistant said does not count.

    Returns:
        One of ``LANGUAGES``.
    """
    said = _WITHOUT.sub("without", " ".join(turn.text for turn in dialogue.user_turns))
    words = [match[0] for match in islice(_WORD.finditer(said), _MOST_WORDS)]
    if not words:
        return "en"
    language, probability = _identifier().classify(" ".join(words))
    few = len(words) < _FEW and _LATIN.match(words[0])
    in_doubt = few or not _ENGLISH.isdisjoint(word.lower() for word in words)
    return language if probability >= (_SURE_IN_DOUBT if in_doubt else _SURE) else "en"


def rules_of(language: str) -> LanguageRules:
    """The rules of one of ``LANGUAGES``; where it has none, the user's own words."""
    return _RULES.get(language) or OwnWords(LANGUAGES[language])


@cache
def _identifier() -> LanguageIdentifier:
    """About half a second once, then a twentieth of a millisecond a dialogue."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier
