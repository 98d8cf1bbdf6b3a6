"""What people say around a description: who wants it, what for, and how politely."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.lexicon import SHADED_COLOUR
from dar_retriever.reformulation.english.nouns import kind_of

_ADVERB: Final = (
    r"(?:really|just|also|actually|only|maybe|perhaps|probably|possibly|mostly|mainly|"
    r"apparently|already|ideally|preferably|basically|currently|now|then|even|kind of|sort of|"
    r"quite|"
    r"ever so|totally|simply|rather|either)"
)
# A person, a wish in any tense, and what joins it to the thing: "i was hoping to find".
_WISH: Final = (
    r"(?:wants?|wanted|wanting|needs?|needed|needing|likes?|liked|loves?|prefers?|see|saw|have|"
    r"got|get|getting|find|buy|buying|replace|replacing|order|think|thought|guess|believe|"
    r"suppose|says?|said|means?|meant|hope|hoping|wish|wished|imagine|imagining|pictured|look|"
    r"looking|search|searching|hunt|hunting|shop|shopping|seek|seeking|try|trying|thinking|after|"
    r"interested|browsing|dreaming|asks?|asked|go(?: for|ing for)|in the market|on the hunt|"
    r"on the lookout|in need|in search|remember|recall|require)"
)
_HELPING: Final = (
    r"(?:'d|'m|'ve|'re|'ll|'s|(?: (?:am|are|is|was|were|would|could|can|may|might|should|must|"
    r"will|have|has|had|been|do|did|be)))"
)
_JOINED: Final = (
    r"(?: (?:to (?:find|see|get|buy|have|replace|be|look for|order|say|show|use)|to|for|of|after|"
    r"in(?! (?:the|a|an|my|our|his|her)\b)|at(?= (?:an?|some)\b)|that(?!'s)|like|"
    r"having|getting|seeing|finding|it (?:has|needs?|had|should|must|could) (?:to )?(?:be|have)))*"
)
_OTHERS: Final = r"(?:she|he|they|(?:my|our|the|his|her) [\w-]+)"
_OTHERS_WISH: Final = (
    r"(?:wants?|wanted|needs?|needed|would like|'d like|would love|'d love|says?|said|"
    r"asked for|asks for|prefers?|(?:is|are|'s|'re) (?:looking for|after))"
)
_REQUEST: Final = (
    r"(?:(?:can|could|may|might|would|will) (?:you|i|we) (?:please |also |maybe |just )*(?:get|"
    r"have|"
    r"see|show|find|give|look for|search for)(?: me| us)?|(?:show|find|give|get|fetch|bring) "
    r"(?:me|us|"
    r"him|her|them|it)|find|search for|look at|move on to|let me see|could you|can you|can we|"
    r"(?:what |which )?(?:do|have|did|would) you (?:guys )?(?:have|got|sell|stock|do|carry|offer|"
    r"any)(?: (?:in terms of|in the way of|got|any|some|it|that|those|these))*|"
    r"(?:you )?got any|you got|any chance of|is there(?: any)?|are there(?: any)?|what about|"
    r"how about)"
)
_RESULTS: Final = r"(?:one|ones|photos?|pictures?|pics?|shots?|images?|snaps?|stuff)"
_OF_RESULTS: Final = (
    rf"(?:(?:all|only|just) )*(?:the |that |those |an? |some |any |my |our )?{_RESULTS} "
    r"(?:where|(?:in|of|on) which|that shows?|showing|from when|of(?= (?:me|my|us|our|him|her|"
    r"them)\b))|"
    rf"an? (?:picture|photo) of|(?:all )(?:the |my |our )?{_RESULTS}(?: of| with| from)|"
    r"(?:(?:just|only) )?(?:the |a )?ones? (?=with|in|on|by|at|from|near|wearing|that)"
)
_GREETING: Final = (
    r"(?:hiya|hi|hello|hey|heya|yo|dear [\w-]+|(?:good )?(?:morning|afternoon|"
    r"evening)(?=[,.!]| (?:all|everyone|i)\b))(?: (?:there|all|everyone|again))?"
)
_WORDS: Final = (
    r"(?:well|oh|ok|okay|hm+|um+|uh|so|our(?= [a-z])|(?:an?|this|my) (?:[\w-]+ )?(?:idea|wish|"
    r"search|request)"
    r"(?=:| :| -)|and|but|please|some (?:kind|sort) of|any (?:kind|sort|type) of|"
    r"this time|more like|add(?: in)?|put(?: in)?|asap|have|having|has|with|to|that(?!'s)|"
    rf"only|some (?=in {SHADED_COLOUR}\b)|something(?: like(?= \w)|(?= [\w-]+ \w))|"
    r"(?:something )?like(?= (?:an?|some)\b)|looks?(?: like)?|appears?(?: to be)?|"
    r"seems?(?: to be)?|"
    r"(?:something |one |more )?(?:like|similar to|as in) (?:this|that|these)"
    r"(?: ones?| pictures?| images?| photos?)?)"
)
_IT: Final = (
    r"(?:it|this|that|they|he|she|there) (?:(?:should|must|could|might|may|can|would|has to|have "
    r"to|"
    r"needs? to|ought to) (?:only |just |also )?(?:be|have|look)|(?:is|are|was|were|has|have|had|"
    r"got)|looks?(?: like)?|seems?(?: to be)?|appears?(?: to be)?)|(?:it|this|that|they|he|she|"
    r"there)(?:'s|'re|'d be|'ll be|'d have)(?: got)?"
)
HEDGES: Final = re.compile(
    rf"^(?:(?:{_GREETING}|(?:i|we|you|you guys){_HELPING}*(?: {_ADVERB})*(?: {_WISH}){_JOINED}|"
    rf"{_OTHERS}(?: {_ADVERB})* ?{_OTHERS_WISH}{_JOINED}|"
    r"(?:looking|hoping|trying|hunting|searching|shopping|browsing|wanting) (?:around )?(?:for|"
    r"to (?:find|get|buy|replace|see|have))|after(?= (?:an?|some|any)\b)|"
    rf"(?:want|need|wanted|needed)(?:ed)?(?= (?:an?|some|the|to)\b|:)(?: to (?:see|find|buy|get))?|"
    rf"{_REQUEST}|{_OF_RESULTS}|{_IT}|{_ADVERB}|{_WORDS})(?![\w'-])[\s,:]*)+"
)
_CONDITIONAL: Final = re.compile(
    r"(?<!\bas)(?<!\bonly),? (?:even )?if (?:you|we|i|that|it|there|they|one|any|anything|poss|"
    r"possible|available|need be|at all)\b(?! (?:rains|snows)).*$"
)
_FOR_SOMEBODY: Final = re.compile(
    r"(?P<gift>(?:^|(?<=\s))(?:an? |the )?(?:[\w-]+ )?(?:gift|present|something))? ?"
    r"\bfor (?:my|our|his|her|their|an?|the) (?:little |big |older |younger |best |new |old )?"
    r"(?P<who>[\w-]+)(?:'s (?:birthday|wedding|party|room))?(?=$|[,.;!?])[\s,]*"
)
_AT_THE_SHOP: Final = re.compile(
    r" (?:in|from|on|at) (?:your|this|the) (?:shop|store|site|website|web ?shop|catalogue|catalog|"
    r"app|shop window)\b"
)


def without_frame(text: str) -> str:
    """Without the words that open a wish: "i was hoping to find a" leaves "a"."""
    return HEDGES.sub("", text)


def without_purpose(text: str) -> str:
    """Without whom it is for, and without "if you have it"."""
    text = _FOR_SOMEBODY.sub(_kept, text) if "for " in text else text
    text = _AT_THE_SHOP.sub("", text)
    return _CONDITIONAL.sub("", text) if " if " in text else text


def _kept(found: re.Match[str]) -> str:
    return "" if kind_of(found["who"]) == "person" else found[0]
