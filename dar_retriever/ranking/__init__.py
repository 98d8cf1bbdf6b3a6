"""After the search: the second stage, where the list ends, and what each hit shows."""

from dar_retriever.ranking.base import Candidates, Explainer, Matcher, Reranker
from dar_retriever.ranking.blip_matcher import BlipMatcher
from dar_retriever.ranking.chat_verifier import ChatVerifier
from dar_retriever.ranking.closeness import Closeness, StoreCloseness, Verdict
from dar_retriever.ranking.combined import CombinedReranker
from dar_retriever.ranking.cross_encoder import CrossEncoderReranker
from dar_retriever.ranking.density_ratio import DensityRatioReranker
from dar_retriever.ranking.ending import Ending, StoreEnding
from dar_retriever.ranking.faithfulness import EncodedFaithfulness, MatchedFaithfulness
from dar_retriever.ranking.location import Locator
from dar_retriever.ranking.matching import MatchingReranker
from dar_retriever.ranking.matching_ending import MatchingCloseness, MatchingEnding
from dar_retriever.ranking.proposition_reranker import PropositionReranker
from dar_retriever.ranking.reading import PropositionReader
from dar_retriever.ranking.second_stage import Ordered, SecondStage
from dar_retriever.ranking.second_view import SecondViewReranker
from dar_retriever.ranking.sentence_transformers_matcher import SentenceTransformersMatcher
from dar_retriever.ranking.starting import HitStarts

__all__ = [
    "BlipMatcher",
    "Candidates",
    "ChatVerifier",
    "Closeness",
    "CombinedReranker",
    "CrossEncoderReranker",
    "DensityRatioReranker",
    "EncodedFaithfulness",
    "Ending",
    "Explainer",
    "HitStarts",
    "Locator",
    "MatchedFaithfulness",
    "Matcher",
    "MatchingCloseness",
    "MatchingEnding",
    "MatchingReranker",
    "Ordered",
    "PropositionReader",
    "PropositionReranker",
    "Reranker",
    "SecondStage",
    "SecondViewReranker",
    "SentenceTransformersMatcher",
    "StoreCloseness",
    "StoreEnding",
    "Verdict",
]
