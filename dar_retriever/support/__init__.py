"""Small helpers that know nothing of retrieval."""
