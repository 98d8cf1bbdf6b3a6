"""Looking after a store: what is in it, what is lost or gone, copies and exports of it."""

from dar_retriever.stores.upkeep.copying import copy_store, images_of
from dar_retriever.stores.upkeep.exchange import export_store, exported_encoder, import_store
from dar_retriever.stores.upkeep.recorded import RecordedEncoder, encoder_recorded_by
from dar_retriever.stores.upkeep.state import RootState, StoreState, prune, state_of

__all__ = [
    "RecordedEncoder",
    "RootState",
    "StoreState",
    "copy_store",
    "encoder_recorded_by",
    "export_store",
    "exported_encoder",
    "images_of",
    "import_store",
    "prune",
    "state_of",
]
