"""Captioners, which put pictures into words: models of transformers, chat models, OCR."""

from dar_retriever.ingest.captioners.base import BatchCaptioner, captioner_name
from dar_retriever.ingest.captioners.chat import ChatCaptioner
from dar_retriever.ingest.captioners.ocr import OcrCaptioner
from dar_retriever.ingest.captioners.opening import open_captioner
from dar_retriever.ingest.captioners.transformers import TransformersCaptioner

__all__ = [
    "BatchCaptioner",
    "ChatCaptioner",
    "OcrCaptioner",
    "TransformersCaptioner",
    "captioner_name",
    "open_captioner",
]
