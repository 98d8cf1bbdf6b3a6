"""Uses any vector store of LlamaIndex as the image store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.storage.docstore import BaseDocumentStore
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from dar_retriever import (
    Filter,
    InvalidFilterError,
    InvalidInputError,
    JointEncoder,
    StoreError,
    Vectors,
)
from dar_retriever.stores import EngineStore, Record, filter_parts, vector_of

_VECTOR: Final = "dar_vector"
_OPERATORS: Final[Mapping[str, FilterOperator]] = {
    "$eq": FilterOperator.EQ,
    "$ne": FilterOperator.NE,
    "$gt": FilterOperator.GT,
    "$gte": FilterOperator.GTE,
    "$lt": FilterOperator.LT,
    "$lte": FilterOperator.LTE,
    "$in": FilterOperator.IN,
    "$nin": FilterOperator.NIN,
}
_CONDITIONS: Final = {"$and": FilterCondition.AND, "$or": FilterCondition.OR}


class LlamaIndexImageStore(EngineStore):
    """An image store on a vector store of LlamaIndex.

    Only this adapter may fill the vector store: its nodes hold the caption as text, and the vector
    and everything else as metadata. Filters become LlamaIndex's ``MetadataFilters``.

    Args:
        vector_store: A vector store that can delete nodes by id, and get them by id unless there is
            a docstore.
        encoder: The encoder that fills the store and searches it.
        docstore: Keeps the nodes if the vector store keeps only vectors, or cannot get nodes by id.
            Persist it together with the vector store.

    Raises:
        InvalidInputError: The vector store does not keep nodes, and there is no docstore.

    Example:
        >>> from llama_index.core.storage.docstore import SimpleDocumentStore
        >>> from llama_index.core.vector_stores import SimpleVectorStore
        >>> store = LlamaIndexImageStore(
        ...     SimpleVectorStore(), encoder, docstore=SimpleDocumentStore()
        ... )  # doctest: +SKIP
    """

    def __init__(
        self,
        vector_store: BasePydanticVectorStore,
        encoder: JointEncoder,
        *,
        docstore: BaseDocumentStore | None = None,
    ) -> None:
        super().__init__(encoder, type(vector_store).__name__)
        if docstore is None and not vector_store.stores_text:
            raise InvalidInputError(
                f"{type(vector_store).__name__} keeps vectors without their nodes; give "
                "LlamaIndexImageStore a docstore to keep them in"
            )
        self.vector_store = vector_store
        self.docstore = docstore

    def _query(self, vector: Vectors, k: int, where: Filter | None) -> Sequence[Record]:
        query = VectorStoreQuery(
            query_embedding=[float(number) for number in vector],
            similarity_top_k=k,
            filters=None if where is None else metadata_filters(where),
        )
        found = self.vector_store.query(query)
        if self.docstore is None:
            return [_record(node) for node in found.nodes or ()]
        ids = found.ids or ()
        records = {record.id: record for record in self._read(ids)}
        missing = [id_ for id_ in ids if id_ not in records]
        if missing:
            raise StoreError(
                f"{missing[0]}: in {self._engine} and not in its docstore; persist and load both "
                "together, and fill a vector store of its own through the adapter"
            )
        return [records[id_] for id_ in ids]

    def _read(self, ids: Sequence[str]) -> Sequence[Record]:
        if self.docstore is None:
            nodes = self.vector_store.get_nodes(list(ids))
        else:
            nodes = self.docstore.get_nodes(list(ids), raise_error=False)
        return [_record(node) for node in nodes]

    def _write(self, records: Sequence[Record]) -> None:
        nodes = [_node(record) for record in records]
        # First, so that no search finds a vector without its node.
        if self.docstore is not None:
            self.docstore.add_documents(nodes)
        for node, record in zip(nodes, records, strict=True):
            vector = vector_of(record.vector, self.encoder)
            node.embedding = [float(number) for number in vector]
        self.vector_store.add(nodes)

    def _remove(self, ids: Sequence[str]) -> None:
        self.vector_store.delete_nodes(list(ids))
        if self.docstore is not None:
            for id_ in ids:
                self.docstore.delete_document(id_, raise_error=False)


def metadata_filters(where: Filter) -> MetadataFilters:
    """Translate a filter for LlamaIndex, as flat as possible: some stores refuse nested filters.

    Args:
        where: A filter in Chroma's language.

    Raises:
        InvalidFilterError: LlamaIndex does not have such a filter.
    """
    parts = filter_parts(where)
    if len(parts) == 3:
        return MetadataFilters(filters=[_condition(*parts)])
    junction, inner = parts
    filters: list[MetadataFilter | MetadataFilters] = []
    for each in map(metadata_filters, inner):
        same = len(each.filters) == 1 or each.condition == _CONDITIONS[junction]
        filters += each.filters if same else [each]
    return MetadataFilters(filters=filters, condition=_CONDITIONS[junction])


def _condition(name: str, asked: str, operand: object) -> MetadataFilter:
    try:
        return MetadataFilter.model_validate(
            {"key": name, "value": operand, "operator": _OPERATORS[asked]}
        )
    except ValueError as error:
        raise InvalidFilterError(
            f"{operand!r}: LlamaIndex can only filter by texts, numbers and lists of them; filter "
            f"{name!r} in another way"
        ) from error


def _node(record: Record) -> TextNode:
    metadata = {**record.metadata, _VECTOR: record.vector}
    return TextNode(
        id_=record.id,
        text=record.caption,
        metadata=metadata,
        excluded_llm_metadata_keys=[_VECTOR],
        excluded_embed_metadata_keys=[_VECTOR],
    )


def _record(node: BaseNode) -> Record:
    metadata = dict(node.metadata)
    vector = str(metadata.pop(_VECTOR, ""))
    return Record(node.node_id, vector, node.get_content(), metadata)
