"""``python -m dar_retriever`` is ``dar``."""

from dar_retriever.cli import main

main()
