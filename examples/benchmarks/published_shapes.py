"""The architectures of the presets with random weights, saved as their checkpoints are published.

Random weights take the same time and memory as trained ones. ``FULL`` has the published sizes;
``TOY`` has the same parts in a size that any machine runs in seconds. Tokenizers are not
downloaded: all but CLIP's read letters, so a text has more tokens than with the published ones.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch

Shape = dict[str, Any]
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789,.?!'"

_CLIP_L: Final = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
_CLIP_G: Final = {"hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 20}
_TOY_CLIP: Final = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_VAE: Final = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
_TOY_VAE: Final = {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1}
_QWEN3_VL: Final = {
    "text": {
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "mrope_section": [24, 20, 20],
    },
    "vision": {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_heads": 16,
        "patch_size": 16,
        "out_hidden_size": 2048,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [5, 11, 17],
    },
    "pixels": (256 * 256, 4096 * 4096),
}
_TOY_QWEN3_VL: Final = {
    "text": {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "mrope_section": [2, 1, 1],
    },
    "vision": {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "patch_size": 8,
        "out_hidden_size": 32,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    },
    "pixels": (16 * 16, 64 * 64),
}
FULL: Final[MappingProxyType[str, Shape]] = MappingProxyType(
    {
        # SigLIP 2 is built by its name in open_clip.
        "siglip2": {},
        "blip": {
            "text": {
                "vocab_size": 30524,
                "hidden_size": 768,
                "intermediate_size": 3072,
                "num_hidden_layers": 12,
                "num_attention_heads": 12,
                "max_position_embeddings": 512,
            },
            "vision": {
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "image_size": 384,
                "patch_size": 16,
            },
            "shared": 256,
        },
        "qwen3_vl": _QWEN3_VL,
        "sd_turbo": {
            "unet": {
                "block_out_channels": (320, 640, 1280, 1280),
                "attention_head_dim": (5, 10, 20, 20),
            },
            "text": {"hidden_size": 1024, "num_hidden_layers": 23, "num_attention_heads": 16},
            "vae": _VAE,
            "side": 512,
        },
        "stable_diffusion_3": {
            "transformer": {
                "sample_size": 128,
                "num_layers": 24,
                "num_attention_heads": 24,
                "attention_head_dim": 64,
                "caption_projection_dim": 1536,
                "joint_attention_dim": 4096,
                "pooled_projection_dim": 2048,
                "pos_embed_max_size": 192,
            },
            "text": _CLIP_L,
            "text_2": _CLIP_G,
            "text_3": {
                "vocab_size": 32128,
                "d_model": 4096,
                "d_kv": 64,
                "d_ff": 10240,
                "num_layers": 24,
                "num_heads": 64,
            },
            "vae": _VAE | {"latent_channels": 16},
        },
        "flux2_klein": {
            "transformer": {
                "in_channels": 128,
                "num_layers": 5,
                "num_single_layers": 20,
                "num_attention_heads": 24,
                "attention_head_dim": 128,
                "joint_attention_dim": 3 * 2560,
                "axes_dims_rope": (32, 32, 32, 32),
            },
            "text": {
                "vocab_size": 151936,
                "hidden_size": 2560,
                "intermediate_size": 9728,
                "num_hidden_layers": 36,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
            },
            "vae": _VAE | {"latent_channels": 32},
        },
    }
)
TOY: Final[MappingProxyType[str, Shape]] = MappingProxyType(
    {
        "siglip2": {
            "embed_dim": 64,
            "vision": {"timm_model_name": "test_vit", "image_size": 160},
            "text": {"width": 64, "heads": 2, "layers": 1, "vocab_size": 100},
        },
        "blip": {
            "text": {**_TOY_CLIP, "intermediate_size": 64, "vocab_size": 100},
            "vision": {**_TOY_CLIP, "intermediate_size": 64, "image_size": 32, "patch_size": 8},
            "shared": 24,
        },
        "qwen3_vl": _TOY_QWEN3_VL,
        "sd_turbo": {
            "unet": {"block_out_channels": (32, 64, 128, 128), "attention_head_dim": (2, 4, 8, 8)},
            "text": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
            "vae": {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 2},
            "side": 128,
        },
        "stable_diffusion_3": {
            "transformer": {
                "sample_size": 8,
                "num_layers": 1,
                "num_attention_heads": 4,
                "attention_head_dim": 8,
                "caption_projection_dim": 32,
                "joint_attention_dim": 128,
                "pooled_projection_dim": 128,
            },
            "text": _TOY_CLIP,
            "text_2": _TOY_CLIP,
            "text_3": {
                "vocab_size": 100,
                "d_model": 128,
                "d_kv": 8,
                "d_ff": 37,
                "num_layers": 1,
                "num_heads": 4,
            },
            "vae": _TOY_VAE | {"latent_channels": 16},
        },
        "flux2_klein": {
            "transformer": {
                "in_channels": 16,
                "num_layers": 1,
                "num_single_layers": 1,
                "num_attention_heads": 2,
                "attention_head_dim": 16,
                "joint_attention_dim": 3 * 32,
                "axes_dims_rope": (4, 4, 4, 4),
            },
            # The pipeline reads what comes out of layers 9, 18 and 27.
            "text": {
                "vocab_size": 300,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 28,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                "head_dim": 16,
            },
            "vae": _TOY_VAE | {"latent_channels": 4},
        },
    }
)


def clip_tokenizer() -> Any:
    """CLIP's tokenizer, from the vocabulary that open_clip ships."""
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    source = SimpleTokenizer()
    named = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {named.get(token, token): number for token, number in source.encoder.items()}
    return CLIPTokenizer(vocab=vocabulary, merges=list(source.bpe_ranks), model_max_length=77)


