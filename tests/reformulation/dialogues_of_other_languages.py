"""What people say in German, French and Spanish: turns, phrases of the caption, exclusions.

Written before the rules that read them.
"""

from __future__ import annotations

from typing import Final

Case = tuple[list[str], list[str], list[str]]

GERMAN: Final[list[Case]] = [
    (["ein roter Hund am Strand", "ohne Leine"], ["ein roter Hund am Strand"], ["Leine"]),
    (["ein Sofa", "nein, lieber einen Sessel", "in grün"], ["einen Sessel", "in grün"], []),
    (
        ["ich suche ein Foto von einem alten Leuchtturm", "bei Sturm"],
        ["ich suche ein Foto von einem alten Leuchtturm", "bei Sturm"],
        [],
    ),
    (["eine Katze auf dem Sofa, kein Halsband"], ["eine Katze auf dem Sofa"], ["Halsband"]),
    (["ein Kleid", "nicht schwarz, sondern blau"], ["ein Kleid", "blau"], ["schwarz"]),
    (["ein schwarzes Kleid", "nicht schwarz, blau"], ["ein blau Kleid"], ["schwarz"]),
    (["ein Fahrrad ohne Korb, rot lackiert"], ["ein Fahrrad", "rot lackiert"], ["Korb"]),
    (["ein Hund ohne Leine am Strand"], ["ein Hund am Strand"], ["Leine"]),
    (["eine Frau ohne Hut und mit Brille"], ["eine Frau und mit Brille"], ["Hut"]),
    (["ein Tisch ohne Schubladen oder Rollen"], ["ein Tisch"], ["Schubladen", "Rollen"]),
    (["Berge im Schnee", "keine Menschen bitte"], ["Berge im Schnee"], ["Menschen"]),
    (["ein rotes Auto auf der Straße", "nein, lieber blau"], ["ein blau Auto auf der Straße"], []),
    (
        ["ein roter Pullover mit Kapuze", "doch lieber in grün"],
        ["ein grün Pullover mit Kapuze"],
        [],
    ),
    (["ein Hund im Wald", "vergiss das, eine Lampe aus Holz"], ["eine Lampe aus Holz"], []),
    (["ein Hund am Strand", "etwas anderes: ein Leuchtturm"], ["ein Leuchtturm"], []),
    (["ein Hund am Strand", "zeig mir stattdessen Katzen"], ["Katzen"], []),
    (["eine blaue Tasse", "weiß nicht"], ["eine blaue Tasse"], []),
    (["eine blaue Tasse", "keine Ahnung, egal"], ["eine blaue Tasse"], []),
    (["ein helles Zimmer", "nicht nur weiß"], ["ein helles Zimmer", "nicht nur weiß"], []),
    (["ein graues Sofa", "nicht zu groß"], ["ein graues Sofa", "nicht zu groß"], []),
    (["die Katze ist nicht schwarz"], ["die Katze ist"], ["schwarz"]),
    (["ich will keine Hunde, nur Katzen"], ["nur Katzen"], ["Hunde"]),
    (
        ["eine alte Brücke", "bei Nacht", "mit Laternen"],
        ["eine alte Brücke", "bei Nacht", "mit Laternen"],
        [],
    ),
]

