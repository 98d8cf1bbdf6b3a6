"""Trains the embedded models from nothing.

    python -m dar_retriever.demo.training --folder training

Draws the pictures, then trains autoencoder, generator and encoder, and on the encoder's vectors
the matching head and the prior. Writes the folders that ``dar_retriever/demo/weights`` holds. Stop
it at any time; the same command goes on.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTokenizer

from dar_retriever.demo.captions import chattered
from dar_retriever.demo.training.autoencoder import encode_pool, train_autoencoder
from dar_retriever.demo.training.encoder import CONTEXT_LENGTH, save_encoder, train_encoder
from dar_retriever.demo.training.generator import (
    PROMPT_LENGTH,
    Generator,
    save_generator,
    train_generator,
)
from dar_retriever.demo.training.judge import train_judge
from dar_retriever.demo.training.loop import Schedule, console
from dar_retriever.demo.training.matching import save_matching, train_matching
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.prior import save_prior, train_prior
from dar_retriever.demo.training.tokenizer import train_tokenizer
from dar_retriever.demo.training.vectors import image_vectors
from dar_retriever.demo.training.words import fields_of, words_of
from dar_retriever.support.caption_reader import CaptionReader

PICTURES: Final = 60_000
TOKENS: Final = 1_024
SCHEDULES: Final = {
    "autoencoder": Schedule(2_200, 16, 1.5e-3),
    "generator": Schedule(3_400, 64, 1e-3, average=0.999),
    "judge": Schedule(1_000, 64, 2e-3, weight_decay=0.02),
    "encoder": Schedule(1_600, 192, 2e-3, weight_decay=0.05),
    "matching": Schedule(4_000, 512, 2e-3, weight_decay=0.05),
    "prior": Schedule(10_000, 1024, 2e-3, average=0.999),
}
_FURTHER: Final = Schedule(2_000, 32, 6e-4, average=0.997)
_ON_VECTORS: Final = ("matching", "prior")


def main() -> None:
    """Run the stages that are named, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("training"), help="state and results")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; all by default")
    parser.add_argument(
        "--stages",
        nargs="+",
        choices=SCHEDULES,
        default=list(SCHEDULES),
        help="the encoder and the first two may run side by side",
    )
    parser.add_argument(
        "--further",
        type=Path,
        help="folder of a generator that is trained further, with the autoencoder in it",
    )
    parser.add_argument("--steps", type=int, help="of the further training")
    parser.add_argument("--seed", type=int, default=0, help="another one for each further training")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    folder: Path = options.folder
    pool = Pool.open(folder / "pool", options.pictures)
    tokenizer = _tokenizer(pool, folder / "tokenizer")
    began = time.monotonic()
    for stage in options.stages:
        if stage in _ON_VECTORS:
            _run_on_vectors(stage, options.pictures, folder)
        else:
            longer = replace(_FURTHER, steps=options.steps or _FURTHER.steps, seed=options.seed)
            _run(stage, pool, tokenizer, folder, options.further, longer)
    console.print(f"done in {(time.monotonic() - began) / 60:.0f} min")


def _run(
    stage: str,
    pool: Pool,
    tokenizer: CLIPTokenizer,
    folder: Path,
    further: Path | None,
    longer: Schedule,
) -> None:
    schedule, state = SCHEDULES[stage], folder / f"{stage}.pt"
    if stage == "encoder":
        made = train_encoder(pool, tokenizer, schedule, state)
        # What it cut texts to last is kept by a tokenizer: save one that has cut none.
        save_encoder(made, _tokenizer(pool, folder / "tokenizer"), folder / stage)
        return
    if stage == "judge":
        torch.save(train_judge(pool, schedule, state).state_dict(), folder / "judge-weights.pt")
        return
    if stage == "autoencoder":
        train_autoencoder(pool, schedule, state).save_pretrained(folder / stage)
        return
    autoencoder: Any = AutoencoderTiny.from_pretrained(
        further / "vae" if further else folder / "autoencoder"
    )
    latents = folder / "latents.pt"
    if not latents.exists():
        torch.save(encode_pool(autoencoder, pool), latents)
    if further:
        model, schedule = Generator.open(further), longer
    else:
        torch.manual_seed(0)
        model = Generator(
            CLIPTokenizer.from_pretrained(folder / "tokenizer", model_max_length=PROMPT_LENGTH)
        )
    known = torch.load(latents, weights_only=True)
    trained = train_generator(model, pool, known, schedule, state)
    save_generator(trained, autoencoder, folder / stage)


def _run_on_vectors(stage: str, pictures: int, folder: Path) -> None:
    schedule, state = SCHEDULES[stage], folder / f"{stage}.pt"
    # Pictures that the encoder has not seen: of others its vectors tell more.
    fresh = Pool.open(folder / "fresh", pictures, seed=1)
    vectors = image_vectors(folder / "fresh" / "vectors.npy", fresh, folder / "encoder")
    if stage == "matching":
        tokenizer = _tokenizer(fresh, folder / "tokenizer")
        head = train_matching(fresh, vectors, tokenizer, schedule, state)
        save_matching(head, _tokenizer(fresh, folder / "tokenizer"), folder)
        return
    reader = CaptionReader(folder / "reader")
    save_prior(train_prior(fresh, vectors, reader, schedule, state), folder / stage)


def _tokenizer(pool: Pool, folder: Path) -> CLIPTokenizer:
    if not (folder / "tokenizer.json").exists():
        random = Random(0)
        texts = [words_of(s, fields_of(s), random) for s in pool.subjects for _ in range(2)]
        texts = [chattered(text, random, 15) if n % 2 else text for n, text in enumerate(texts)]
        train_tokenizer(texts, TOKENS, CONTEXT_LENGTH, folder)
    return CLIPTokenizer.from_pretrained(folder)


if __name__ == "__main__":
    main()