def siglip2(folder: Path, shape: Shape, name: str) -> None:
    """A SigLIP 2 encoder of open_clip, by its name there."""
    import open_clip
    from open_clip.model import CustomTextCLIP
    from safetensors.torch import save_file

    config = dict(open_clip.get_model_config(name))
    config["embed_dim"] = shape.get("embed_dim", config["embed_dim"])
    config["vision_cfg"] = config["vision_cfg"] | shape.get("vision", {})
    config["text_cfg"] = config["text_cfg"] | shape.get("text", {})
    parts = {key: value for key, value in config.items() if key != "custom_text"}
    weights = CustomTextCLIP(**parts).state_dict()
    config["text_cfg"] |= {"hf_tokenizer_name": "./"}
    half = [0.5, 0.5, 0.5]
    preprocessing = {"mean": half, "std": half, "resize_mode": "squash"}
    _letters(64).save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocessing})
    )
    file = folder / "open_clip_model.safetensors"
    save_file({key: value.contiguous() for key, value in weights.items()}, file, {"format": "pt"})


def blip(folder: Path, shape: Shape) -> None:
    """BLIP large with its head that matches texts and images."""
    from transformers import (
        BertTokenizer,
        BlipConfig,
        BlipForImageTextRetrieval,
        BlipImageProcessor,
        BlipProcessor,
    )

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = [*specials, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = BertTokenizer(vocab={token: number for number, token in enumerate(tokens)})
    ids = {
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "encoder_hidden_size": shape["vision"]["hidden_size"],
    }
    config = BlipConfig(
        text_config=shape["text"] | ids,
        vision_config=shape["vision"],
        image_text_hidden_size=shape["shared"],
        projection_dim=shape["shared"],
    )
    BlipForImageTextRetrieval(config).save_pretrained(folder)
    side = shape["vision"]["image_size"]
    images = BlipImageProcessor(size={"height": side, "width": side})
    BlipProcessor(images, tokenizer).save_pretrained(folder)


def qwen3_vl_embedding(folder: Path, shape: Shape) -> None:
    """Qwen3-VL-Embedding in the files of sentence-transformers: the last token's vector."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import Qwen3VLModel

    parts = folder / "parts"
    _save_qwen3_vl(parts, Qwen3VLModel, shape)
    words = Transformer(str(parts), model_kwargs={"dtype": torch.bfloat16})
    pooling = Pooling(words.get_embedding_dimension(), pooling_mode="lasttoken")
    SentenceTransformer(modules=[words, pooling, Normalize()], device="cpu").save(str(folder))
    shutil.rmtree(parts)


def qwen3_vl_reranker(folder: Path, shape: Shape) -> None:
    """Qwen3-VL-Reranker as a cross-encoder of sentence-transformers."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore
    from transformers import Qwen3VLForConditionalGeneration

    parts = folder / "parts"
    ids = _save_qwen3_vl(parts, Qwen3VLForConditionalGeneration, shape)
    words = Transformer(
        str(parts), transformer_task="any-to-any", model_kwargs={"dtype": torch.bfloat16}
    )
    score = LogitScore(ids["y"], ids["n"])
    CrossEncoder(modules=[words, score], device="cpu").save_pretrained(str(folder))
    shutil.rmtree(parts)


def sd_turbo(folder: Path, shape: Shape) -> None:
    """SD-Turbo: Stable Diffusion 2.1's parts, for a single step."""
    from diffusers import (
        AutoencoderKL,
        EulerDiscreteScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel

    tokenizer = clip_tokenizer()
    width = shape["text"]["hidden_size"]
    pipeline = StableDiffusionPipeline(
        unet=UNet2DConditionModel(
            **shape["unet"],
            sample_size=shape["side"] // 8,
            cross_attention_dim=width,
            use_linear_projection=True,
        ),
        vae=_autoencoder(AutoencoderKL, shape["vae"], sample_size=shape["side"]),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="trailing",
            steps_offset=1,
        ),
        text_encoder=CLIPTextModel(_clip_text(shape["text"], tokenizer, "gelu", width // 2)),
        tokenizer=tokenizer,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder)
    # A preset that asks for the variant fp16 finds the same weights.
    for file in sorted(folder.glob("*/*.safetensors")):
        (file.parent / f"{file.stem}.fp16{file.suffix}").hardlink_to(file)


def tiny_decoder(folder: Path) -> None:
    """TAESD, the tiny autoencoder of Stable Diffusion; small enough to need no toy."""
    from diffusers import AutoencoderTiny

    AutoencoderTiny().to(torch.float16).save_pretrained(folder)


def stable_diffusion_3(folder: Path, shape: Shape) -> None:
    """Stable Diffusion 3 medium with its three text encoders."""
    from diffusers import (
        AutoencoderKL,
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )
    from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel

    tokenizer, letters = clip_tokenizer(), _letters(256)
    first = _clip_text(shape["text"], tokenizer, "quick_gelu", shape["text"]["hidden_size"])
    second = _clip_text(shape["text_2"], tokenizer, "gelu", shape["text_2"]["hidden_size"])
    third = T5Config(**shape["text_3"], feed_forward_proj="gated-gelu", decoder_start_token_id=0)
    pipeline = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(**shape["transformer"], patch_size=2).half(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_autoencoder(
            AutoencoderKL,
            shape["vae"],
            use_quant_conv=False,
            use_post_quant_conv=False,
            shift_factor=0.0609,
            scaling_factor=1.5305,
        ).half(),
        text_encoder=CLIPTextModelWithProjection(first).half(),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(second).half(),
        tokenizer_2=tokenizer,
        text_encoder_3=T5EncoderModel(third).half(),
        tokenizer_3=letters,
    )
    pipeline.save_pretrained(folder)


def flux2_klein(folder: Path, shape: Shape) -> None:
    """FLUX.2 klein 4B with Qwen3 4B as its text encoder."""
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    transformer = Flux2Transformer2DModel(**shape["transformer"], guidance_embeds=False)
    text = Qwen3Config(**shape["text"], tie_word_embeddings=True)
    pipeline = Flux2KleinPipeline(
        transformer=transformer.bfloat16(),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_autoencoder(AutoencoderKLFlux2, shape["vae"]).bfloat16(),
        text_encoder=Qwen3ForCausalLM(text).bfloat16(),
        tokenizer=_qwen_tokenizer(_CHAT),
        is_distilled=True,
    )
    pipeline.save_pretrained(folder)


# Texts, pictures and pairs of them; of a pair, query and document are messages of their own.
_CHAT: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _letters(length: int) -> Any:
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in LETTERS]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=length)


def _qwen_tokenizer(template: str) -> Any:
    from tokenizers import pre_tokenizers
    from transformers import Qwen2Tokenizer

    names = ["im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad"]
    specials = ["<|endoftext|>", *(f"<|{name}|>" for name in names)]
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *specials]
    return Qwen2Tokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        additional_special_tokens=specials[1:],
        chat_template=template,
    )


