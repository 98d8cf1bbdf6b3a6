"""Runs a pipeline's denoiser in OpenVINO, which is faster than PyTorch on many CPUs."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

from dar_retriever.support.extras import needs_extra

_Key = tuple[Any, ...]
_LONGEST: Final = 200


def require_openvino() -> None:
    """Look whether OpenVINO is installed.

    Raises:
        MissingExtraError: It is not.
    """
    with needs_extra("openvino"):
        import openvino  # noqa: F401


class OpenVinoDenoiser:
    """Lets OpenVINO compute what a denoiser of diffusers computes.

    The first call compiles the denoiser, in about a minute, and so does each call with inputs of
    other shapes than the call before. The compiled weights take as much memory again. If OpenVINO
    fails, PyTorch goes on for good, and ``failure`` says why.

    Args:
        model: The denoiser, on the CPU. Its ``forward`` is replaced.

    Attributes:
        failure: Why PyTorch computes instead; empty while OpenVINO does.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._plain: Callable[..., Any] = model.forward
        self._key: _Key = ()
        self._compiled: Any = None
        self.failure = ""
        model.forward = self._bound()

    def _bound(self) -> Callable[..., Any]:
        """The function to call; pipelines read the parameters of the one that it replaces."""

        @functools.wraps(self._plain)
        def forward(*args: Any, **kwargs: Any) -> Any:
            # Pipelines ask for a plain tuple; other callers get what PyTorch gives.
            if self.failure or kwargs.get("return_dict", True):
                return self._plain(*args, **kwargs)
            try:
                return (self._run(args, kwargs),)
            # A compiler can fail in any way.
            except Exception as error:
                self._compiled = None
                self.failure = (
                    f"OpenVINO does not run {type(self._model).__name__}, PyTorch draws instead: "
                    f"{type(error).__name__}: {str(error)[:_LONGEST]}"
                )
                return self._plain(*args, **kwargs)

        return forward

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import torch
        from torch.utils._pytree import tree_flatten

        leaves, tree = tree_flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        key = (tree, *(_kind(leaf) for leaf in leaves))
        if key != self._key:
            # Two at once would hold the weights twice.
            self._compiled = None
            self._compiled = _compile(self._model, self._plain, leaves, tree)
            self._key = key
        outputs = self._compiled([tensor.contiguous().numpy() for tensor in tensors])
        return torch.from_numpy(outputs[0]).to(tensors[0].dtype)


def _kind(leaf: Any) -> Any:
    import torch

    return (leaf.shape, leaf.dtype) if isinstance(leaf, torch.Tensor) else leaf


def _compile(model: Any, plain: Callable[..., Any], leaves: Sequence[Any], tree: Any) -> Any:
    import openvino
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from torch.utils._pytree import tree_unflatten

    class OfTensors(torch.nn.Module):
        """The denoiser as a function of tensors alone."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            given = iter(tensors)
            filled = [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
            args, kwargs = tree_unflatten(filled, tree)
            made: torch.Tensor = plain(*args, **kwargs)[0]
            return made

    tensors = tuple(leaf for leaf in leaves if isinstance(leaf, torch.Tensor))
    with warnings.catch_warnings():
        # Tracing warns of every condition on a shape; the shapes stay as they are.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(OfTensors(), tensors, check_trace=False)
        # openvino.convert_model does the same, but reports its use to the maker.
        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced, example_input=tensors)
        converted = frontend.convert(frontend.load(decoder))
    for tensor, given in zip(tensors, converted.inputs, strict=True):
        given.get_node().set_partial_shape(openvino.PartialShape(list(tensor.shape)))
        given.get_node().set_element_type(openvino.Type(tensor.numpy().dtype))
    converted.validate_nodes_and_infer_types()
    exact = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",
    }
    return openvino.Core().compile_model(converted, "CPU", exact)
