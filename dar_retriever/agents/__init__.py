"""An agent's image search, for adapters to agent frameworks."""

from dar_retriever.agents.conversation import (
    MAX_HITS,
    Conversation,
    Event,
    Listing,
    SearchCall,
    Unread,
)
from dar_retriever.agents.reply import (
    THUMBNAIL,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    generated_as_json,
    hit_picture,
    listed_ids,
    progress_events,
    reply_text,
    tool_description,
)
from dar_retriever.agents.search import AgentSearch

__all__ = [
    "MAX_HITS",
    "THUMBNAIL",
    "TOOL_DESCRIPTION",
    "TOOL_NAME",
    "AgentSearch",
    "Conversation",
    "Event",
    "Listing",
    "SearchCall",
    "Unread",
    "generated_as_json",
    "hit_picture",
    "listed_ids",
    "progress_events",
    "reply_text",
    "tool_description",
]
