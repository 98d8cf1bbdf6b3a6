"""What a dialogue means, before anything is drawn: in words, and as one vector."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.reformulation.base import Reformulation, Reformulator
from dar_retriever.reformulation.references import with_captions
from dar_retriever.reformulation.rules import RuleReformulator, own_words
from dar_retriever.trace import Recorder, of_error, short
from dar_retriever.understanding.composition import Captioner, Composition, Parts, unit


@dataclass(frozen=True, slots=True)
class Meaning:
    """A dialogue understood.

    Attributes:
        dialogue: The part of it that is about the present subject.
        reformulation: In words, those of reference images among them where they were captioned.
        captions: Of the reference images.
        vector: float32 (d,) of unit length: words and reference images composed.
        text: float32 (d,), of the caption; None where nothing was said.
        references: float32 (S, d), of what the user showed.
        liked: float32 (L, d), of hits that the user liked.
        rejected: float32 (R, d), of hits that the user turned down.
    """

    dialogue: Dialogue
    reformulation: Reformulation
    captions: tuple[str, ...]
    vector: Vectors
    text: Vectors | None
    references: Vectors
    liked: Vectors
    rejected: Vectors


def understand(
    dialogue: Dialogue,
    record: Recorder,
    *,
    encoder: JointEncoder,
    reformulator: Reformulator,
    captioner: Captioner | None,
    composition: Composition,
) -> Meaning:
    """Put a dialogue into words and encode them together with what was shown.

    Reformulator and captioner are helpers: rules stand in for the one, the images' vectors for the
    other, and the record says so.

    Args:
        dialogue: Holds a word or an image of the user.
        record: Timings and fallbacks go there.
        encoder: Encodes texts and images.
        reformulator: Writes caption and prompts.
        captioner: Puts reference images into words, if there is one.
        composition: Makes one vector of reference images and words.
    """
    with record.timed("reformulate"):
        said = _reformulated(dialogue, encoder, reformulator, record)
    if said.since:
        dialogue = dialogue.since(said.since)
        if len(dialogue.user_turns) == 1:
            said_first = dialogue.turns[0].text or "an image"
            record.reasons.append(f"a new subject began: {short(said_first)}")
    captions = _captions(dialogue, captioner, record)
    told, conditions = said, said.conditions
    if captions and said.caption:
        with record.timed("reformulate"):
            described = with_captions(dialogue, captions)
            told = _reformulated(described, encoder, reformulator, record)
    elif captions:
        told = Reformulation(", ".join(captions))
    with record.timed("encode"):
        references, liked, rejected = (
            encoder.encode_images(images)
            for images in (dialogue.images, dialogue.like, dialogue.unlike)
        )
        if not (told.caption or len(references) or len(liked)):
            # Nothing but "hm" and "no" was said, or nothing that a picture shows.
            said = told = own_words(dialogue)
        words, before, text = _texts(encoder, said.caption, ", ".join(captions), told.caption)
        if len(references):
            after = text if captions else None
            vector = composition.compose(Parts(references, words, before, after))
        else:
            vector = unit(liked.mean(0)) if text is None else text
    told = replace(told, conditions=conditions)
    return Meaning(dialogue, told, captions, vector, text, references, liked, rejected)


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
        record.reasons += [note for note in made.notes if note not in record.reasons]
        return made
    # A reformulator may be anybody's code around anybody's service.
    except Exception as error:
        record.fall_back(f"reformulation failed, rules were used: {of_error(error)}")
        return RuleReformulator(encoder.count_tokens, encoder.max_tokens).reformulate(dialogue)


def _captions(dialogue: Dialogue, captioner: Captioner | None, record: Recorder) -> tuple[str, ...]:
    if captioner is None or not dialogue.images:
        return ()
    try:
        with record.timed("caption"):
            return tuple(_as_caption(captioner(image)) for image in dialogue.images)
    # A captioner may be anybody's code around anybody's service.
    except Exception as error:
        record.fall_back(f"captioning failed, the images alone were used: {of_error(error)}")
        return ()


def _as_reformulation(value: object, dialogue: Dialogue) -> Reformulation:
    if not isinstance(value, Reformulation):
        raise TypeError(f"{value!r} is no Reformulation")
    if value.since and not dialogue.since(value.since).turns[0].has_content:
        raise InvalidInputError(f"since={value.since}: the user says nothing there")
    return value


def _as_caption(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{value!r} is no caption")
    return " ".join(value.split())
