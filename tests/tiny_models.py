"""Small randomly initialised checkpoints, saved in the formats that models are published in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderTiny,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    KandinskyV22PriorPipeline,
    PriorTransformer,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UnCLIPScheduler,
    UNet2DConditionModel,
)
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    BitImageProcessor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipImageProcessor,
    BlipProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
    DINOv3ViTConfig,
    DINOv3ViTImageProcessor,
    DINOv3ViTModel,
    GemmaTokenizer,
    GPT2Config,
    GPT2Tokenizer,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLModel,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    Siglip2Config,
    Siglip2ImageProcessor,
    Siglip2Model,
    Siglip2Processor,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.?!'"
CONTEXT_LENGTH = 77
SIGLIP_LENGTH = 64


def clip_tokenizer(length: int = CONTEXT_LENGTH) -> CLIPTokenizer:
    """CLIP's byte-pair tokenizer without merges: bytes, bytes at a word's end, two specials.

    End-of-text has the highest id, as CLIP's pooling wants it.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{byte}</w>" for byte in alphabet), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=length)


def t5_tokenizer(length: int) -> T5Tokenizer:
    """A unigram tokenizer of single letters, as T5 and SigLIP have it."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in LETTERS]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=length)


def gemma_vocabulary() -> dict[str, int]:
    """Special tokens, bytes to fall back on, and letters."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokens = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *LETTERS]
    return {token: number for number, token in enumerate(tokens)}


def open_clip_vit(folder: Path, seed: int = 0, interpolation: str = "bicubic") -> None:
    """A ViT of open_clip, opened with ``local-dir:``."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer()
    config = {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": 32,
            "patch_size": 8,
            "width": 32,
            "layers": 2,
            "head_width": 8,
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": len(tokenizer),
            "width": 32,
            "heads": 2,
            "layers": 2,
        },
    }
    preprocessing = {"interpolation": interpolation, "resize_mode": "squash"}
    _save_open_clip(CLIP(**config), config, preprocessing, tokenizer, folder)


def open_clip_siglip(folder: Path) -> None:
    """SigLIP's layout in open_clip: a vision tower of timm, map pooling, a sigmoid's bias."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer(SIGLIP_LENGTH)
    config = {
        "embed_dim": 64,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 160,
            "timm_model_name": "test_vit",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": SIGLIP_LENGTH,
            "vocab_size": len(tokenizer),
            "width": 64,
            "heads": 2,
            "layers": 1,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        },
    }
    layout = {name: value for name, value in config.items() if name != "custom_text"}
    half = [0.5, 0.5, 0.5]
    preprocessing = {"mean": half, "std": half, "resize_mode": "squash"}
    config["text_cfg"] = {**config["text_cfg"], "tokenizer_kwargs": {"clean": "canonicalize"}}
    _save_open_clip(CustomTextCLIP(**layout), config, preprocessing, tokenizer, folder)


def clip(folder: Path) -> None:
    """CLIP of transformers."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    config = CLIPConfig(
        text_config=_clip_text_config(tokenizer).to_dict(),
        vision_config={**_tower(), "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    size = {"height": 32, "width": 32}
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    CLIPModel(config).save_pretrained(folder)
    CLIPProcessor(images, tokenizer).save_pretrained(folder)


def siglip(folder: Path) -> None:
    """SigLIP of transformers; a unigram tokenizer without sentencepiece stands in for its own."""
    _save_siglip(folder, t5_tokenizer(SIGLIP_LENGTH))


def siglip2(folder: Path) -> None:
    """SigLIP 2 at a fixed resolution: SigLIP's layout with Gemma's tokenizer."""
    tokenizer = GemmaTokenizer(
        vocab=gemma_vocabulary(), model_max_length=SIGLIP_LENGTH, padding_side="right"
    )
    _save_siglip(folder, tokenizer)


def siglip2_naflex(folder: Path) -> None:
    """SigLIP 2 for any aspect ratio: images arrive as patches with a mask."""
    torch.manual_seed(0)
    tokenizer = Siglip2Tokenizer(
        vocab=gemma_vocabulary(), model_max_length=SIGLIP_LENGTH, padding_side="right"
    )
    config = Siglip2Config(
        text_config={**_tower(), "vocab_size": len(tokenizer), **_siglip_specials(tokenizer)},
        vision_config={**_tower(), "num_patches": 16, "patch_size": 8},
    )
    Siglip2Model(config).save_pretrained(folder)
    images = Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    Siglip2Processor(images, tokenizer).save_pretrained(folder)


def sentence_clip(folder: Path) -> None:
    """CLIP with the files of sentence-transformers, as clip-ViT-B-32 has them."""
    from sentence_transformers import SentenceTransformer

    clip(folder / "parts")
    SentenceTransformer(str(folder / "parts"), device="cpu").save(str(folder))
    shutil.rmtree(folder / "parts")


def sentence_qwen3_vl(folder: Path) -> None:
    """Qwen3-VL-Embedding: texts, images and both in one chat message; the last token's vector."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    torch.manual_seed(0)
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>"]
    specials += ["<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*alphabet, *specials])}
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary, merges=[], model_max_length=512, additional_special_tokens=specials[1:]
    )
    tower = {"hidden_size": 32, "intermediate_size": 37, "hidden_act": "silu"}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
    config = Qwen3VLConfig(
        text_config={
            **tower,
            "vocab_size": len(tokenizer),
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "max_position_embeddings": 512,
            "rope_parameters": {**rope, "mrope_interleaved": True},
        },
        vision_config={
            **tower,
            "depth": 2,
            "num_heads": 4,
            "patch_size": 8,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
    )
    size = {"shortest_edge": 16 * 16, "longest_edge": 32 * 32}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(patch_size=8, size=size),
        tokenizer,
        Qwen3VLVideoProcessor(patch_size=8, size=size),
        chat_template=_QWEN_CHAT,
    )
    _lively(Qwen3VLModel(config)).save_pretrained(folder / "parts")
    processor.save_pretrained(folder / "parts")
    words = Transformer(str(folder / "parts"))
    pooling = Pooling(words.get_embedding_dimension(), pooling_mode="lasttoken")
    model = SentenceTransformer(
        modules=[words, pooling, Normalize()],
        device="cpu",
        prompts={"query": "Find the picture. ", "document": ""},
    )
    model.save(str(folder))
    shutil.rmtree(folder / "parts")


