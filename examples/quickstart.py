"""A conversation over drawn products, without a download.

python examples/quickstart.py
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from dar_retriever import Dialogue, from_preset, ingest_images
from dar_retriever.cli.display import contact_sheet
from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import sample_products


def main() -> None:
    """Draw 300 products, store them, and look for one in three turns."""
    retriever = from_preset("demo")
    products = sample_products(300, unseen=True, seed=1)
    pictures = (
        (draw(product, 256, Random(number)), {"caption": description(product)})
        for number, product in enumerate(products)
    )
    with TemporaryDirectory() as folder:
        ingest_images(pictures, folder, retriever.store, retriever.query_encoder.encoder)
        dialogue = Dialogue.from_text("a handbag with two handles")
        dialogue = dialogue.ask("What colour is it?").say("teal, I think")
        dialogue = dialogue.say("sorry, I meant purple, not teal")
        result = retriever.search(dialogue, k=5)
        print("understood:", result.trace.caption)
        for hit in result.hits:
            print(f"{hit.score:.3f}  {hit.caption}")
        contact_sheet(result).save("quickstart.png")
        print("look at", Path("quickstart.png").resolve())


if __name__ == "__main__":
    main()
