"""Data sets: dialogues, their targets, and the pool of images."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.json_files import SHORT, list_in, refuse
from dar_retriever.ingest.files import state_of
from dar_retriever.support.image_kinds import SUFFIXES


@dataclass(frozen=True, slots=True)
class Case:
    """One dialogue and its target.

    Attributes:
        id: Names images that were generated beforehand: "{id}_{round}.jpg".
        target: Index of the target in the pool.
        rounds: The dialogue after 0, 1, ... answers.
        ceiling: The target's rank after each round for a perfect reader of what was told, from 1;
            empty if that is not known.
        also: Other right answers, as indices in the pool.
    """

    id: str
    target: int
    rounds: tuple[Dialogue, ...]
    ceiling: tuple[int, ...] = ()
    also: tuple[int, ...] = ()

    @property
    def right(self) -> tuple[int, ...]:
        """All right answers, the target first."""
        return (self.target, *self.also)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Dialogues over one pool, all with the same number of rounds.

    Attributes:
        name: Name for reports.
        cases: The dialogues, at least one.
        pool: Image paths as the pool lists them.
        root: The folder that the paths are relative to.
        whole_queries: Whether each round's text is already the whole query, not to be
            reformulated or joined with earlier rounds. Then every state is a dialogue of that text.
    """

    name: str
    cases: tuple[Case, ...]
    pool: tuple[str, ...]
    root: Path
    whole_queries: bool = False

    @property
    def rounds(self) -> int:
        """Number of rounds, 11 for VisDial."""
        return len(self.cases[0].rounds)

    @property
    def several(self) -> bool:
        """Whether a dialogue has several right answers."""
        return any(case.also for case in self.cases)

    @property
    def fingerprint(self) -> str:
        """A hash of dialogues, targets and pool that does not depend on where the files are."""
        digest = hashlib.sha256(json.dumps([self.whole_queries, self.pool]).encode())
        for case in self.cases:
            said = [[[turn.role, turn.text] for turn in state.turns] for state in case.rounds]
            right = case.right if case.also else case.target
            digest.update(json.dumps([case.id, right, said]).encode())
        return digest.hexdigest()[:16]

    def path(self, place: int) -> Path:
        """The file of the image at an index of the pool."""
        return self.root / self.pool[place]


def load_dataset(
    dialogues: str | Path,
    pool: str | Path,
    root: str | Path | None = None,
    *,
    whole_queries: bool = False,
    name: str = "",
) -> Dataset:
    """Read dialogues and pool in the format that ChatIR and DAR publish.

    Args:
        dialogues: A JSON list of ``{"img": path, "dialog": [description, "question? answer",
            ...]}``. All dialogues must have the same number of rounds. Where several images are
            right, as in INQUIRE (arXiv 2411.02537), "img" is a list of paths.
        pool: A JSON list of image paths, or a folder, which is searched with its subfolders.
        root: The folder that the pool's paths are relative to; by default the folder of the list,
            or the pool's folder. The images may be missing; see ``missing_images``.
        whole_queries: Whether each entry of "dialog" is the whole query of its round.
        name: Name for reports; by default the file name of the dialogues.

    Returns:
        One case for each dialogue, whose id is the dialogue's number in the file.

    Raises:
        InvalidInputError: A file is missing, cut off or of another form; dialogues differ in
            length; a text that is needed as a query is blank; a target is not in the pool; or the
            pool lists an image twice.
    """
    dialogues, pool = Path(dialogues), Path(pool)
    # Not pathlib, which raises if a parent folder is not readable or the name is too long.
    is_folder = os.path.isdir(pool)  # noqa: PTH112
    paths = _images_in(pool) if is_folder else _paths_in(pool)
    if root is None:
        root = pool if is_folder else pool.parent
    places = {path: place for place, path in enumerate(paths)}
    cases = _cases_in(dialogues, places, pool, whole_queries=whole_queries)
    return Dataset(name or dialogues.stem, cases, paths, Path(root), whole_queries)


