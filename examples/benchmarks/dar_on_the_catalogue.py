"""What does drawing add? Round by round, on simulated dialogues over the drawn catalogue.

Compares, on the same dialogues and the same gallery of unseen products: all turns joined as
text, reformulated text, generated images alone, and DAR with the paper's weights. Prints per-round
Recall@10 and Recall@1, cumulative Hits@10, and how many dialogues DAR makes better and worse than
the reformulated text.

    python examples/benchmarks/dar_on_the_catalogue.py --folder benchmark

Everything is kept in the folder; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import (
    PRESETS,
    CachedGenerator,
    Dialogue,
    DiffusersGenerator,
    ImageRequest,
    JoinedTurns,
    JointEncoder,
    Reformulator,
    RuleReformulator,
    Vectors,
    image_only,
    ingest,
    open_encoder,
    paper_schedule,
    text_only,
)
from dar_retriever.demo.gallery import draw_gallery, gallery_products, picture_name
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.display import progress_bar
from dar_retriever.image_store import ImageStore

METHODS = ("joined text", "reformulated text", "generated images", "DAR")
TOP = 10


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("benchmark"))
    parser.add_argument("--dialogues", type=int, default=500)
    parser.add_argument("--gallery", type=int, default=5000)
    parser.add_argument("--images", type=int, default=PRESETS["demo"].images_per_turn)
    options = parser.parse_args()
    console = Console(width=110)

    encoder = open_encoder("demo")
    products = gallery_products(options.gallery)
    pictures = options.folder / "pictures"
    store = ImageStore.on_disk(options.folder / "store", encoder)
    with progress_bar("Drawing the gallery") as progress:
        draw_gallery(pictures, products, progress=progress)
    with progress_bar("Indexing it") as progress:
        ingest(pictures, store, encoder, progress=progress)
    names, stored = stored_vectors(store)

    targets = Random(1).sample(range(options.gallery), options.dialogues)
    played = [simulate(products[target], seed) for seed, target in enumerate(targets)]
    dialogues = [[p.dialogue.at_round(n) for n in range(ROUNDS + 1)] for p in played]
    texts = {
        "joined text": encode_captions(encoder, dialogues, JoinedTurns()),
        "reformulated text": encode_captions(
            encoder, dialogues, RuleReformulator(encoder.count_tokens, encoder.max_tokens)
        ),
    }
    drawn = encode_drawings(encoder, dialogues, options.images, options.folder / "drawn")

    columns = np.array([names.index(picture_name(target)) for target in targets])
    ranks = {method: rank_all(method, texts, drawn, stored, columns) for method in METHODS}
    print_figures(console, ranks, options)
    results = {method: values.tolist() for method, values in ranks.items()}
    (options.folder / "ranks.json").write_text(json.dumps(results))


def stored_vectors(store: ImageStore) -> tuple[list[str], Vectors]:
    """File names and vectors of everything in the store."""
    ids, vectors = store.vectors()
    return [Path(hit.uri).name for hit in store.get(ids)], vectors


def encode_captions(
    encoder: JointEncoder, dialogues: Sequence[Sequence[Dialogue]], reformulator: Reformulator
) -> Vectors:
    """Text vectors by dialogue and round: (D, 11, d)."""
    captions = [reformulator.reformulate(state).caption for states in dialogues for state in states]
    vectors = encoder.encode_texts(captions)
    return vectors.reshape(len(dialogues), ROUNDS + 1, -1)


def encode_drawings(
    encoder: JointEncoder, dialogues: Sequence[Sequence[Dialogue]], images: int, folder: Path
) -> Vectors:
    """Mean vectors of the generated images by dialogue and round: (D, 11, d)."""
    preset = PRESETS["demo"]
    pipeline = DiffusersGenerator(preset.generator, batch_size=32, **preset.sampling)
    generator = CachedGenerator(pipeline, folder, capacity=4096)
    rules = RuleReformulator(encoder.count_tokens, encoder.max_tokens)
    rows = []
    for states in track(dialogues, "Generating"):
        requests = [
            ImageRequest(made.prompts[0], seed=seed)
            for made in map(rules.reformulate, states)
            for seed in range(images)
        ]
        distinct = list(dict.fromkeys(requests))
        made = dict(zip(distinct, generator.generate(distinct), strict=True))
        vectors = encoder.encode_images([made[request].image for request in requests])
        rows.append(vectors.reshape(ROUNDS + 1, images, -1).mean(1))
    return np.stack(rows)


def rank_all(
    method: str,
    texts: dict[str, Vectors],
    drawn: Vectors,
    stored: Vectors,
    columns: np.ndarray,
) -> np.ndarray:
    """The target's rank, from 1, by dialogue and round: int (D, 11)."""
    fusion = {"generated images": image_only(), "DAR": paper_schedule()}.get(method, text_only())
    text = texts["joined text" if method == "joined text" else "reformulated text"]
    ranks = np.empty(text.shape[:2], np.int64)
    for number in range(len(text)):
        for round_ in range(ROUNDS + 1):
            images = drawn[number, round_][None]
            scores = stored @ fusion.fuse(text[number, round_], images, round_).vector
            target = scores[columns[number]]
            # Ties count against the method.
            ranks[number, round_] = (scores >= target).sum()
    return ranks


def print_figures(
    console: Console, ranks: dict[str, np.ndarray], options: argparse.Namespace
) -> None:
    """The two tables, and what DAR adds and costs."""
    title = (
        f"{options.dialogues} dialogues, {options.gallery} unseen products, K = {options.images}"
    )
    for name, found in (
        (f"Recall@{TOP} (%)", {m: r <= TOP for m, r in ranks.items()}),
        ("Recall@1 (%)", {m: r <= 1 for m, r in ranks.items()}),
        (
            f"Hits@{TOP}, cumulative (%)",
            {m: np.logical_or.accumulate(r <= TOP, axis=1) for m, r in ranks.items()},
        ),
    ):
        table = Table("method", *(str(n) for n in range(ROUNDS + 1)), title=f"{name}, {title}")
        for method, values in found.items():
            table.add_row(method, *(f"{100 * share:.1f}" for share in values.mean(0)))
        console.print(table)
    text, dar = ranks["reformulated text"], ranks["DAR"]
    table = Table("DAR against text", *(str(n) for n in range(ROUNDS + 1)), title="Dialogues (%)")
    for name, share in (
        ("target ranks better", dar < text),
        ("target ranks worse", dar > text),
        ("worse by more than 10 places", dar > text + 10),
    ):
        table.add_row(name, *(f"{100 * value:.1f}" for value in share.mean(0)))
    console.print(table)


if __name__ == "__main__":
    main()