FRENCH: Final[list[Case]] = [
    (["un chat noir sur un canapé", "pas noir, blanc"], ["un chat blanc sur un canapé"], ["noir"]),
    (
        ["une table basse en bois clair", "avec deux tiroirs"],
        ["une table basse en bois clair", "avec deux tiroirs"],
        [],
    ),
    (["un vélo sans panier"], ["un vélo"], ["panier"]),
    (["un chien sur la plage", "sans laisse"], ["un chien sur la plage"], ["laisse"]),
    (["une femme sans lunettes avec un chapeau"], ["une femme avec un chapeau"], ["lunettes"]),
    (["une robe longue, pas de ceinture, bleue"], ["une robe longue", "bleue"], ["ceinture"]),
    (["une montagne en hiver", "pas de gens"], ["une montagne en hiver"], ["gens"]),
    (["un canapé", "non, plutôt un fauteuil"], ["un fauteuil"], []),
    (["une voiture rouge dans la rue", "non, plutôt bleue"], ["une voiture bleue dans la rue"], []),
    (
        ["une chemise blanche à manches courtes", "en fait verte"],
        ["une chemise verte à manches courtes"],
        [],
    ),
    (["un chien dans la forêt", "oublie ça, une lampe en bois"], ["une lampe en bois"], []),
    (["un chien sur la plage", "autre chose : un phare"], ["un phare"], []),
    (["un chien sur la plage", "montre-moi plutôt des chats"], ["des chats"], []),
    (["une tasse bleue", "je ne sais pas"], ["une tasse bleue"], []),
    (["une tasse bleue", "peu importe"], ["une tasse bleue"], []),
    (["une chambre claire", "pas trop grande"], ["une chambre claire", "pas trop grande"], []),
    (["une chambre", "pas seulement blanche"], ["une chambre", "pas seulement blanche"], []),
    (["je ne veux pas de chiens, des chats"], ["des chats"], ["chiens"]),
    (["une table sans tiroirs ni roulettes"], ["une table"], ["tiroirs", "roulettes"]),
    (["le chat n'est pas noir"], ["le chat"], ["noir"]),
    (["un manteau noir", "pas noir mais gris"], ["un manteau gris"], ["noir"]),
    (
        ["un vieux pont", "la nuit", "avec des lanternes"],
        ["un vieux pont", "la nuit", "avec des lanternes"],
        [],
    ),
]

SPANISH: Final[list[Case]] = [
    (
        ["vestido de fiesta largo", "de color verde esmeralda", "sin lentejuelas"],
        ["vestido de fiesta largo", "de color verde esmeralda"],
        ["lentejuelas"],
    ),
    (["una mujer sin gafas"], ["una mujer"], ["gafas"]),
    (["un perro en la playa", "sin correa"], ["un perro en la playa"], ["correa"]),
    (["una bicicleta sin cesta en la calle"], ["una bicicleta en la calle"], ["cesta"]),
    (["un sofá", "no, mejor un sillón"], ["un sillón"], []),
    (["un coche rojo en la calle", "no, mejor azul"], ["un coche azul en la calle"], []),
    (["una camisa blanca de manga corta", "mejor verde"], ["una camisa verde de manga corta"], []),
    (["un gato negro en el sofá", "no negro, blanco"], ["un gato blanco en el sofá"], ["negro"]),
    (["un abrigo", "no negro sino gris"], ["un abrigo", "gris"], ["negro"]),
    (["una playa al atardecer", "nada de gente"], ["una playa al atardecer"], ["gente"]),
    (["una mesa sin cajones ni ruedas"], ["una mesa"], ["cajones", "ruedas"]),
    (["una mujer sin sombrero y con gafas"], ["una mujer y con gafas"], ["sombrero"]),
    (["un perro en el bosque", "olvida eso, una lámpara de madera"], ["una lámpara de madera"], []),
    (["un perro en la playa", "otra cosa: un faro"], ["un faro"], []),
    (["un perro en la playa", "ahora busco gatos"], ["gatos"], []),
    (["una taza azul", "no sé"], ["una taza azul"], []),
    (["una taza azul", "me da igual"], ["una taza azul"], []),
    (
        ["una habitación luminosa", "no muy grande"],
        ["una habitación luminosa", "no muy grande"],
        [],
    ),
    (["una habitación", "no solo blanca"], ["una habitación", "no solo blanca"], []),
    (["no quiero perros, gatos"], ["gatos"], ["perros"]),
    (["el gato no es negro"], ["el gato"], ["negro"]),
    (
        ["un puente viejo", "de noche", "con faroles"],
        ["un puente viejo", "de noche", "con faroles"],
        [],
    ),
]
