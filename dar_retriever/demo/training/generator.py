"""The text-to-image model: Stable Diffusion's parts made small, learned from full captions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from diffusers import (
    AutoencoderTiny,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from dar_retriever.demo.products import Product
from dar_retriever.demo.training.autoencoder import LATENT_CHANNELS
from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.words import generator_caption

PROMPT_LENGTH: Final = 48
_TEXT_WIDTH: Final = 128
_EMPTY_PROMPTS: Final = 0.1
_QUIET: Final = 0.05
# Noise is strong from this share of the time on, and so much of the times lies before it.
_STRONG_FROM: Final = 0.65
_WEAK: Final = 0.3
_NOISE: Final = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}


class Generator(nn.Module):
    """The two parts that learn together: the text encoder and the denoising UNet."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=_TEXT_WIDTH,
                intermediate_size=4 * _TEXT_WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=PROMPT_LENGTH,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            block_out_channels=(96, 128, 160),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            # Attention in the middle changes nothing that is drawn: the blocks around it have it.
            mid_block_type="UNetMidBlock2D",
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            # The whole caption reaches every block beside the time, also where no attention is.
            addition_embed_type="text",
            addition_embed_type_num_heads=8,
            cross_attention_dim=_TEXT_WIDTH,
            attention_head_dim=4,
            norm_num_groups=16,
        )
        # Quiet at first, so that weights without this path draw as they did.
        nn.init.constant_(self.unet.add_embedding.norm2.weight, _QUIET)

    @classmethod
    def open(cls, folder: Path) -> Generator:
        """The generator of a pipeline folder, to be trained further.

        Parts that the folder lacks stay new, and parts that are no longer used are left out.
        """
        tokenizer = CLIPTokenizer.from_pretrained(
            folder / "tokenizer", model_max_length=PROMPT_LENGTH
        )
        model = cls(tokenizer)
        for part in ("text_encoder", "unet"):
            [weights] = (folder / part).glob("*.safetensors")
            getattr(model, part).load_state_dict(load_file(weights), strict=False)
        return model


def train_generator(
    model: Generator, pool: Pool, latents: Tensor, schedule: Schedule, state: Path
) -> Generator:
    """Train a latent diffusion model (arXiv 2112.10752) with v-prediction (arXiv 2202.00512).

    A tenth of the captions is empty, for classifier-free guidance (arXiv 2207.12598). The times of
    a batch lie evenly, so that its loss varies less, and most of them where the noise is strong:
    what is left of a picture there no longer says which pattern it has, so the caption must. It
    learns products, no scenes.

    Args:
        model: A new one, or one that is trained further.
        pool: The pictures that the latents are of.
        latents: float16 (N, 8, 16, 16), as ``encode_pool`` returns them.
        schedule: How long and how fast.
        state: File that the training can go on from.
    """
    model = model.to(device()).to(memory_format=torch.channels_last)
    noise_schedule = DDPMScheduler(**_NOISE)
    products = {n: s for n, s in enumerate(pool.subjects) if isinstance(s, Product)}
    owners = list(products)
    denoise: Callable[..., Any] = torch.compile(model.unet)

    def loss_of(model: Generator, random: Random) -> Tensor:
        numbers = random.sample(owners, schedule.batch)
        clean = latents[numbers].float().to(device())
        clean = clean.contiguous(memory_format=torch.channels_last)
        prompts = [
            "" if random.random() < _EMPTY_PROMPTS else generator_caption(products[number], random)
            for number in numbers
        ]
        context = model.text_encoder(_tokens(model.tokenizer, prompts)).last_hidden_state
        noise = torch.randn_like(clean)
        times = _times(schedule.batch, noise_schedule.config["num_train_timesteps"])
        noisy = noise_schedule.add_noise(clean, noise, times)
        predicted = denoise(noisy, times, context).sample
        target = noise_schedule.get_velocity(clean, noise, times)
        return functional.mse_loss(predicted.float(), target)

    return train(model, loss_of, schedule, state)


def _times(count: int, steps: int) -> Tensor:
    """Times of a batch, evenly spread within the strong noise and within the rest."""
    spread = (torch.rand(1) + torch.arange(count) / count) % 1
    strong = (spread - _WEAK) / (1 - _WEAK) * (1 - _STRONG_FROM) + _STRONG_FROM
    times = torch.where(spread < _WEAK, spread / _WEAK * _STRONG_FROM, strong)
    return (times * steps).long().clamp(max=steps - 1).to(device())


def save_generator(model: Generator, autoencoder: AutoencoderTiny, folder: Path) -> None:
    """Write a standard Stable Diffusion pipeline folder, weights as float16."""
    pipeline = StableDiffusionPipeline(
        vae=autoencoder.half(),
        text_encoder=model.text_encoder.half(),
        tokenizer=model.tokenizer,
        unet=model.unet.half(),
        scheduler=DPMSolverMultistepScheduler(**_NOISE, algorithm_type="dpmsolver++"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    # Where the autoencoder lay on the machine of the training is nobody's business.
    config = folder / "vae" / "config.json"
    entries = json.loads(config.read_text())
    entries.pop("_name_or_path", None)
    config.write_text(json.dumps(entries, indent=2) + "\n")


def _tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    ids: Tensor = tokenizer(
        texts, padding="max_length", truncation=True, max_length=PROMPT_LENGTH, return_tensors="pt"
    ).input_ids
    return ids.to(device())
