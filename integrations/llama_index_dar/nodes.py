"""Hits as LlamaIndex's nodes."""

from __future__ import annotations

from typing import Final

from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, TextNode

from dar_retriever import Hit, SearchResult
from dar_retriever.agents import IncludeImages, hit_of_metadata, hit_picture

_NOT_FOR_MODELS: Final = [
    "uri",
    "copies",
    "score",
    "size",
    "width",
    "height",
    "trace",
    "propositions",
    "fits",
]


def nodes_of(result: SearchResult, include_images: IncludeImages = "none") -> list[NodeWithScore]:
    """A result's hits as image nodes with scores, best first.

    Args:
        result: The result of a search.
        include_images: Whether a node holds its image in base64: "none", "thumbnail" (at most 256
            pixels per side) or "full". A frame or a page is always in it.

    Returns:
        Nodes with the hit's id and title, and its path or URL. The metadata are
        ``Hit.as_metadata`` and "trace"; fields for programs are left out of prompts. A hit whose
        file is gone, or that has none, becomes a text node, because LlamaIndex fails on an image
        node without file.
    """
    trace = result.trace.as_json()
    return [
        NodeWithScore(node=_node(hit, include_images, trace), score=hit.score)
        for hit in result.hits
    ]


def _node(hit: Hit, include_images: IncludeImages, trace: dict[str, object]) -> TextNode:
    metadata = hit.as_metadata() | {"trace": trace}
    if hit.missing or not hit.uri:
        return TextNode(
            id_=hit.id,
            text=hit.title,
            metadata=metadata,
            excluded_llm_metadata_keys=_NOT_FOR_MODELS,
            excluded_embed_metadata_keys=_NOT_FOR_MODELS,
        )
    # By its path alone, a frame or page could not be shown.
    inside = hit.part is not None and hit.part.box is None
    picture = hit_picture(hit, "full" if inside and include_images == "none" else include_images)
    remote = "://" in hit.uri
    return ImageNode(
        id_=hit.id,
        text=hit.title,
        image=picture.partition(",")[2] if picture else None,
        image_mimetype="image/jpeg" if picture else None,
        image_path=None if remote or inside else hit.uri,
        image_url=hit.uri if remote else None,
        metadata=metadata,
        excluded_llm_metadata_keys=_NOT_FOR_MODELS,
        excluded_embed_metadata_keys=_NOT_FOR_MODELS,
    )


def hit_of_node(found: NodeWithScore) -> Hit:
    """The hit that a node was made of, or one for an image node of another retriever."""
    node, metadata = found.node, {"score": found.score, **found.node.metadata}
    if isinstance(node, ImageNode):
        mime, inline = node.image_mimetype or "image/jpeg", node.image
        picture = f"data:{mime};base64,{inline}" if inline else None
        metadata = {"image": picture, "uri": node.image_path or node.image_url, **metadata}
    return hit_of_metadata(node.node_id, node.get_content(MetadataMode.NONE), metadata)
