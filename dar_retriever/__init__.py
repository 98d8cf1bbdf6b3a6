"""Finds images from a conversation: Diffusion Augmented Retrieval (DAR) as a component."""

from dar_retriever.conversation.dialogue import Dialogue, DialogueLike, Role, Round, Turn
from dar_retriever.conversation.image_access import ImageAccess
from dar_retriever.encoders import (
    JointEncoder,
    OpenClipEncoder,
    PreprocessingEncoder,
    TransformersEncoder,
    Vectors,
)
from dar_retriever.errors import (
    DARError,
    EmptyDialogueError,
    EncoderMismatchError,
    GenerationError,
    IngestError,
    InvalidFilterError,
    InvalidImageError,
    InvalidInputError,
    LanguageModelError,
    MissingExtraError,
    ModelLoadError,
    StoreError,
    StoreUnavailableError,
)
from dar_retriever.fusion import (
    AdaptiveFusion,
    BentQuery,
    BoundedExclusion,
    Budget,
    Calibration,
    Exclusion,
    FusedQuery,
    Fusion,
    Neighbours,
    ScheduledFusion,
    Spending,
    UncertaintySpending,
    image_only,
    paper_schedule,
    text_only,
)
from dar_retriever.generation import (
    Acceleration,
    BatchingGenerator,
    CachedGenerator,
    DiffusersGenerator,
    GeneratedImage,
    ImageGenerator,
    ImageRequest,
    StoredImageGenerator,
)
from dar_retriever.ingest import IngestReport, LeftOut, ingest, ingest_images
from dar_retriever.language_models.base import LanguageModel
from dar_retriever.presets import PRESETS, Preset, from_preset, open_encoder, open_generator
from dar_retriever.query_encoder import DARQueryEncoder, EncodedQuery
from dar_retriever.questions import (
    FacetQuestions,
    LLMQuestions,
    NoQuestions,
    Question,
    Questioner,
)
from dar_retriever.ranking.closeness import Closeness, StoreCloseness, Verdict
from dar_retriever.reformulation import (
    JoinedTurns,
    LLMReformulator,
    Reformulation,
    Reformulator,
    RuleReformulator,
)
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores import EngineStore, FillableStore, SearchableStore, StoreOpener
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.stores.image_store import ImageStore
from dar_retriever.support import telemetry as telemetry  # First: some libraries read it on import.
from dar_retriever.trace import Trace
from dar_retriever.understanding.composition import (
    CaptionedReference,
    Captioner,
    Composition,
    PromptDirection,
    WeightedModalities,
)
from dar_retriever.understanding.feedback import BoundedRocchio, Feedback

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Acceleration",
    "AdaptiveFusion",
    "BatchingGenerator",
    "BentQuery",
    "BoundedExclusion",
    "BoundedRocchio",
    "Budget",
    "CachedGenerator",
    "Calibration",
    "CaptionedReference",
    "Captioner",
    "Closeness",
    "Composition",
    "DARError",
    "DARQueryEncoder",
    "Dialogue",
    "DialogueLike",
    "DiffusersGenerator",
    "DiffusionAugmentedRetriever",
    "EmptyDialogueError",
    "EncodedQuery",
    "EncoderMismatchError",
    "EngineStore",
    "Exclusion",
    "FacetQuestions",
    "Feedback",
    "FillableStore",
    "Filter",
    "FusedQuery",
    "Fusion",
    "GeneratedImage",
    "GenerationError",
    "Hit",
    "ImageAccess",
    "ImageGenerator",
    "ImageRequest",
    "ImageStore",
    "IngestError",
    "IngestReport",
    "InvalidFilterError",
    "InvalidImageError",
    "InvalidInputError",
    "JoinedTurns",
    "JointEncoder",
    "LLMQuestions",
    "LLMReformulator",
    "LanguageModel",
    "LanguageModelError",
    "LeftOut",
    "MissingExtraError",
    "ModelLoadError",
    "Neighbours",
    "NoQuestions",
    "OpenClipEncoder",
    "PreprocessingEncoder",
    "Preset",
    "PromptDirection",
    "Question",
    "Questioner",
    "Reformulation",
    "Reformulator",
    "Role",
    "Round",
    "RuleReformulator",
    "ScheduledFusion",
    "SearchResult",
    "SearchableStore",
    "Spending",
    "StoreCloseness",
    "StoreError",
    "StoreOpener",
    "StoreUnavailableError",
    "StoredImage",
    "StoredImageGenerator",
    "Trace",
    "TransformersEncoder",
    "Turn",
    "UncertaintySpending",
    "Vectors",
    "Verdict",
    "WeightedModalities",
    "__version__",
    "from_preset",
    "image_only",
    "ingest",
    "ingest_images",
    "open_encoder",
    "open_generator",
    "paper_schedule",
    "text_only",
]
