"""The paper's evaluation protocol, for your own images and any model."""

from dar_retriever.evaluation import metrics
from dar_retriever.evaluation.datasets import Case, Dataset, load_dataset, missing_images
from dar_retriever.evaluation.demo_dataset import demo_dataset
from dar_retriever.evaluation.diagnostics import Diagnosis, diagnose
from dar_retriever.evaluation.methods import METHODS, Method, method
from dar_retriever.evaluation.models import preset_models
from dar_retriever.evaluation.protocol import encode, evaluate
from dar_retriever.evaluation.ranking import PoolNeighbours, target_ranks
from dar_retriever.evaluation.results import figures_of, table_of, write_csv, write_json
from dar_retriever.evaluation.statistics import bootstrap, paired_difference
from dar_retriever.evaluation.values import Encodings, Evaluation, Models, Outcome

__all__ = [
    "METHODS",
    "Case",
    "Dataset",
    "Diagnosis",
    "Encodings",
    "Evaluation",
    "Method",
    "Models",
    "Outcome",
    "PoolNeighbours",
    "bootstrap",
    "demo_dataset",
    "diagnose",
    "encode",
    "evaluate",
    "figures_of",
    "load_dataset",
    "method",
    "metrics",
    "missing_images",
    "paired_difference",
    "preset_models",
    "table_of",
    "target_ranks",
    "write_csv",
    "write_json",
]
