"""Turns, dialogues, and which images a dialogue may open."""

from dar_retriever.conversation.dialogue import Dialogue, DialogueLike, Role, Round, Turn
from dar_retriever.conversation.image_access import ImageAccess
from dar_retriever.conversation.part import Part

__all__ = ["Dialogue", "DialogueLike", "ImageAccess", "Part", "Role", "Round", "Turn"]
