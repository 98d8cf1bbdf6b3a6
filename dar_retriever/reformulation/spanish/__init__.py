"""Spanish: negation, correction and new subject, as patterns."""

from __future__ import annotations

from typing import Final

from dar_retriever.reformulation.patterns import PatternRules, Patterns

SPANISH: Final = PatternRules(
    Patterns(
        anew=(
            r"(?:olvida|olvídate de|deja) (?:eso|esto|todo)|(?:ahora )?otra cosa|"
            r"nueva búsqueda|ahora (?:busco|quiero|necesito)|muéstrame (?:mejor|ahora)|"
            r"ahora muéstrame"
        ),
        corrects=(
            r"no[,.!] *(?:(?:mejor|sino|más bien)(?!\w) *)*|(?:mejor|más bien)|en realidad|"
            r"quería decir|quise decir|perdón"
        ),
        excludes=(
            r"sin(?: ning[uú]na?)?|nada de|ning[uú]na?|(?:no|que no) (?:quiero|tiene|tenga|"
            r"lleva|lleve|hay|haya|me gustan?)|ni"
        ),
        denies=r"(?:que )?no(?: (?:es|sea|son|sean))?",
        keeps=(
            r"no (?:muy|tan|solo|sólo|solamente|demasiado|necesariamente|está mal|importa|"
            r"quiero que)|sin (?:duda|problema|embargo)|no hay problema"
        ),
        empty=(
            r"sí|no|gracias|por favor|bien|vale|ok|no (?:lo )?sé|(?:me )?da igual|no importa|"
            r"ni idea|no hay problema|lo que sea"
        ),
        framing=r"yo|y|que|pero|también|por favor|quiero|hay|tiene|es|me",
        colours=(
            r"(?:negr[oa]|blanc[oa]|roj[oa]|verde|amarill[oa]|naranja|morad[oa]|violeta|rosa|"
            r"beige|turquesa|dorad[oa]|platead[oa]|celeste)s?|(?:gris|azul|marr[oó]n)(?:es)?"
        ),
        instead=r"sino|pero",
        articles=r"una?s?|el|la|los|las|del|de",
        alternatives=r"o|u|ni",
        stops=(
            r"y|e|a|al|ante|bajo|en|entre|para|por|sobre|tras|durante|junto|delante|detrás|"
            r"color"
        ),
        holders=r"con",
    )
)
