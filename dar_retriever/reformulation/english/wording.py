"""How people write in chats, as plain words: short forms, emoji, operators of search boxes."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

# Ways of writing that everybody knows; misspelt words are left to the encoder.
_SHORT_FORMS: Final = {
    "im": "i'm",
    "ive": "i've",
    "id like": "i'd like",
    "its a": "it's a",
    "its an": "it's an",
    "its not": "it's not",
    "hes": "he's",
    "shes": "she's",
    "theyre": "they're",
    "youre": "you're",
    "whats": "what's",
    "lets": "let's",
    "cos": "because",
    "cuz": "because",
    "w": "with",
    "u": "you",
    "ur": "your",
    "pls": "please",
    "plz": "please",
    "plss": "please",
    "pleaseee": "please",
    "w/": "with",
    "w/o": "without",
    "w/out": "without",
    "thx": "thanks",
    "ty": "thanks",
    "tysm": "thanks",
    "dont": "don't",
    "doesnt": "doesn't",
    "didnt": "didn't",
    "isnt": "isn't",
    "arent": "aren't",
    "wasnt": "wasn't",
    "cant": "can't",
    "wont": "won't",
    "shouldnt": "shouldn't",
    "wouldnt": "wouldn't",
    "hasnt": "hasn't",
    "havent": "haven't",
    "thats": "that's",
    "theres": "there's",
    "wanna": "want to",
    "gimme": "give me",
    "lemme": "let me",
    "shld": "should",
    "shud": "should",
    "abt": "about",
    "b&w": "black and white",
    "ppl": "people",
    "pic": "picture",
    "pics": "pictures",
    "pix": "pictures",
    "img": "image",
    "imgs": "images",
    "bg": "background",
    "tho": "though",
    "smth": "something",
    "sth": "something",
    "nvm": "never mind",
    "tbh": "to be honest",
    "&": "and",
    "yea": "yeah",
    "ye": "yes",
    "yh": "yes",
    "nop": "nope",
    "noone": "no one",
}
_WORD: Final = re.compile(
    rf"(?<![\w'-])(?:{'|'.join(map(re.escape, sorted(_SHORT_FORMS, key=len, reverse=True)))})"
    r"(?![\w'/-])"
)
# "The boat's too small".
_IS: Final = re.compile(
    r"(?<!\bit)(?<!\bhe)(?<!\bshe)(?<!\bthat)(?<!\bthere)(?<!\bwhat)(?<!\bwho)(?<!\bwhere)(?<!\blet)"
    r"(?<=[a-z])'s (?=(?:too|not|on|in|at|an?|the|very|so|really|all|missing|gone|broken|no|still|"
    r"also|supposed|open|closed|facing|[a-z]+ing)\b)"
)
# "-word", "!word" and "NOT word", as search boxes have them.
_OPERATOR: Final = re.compile(
    r"(?:(?<!\S)[-!](?=[\"\w])(?!\d)|(?<!\S)(?:AND )?NOT (?=\"?\w))"
    r"(?:\"(?P<quoted>[^\"]{1,80})\"|(?P<word>[^\W_][\w'-]*))"
)
_SHOUTED: Final = re.compile(r"[A-Z]{2}")
_SMILEYS: Final = re.compile(r"(?<!\S)(?:[:;=]-?[)(dDpP/|]|xD|<3|\^\^)(?!\S)")
# What people laugh or sigh with.
_LAUGHTER: Final = re.compile(
    r"(?<![\w'-])(?:(?:ha){2,}h?|l+o+l+|lmao|rofl|xd|omg|ugh+|argh+|meh|hm+|u+h+m*|u+m+|er+m*)"
    r"(?![\w'-])"
)
# Faces, hands, hearts and sparkles say how people feel; the rest are things.
_FEELINGS: Final = re.compile(
    "[\U0001f600-\U0001f64f\U0001f910-\U0001f92f\U0001f970-\U0001f97a\U0001fae0-\U0001faf8"
    "\U0001f442-\U0001f450\U0001f493-\U0001f49f\U0001f4a5-\U0001f4a9\U0001f4ab\U0001f4af"
    "\U0001f5a4\U0001f90d\U0001f90e\U0001f90f\U0001f918-\U0001f91f\U0001f389\U0001f38a"
    "\U0001f525\u2728\u2763\u2764\u270a-\u270d\u261d\u263a\u2705\ufe0f\u200d\U0001f3fb-\U0001f3ff]"
)
# "Nooo" and "sooo".
_DRAWN_OUT: Final = re.compile(r"\b(?:(?P<no>no{3,})|(?P<yes>ye+s{3,}|ye{3,}s+)|(?P<so>so{3,}))\b")
_BRACKETS: Final = re.compile(r"\s*[()\[\]{}]+\s*")
_PAUSES: Final = re.compile(r"\s*,(?:\s*,)+\s*")
_PROHIBITED: Final = "\U0001f6ab"
_BEYOND_LETTERS: Final = re.compile("[\u2190-\u2bff\U0001f000-\U0001faff]")
# Who doubts that there is one asks for it: "no way you have a picture of a capybara".
_NO_WAY: Final = re.compile(
    r"^no (?:way|chance) (?:that )?(?:you(?:'ve| have|\u2019ve)|there(?:'s| is|\u2019s)) (?:got )?",
    re.IGNORECASE,
)


def worded(text: str) -> str:
    """A message in lower case and plain words.

    Args:
        text: As it was written.

    Returns:
        The same with short forms written out, emoji as words, and what an operator rules out as
        "no ...".
    """
    text = _NO_WAY.sub("", spoken(text))
    text = _LAUGHTER.sub("", _SMILEYS.sub("", text.lower().replace("\u2019", "'")))
    text = _PAUSES.sub(", ", _BRACKETS.sub(", ", text))
    text = _DRAWN_OUT.sub(lambda found: found.lastgroup or "", text)
    text = _WORD.sub(lambda found: _SHORT_FORMS[found[0]], text)
    return _IS.sub(" is ", text) if "'s " in text else text


def spoken(text: str) -> str:
    """A message with emoji as words, and what an operator rules out as "no ..."."""
    if _BEYOND_LETTERS.search(text):
        text = _emoji_as_words(text)
    if not _SHOUTED.search(text) or not text.isupper():
        text = _OPERATOR.sub(lambda found: f", no {found['quoted'] or found['word']}", text)
    return text


def _emoji_as_words(text: str) -> str:
    # Who shows a feeling pauses.
    text = _FEELINGS.sub(", ", text).replace(_PROHIBITED, " no ")
    return _BEYOND_LETTERS.sub(lambda found: _named(found[0]), text)


@cache
def _named(letter: str) -> str:
    from emoji import demojize, is_emoji

    if not is_emoji(letter):
        return letter
    return f" {demojize(letter, delimiters=('', ''), language='alias').replace('_', ' ')} "
