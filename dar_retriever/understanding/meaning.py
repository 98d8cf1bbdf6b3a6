"""The meaning of a dialogue, before anything is drawn: in words, and as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np
from PIL import Image

from dar_retriever.captioning.base import Captioner
from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.reformulation.base import Reformulation, Reformulator
from dar_retriever.reformulation.locked import with_locked
from dar_retriever.reformulation.references import with_captions
from dar_retriever.reformulation.rules import RuleReformulator, own_words
from dar_retriever.support.line_drawings import is_line_drawing, strokes
from dar_retriever.trace import Recorder, of_error, short
from dar_retriever.understanding.composition import Composition, Parts, unit
from dar_retriever.understanding.exclusions import directions, exclusion_texts

_BY_OUTLINES: Final = "a line drawing was compared with the outlines of the pictures"
_NO_OUTLINES: Final = (
    "a reference is a line drawing, which finds little without outlines of the pictures; add them "
    "to an ImageStore with dar index FOLDER --outlines"
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a dialogue.

    Attributes:
        dialogue: The part of the dialogue that is about the current subject.
        reformulation: The dialogue in words, including captions of reference images.
        captions: Captions of the reference images.
        vector: Words and reference images combined: float32 (d,) of unit length.
        text: The caption: float32 (d,); None if nothing was said.
        references: Images that the user showed: float32 (S, d).
        liked: Hits that the user liked: float32 (L, d).
        rejected: Hits that the user rejected: float32 (R, d).
        excluded: Where each exclusion leads from the caption: float32 (E, d); see ``Exclusion``.
        drawings: Line drawings among the references, if they are searched for by outlines: float32
            (D, d).
        only_drawn: Whether nothing was said or shown but line drawings.
    """

    dialogue: Dialogue
    reformulation: Reformulation
    captions: tuple[str, ...]
    vector: Vectors
    text: Vectors | None
    references: Vectors
    liked: Vectors
    rejected: Vectors
    excluded: Vectors
    drawings: Vectors
    only_drawn: bool = False

    def stressing(self, parts: Sequence[str]) -> Meaning:
        """The same, with prompts that begin and end with some parts of what is meant."""
        said, made = ", ".join(parts), self.reformulation
        prompts = tuple(f"{said}, {prompt}, {said}" for prompt in made.prompts)
        return replace(self, reformulation=replace(made, prompts=prompts))