def _save_qwen3_vl(folder: Path, model: Callable[[Any], Any], shape: Shape) -> dict[str, int]:
    """Save the model and its processor; returns the tokenizer's vocabulary."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer = _qwen_tokenizer(_CHAT)
    tokenizer.padding_side = "left"
    ids: dict[str, int] = tokenizer.get_vocab()
    text = dict(shape["text"])
    sections = text.pop("mrope_section")
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": sections}
    config = Qwen3VLConfig(
        text_config=text
        | {
            "rope_parameters": {**rope, "mrope_interleaved": True},
            "pad_token_id": ids["<|endoftext|>"],
            "tie_word_embeddings": True,
        },
        vision_config=shape["vision"],
        tie_word_embeddings=True,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    model(config).bfloat16().save_pretrained(folder)
    least, most = shape["pixels"]
    patch = {
        "patch_size": shape["vision"]["patch_size"],
        "size": {"shortest_edge": least, "longest_edge": most},
    }
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(**patch),
        tokenizer,
        Qwen3VLVideoProcessor(**patch),
        chat_template=_CHAT,
    )
    processor.save_pretrained(folder)
    return ids


def _clip_text(shape: Shape, tokenizer: Any, activation: str, projection: int) -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        **shape,
        intermediate_size=4 * shape["hidden_size"],
        vocab_size=len(tokenizer),
        max_position_embeddings=77,
        projection_dim=projection,
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _autoencoder(kind: Callable[..., Any], shape: Shape, **options: Any) -> Any:
    return kind(
        **({"latent_channels": 4} | shape),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        **options,
    )
