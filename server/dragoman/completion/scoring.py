"""Whether to show a suggestion at all: from what is known of it to the chance that it is right.

`measure` reads the facts off a suggestion, `show_score` turns them into a probability.
Right means: its first line is, but for blanks at its ends, what the user will type there.
Nothing here waits or remembers; a suggestion takes well under a millisecond to measure and some microseconds to score.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from dragoman.completion.query import CompletionQuery, TextView
from dragoman.completion.scoring_weights import WITH_PROBABILITIES, WITHOUT_PROBABILITIES
from dragoman.limits import USUAL_ACCEPTANCE
from dragoman.models.base import Token

CursorContext = Literal["word", "line_end", "in_line", "empty_line"]
"""Inside a word, behind the last text of a line, before more text, or on a line that is empty so far."""

NOT_PARSING = 0.01
"""The score of what does not parse where the text around it does: what the user types there parses in the end."""

LOWEST_SUM, LOWEST_TOKEN = -12.0, -6.0
"""Where log-probabilities of a line and of a token are cut off: below one in four hundred, a token is a guess either way."""

ACCEPTANCE_WEIGHT = 0.5
"""How far a language's past acceptance moves the score: this share of what Bayes' rule would do with independent evidence.

It is not independent: the suggestions that were accepted had probabilities too. Chosen, not fitted: the fit has no users.
"""

_LINES_BEFORE, _LINES_AFTER = 150, 60
"""How much of the file counts as near; reading more takes longer than it tells."""
_ECHO_BEFORE, _ECHO_AFTER = 40, 12
_LINE_CHARS = 300
"""How much of each line: behind that it is data."""
_WORD = re.compile(r"[^\W\d]\w*")
_WORD_BEGUN = re.compile(r"\w+\Z")
_WORD_END = re.compile(r"\w")
_PART = re.compile(r"\w+|[^\w\s]")
_STRINGS = re.compile(r'"""(?:.|\n)*?"""|' + r"'''(?:.|\n)*?'''|" + r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'")
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_UNFINISHED = tuple(".=+-*/%&|<\\@([{")


@dataclass(frozen=True, slots=True)
class ShowFeatures:
    """What is known of a suggestion before it is shown.

    The log-probabilities are natural ones, of the tokens that the first shown line came from; None where the server tells none.
    """

    mean_logprob: float | None = None
    min_logprob: float | None = None
    first_logprob: float | None = None
    tokens: int = 0
    """Tokens of the first shown line, as far as they are told."""
    characters: int = 0
    """Characters of the first shown line."""
    lines: int = 1
    parses: bool | None = None
    """Whether the file still parses with the suggestion in it; None where nobody can tell, or it did not before."""
    echo: float = 0.0
    """Share, 0 to 1, of the lines it would make that stand close by already."""
    repetition: float = 0.0
    """Share, 0 to 1, of its runs of three words and signs that occur in it more than once."""
    known_identifiers: float = 1.0
    """Share, 0 to 1, of its identifiers that occur near the cursor; 1 when it has none."""
    ends_cleanly: bool = True
    """Whether it closes what it opens and does not end in the middle of an expression."""
    context: CursorContext = "line_end"
    language_known: bool = True
    acceptance: float | None = None
    """Share, 0 to 1, of suggestions in this language that the user took lately; None when there were too few."""


def show_score(features: ShowFeatures) -> float:
    """Return the chance, 0 to 1, that the suggestion is right; never anything else, whatever the features hold.

    A higher probability of any token never lowers it.
    """
    if features.parses is False:
        return NOT_PARSING
    weights = WITHOUT_PROBABILITIES if features.mean_logprob is None else WITH_PROBABILITIES
    total = sum(weights.get(name, 0.0) * value for name, value in terms(features).items())
    if features.acceptance is not None:
        rate = _bounded(features.acceptance, 0.05, 0.95, otherwise=USUAL_ACCEPTANCE)
        total += ACCEPTANCE_WEIGHT * (_logit(rate) - _logit(USUAL_ACCEPTANCE))
    return 1.0 / (1.0 + math.exp(-_bounded(total, -30.0, 30.0, otherwise=-30.0)))


def is_worth_showing(features: ShowFeatures, threshold: float) -> bool:
    """Tell whether to show a suggestion that nobody asked for.

    A server that tells no probabilities leaves too little to be strict about: there, only what does not parse is held back.
    (A threshold of 0.12 took 9 % of the right suggestions there in the held-out packages, and none where they are told.)
    """
    if threshold <= 0.0:
        return True
    if features.mean_logprob is None:
        return features.parses is not False
    return show_score(features) >= threshold


def terms(features: ShowFeatures) -> Mapping[str, float]:
    """Return the numbers that the weights apply to, each of the order of one; the fit reads the same ones."""
    values = {
        "constant": 1.0,
        "length": math.log1p(max(0, features.characters)) / 3.0,
        "lines": math.log(max(1, features.lines)),
        "echo": _bounded(features.echo, 0.0, 1.0),
        "repetition": _bounded(features.repetition, 0.0, 1.0),
        "unknown_identifiers": 1.0 - _bounded(features.known_identifiers, 0.0, 1.0, otherwise=1.0),
        "loose_end": 0.0 if features.ends_cleanly else 1.0,
        "in_word": 1.0 if features.context == "word" else 0.0,
        "in_line": 1.0 if features.context == "in_line" else 0.0,
        "empty_line": 1.0 if features.context == "empty_line" else 0.0,
        "unknown_language": 0.0 if features.language_known else 1.0,
    }
    if features.mean_logprob is not None:
        mean = _bounded(features.mean_logprob, LOWEST_TOKEN, 0.0, otherwise=LOWEST_TOKEN)
        values |= {
            "sum_logprob": _bounded(mean * max(1, features.tokens), LOWEST_SUM, 0.0) / 4.0,
            "mean_logprob": mean,
            "min_logprob": _logprob(features.min_logprob, mean) / 2.0,
            "first_logprob": _logprob(features.first_logprob, mean),
        }
    return values


def measure(
    query: CompletionQuery,
    shown: str,
    tokens: Sequence[Token] = (),
    *,
    typed: str = "",
    parses: bool | None = None,
    acceptance: float | None = None,
    language_known: bool = True,
) -> ShowFeatures:
    """Measure the suggestion ``shown`` at the query's cursor.

    ``tokens`` are those of the generation from its begin; ``typed`` is what the user typed of it before this cursor.
    """
    current = query.text.line(query.line).rstrip("\r\n")
    head, rest = current[: query.character], current[query.character :]
    lines = shown.split("\n")
    first = next((line for line in lines if line.strip()), "")
    logprobs = _logprobs_of(tokens, first, len(typed))
    begun = _WORD_BEGUN.search(head[-100:])
    word = begun.group() if begun is not None else ""
    near = _near(query.text, query.line, head[: len(head) - len(word)], rest)
    return ShowFeatures(
        mean_logprob=sum(logprobs) / len(logprobs) if logprobs else None,
        min_logprob=min(logprobs, default=None),
        first_logprob=logprobs[0] if logprobs else None,
        tokens=len(logprobs),
        characters=len(first.strip()),
        lines=sum(1 for line in lines if line.strip()),
        parses=parses,
        echo=_echo(query.text, query.line, [head + lines[0], *lines[1:]]),
        repetition=_repetition(shown),
        known_identifiers=_known(word, shown, near),
        ends_cleanly=ends_cleanly(shown, rest),
        context=context_of(head, rest),
        language_known=language_known,
        acceptance=acceptance,
    )


def context_of(head: str, rest: str) -> CursorContext:
    """Say where on its line the cursor is; brackets and quotes behind it, which editors close by themselves, are no text."""
    if rest.strip(")]}>\"'`;,: \t"):
        return "in_line"
    if not head.strip():
        return "empty_line"
    return "word" if head[-1].isalnum() or head[-1] == "_" else "line_end"


def ends_cleanly(shown: str, rest: str = "") -> bool:
    """Tell whether ``shown`` closes the brackets and quotes that it opens, with what stands behind it, and ends no operator."""
    bare = _STRINGS.sub("s", shown).rstrip()
    if bare.endswith(_UNFINISHED) or (bare.count('"') + bare.count("'")) % 2:
        return False
    stack: list[str] = []
    for sign in bare + rest.strip():
        if sign in "([{":
            stack.append(sign)
        elif sign in _CLOSERS and stack and stack[-1] == _CLOSERS[sign]:
            stack.pop()
    return not stack


def _logprobs_of(tokens: Sequence[Token], line: str, begin: int) -> list[float]:
    """Return the log-probabilities of the tokens that ``line`` came from; it stands in their text at or behind ``begin``."""
    if not tokens or not line.strip():
        return []
    told = "".join(token.text for token in tokens)
    wanted = line.strip()
    start = told.find(wanted, begin)
    if start < 0:
        # A filter changed it, usually its end: a beginning of it is there.
        start = told.find(wanted[: max(1, len(wanted) // 2)], begin)
    if start < 0:
        start = begin
    end = start + len(wanted)
    ends = accumulate(len(token.text) for token in tokens)
    found = []
    for token, after in zip(tokens, ends, strict=True):
        if after > start and after - len(token.text) < end and token.text:
            found.append(token.logprob)
    return found


def _near(text: TextView, line: int, head: str, rest: str) -> str:
    first, last = max(0, line - _LINES_BEFORE), min(text.line_count, line + 1 + _LINES_AFTER)
    others = (text.line(index)[:_LINE_CHARS] for index in range(first, last) if index != line)
    return "\n".join((head[-_LINE_CHARS:], rest[:_LINE_CHARS], *others))


def _known(begun: str, shown: str, near: str) -> float:
    """Return the share of the identifiers of ``shown``, the first of which goes on from ``begun``, that stand in ``near``."""
    bare = _STRINGS.sub(" ", shown)
    whole = begun + bare if _WORD_END.match(bare) else bare
    words = {word for word in _WORD.findall(whole) if len(word) > 1}
    if not words:
        return 1.0
    known = sum(1 for word in words if word in near and re.search(rf"\b{re.escape(word)}\b", near) is not None)
    return known / len(words)


def _echo(text: TextView, line: int, made: Sequence[str]) -> float:
    first, last = max(0, line - _ECHO_BEFORE), min(text.line_count, line + 1 + _ECHO_AFTER)
    near = {text.line(index)[:_LINE_CHARS].strip() for index in range(first, last) if index != line}
    worthy = [one for one in (part.strip() for part in made) if len(one) >= 6]
    return sum(1 for one in worthy if one in near) / len(worthy) if worthy else 0.0


def _repetition(shown: str) -> float:
    parts = _PART.findall(shown)
    runs = list(zip(parts, parts[1:], parts[2:], strict=False))
    return 1.0 - len(set(runs)) / len(runs) if runs else 0.0


def _logprob(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else _bounded(value, LOWEST_TOKEN, 0.0, otherwise=LOWEST_TOKEN)


def _bounded(value: float, low: float, high: float, *, otherwise: float = 0.0) -> float:
    return otherwise if math.isnan(value) else min(high, max(low, value))


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))
