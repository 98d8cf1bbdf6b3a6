"""French: negation, correction and new subject, as patterns."""

from __future__ import annotations

from typing import Final

from dar_retriever.reformulation.patterns import PatternRules, Patterns

FRENCH: Final = PatternRules(
    Patterns(
        anew=(
            r"(?:oublie[zr]?|laisse[zr]?) (?:ça|cela|tout)|(?:maintenant |"
            r"plutôt )?autre chose|nouvelle recherche|maintenant,? je (?:cherche|voudrais|"
            r"veux)|montre[zr]?[- ]moi (?:plutôt|maintenant)"
        ),
        corrects=(
            r"non[,.!]?(?: (?:plutôt|mais))*|(?:finalement |en fait |mais )?plutôt|en fait|"
            r"finalement|je voulais dire"
        ),
        excludes=(
            r"sans|(?:il n'y a |je ne veux |je n'aime |(?:il|elle|qui) n'a |(?:il|elle|"
            r"qui) ne porte )?pas (?:de|d')|aucune?|ni"
        ),
        denies=r"(?:(?:n'(?:est|était)|ne (?:sont|soit)) )?pas",
        keeps=(
            r"pas (?:trop|seulement|que|si|très|forcément|vraiment|plus)|sans (?:doute|"
            r"problème)|pas de (?:problème|souci|préférence)|ne \w+ que"
        ),
        empty=(
            r"oui|non|merci|s'il (?:te|vous) plaît|bien|ok|d'accord|(?:je ne|je|"
            r"j'en) sais pas|peu importe|(?:ça m'est )?égal|aucune idée|pas de (?:problème|"
            r"souci|préférence)|comme tu veux"
        ),
        framing=(
            r"je|il|elle|on|y|ne|n'|veux|voudrais|mais|et|aussi|s'il (?:te|vous) plaît|ce|c'|"
            r"est|a|qui|que|aime"
        ),
        colours=(
            r"(?:noire?|blanc(?:he)?|gris(?:e)?|rouge|bleue?|verte?|jaune|violet(?:te)?|rose|"
            r"brune?|beige|dorée?|argentée?|orange|marron|turquoise)s?(?: (?:clair|foncé))?"
        ),
        instead=r"mais",
        articles=r"une?|le|la|les|des?|du|l'|d'",
        alternatives=r"ou|ni",
        stops=r"et|à|au|aux|dans|devant|derrière|en|entre|pour|sous|sur|près|chez|pendant|par",
        holders=r"avec",
    )
)
