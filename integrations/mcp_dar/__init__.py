"""Diffusion Augmented Retrieval for any agent: a server of the Model Context Protocol."""

from dar_retriever.support.extras import needs_extra

with needs_extra("mcp"):
    from mcp_dar.conversations import Conversations, KeptConversations, SharedConversations
    from mcp_dar.server import create_server
    from mcp_dar.transports import http_app, serve_http, serve_stdio

__all__ = [
    "Conversations",
    "KeptConversations",
    "SharedConversations",
    "create_server",
    "http_app",
    "serve_http",
    "serve_stdio",
]
