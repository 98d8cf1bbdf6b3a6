"""The paper's protocol, for anyone's images and any model."""

from dar_retriever.evaluation.datasets import Case, Dataset, load_dataset, missing_images
from dar_retriever.evaluation.demo_dataset import demo_dataset
from dar_retriever.evaluation.diagnostics import Diagnosis, diagnose
from dar_retriever.evaluation.methods import METHODS, Method, method
from dar_retriever.evaluation.models import preset_models
from dar_retriever.evaluation.protocol import Evaluation, Models, Outcome, evaluate
from dar_retriever.evaluation.ranking import target_ranks
from dar_retriever.evaluation.results import figures_of, table_of, write_csv, write_json

__all__ = [
    "METHODS",
    "Case",
    "Dataset",
    "Diagnosis",
    "Evaluation",
    "Method",
    "Models",
    "Outcome",
    "demo_dataset",
    "diagnose",
    "evaluate",
    "figures_of",
    "load_dataset",
    "method",
    "missing_images",
    "preset_models",
    "table_of",
    "target_ranks",
    "write_csv",
    "write_json",
]
