"""Starting the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr

from dar_retriever import InvalidInputError

_STYLE: Final = Path(__file__).parent / "page.css"
_MOST_UPLOADED: Final = "32mb"
# Each holds what its tab shows; the one that was used longest ago goes first.
_MOST_SESSIONS: Final = 256


def serve(app: gr.Blocks, *, host: str = "127.0.0.1", port: int = 7860, **options: Any) -> str:
    """Serve a page until stopped; never through a tunnel.

    Args:
        app: See ``create_app``.
        host: Loopback by default; elsewhere whoever reaches the port may search the store.
        port: Where it listens; 0 for any that is free.
        **options: Of ``gr.Blocks.launch``, such as ``auth``.

    Returns:
        Its address, where ``prevent_thread_lock=True`` lets it go on in the background.
    """
    settings: dict[str, Any] = {
        "server_name": host,
        "server_port": port or None,
        "share": False,
        "ssr_mode": False,
        "css_paths": [_STYLE],
        "footer_links": [],
        "state_session_capacity": _MOST_SESSIONS,
        "max_file_size": _MOST_UPLOADED,
        "allowed_paths": [],
        "enable_monitoring": False,
        "pwa": False,
        "mcp_server": False,
        "show_error": False,
        "quiet": True,
    }
    try:
        _, address, _ = app.launch(**settings | options)
    except OSError as error:
        raise InvalidInputError(
            f"port={port}: {host} cannot be listened on there ({error}); is another page open? "
            "Name another port, or 0 for any that is free"
        ) from error
    return address
