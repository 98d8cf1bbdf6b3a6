"""Nouns by kind: a guitar and a violin are instruments, so one may take the other's place."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_KINDS: Final = {
    "animal": """
        animal dog puppy cat kitten bird horse pony cow bull calf sheep lamb goat pig piglet rabbit
        bunny hare mouse rat hamster squirrel fox wolf bear panda koala lion tiger leopard cheetah
        lynx elephant giraffe zebra hippo rhino camel llama alpaca deer elk moose reindeer monkey
        ape gorilla kangaroo donkey mule duck duckling goose swan chicken hen rooster turkey eagle
        hawk falcon owl parrot pigeon dove crow raven seagull gull penguin flamingo peacock sparrow
        robin fish shark whale dolphin seal otter turtle tortoise frog toad lizard gecko snake
        crocodile alligator dinosaur dragon unicorn butterfly bee wasp ant spider beetle ladybug
        dragonfly snail crab lobster octopus jellyfish hedgehog raccoon badger bat beaver
        labrador retriever poodle corgi husky dachshund beagle terrier bulldog shepherd tabby
    """,
    "person": """
        person man woman boy girl child kid baby toddler teenager guy lady gentleman dude father
        mother dad mum mom grandma grandpa grandmother grandfather uncle aunt brother sister son
        daughter husband wife bride groom couple family friend people men women children adult
        doctor nurse teacher chef cook waiter waitress farmer soldier policeman policewoman
        firefighter astronaut cowboy clown dancer singer musician guitarist painter photographer
        businessman businesswoman worker builder student player runner cyclist surfer skier
        skateboarder snowboarder swimmer climber hiker tourist pirate king queen prince princess
        witch wizard knight ballerina
    """,
    "instrument": """
        guitar violin viola cello bass piano keyboard drum drums flute clarinet saxophone sax
        trumpet trombone tuba horn harp banjo ukulele mandolin accordion harmonica organ xylophone
        tambourine oboe bassoon
    """,
    "vehicle": """
        car van truck lorry bus coach taxi cab suv pickup jeep limousine convertible motorcycle
        motorbike scooter moped bicycle bike tricycle tram train tractor ambulance caravan
        boat ship yacht sailboat ferry canoe kayak submarine plane airplane aeroplane jet
        helicopter rocket balloon skateboard sled sledge wagon carriage
    """,
    "furniture": """
        sofa couch armchair chair stool bench table desk bed bookcase bookshelf shelf wardrobe
        cupboard cabinet dresser drawer nightstand sideboard ottoman crib cradle hammock lamp
        chandelier mirror rug carpet curtain
    """,
    "garment": """
        dress skirt shirt t-shirt tshirt tee blouse top sweater jumper pullover cardigan hoodie
        sweatshirt jacket coat parka blazer suit tuxedo vest waistcoat trousers pants jeans shorts
        leggings overalls jumpsuit dungarees gown robe kimono uniform swimsuit bikini pyjamas
        pajamas raincoat
    """,
    "footwear": """
        shoe shoes boot boots sneaker sneakers trainer trainers sandal sandals heels slippers
        loafers flats moccasins flip-flops
    """,
    "headgear": "hat cap beanie helmet crown beret headscarf sombrero turban",
    "accessory": """
        bag handbag purse backpack rucksack suitcase wallet briefcase tote clutch watch necklace
        bracelet ring earring earrings brooch scarf shawl tie belt gloves umbrella
        sunglasses glasses
    """,
    "dish": "mug cup glass teacup bowl plate dish jug pitcher teapot kettle pan pot vase bottle",
    "food": """
        cake pie pizza burger hamburger sandwich hotdog salad soup pasta spaghetti sushi steak bread
        toast bagel croissant muffin cupcake cookie donut doughnut waffle pancake pancakes
        apple banana lemon lime peach pear plum cherry strawberry strawberries blueberry grape
        grapes melon watermelon pineapple mango carrot tomato potato onion broccoli cheese egg eggs
        chocolate
    """,
    "drink": "coffee tea milk juice water wine beer lemonade cocktail smoothie espresso",
    "flower": "rose tulip lily daisy sunflower orchid poppy daffodil iris carnation peony dahlia",
    "tree": "oak pine palm birch maple willow cherry-tree fir spruce cypress",
    "device": """
        phone smartphone laptop computer tablet television tv camera radio headphones clock toaster
        blender microwave oven fridge refrigerator printer speaker typewriter vacuum
    """,
    "toy": "ball kite doll teddy puzzle frisbee yo-yo lego",
    "building": """
        house home cottage cabin hut castle palace church cathedral mosque temple tower skyscraper
        lighthouse barn garage windmill mansion villa apartment tent igloo treehouse bridge
    """,
    "place": """
        beach forest wood woods park garden street road city town village mountain mountains hill
        desert field meadow lake river ocean sea island jungle kitchen bedroom bathroom office room
        lounge library museum restaurant cafe bar school classroom hospital station airport harbour
        harbor market shop store farm zoo stadium gym pool playground parking waterfall canyon cave
        countryside stage studio rooftop balcony terrace patio yard
    """,
    "time": "sunrise sunset dawn dusk noon midday midnight night day morning evening afternoon",
    "season": "spring summer autumn fall winter",
    "weather": "rain snow fog mist sun sunshine storm thunderstorm hail",
}
_KIND: Final = {noun: kind for kind, nouns in _KINDS.items() for noun in nouns.split()}

# What is looked for by itself, as in a shop; a scene or a person may hold more things.
THINGS: Final = frozenset(
    {"instrument", "vehicle", "furniture", "garment", "footwear", "accessory", "dish", "device"}
)
LIVING: Final = frozenset({"animal", "person"})
EATEN: Final = frozenset({"food", "drink"})
# Kinds that pictures show with one another.
TOGETHER: Final = (
    frozenset({"person", "animal", "garment", "footwear", "headgear", "accessory"}),
    frozenset({"furniture", "dish", "device"}),
    frozenset({"food", "drink", "dish"}),
)
# What things may have on them or beside them.
_PARTS: Final = frozenset(
    {
        *("belt", "tie", "scarf", "top", "glass", "mirror", "lamp", "clock", "horn", "bass"),
        *("ring", "drawer"),
    }
)
# Of two such words one is only the closer name of the other.
_CLOSER: Final = {
    "puppy": "dog",
    "labrador": "dog",
    "retriever": "dog",
    "poodle": "dog",
    "corgi": "dog",
    "husky": "dog",
    "dachshund": "dog",
    "beagle": "dog",
    "terrier": "dog",
    "bulldog": "dog",
    "kitten": "cat",
    "tabby": "cat",
    "pony": "horse",
    "duckling": "duck",
    "lamb": "sheep",
    "piglet": "pig",
    "calf": "cow",
    "bunny": "rabbit",
    "armchair": "chair",
    "stool": "chair",
    "couch": "sofa",
    "sneaker": "shoe",
    "trainer": "shoe",
    "boot": "shoe",
    "sandal": "shoe",
    "loafer": "shoe",
    "slipper": "shoe",
    "hoodie": "sweatshirt",
    "convertible": "car",
    "taxi": "car",
    "limousine": "car",
    "jeep": "car",
    "suv": "car",
    "yacht": "boat",
    "sailboat": "boat",
    "ferry": "boat",
    "smartphone": "phone",
    "skyscraper": "tower",
    "handbag": "bag",
    "backpack": "bag",
    "purse": "bag",
    "tote": "bag",
    "parka": "jacket",
    "raincoat": "coat",
    "jumper": "sweater",
    "pullover": "sweater",
    "bike": "bicycle",
    "motorbike": "motorcycle",
    "plane": "airplane",
    "kid": "child",
    "guy": "man",
    "lady": "woman",
}
_IRREGULAR: Final = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "geese": "goose",
    "wolves": "wolf",
    "puppies": "puppy",
    "babies": "baby",
    "feet": "foot",
}


@lru_cache(maxsize=4096)
def kind_of(noun: str) -> str:
    """What kind of thing a noun names, in singular or plural; empty where it is not known."""
    return _KIND.get(noun) or _KIND.get(singular(noun), "")


def is_part(noun: str) -> bool:
    """Whether a thing may just as well belong to another: "a belt", after a dress."""
    return singular(noun) in _PARTS


@lru_cache(maxsize=4096)
def singular(noun: str) -> str:
    """A noun in the singular, as far as its plural is a common one."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("ies") and len(noun) > 4:
        return f"{noun[:-3]}y"
    if noun.endswith(("shes", "ches", "xes", "sses")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") and len(noun) > 3 else noun


def are_apart(one: str, other: str) -> bool:
    """Whether two nouns of a kind name different things: a dog and a cat, not a dog and a puppy."""
    one, other = singular(one), singular(other)
    kind = kind_of(one)
    same = _CLOSER.get(one, one) == _CLOSER.get(other, other)
    return bool(kind) and kind == kind_of(other) and kind not in {one, other} and not same


def plural(noun: str) -> str:
    """A noun in the plural; one that is in it already as it is."""
    if singular(noun) != noun or noun in {"people", "sheep", "fish", "deer"}:
        return noun
    for many, one in _IRREGULAR.items():
        if one == noun:
            return many
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
