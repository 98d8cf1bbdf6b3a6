"""Uses any vector store of LangChain as the image store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from dar_retriever import Filter, InvalidFilterError, InvalidInputError, JointEncoder, Vectors
from dar_retriever.stores import EngineStore, Record, is_vector_text, predicate, vector_of

_ID: Final = "dar_id"
_CAPTION: Final = "dar_caption"

FilterOf = Callable[[Filter], dict[str, Any]]


class ImageEmbeddings(Embeddings):
    """The embeddings to create the vector store of a ``LangChainImageStore`` with.

    LangChain's interface accepts only texts. So the image store writes each vector as a text, and
    this class turns the text back into the vector. Any other text is encoded as usual; that lets
    you search the vector store directly with words, and lets engines find out the dimension.

    Args:
        encoder: The encoder that fills the store.
    """

    def __init__(self, encoder: JointEncoder) -> None:
        self.encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts.

        Raises:
            EncoderMismatchError: A text holds a vector of another encoder.
        """
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text; see ``embed_documents``."""
        if is_vector_text(text):
            return [float(number) for number in vector_of(text, self.encoder)]
        return [float(number) for number in self.encoder.encode_texts([text])[0]]


class LangChainImageStore(EngineStore):
    """An image store on a vector store of LangChain.

    The vector store must be able to search by vector and to get and delete by id. Only this adapter
    may fill it: its documents hold the vectors as text and everything else as metadata.

    Args:
        vector_store: A vector store created with ``ImageEmbeddings`` of the same encoder.
        encoder: The encoder that fills the store and searches it.
        filter_of: Translates a filter in Chroma's language into keyword arguments of the vector
            store's search, because each vector store has its own language. Without it, filters are
            refused. Use ``predicate_filter`` for stores that take a function of the document.

    Raises:
        InvalidInputError: The vector store uses other embeddings.

    Example:
        >>> from langchain_core.vectorstores import InMemoryVectorStore
        >>> vector_store = InMemoryVectorStore(ImageEmbeddings(encoder))  # doctest: +SKIP
        >>> store = LangChainImageStore(vector_store, encoder)  # doctest: +SKIP
    """

    def __init__(
        self,
        vector_store: VectorStore,
        encoder: JointEncoder,
        *,
        filter_of: FilterOf | None = None,
    ) -> None:
        super().__init__(encoder, type(vector_store).__name__)
        embeddings = vector_store.embeddings
        # Some stores do not expose their embeddings.
        if embeddings is not None and not (
            isinstance(embeddings, ImageEmbeddings)
            and embeddings.encoder.fingerprint == encoder.fingerprint
        ):
            raise InvalidInputError(
                f"{type(vector_store).__name__} embeds with {type(embeddings).__name__}; make it "
                f"with ImageEmbeddings of the encoder {encoder.name!r}"
            )
        self.vector_store = vector_store
        self._filter_of = filter_of

    @property
    def _filters(self) -> bool:
        return self._filter_of is not None

    def _query(self, vector: Vectors, k: int, where: Filter | None) -> Sequence[Record]:
        options = {} if where is None else self._options(where)
        numbers = [float(number) for number in vector]
        found = self.vector_store.similarity_search_by_vector(numbers, k=k, **options)
        return [_record(document) for document in found]

    def _options(self, where: Filter) -> dict[str, Any]:
        if self._filter_of is None:
            raise InvalidFilterError(
                f"{dict(where)!r}: LangChain's vector stores have no filter in common; give "
                f"LangChainImageStore a filter_of that makes the arguments of {self._engine}"
            )
        return self._filter_of(where)

    def _read(self, ids: Sequence[str]) -> Sequence[Record]:
        return [_record(document) for document in self.vector_store.get_by_ids(list(ids))]

    def _write(self, records: Sequence[Record]) -> None:
        self.vector_store.add_texts(
            [record.vector for record in records],
            [{**r.metadata, _ID: r.id, _CAPTION: r.caption} for r in records],
            ids=[record.id for record in records],
        )

    def _remove(self, ids: Sequence[str]) -> None:
        self.vector_store.delete(list(ids))


def predicate_filter(where: Filter) -> dict[str, Any]:
    """A filter for vector stores that take a function of the document, like InMemoryVectorStore."""
    fits = predicate(where)
    return {"filter": lambda document: fits(document.metadata)}


def _record(document: Document) -> Record:
    # Engines may change ids: they add hyphens as in a UUID, or leave the id out.
    metadata = dict(document.metadata)
    id_, caption = metadata.pop(_ID, document.id), metadata.pop(_CAPTION, "")
    return Record(str(id_), document.page_content, str(caption), metadata)
