"""How the embedded weights are made: ``python -m dar_retriever.demo.training``."""
