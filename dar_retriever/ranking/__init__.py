"""After the search: whether anything is close to what was asked for."""

from dar_retriever.ranking.closeness import Closeness, StoreCloseness, Verdict

__all__ = ["Closeness", "StoreCloseness", "Verdict"]
