"""Names of brands that are ordinary words as well, in small letters."""

from __future__ import annotations

from typing import Final

_NAMES: Final = """
acorn amber anchor apple arrow aurora badger banana bear beetle birch blackberry blossom
bluebird boss bubble camel candle canyon caterpillar champion cherry clover coach columbia
converse coral crane crown daisy diamond diesel dove eagle element emerald ember explorer
express falcon feather fossil fox frog galaxy gap garden gold guess harvest haven hawk honey
horizon iris ivory ivy jaguar jordan kite kiwi leaf lemon lily lion lotus mango maple marble
meadow mercury mint monster moon mustang nest next nova oak oasis ocean olive onyx opal orange
orchid panda peach pearl penguin pepper phoenix pilot pine polo pony prairie puma quartz quest
rabbit rainbow raven reef river robin rose royal ruby rust saffron sage sapphire shell silver
sky sparrow spring star stone storm summit sun sunflower supreme swan target tiger topaz trek
tulip van velvet violet wave willow winter wolf wonder yellow zebra
"""
ORDINARY_NAMES: Final = frozenset(_NAMES.split())
