"""An agent's image search, for adapters to agent frameworks."""

from dar_retriever.agents.conversation import (
    MAX_HITS,
    Conversation,
    Event,
    Listing,
    SearchCall,
    Unread,
    invalid_arguments,
)
from dar_retriever.agents.messages import (
    OpenUrl,
    Part,
    ReadMessage,
    assistant_message,
    dialogue_of,
    is_summary,
    summary_message,
    user_message,
)
from dar_retriever.agents.reply import (
    THUMBNAIL,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    IncludeImages,
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
    "IncludeImages",
    "Listing",
    "OpenUrl",
    "Part",
    "ReadMessage",
    "SearchCall",
    "Unread",
    "assistant_message",
    "dialogue_of",
    "generated_as_json",
    "hit_picture",
    "invalid_arguments",
    "is_summary",
    "listed_ids",
    "progress_events",
    "reply_text",
    "summary_message",
    "tool_description",
    "user_message",
]
