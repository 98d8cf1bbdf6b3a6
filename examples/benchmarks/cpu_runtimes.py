"""Does another runtime encode or draw images faster on a CPU than plain PyTorch?

    pip install onnx onnxscript onnxruntime openvino
    python examples/benchmarks/cpu_runtimes.py [--model ViT-B-32-SigLIP2-256] [--rounds 15]
    python examples/benchmarks/cpu_runtimes.py --model sd-turbo --batch 1 --rounds 5 \
        --only plain,torch.compile,openvino

Nothing is downloaded: image tower and denoiser (one step at 256 x 256 pixels) have the published
shapes and random weights, which take the same time as trained ones. All runtimes get the same batch
in turn, round by round, so that whatever else the machine does falls on all of them.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

Run = Callable[[torch.Tensor], Any]


def tower_of(name: str) -> torch.nn.Module:
    """The image side of an open_clip model, with random weights."""
    import open_clip
    from open_clip.model import CustomTextCLIP

    config = copy.deepcopy(open_clip.get_model_config(name))
    config.pop("custom_text", None)
    config["vision_cfg"]["timm_model_pretrained"] = False
    # Only the image side is used.
    config["text_cfg"] |= {"layers": 1, "vocab_size": 100}
    torch.manual_seed(0)
    tower: torch.nn.Module = CustomTextCLIP(**config).visual
    return tower.eval()


class Denoiser(torch.nn.Module):
    """SD-Turbo's UNet on latents alone; caption and time are the same in every call."""

    def __init__(self) -> None:
        super().__init__()
        from diffusers import UNet2DConditionModel

        torch.manual_seed(0)
        self.unet = UNet2DConditionModel(
            sample_size=64,
            cross_attention_dim=1024,
            attention_head_dim=(5, 10, 20, 20),
            use_linear_projection=True,
        )
        self.register_buffer("caption", torch.randn(1, 77, 1024))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """One step: (N, 4, 32, 32) in and out."""
        caption = self.caption.expand(len(latents), -1, -1)
        made: torch.Tensor = self.unet(latents, 999, caption, return_dict=False)[0]
        return made


def in_torch(tower: torch.nn.Module, _folder: Path, _batch: torch.Tensor) -> Run:
    """Plain PyTorch, as ``OpenClipEncoder`` calls it."""
    return tower


def compiled(tower: torch.nn.Module, _folder: Path, batch: torch.Tensor) -> Run:
    """``torch.compile``; needs a C++ compiler."""
    made: Run = torch.compile(copy.deepcopy(tower))
    made(batch)
    return made


def onnx_file(tower: torch.nn.Module, folder: Path, batch: torch.Tensor) -> Path:
    """The tower as an ONNX file, exported once."""
    file = folder / "tower.onnx"
    if not file.exists():
        torch.onnx.export(tower, (batch,), file, dynamo=True, external_data=False)
    return file


def in_onnxruntime(tower: torch.nn.Module, folder: Path, batch: torch.Tensor) -> Run:
    """ONNX Runtime on as many threads as PyTorch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        onnx_file(tower, folder, batch), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels.numpy()})[0]


def in_openvino(tower: torch.nn.Module, _folder: Path, batch: torch.Tensor) -> Run:
    """OpenVINO in full precision on as many threads as PyTorch."""
    import openvino

    model = openvino.Core().compile_model(
        openvino.convert_model(tower, example_input=batch),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )
    return lambda pixels: model(pixels.numpy())[0]


RUNTIMES = {
    "plain": in_torch,
    "torch.compile": compiled,
    "onnxruntime": in_onnxruntime,
    "openvino": in_openvino,
}


def main() -> None:
    """Time all runtimes in turn and print their times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="ViT-B-32-SigLIP2-256")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default=",".join(RUNTIMES))
    options = parser.parse_args()
    tower: Any
    if options.model == "sd-turbo":
        tower, shape = Denoiser().eval(), (4, 32, 32)
    else:
        tower = tower_of(options.model)
        side = tower.image_size
        shape = (3, *(side if isinstance(side, tuple) else (side, side)))
    batch = torch.randn(options.batch, *shape)
    times: dict[str, list[float]] = {}
    table = Table("runtime", "s a batch", "times as fast", "differs by at most")
    with TemporaryDirectory() as folder, torch.inference_mode():
        expected = tower(batch).numpy()
        runs: dict[str, Run] = {}
        for name in options.only.split(","):
            try:
                with torch.inference_mode(mode=False), torch.no_grad():
                    runs[name] = RUNTIMES[name](tower, Path(folder), batch)
                runs[name](batch)
            # A compiler or a package may be missing; the others are still measured.
            except Exception as error:
                print(f"{name}: {type(error).__name__}: {str(error)[:200]}")
                runs.pop(name, None)
        for _ in range(options.rounds):
            for name, run in runs.items():
                began = time.perf_counter()
                run(batch)
                times.setdefault(name, []).append(time.perf_counter() - began)
        for name, run in runs.items():
            median = statistics.median(times[name])
            ratio = statistics.median(
                plain / own for plain, own in zip(times["plain"], times[name], strict=True)
            )
            off = float(np.abs(np.asarray(run(batch)) - expected).max())
            table.add_row(name, f"{median:.3f}", f"{ratio:.2f}", f"{off:.1e}")
    title = f"{options.model}, {options.batch} images, {torch.get_num_threads()} threads"
    Console().print(title)
    Console().print(table)


if __name__ == "__main__":
    main()
