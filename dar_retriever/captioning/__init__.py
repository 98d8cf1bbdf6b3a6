"""Captioners, which put pictures into words: models of transformers, chat models, OCR."""

from dar_retriever.captioning.base import BatchCaptioner, Captioner, captioner_name
from dar_retriever.captioning.chat import ChatCaptioner
from dar_retriever.captioning.ocr import OcrCaptioner
from dar_retriever.captioning.opening import open_captioner
from dar_retriever.captioning.transformers import TransformersCaptioner

__all__ = [
    "BatchCaptioner",
    "Captioner",
    "ChatCaptioner",
    "OcrCaptioner",
    "TransformersCaptioner",
    "captioner_name",
    "open_captioner",
]
