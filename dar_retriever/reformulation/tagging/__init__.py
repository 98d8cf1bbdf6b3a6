"""What the picture shows, told word by word by a small model that has read many chats."""

from dar_retriever.reformulation.tagging.reader import TaggedEnglish
from dar_retriever.reformulation.tagging.tagger import Tagged, WordTagger
from dar_retriever.reformulation.tagging.words import Tag, Word, words_of

__all__ = ["Tag", "Tagged", "TaggedEnglish", "Word", "WordTagger", "words_of"]
