"""German: negation, correction and new subject, as patterns."""

from __future__ import annotations

from typing import Final

from dar_retriever.reformulation.patterns import PatternRules, Patterns

GERMAN: Final = PatternRules(
    Patterns(
        anew=(
            r"(?:vergiss|vergessen sie) (?:das|es|alles)|(?:jetzt |"
            r"nun )?etwas (?:ganz )?anderes|neue suche|(?:jetzt|nun|als nächstes) (?:suche|"
            r"brauche|möchte|will) ich|zeig(?:e|en sie)? mir (?:stattdessen|jetzt|lieber)|"
            r"stattdessen"
        ),
        corrects=(
            r"nein[,.!]?(?: (?:doch|lieber|eher|besser))*|(?:doch|dann) (?:lieber|eher|"
            r"besser)|lieber|besser|ich meine|ich meinte|quatsch"
        ),
        excludes=r"ohne|kein(?:e[mnrs]?)?|weder",
        denies=r"nicht",
        keeps=(
            r"nicht (?:nur|zu|so|ganz|unbedingt|sehr|mehr)|ohne (?:zweifel|weiteres)|"
            r"kein (?:problem|muss)|keine (?:ahnung|rolle)|nichts"
        ),
        empty=(
            r"ja|nein|danke|bitte|gut|ok(?:ay)?|hm+|egal|(?:ich )?weiß (?:ich )?(?:es )?nicht|"
            r"(?:ich habe |hab )?keine ahnung|kein problem|(?:das )?(?:ist|"
            r"spielt) (?:mir )?(?:egal|keine rolle)"
        ),
        framing=(
            r"ich|wir|es|da|soll(?:te|en)?|darf|dürfen|will|möchte|mag|hat|haben|gibt|sind|"
            r"sein|bitte|aber|und|auch|dabei"
        ),
        colours=(
            r"(?:hell|dunkel)?(?:schwarz|wei(?:ß|ss)|grau|rot|blau|gr(?:ü|ue)n|gelb|orange|"
            r"lila|violett|rosa|pink|braun|beige|türkis|golden|silbern)(?:e[mnrs]?)?"
        ),
        instead=r"sondern|aber|dafür|stattdessen",
        articles=r"eine?[mnrs]?|der|die|das|dem|den|des",
        alternatives=r"oder|noch",
        stops=(
            r"und|an|am|auf|aus|bei|beim|für|im|in|ins|hinter|neben|über|um|unter|von|vom|vor|"
            r"zu|zum|zur|zwischen|während|bitte|sowie"
        ),
        holders=r"mit|samt",
    )
)