def understand(
    dialogue: Dialogue,
    record: Recorder,
    *,
    encoder: JointEncoder,
    reformulator: Reformulator,
    captioner: Captioner | None,
    composition: Composition,
    outlines: bool = False,
) -> Meaning:
    """Put a dialogue into words, and encode words and images.

    Reformulator and captioner are helpers. If the reformulator fails, rules replace it. If the
    captioner fails, only the images' vectors are used. The record says so.

    Args:
        dialogue: A dialogue with at least one word or image of the user.
        record: Collects timings and fallbacks.
        encoder: Encodes texts and images.
        reformulator: Writes caption and prompts.
        captioner: Describes reference images, if there is one.
        composition: Makes one vector of reference images and words.
        outlines: Whether line drawings are searched for by outlines. If something else was said or
            shown, they are neither captioned nor composed with it.
    """
    with record.timed("reformulate"):
        said = _reformulated(dialogue, encoder, reformulator, record)
    if said.since:
        dialogue = dialogue.since(said.since)
        if len(dialogue.user_turns) == 1:
            said_first = dialogue.turns[0].text or "an image"
            record.reasons.append(f"a new subject began: {short(said_first)}")
    drawn = [is_line_drawing(image) for image in dialogue.images]
    only_drawn = any(drawn) and all(drawn) and not (said.caption or dialogue.like)
    composed = [not (each and outlines) or only_drawn for each in drawn]
    if any(drawn):
        record.reasons.append(_BY_OUTLINES if outlines else _NO_OUTLINES)
    captions = _captions(dialogue.images, composed, captioner, record)
    told, conditions = said, said.conditions
    if any(captions) and said.caption:
        with record.timed("reformulate"):
            described = with_captions(dialogue, captions)
            told = _reformulated(described, encoder, reformulator, record)
    elif any(captions):
        told = Reformulation(", ".join(filter(None, captions)))
    captions = tuple(filter(None, captions))
    with record.timed("encode"):
        references, liked, rejected = (
            encoder.encode_images(images)
            for images in (dialogue.images, dialogue.like, dialogue.unlike)
        )
        if not (told.caption or len(references) or len(liked)):
            # Nothing but "hm" and "no" was said, or nothing that a picture shows.
            said = told = own_words(dialogue)
        unwanted = exclusion_texts(told.caption, told.exclusions)
        words, before, text, *away = _texts(
            encoder, said.caption, ", ".join(captions), told.caption, *unwanted
        )
        drawings = encoder.encode_images(
            [strokes(image) for image in compress(dialogue.images, drawn)] if outlines else []
        )
        if any(composed):
            after = text if captions else None
            images = tuple(compress(dialogue.images, composed))
            parts = Parts(references[composed], words, before, after, images, said.caption)
            vector = composition.compose(parts)
        else:
            vector = unit(liked.mean(0)) if text is None else text
        excluded = _directions(away, text, encoder.dimension)
    told = replace(told, conditions=conditions)
    return Meaning(
        dialogue,
        told,
        captions,
        vector,
        text,
        references,
        liked,
        rejected,
        excluded,
        drawings,
        only_drawn,
    )


def _directions(away: Sequence[Vectors | None], text: Vectors | None, width: int) -> Vectors:
    unwanted = [vector for vector in away if vector is not None]
    if not unwanted:
        return np.empty((0, width), np.float32)
    return directions(np.stack(unwanted), text)


def _texts(encoder: JointEncoder, *texts: str) -> list[Vectors | None]:
    """Vectors of texts, each encoded once; None for an empty one."""
    once = [text for text in dict.fromkeys(texts) if text]
    vectors = dict(zip(once, encoder.encode_texts(once), strict=True)) if once else {}
    return [vectors.get(text) for text in texts]


def _reformulated(
    dialogue: Dialogue, encoder: JointEncoder, reformulator: Reformulator, record: Recorder
) -> Reformulation:
    try:
        made = _as_reformulation(reformulator.reformulate(dialogue), dialogue)
        made = with_locked(made, dialogue.locked)
        record.reasons += [note for note in made.notes if note not in record.reasons]
        return made
    # The reformulator may be third-party code or a remote service.
    except Exception as error:
        record.fall_back(f"reformulation failed, rules were used: {of_error(error)}")
        rules = RuleReformulator(encoder.count_tokens, encoder.max_tokens)
        return with_locked(rules.reformulate(dialogue), dialogue.locked)


def _captions(
    images: Sequence[Image.Image],
    composed: Sequence[bool],
    captioner: Captioner | None,
    record: Recorder,
) -> tuple[str, ...]:
    """A caption for each image; an empty one for those that are not composed."""
    if captioner is None or not any(composed):
        return ()
    try:
        with record.timed("caption"):
            return tuple(
                _as_caption(captioner(image)) if each else ""
                for image, each in zip(images, composed, strict=True)
            )
    # The captioner may be third-party code or a remote service.
    except Exception as error:
        record.fall_back(f"captioning failed, the images alone were used: {of_error(error)}")
        return ()


def _as_reformulation(value: object, dialogue: Dialogue) -> Reformulation:
    if not isinstance(value, Reformulation):
        raise TypeError(f"{value!r} is not a Reformulation")
    if value.since and not dialogue.since(value.since).turns[0].has_content:
        raise InvalidInputError(f"since={value.since}: the user says nothing there")
    return value


def _as_caption(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{value!r} is not a caption")
    return " ".join(value.split())