def missing_images(dataset: Dataset, limit: int = 5) -> list[Path]:
    """Images of the pool whose files are missing, so that a run can refuse before it starts.

    Args:
        dataset: The data set.
        limit: Stop after this many missing images.

    Raises:
        InvalidInputError: ``limit`` is below 1.
    """
    if limit < 1:
        raise InvalidInputError(f"limit={limit}: look for at least 1 missing image")
    missing: list[Path] = []
    # List whole folders, because checking file by file takes minutes on a network drive.
    listings: dict[str, frozenset[str]] = {}
    for place, name in enumerate(dataset.pool):
        folder, file = os.path.split(name)
        if folder not in listings:
            listings[folder] = _files_of(dataset.root / folder)
        path = dataset.path(place)
        # A file system may accept a name that it lists in another spelling.
        if file not in listings[folder] and not os.path.isfile(path):  # noqa: PTH113
            missing.append(path)
            if len(missing) == limit:
                break
    return missing


def _files_of(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    # ValueError: no file system allows this path.
    except (OSError, ValueError):
        return frozenset()


def _images_in(folder: Path) -> tuple[str, ...]:
    """A folder's images as relative paths, in an order that is the same on every machine."""
    paths = sorted(state_of(folder).files)
    if not paths:
        refuse(folder, f"holds no image ({', '.join(sorted(SUFFIXES))}); check the path")
    return tuple(paths)


def _paths_in(file: Path) -> tuple[str, ...]:
    places: dict[str, int] = {}
    for number, path in enumerate(list_in(file, "image paths")):
        where = f"entry {number} (counted from 0)"
        if not isinstance(path, str) or not path.strip():
            refuse(file, f"{where}: {SHORT.repr(path)} is not a path; the pool is a list of paths")
        if path in places:
            refuse(
                file,
                f"{where}: {SHORT.repr(path)} stands at entry {places[path]} already; an image "
                "that is listed twice spoils the ranks, leave one of them out",
            )
        places[path] = number
    return tuple(places)


def _cases_in(
    file: Path, places: Mapping[str, int], pool: Path, *, whole_queries: bool
) -> tuple[Case, ...]:
    cases: list[Case] = []
    for number, entry in enumerate(list_in(file, "dialogues")):
        where = f"entry {number} (counted from 0)"
        images, texts = _parts_of(entry, file, where)
        if cases and len(texts) != len(cases[0].rounds):
            refuse(
                file,
                f"{where} has {len(texts)} rounds, but entry 0 has {len(cases[0].rounds)}; all "
                "need equally many, so complete the shorter ones or leave them out",
            )
        # A round without an answer adds nothing to a dialogue, but an empty query finds nothing.
        for round_, text in enumerate(texts if whole_queries else texts[:1]):
            if not text.strip():
                refuse(
                    file,
                    f"{where}: the text of round {round_} is blank ({SHORT.repr(text)}); there "
                    "is nothing to search with, fill it in or leave the dialogue out",
                )
        for image in images:
            if image not in places:
                refuse(
                    file,
                    f"{where}: the target {SHORT.repr(image)} is not in the pool {str(pool)!r}, "
                    f"which lists paths like {SHORT.repr(next(iter(places)))}; spell them alike, "
                    "or add the image to the pool",
                )
        rounds = _rounds_of(texts, str(number), whole_queries=whole_queries)
        target, *also = dict.fromkeys(places[image] for image in images)
        cases.append(Case(str(number), target, rounds, also=tuple(also)))
    return tuple(cases)


def _parts_of(entry: object, file: Path, where: str) -> tuple[list[str], list[str]]:
    """The right answers and the texts of an entry."""
    if not isinstance(entry, dict) or not {"img", "dialog"} <= entry.keys():
        refuse(
            file,
            f"{where}: {SHORT.repr(entry)} is no object with 'img' and 'dialog'; give each "
            "dialogue its target's path and its list of texts",
        )
    image, texts = entry["img"], entry["dialog"]
    images = image if isinstance(image, list) and image else [image]
    if not all(isinstance(each, str) for each in images):
        refuse(file, f"{where}: img={SHORT.repr(image)} is not a path; name the target's as a str")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        refuse(
            file,
            f"{where}: dialog={SHORT.repr(texts)} is no list of texts; begin with the "
            "description, then one 'question? answer' for each round",
        )
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        refuse(
            file,
            f"{where}: a text holds {error.object[error.start]!r}, half of a character, which no "
            "tokenizer reads; write the whole character",
            error,
        )
    return images, texts


def _rounds_of(texts: Sequence[str], id_: str, *, whole_queries: bool) -> tuple[Dialogue, ...]:
    if whole_queries:
        return tuple(Dialogue.from_text(text, id_) for text in texts)
    # All states share their turns.
    dialogue = Dialogue.from_visdial(texts, id_)
    return tuple(dialogue.at_round(n) for n in range(len(texts)))
