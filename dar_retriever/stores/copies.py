"""What a store remembers of the files that hold a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

# The metadata field that holds a PictureRecord as JSON; hits do not show it.
RECORD: Final = "dar_picture"
# The metadata field that names the model that wrote the caption; people's captions have none.
CAPTIONED_BY: Final = "captioned_by"
# What models wrote, by model; hits do not show it.
_CAPTIONS: Final = "captions"
_CAPTION: Final = "caption"
_MEASURED: Final = ("width", "height")


@dataclass(frozen=True, slots=True)
class Copy:
    """One file that holds a picture.

    Attributes:
        root: Name of the folder that the path is relative to; empty if the path stands by itself.
        path: The path, with forward slashes; or a URL.
        size: Bytes of the file when it was last read; None if that is not known.
        modified: Its time of modification in nanoseconds; None if it cannot be relied on.
        entry: What was said of this file; "caption" is its caption.
    """

    root: str
    path: str
    size: int | None = None
    modified: int | None = None
    entry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """A stored picture without its vector.

    Attributes:
        id: Hash of the bytes.
        copies: The files that hold these bytes, at least one.
        facts: What the bytes tell: width, height, when and with what it was taken, and the captions
            that models wrote.
        tracked: Whether the copies were written by a sync; older records only know a location.
    """

    id: str
    copies: tuple[Copy, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    tracked: bool = True

    @property
    def given_caption(self) -> str:
        """The captions that people gave its copies, each once."""
        texts = (str(copy.entry.get(_CAPTION) or "") for copy in self.copies)
        return " / ".join(dict.fromkeys(text for text in texts if text))

    @property
    def caption(self) -> str:
        """The given caption; where there is none, that of the model named last."""
        return self.given_caption or self.caption_by(self.facts.get(CAPTIONED_BY, ""))

    def caption_by(self, model: str) -> str:
        """The caption that a model wrote; empty if it wrote none."""
        return str(self.facts.get(_CAPTIONS, {}).get(model, ""))

    def captioned(self, caption: str, model: str) -> PictureRecord:
        """The same with a caption that a model wrote; those of other models are kept."""
        captions = {**self.facts.get(_CAPTIONS, {}), model: caption}
        return replace(self, facts={**self.facts, _CAPTIONS: captions, CAPTIONED_BY: model})

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of all copies; a field about which they differ becomes a list."""
        machine_made = self.caption and not self.given_caption
        unseen = {_CAPTIONS} if machine_made else {_CAPTIONS, CAPTIONED_BY}
        facts = {name: value for name, value in self.facts.items() if name not in unseen}
        said: dict[str, list[Any]] = {}
        for copy in self.copies:
            for name, value in copy.entry.items():
                if name != _CAPTION and value is not None:
                    said.setdefault(name, []).append(value)
        return {**facts, **{name: _united(values) for name, values in said.items()}}

    def as_text(self) -> str:
        """The copies and facts as JSON."""
        copies = [[c.root, c.path, c.size, c.modified, dict(c.entry)] for c in self.copies]
        return json.dumps({"facts": dict(self.facts), "copies": copies}, separators=(",", ":"))


def record_of_text(id: str, text: str) -> PictureRecord:
    """Read what ``PictureRecord.as_text`` wrote."""
    content = json.loads(text)
    return PictureRecord(id, tuple(Copy(*each) for each in content["copies"]), content["facts"])


def record_of_location(
    id: str, uri: str, caption: str, metadata: Mapping[str, Any]
) -> PictureRecord:
    """A record of an earlier version, or of another program: it knows a location and no more."""
    facts = {name: metadata[name] for name in _MEASURED if name in metadata}
    model = metadata.get(CAPTIONED_BY) if caption else None
    if model:
        facts |= {_CAPTIONS: {model: caption}, CAPTIONED_BY: model}
    entry = {name: value for name, value in metadata.items() if name not in facts}
    entry |= {_CAPTION: caption} if caption and not model else {}
    return PictureRecord(id, (Copy("", uri, entry=entry),) if uri else (), facts, tracked=False)


def _united(values: Sequence[Any]) -> Any:
    different = [value for place, value in enumerate(values) if value not in values[:place]]
    if len(different) == 1:
        return different[0]
    return list(dict.fromkeys(_hashable(item) for value in different for item in _items(value)))


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _hashable(item: Any) -> Any:
    return item if isinstance(item, str | int | float | bool) else json.dumps(item, default=str)
