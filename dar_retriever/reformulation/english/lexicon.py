"""The words that the rules know: closed classes of English, colours, and what cannot be seen."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

COLOURS: Final = frozenset(
    {
        *("red", "orange", "yellow", "green", "teal", "turquoise", "cyan", "blue", "navy"),
        *("purple", "violet", "lilac", "pink", "magenta", "brown", "tan", "beige", "cream"),
        *("gold", "golden", "silver", "grey", "gray", "black", "white", "maroon", "olive"),
        *("burgundy", "crimson", "scarlet", "indigo", "khaki", "ivory", "aqua", "fuchsia"),
        *("lavender", "mauve", "ochre", "off-white", "multicoloured", "multicolored", "blonde"),
    }
)
SHADES: Final = frozenset({"dark", "light", "pale", "bright", "deep"})
# Things that name a shade before a colour: "mustard yellow".
TINTS: Final = frozenset(
    {
        *("mustard", "mint", "lime", "forest", "emerald", "royal", "navy", "sky", "baby", "rose"),
        *("salmon", "coral", "hot", "neon", "pastel", "blood", "wine", "cherry", "lemon", "steel"),
        *("charcoal", "chocolate", "sand", "bottle", "midnight", "electric", "dusty", "powder"),
        *("light", "dark", "pale", "bright", "deep"),
    }
)
MATERIALS: Final = frozenset(
    {
        *("wood", "wooden", "oak", "pine", "walnut", "bamboo", "metal", "steel", "iron", "brass"),
        *("copper", "aluminium", "aluminum", "glass", "plastic", "leather", "suede", "cotton"),
        *("linen", "silk", "satin", "velvet", "wool", "woolen", "woollen", "denim", "corduroy"),
        *("canvas", "lace", "ceramic", "porcelain", "clay", "marble", "stone", "concrete"),
        *("brick", "paper", "cardboard", "rubber", "nylon", "polyester", "fleece", "tweed"),
        *("knitted", "wicker", "rattan", "straw", "granite"),
    }
)
PATTERNS: Final = frozenset(
    {
        *("plain", "solid", "striped", "dotted", "spotted", "checked", "checkered", "plaid"),
        *("tartan", "floral", "patterned", "paisley", "zigzag", "camouflage", "pinstriped"),
        *("geometric", "gingham"),
    }
)
SHAPES: Final = frozenset(
    {"round", "square", "rectangular", "oval", "triangular", "circular", "hexagonal", "curved"}
)
NUMBERS: Final = frozenset(
    {
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        *("several", "many", "few", "single", "only", "just", "about", "eleven", "twelve"),
    }
)
PLACES: Final = frozenset({"in", "on", "at", "under", "behind", "near"})
JOINTS: Final = frozenset(
    {
        *("of", "off", "out", "up", "down", "to", "from", "with", "without", "by", "for", "over"),
        *("inside", "outside", "into", "onto", "between", "beside", "around", "front", "top"),
        *("next", "left", "right", "side", "middle", "and", "or", "but", "that", "which", "while"),
        *("as", "is", "are", "was", "has", "have", "having", "not", ","),
    }
)
# They open a phrase and say nothing of the thing that follows: "holding a ball".
OPENERS: Final = frozenset(
    {
        *("wearing", "holding", "carrying", "riding", "sitting", "standing", "having", "eating"),
        *("playing", "using", "walking", "lying", "running", "looking", "facing", "driving"),
        *("flying", "showing", "containing", "featuring", "hanging", "leaning", "drinking"),
        *("watching", "reading", "pulling", "pushing", "throwing", "catching", "kicking"),
        *("surfing", "skiing", "hitting", "feeding", "cutting", "cooking", "climbing", "crossing"),
    }
)
WORN: Final = frozenset(
    {
        *("suit", "dress", "hat", "shirt", "jacket", "coat", "uniform", "costume", "skirt"),
        *("sweater", "jumper", "jeans", "trousers", "pants", "shorts", "helmet", "tie", "glasses"),
    }
)
DETERMINERS: Final = frozenset(
    {
        *("the", "a", "an", "any", "some", "this", "that", "these", "those"),
        *("his", "her", "their", "its", "your", "my"),
    }
)
# What a picture hardly shows: judgements, minds, ties, and talk about the picture itself.
UNSEEN: Final = frozenset(
    {
        *("nice", "good", "great", "cool", "delicious", "tasty", "yummy", "interesting", "real"),
        *("professional", "amateur", "expensive", "cheap", "fun", "normal", "typical"),
        *("think", "thinking", "guess", "believe", "know", "want", "wants", "enjoying", "related"),
        *("possible", "possibly", "probably", "maybe", "likely", "seems", "seem", "appears"),
        *("friends", "name", "brand", "owner", "price"),
        *("photo", "picture", "image", "visible", "see", "seen", "show", "shown", "look", "looks"),
        *("quality", "close-up", "year", "years", "hour", "minutes"),
        *("because", "could", "would", "might", "should", "much", "lot", "very", "really", "quite"),
    }
)

# The same and more, as parts of patterns.
PRONOUNS: Final = r"(?:it|this|that|these|those|they|there|he|she|one|you)"
OWNERS: Final = r"(?:the|his|her|their|its|your|my)"
ANY_DETERMINER: Final = rf"(?:{OWNERS}|a|an|any|some|this|that|these|those)"
PREPOSITIONS: Final = (
    r"(?:in|on|at|of|off|out|up|down|to|from|with|by|for|near|under|over|behind|inside|outside)"
)
BE: Final = r"(?:is|are|was|were|'s)"
AUXILIARY: Final = rf"(?:{BE}|does|do|did|has|have|can|could|would|will|should)"
ANY_COLOUR: Final = rf"(?:{'|'.join(sorted(COLOURS))})"
SHADED_COLOUR: Final = rf"(?:(?:{'|'.join(sorted(SHADES | TINTS))}) )?{ANY_COLOUR}"

# What a picture cannot be at once.
_CONTRARIES: Final = (
    ({"indoors", "inside", "indoor"}, {"outdoors", "outside", "outdoor"}),
    ({"day", "daytime", "day time"}, {"night", "nighttime", "night time"}),
    ({"open"}, {"closed", "shut"}),
    ({"empty"}, {"full", "crowded"}),
    ({"wet"}, {"dry"}),
    ({"old"}, {"young", "new"}),
    ({"sunny"}, {"cloudy", "overcast", "rainy"}),
    ({"colour", "color", "in colour", "in color"}, {"black and white", "in black and white"}),
    ({"awake"}, {"asleep", "sleeping"}),
    ({"sitting"}, {"standing"}),
    ({"plain", "solid"}, {"striped", "dotted", "checked", "patterned"}),
)
CONTRARIES: Final = {
    word: frozenset(others)
    for pair in _CONTRARIES
    for words, others in (pair, pair[::-1])
    for word in words
}

# What a thing is only one of, by sort: a new word takes the old one's place.
SORTS: Final = tuple(
    frozenset(words)
    for words in (
        MATERIALS,
        PATTERNS,
        SHAPES,
        {"big", "large", "huge", "small", "little", "tiny", "medium", "mini", "giant"},
        {"long", "short", "midi", "maxi", "knee-length", "mini-length"},
        {"tall", "low", "high"},
        {"sleeping", "asleep", "awake"},
        {"sitting", "standing", "lying", "running", "walking", "jumping", "flying"},
        {"young", "old", "elderly", "middle-aged", "new"},
        {"open", "closed", "shut"},
        {"empty", "full", "crowded", "busy"},
        {"smiling", "laughing", "crying", "frowning", "sad", "happy", "angry"},
        {"modern", "vintage", "antique", "retro", "traditional", "contemporary", "rustic"},
        {"sunny", "cloudy", "overcast", "rainy", "foggy", "snowy", "stormy"},
        {"thick", "thin"},
        {"night", "daytime", "dusk", "dawn", "sunset", "sunrise", "noon", "midday"},
        {"wide", "narrow", "skinny"},
        {"wet", "dry"},
        {"left-handed", "right-handed"},
        {
            "cartoon",
            "anime",
            "photorealistic",
            "realistic",
            "abstract",
            "watercolour",
            "watercolor",
        },
        {"indoor", "outdoor", "indoors", "outdoors", "inside", "outside"},
    )
)

_SMALL: Final = DETERMINERS | JOINTS | PLACES


def stem(word: str) -> str:
    """A noun without its plural's s."""
    return word[:-1] if word.endswith("s") and len(word) > 3 else word


@lru_cache(maxsize=4096)
def visibility(text: str) -> float:
    """The share of a text's words of substance that a picture can show, 0 to 1."""
    words = [word for word in text.split() if word.strip(",") not in _SMALL]
    return sum(word.strip(",") not in UNSEEN for word in words) / len(words) if words else 0.0
