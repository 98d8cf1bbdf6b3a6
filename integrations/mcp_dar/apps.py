"""MCP Apps: the page that shows results inside the client."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

from mcp.server.apps import Apps

from dar_retriever import SearchResult
from dar_retriever.support.images import data_url

PAGE: Final = "ui://dar-retriever/hits.html"
TOOL_META: Final = {"ui": {"resourceUri": PAGE}}
"""Tells a client which page shows a tool's results."""
DRAWINGS: Final = "dar-retriever/drawings"

_SIDE: Final = 256
_BYTES: Final = 60_000


def hits_page() -> Apps:
    """The page as an extension of a server."""
    apps = Apps()
    apps.add_html_resource(
        PAGE,
        files("mcp_dar").joinpath("hits.html").read_text("utf-8"),
        name="hits",
        title="Images found",
        description="Shows hits and drawings, and takes what is liked and turned down.",
        prefers_border=True,
    )
    return apps


def drawings_of(result: SearchResult) -> dict[str, Any]:
    """The generated images of a result for the page, which no model sees.

    Returns:
        Data URLs with their prompts, of 80 kB in base64 together.
    """
    generated = result.trace.generated
    return {
        DRAWINGS: [
            {"image": data_url(each.image, _SIDE, _BYTES // len(generated)), "prompt": each.prompt}
            for each in generated
        ]
    }
