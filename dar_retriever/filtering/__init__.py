"""Words that are filters: what was said that no picture shows, and what a store knows of it."""

from dar_retriever.filtering.search import Heard, WordFilters, filtered_search

__all__ = ["Heard", "WordFilters", "filtered_search"]
