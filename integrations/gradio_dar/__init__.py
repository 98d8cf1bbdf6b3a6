"""The web page: talk, see what was understood, pick. Needs the extra ``app``."""

from dar_retriever.support.extras import needs_extra

with needs_extra("app"):
    from gradio_dar.agent import INSTRUCTIONS, AgentResponder
    from gradio_dar.app import create_app
    from gradio_dar.application import page_app
    from gradio_dar.examples import Example
    from gradio_dar.passwords import line_for, read_users
    from gradio_dar.playing import Scene, play, turns_of
    from gradio_dar.proxy import ProxyHeader
    from gradio_dar.rights import Rights, read_rights
    from gradio_dar.serving import serve, serving
    from gradio_dar.talk import Responder, SearchResponder, Talk
    from gradio_dar.turns import Metrics, log_as_json
    from gradio_dar.warming import without_costs

__all__ = [
    "INSTRUCTIONS",
    "AgentResponder",
    "Example",
    "Metrics",
    "ProxyHeader",
    "Responder",
    "Rights",
    "Scene",
    "SearchResponder",
    "Talk",
    "create_app",
    "line_for",
    "log_as_json",
    "page_app",
    "play",
    "read_rights",
    "read_users",
    "serve",
    "serving",
    "turns_of",
    "without_costs",
]
