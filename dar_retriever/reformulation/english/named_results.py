"""Names of results in what a user says: "like number 2, but blue", "same as the 3rd"."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.lexicon import SHADED_COLOUR

_NUMBER: Final = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)"
_PLACE: Final = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|\d{1,2}(?:st|nd|rd|"
    r"th))"
)
_KIND: Final = r"(?:number|no\.?|nr\.?|image|picture|photo|result|option|item|hit|choice|pic)s?"
_ONES: Final = r"(?:ones?|images?|pictures?|photos?|pics?|results?|options?|items?|hits?|choices?)"
# An id as this package makes them: hexadecimal, of many digits.
_ID: Final = r"#?(?=[a-f]*\d)[0-9a-f]{12,64}\b"
_NAMED: Final = (
    rf"(?:{_ID}|(?:the )?{_KIND} ?#?{_NUMBER}|#\d{{1,2}}|"
    rf"the {_PLACE}(?: (?:two|three|few|{_ONES}))*|{_PLACE} {_ONES})"
)
_BESIDE_A_NAME: Final = re.compile(rf",? ?\(?\bid[= :]+{_ID}\)?")
_AND: Final = r"(?:,? (?:and|or|&|plus|but not|not|rather than|less like|more like) |, )(?:the )?"
# A bare number names a result only where nothing follows that it could count.
_BARE: Final = (
    rf"#?{_NUMBER}(?:{_AND}#?{_NUMBER})*"
    r"(?= *(?:$|[,.;!]| (?:but|only|just|except|please|though|in|with|without|and|or|if|when)\b))"
)
_WHICH: Final = rf"(?:{_NAMED}|{_BARE})(?:{_AND}(?:{_NAMED}|{_BARE}))*"
_LIKE: Final = (
    r"(?:(?:something|anything|more|one|ones|exactly|just|much|pretty|it|the|same|style|please|ok|"
    r"okay|"
    r"yes|i|i'd|would|really|also|kind of|sort of|a bit|bit|most|best|make|show me|give me|find me|"
    r"keep|"
    r"only) )*"
    r"(?:like|likes?|similar to|close to|closer to|based on|as in|as|prefer|love|want|take|choose|"
    r"pick|"
    r"go with|go for|from)"
)
_FIRST: Final = re.compile(
    rf"^(?:(?:and|so|ok|okay|yes|hm+|well|please|(?:can|could) (?:you|i))[\s,]+)*"
    rf"(?:{_LIKE} {_WHICH}|(?:(?:show|give|find) me |(?:have|see) )?"
    rf"{_NAMED}(?:{_AND}(?:{_NAMED}|{_BARE}))*)(?: best| most)?"
    r"(?:(?: |, ?)(?:is|are|looks?) (?:nice|good|great|fine|ok|okay|best|better|close|closest|"
    r"perfect))?"
    r"(?: please)?(?P<rest>$|\s*[,.;:-]+\s*|,? (?=(?:but|only|just|except|in|with|without|and|"
    r"though|"
    r"if|as long)\b))"
)
_LAST: Final = re.compile(
    rf",? (?:just |more |much |exactly |a bit |the same )*(?:like|as) {_WHICH}$"
)
_COLOUR: Final = re.compile(
    rf"^(?:(?:but|only|just|except|and|please|it|should|be|rather|now) ?)*(?:in )?(?:an? )?"
    rf"(?P<colour>{SHADED_COLOUR}(?: and {SHADED_COLOUR})?)(?: ones?| please| instead)?$"
)
_BUT: Final = re.compile(r"^(?:(?:but|only|just|except|though|please)\b[\s,]*)+(?!.*\bnot\b)")


def without_named_results(text: str) -> str:
    """A message without the names of results; a colour that is left is a change to it.

    Args:
        text: In plain lower case.
    """
    text = _BESIDE_A_NAME.sub("", text)
    first = _FIRST.match(text)
    if first is None:
        return _LAST.sub("", text)
    rest = _LAST.sub("", text[first.end() :])
    colour = _COLOUR.match(rest)
    return f"make it {colour['colour']}" if colour else _BUT.sub("", rest)
