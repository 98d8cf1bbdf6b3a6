"""Turns, dialogues, and which images a dialogue may open."""

from dar_retriever.conversation.dialogue import Dialogue, DialogueLike, Role, Round, Turn
from dar_retriever.conversation.image_access import ImageAccess

__all__ = ["Dialogue", "DialogueLike", "ImageAccess", "Role", "Round", "Turn"]