def blip(folder: Path) -> None:
    """BLIP's image-text retrieval model."""
    _save_blip(BlipForImageTextRetrieval, folder)


def blip_captions(folder: Path) -> None:
    """BLIP's captioning model."""
    _save_blip(BlipForConditionalGeneration, folder)


def vit_gpt2(folder: Path) -> None:
    """A captioning model of two halves: ViT reads the picture, GPT-2 writes."""
    torch.manual_seed(0)
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<|endoftext|>"]
    tokenizer = GPT2Tokenizer(vocab={t: n for n, t in enumerate(tokens)}, merges=[])
    end = tokenizer.eos_token_id
    config = VisionEncoderDecoderConfig(
        encoder=ViTConfig(**_tower(), image_size=32, patch_size=8).to_dict(),
        decoder=GPT2Config(
            vocab_size=len(tokenizer),
            n_embd=32,
            n_layer=2,
            n_head=4,
            add_cross_attention=True,
            is_decoder=True,
            bos_token_id=end,
            eos_token_id=end,
        ).to_dict(),
        decoder_start_token_id=end,
        pad_token_id=end,
        eos_token_id=end,
    )
    _lively(VisionEncoderDecoderModel(config)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _save_blip(model: Any, folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = _bert_tokenizer()
    config = BlipConfig(
        text_config={
            **_tower(),
            "vocab_size": len(tokenizer),
            "encoder_hidden_size": 32,
            "max_position_embeddings": 48,
            "bos_token_id": tokenizer.cls_token_id,
            "eos_token_id": tokenizer.sep_token_id,
            "sep_token_id": tokenizer.sep_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**_tower(), "image_size": 32, "patch_size": 8},
        image_text_hidden_size=24,
        projection_dim=24,
    )
    _lively(model(config)).save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(images, tokenizer).save_pretrained(folder)


def dinov2(folder: Path) -> None:
    """DINOv2: images alone."""
    torch.manual_seed(0)
    config = Dinov2Config(**_tower(), image_size=32, patch_size=8)
    _lively(Dinov2Model(config)).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    BitImageProcessor(size={"shortest_edge": 36}, crop_size=size).save_pretrained(folder)


def dinov3(folder: Path) -> None:
    """DINOv3: images alone, positions by rotation."""
    torch.manual_seed(0)
    config = DINOv3ViTConfig(**_tower(), image_size=32, patch_size=8)
    _lively(DINOv3ViTModel(config)).save_pretrained(folder)
    DINOv3ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def bert(folder: Path) -> None:
    """A text model, which is no joint encoder."""
    tokenizer = _bert_tokenizer()
    BertModel(BertConfig(**_tower(), vocab_size=len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def bert_cross_encoder(folder: Path) -> None:
    """A cross-encoder of texts alone."""
    tokenizer = _bert_tokenizer()
    config = BertConfig(**_tower(), vocab_size=len(tokenizer), num_labels=1)
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def qwen3_vl_reranker(folder: Path) -> None:
    """Qwen3-VL-Reranker's class as a cross-encoder of sentence-transformers."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore

    base = str(folder / "base")
    ids = _save_qwen3_vl(base, _PAIR_TEMPLATE)
    modules = [Transformer(base, transformer_task="any-to-any"), LogitScore(ids["yes"], ids["no"])]
    CrossEncoder(modules=modules, device="cpu").save_pretrained(str(folder))


def qwen3_vl(folder: Path) -> None:
    """Qwen3-VL, a chat model that sees."""
    _save_qwen3_vl(str(folder), _QWEN_CHAT)


def _save_qwen3_vl(folder: str, template: str) -> dict[str, int]:
    torch.manual_seed(0)
    specials = ["endoftext", "im_start", "im_end", "vision_start", "vision_end"]
    specials = [f"<|{name}|>" for name in (*specials, "image_pad", "video_pad")]
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "yes", "no", *specials]
    ids = {token: number for number, token in enumerate(tokens)}
    tokenizer = Qwen2Tokenizer(vocab=ids, merges=[], additional_special_tokens=specials)
    tokenizer.padding_side = "left"
    pixels = {"shortest_edge": 32 * 32, "longest_edge": 32 * 32}
    images = Qwen2VLImageProcessor(patch_size=8, merge_size=2, temporal_patch_size=2, size=pixels)
    processor = Qwen3VLProcessor(images, tokenizer, Qwen3VLVideoProcessor(), chat_template=template)
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config={
            **_tower(),
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 2,
            "head_dim": 16,
            "rope_parameters": {**rope, "mrope_section": [4, 2, 2]},
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 37,
            "num_heads": 4,
            "patch_size": 8,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    _lively(Qwen3VLForConditionalGeneration(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return ids


def stable_diffusion(folder: Path, seed: int = 0) -> None:
    """Stable Diffusion 1's class."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer()
    pipeline = StableDiffusionPipeline(
        unet=_unet(attention_head_dim=4),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        vae=_autoencoder(),
        text_encoder=CLIPTextModel(_clip_text_config(tokenizer)),
        tokenizer=tokenizer,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def tiny_decoder(folder: Path) -> None:
    """A tiny autoencoder as TAESD has it, for latents of half the size."""
    torch.manual_seed(0)
    AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
        latent_channels=4,
    ).save_pretrained(folder)


def kandinsky_prior(folder: Path) -> None:
    """Kandinsky 2.2's first half, its two encoders in it."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    picture = CLIPVisionConfig(**_tower(), image_size=32, patch_size=8, projection_dim=32)
    pipeline = KandinskyV22PriorPipeline(
        prior=_lively(
            PriorTransformer(
                num_attention_heads=2,
                attention_head_dim=8,
                num_layers=1,
                embedding_dim=32,
                num_embeddings=CONTEXT_LENGTH,
                additional_embeddings=4,
            )
        ),
        image_encoder=CLIPVisionModelWithProjection(picture),
        text_encoder=_lively(CLIPTextModelWithProjection(_clip_text_config(tokenizer))),
        tokenizer=tokenizer,
        scheduler=UnCLIPScheduler(
            variance_type="fixed_small_log",
            prediction_type="sample",
            num_train_timesteps=1000,
            clip_sample=True,
            clip_sample_range=5.0,
        ),
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}),
    )
    pipeline.save_pretrained(folder)


def stable_diffusion_xl(folder: Path) -> None:
    """SDXL's class, with its two text encoders."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    pipeline = StableDiffusionXLPipeline(
        unet=_unet(
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 2),
            projection_class_embeddings_input_dim=6 * 8 + 32,
            cross_attention_dim=64,
        ),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            steps_offset=1,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
        ),
        vae=_autoencoder(),
        text_encoder=CLIPTextModel(_clip_text_config(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(_clip_text_config(tokenizer)),
        tokenizer_2=tokenizer,
    )
    pipeline.save_pretrained(folder)


def stable_diffusion_3(folder: Path) -> None:
    """Stable Diffusion 3's class, with its three text encoders."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    letters = t5_tokenizer(CONTEXT_LENGTH)
    pipeline = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16,
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_projection_dim=32,
            joint_attention_dim=32,
            pooled_projection_dim=64,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_autoencoder(**_FLOW),
        text_encoder=CLIPTextModelWithProjection(_clip_text_config(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=CLIPTextModelWithProjection(_clip_text_config(tokenizer)),
        tokenizer_2=tokenizer,
        text_encoder_3=_t5_encoder(letters),
        tokenizer_3=letters,
    )
    pipeline.save_pretrained(folder)


def flux(folder: Path) -> None:
    """Flux's class, distilled for guidance as FLUX.1 dev is."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    letters = t5_tokenizer(CONTEXT_LENGTH)
    pipeline = FluxPipeline(
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_autoencoder(**_FLOW),
        text_encoder=CLIPTextModel(_clip_text_config(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=_t5_encoder(letters),
        tokenizer_2=letters,
    )
    pipeline.save_pretrained(folder)


def flux2_klein(folder: Path) -> None:
    """FLUX.2 klein's class, which takes reference images."""
    torch.manual_seed(0)
    specials = [f"<|{name}|>" for name in ("endoftext", "im_start", "im_end")]
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *specials]
    ids = {token: number for number, token in enumerate(tokens)}
    tokenizer = Qwen2Tokenizer(vocab=ids, merges=[], additional_special_tokens=specials)
    tokenizer.chat_template = _QWEN_CHAT
    # The pipeline reads what comes out of layers 9, 18 and 27.
    text = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=28,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    blocks = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (8,) * 4,
        "layers_per_block": 1,
        "norm_num_groups": 2,
        "latent_channels": 4,
    }
    pipeline = Flux2KleinPipeline(
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            num_attention_heads=2,
            attention_head_dim=16,
            joint_attention_dim=3 * 32,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLFlux2(**blocks),
        text_encoder=Qwen3ForCausalLM(text),
        tokenizer=tokenizer,
        is_distilled=True,
    )
    pipeline.save_pretrained(folder)


BUILDERS: dict[str, Callable[[Path], None]] = {
    builder.__name__: builder
    for builder in (
        open_clip_vit,
        open_clip_siglip,
        clip,
        siglip,
        siglip2,
        siglip2_naflex,
        sentence_clip,
        sentence_qwen3_vl,
        blip,
        blip_captions,
        vit_gpt2,
        dinov2,
        dinov3,
        bert,
        bert_cross_encoder,
        qwen3_vl_reranker,
        qwen3_vl,
        stable_diffusion,
        tiny_decoder,
        kandinsky_prior,
        stable_diffusion_xl,
        stable_diffusion_3,
        flux,
        flux2_klein,
    )
}

_QWEN_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Query and document as messages of their own, which is how sentence-transformers passes a pair.
_PAIR_TEMPLATE = (
    "{%- macro content(role) -%}{%- for message in messages if message.role == role -%}"
    "{%- for part in message.content -%}{%- if part.type == 'image' -%}"
    "<|vision_start|><|image_pad|><|vision_end|>{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}{%- endfor -%}{%- endmacro -%}<|im_start|>user\n{{ content('query') }}\n"
    "{{ content('document') }}<|im_end|>\n<|im_start|>assistant\n"
)

_FLOW: dict[str, Any] = {
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "shift_factor": 0.0609,
    "scaling_factor": 1.5035,
}


def _tower() -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }


def _lively(model: Any) -> Any:
    """Weights large enough that the outputs follow the inputs."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim > 1 or name.endswith("cls_token"):
                value.normal_(0, 0.2)
    return model


def _clip_text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        **_tower(),
        vocab_size=len(tokenizer),
        max_position_embeddings=CONTEXT_LENGTH,
        projection_dim=32,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _bert_tokenizer() -> BertTokenizer:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = [*specials, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    return BertTokenizer(vocab={token: number for number, token in enumerate(tokens)})


def _siglip_specials(tokenizer: Any) -> dict[str, Any]:
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": SIGLIP_LENGTH,
    }


def _save_siglip(folder: Path, tokenizer: Any) -> None:
    torch.manual_seed(0)
    config = SiglipConfig(
        text_config={**_tower(), "vocab_size": len(tokenizer), **_siglip_specials(tokenizer)},
        vision_config={**_tower(), "image_size": 32, "patch_size": 8},
    )
    SiglipModel(config).save_pretrained(folder)
    images = SiglipImageProcessor(size={"height": 32, "width": 32})
    SiglipProcessor(images, tokenizer).save_pretrained(folder)


def _save_open_clip(
    model: torch.nn.Module,
    config: dict[str, Any],
    preprocessing: dict[str, Any],
    tokenizer: Any,
    folder: Path,
) -> None:
    tokenizer.save_pretrained(folder)
    text = {**config["text_cfg"], "hf_tokenizer_name": "./"}
    whole = {"model_cfg": {**config, "text_cfg": text}, "preprocess_cfg": preprocessing}
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors", {"format": "pt"})


def _unet(**options: Any) -> UNet2DConditionModel:
    settings = {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 32,
        "norm_num_groups": 2,
    }
    return UNet2DConditionModel(**(settings | options))


def _autoencoder(**options: Any) -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=32,
        **options,
    )


def _t5_encoder(tokenizer: T5Tokenizer) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=32,
            d_kv=8,
            d_ff=37,
            num_layers=1,
            num_heads=4,
            decoder_start_token_id=0,
        )
    )
