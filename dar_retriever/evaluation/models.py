"""Opens the models of an evaluation."""

from __future__ import annotations

from pathlib import Path

from dar_retriever.evaluation.values import Models, ModelsOf
from dar_retriever.generation import StoredImageGenerator
from dar_retriever.presets import open_encoder, open_generator, preset


def preset_models(
    folder: Path, *, generated: Path | None = None, device: str | None = None
) -> ModelsOf:
    """Models by preset.

    Args:
        folder: Folder for generated images.
        generated: Folder of images generated beforehand, ``{dialogue}_{round}.jpg``, which replace
            the generator.
        device: Device of the models.

    Raises:
        ModelLoadError: The folder of generated images is missing.
    """
    stored = StoredImageGenerator(generated) if generated else None

    def models_of(preset_name: str, *, draws: bool) -> Models:
        chosen = preset(preset_name)
        encoder = open_encoder(preset_name, device=device)
        if not draws:
            return Models(encoder, None, 0)
        if stored is not None:
            return Models(encoder, stored, 1)
        generator = open_generator(preset_name, device=device, cache_folder=folder / "generated")
        if generator is None:
            return Models(encoder, None, 0)
        return Models(encoder, generator, chosen.images_per_turn, chosen.negative_prompts)

    return models_of
