"""Filters from words: conditions that a picture cannot show, matched with a store's metadata."""

from dar_retriever.stores.filtering.search import Heard, WordFilters, filtered_search

__all__ = ["Heard", "WordFilters", "filtered_search"]
