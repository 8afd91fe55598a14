"""Which model fills a role, and why: pure functions over what the providers offer."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dragoman.models.base import ModelInfo, Provider, ProviderStatus, Role
from dragoman.models.limits import RETRY_ATTEMPTS
from dragoman.models.requirements import NONE, Requirements, count_substituted, find_unmet

Verdict = Literal["chosen", "able", "unable", "excluded"]


@dataclass(frozen=True, slots=True)
class Habits:
    """How a provider is to be called.

    ``weight`` is its share among those with the same model, ``attempts`` how often a call is tried at most,
    ``keeps`` how many models its server holds in memory at a time (None where that does not matter),
    ``paid`` whether calls cost money.
    """

    weight: float = 1.0
    attempts: int = RETRY_ATTEMPTS
    keeps: int | None = None
    paid: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A provider and what the settings say of it.

    ``origin`` tells a configured one from one that was found on its usual port and from the model that comes with Dragoman.
    ``stated_roles`` maps model names to the only roles they may fill.
    """

    provider: Provider
    origin: Literal["configured", "detected", "embedded"] = "configured"
    stated_roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    default_model: str | None = None
    habits: Habits = Habits()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source has right now; ``problem`` is a sentence when its models could not be listed."""

    source: Source
    status: ProviderStatus
    models: tuple[ModelInfo, ...] = ()
    problem: str = ""
    hint: str = ""
    """What to do about the problem."""

    @property
    def trouble(self) -> str:
        """Why it cannot be used now though it is configured, empty when it can."""
        return self.problem or self.status.problem or ("" if self.status.reachable else "does not answer")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model held against one role."""

    provider: str
    model: str
    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True)
class Able:
    """A model that can fill the role: where it is, why it stands where it does, and whether a person named it for the role."""

    source: Source
    info: ModelInfo
    why: str
    named: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome for a role: the winner, None when nobody is able, and everyone who was looked at.

    ``able`` are all that could answer, the winner first.
    """

    role: Role
    source: Source | None
    info: ModelInfo | None
    candidates: tuple[Candidate, ...]
    problem: str = ""
    hint: str = ""
    able: tuple[Able, ...] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings ask for one role: patterns in order of preference, and whether a person wrote them."""

    patterns: tuple[str, ...] = ()
    written: bool = False
    pinned: str | None = None
    """A model the user picked for this session; beats every pattern."""


def choose(role: Role, offers: Sequence[Offer], wishes: Wishes, needs: Requirements = NONE) -> Choice:
    """Pick the model for ``role`` and what the request ``needs``.

    In order: the pinned model; one that has the needed abilities of its own; a pattern a person wrote; a model stated for
    the role; one that fills in the middle (for completion); the default patterns; configured before detected before embedded;
    the order of the settings.
    The embedded model stands back for every role that a configured provider has a model for, or may have when it is up.
    """
    able: list[tuple[tuple[int, ...], Offer, ModelInfo, str]] = []
    candidates: list[Candidate] = []
    for position, offer in enumerate(offers):
        for info in offer.models:
            verdict, why = _judge(role, offer, info)
            if verdict == "able" and (unmet := find_unmet(needs, info, is_local=offer.source.provider.is_local)):
                verdict, why = "unable", unmet
            if verdict != "able":
                candidates.append(Candidate(info.provider, info.name, verdict, why))
                continue
            rank, reason = _rank(role, offer, info, wishes, position, needs)
            able.append((rank, offer, info, reason))
    able = _stand_back(able, offers)
    able.sort(key=lambda row: row[0])
    for index, (_, _, info, reason) in enumerate(able):
        candidates.insert(index, Candidate(info.provider, info.name, "chosen" if index == 0 else "able", reason))
    problem = _unmatched(role, offers, wishes)
    if not able:
        reason, hint = _nobody(role, offers, needs, candidates)
        return Choice(role, None, None, tuple(candidates), problem or reason, hint)
    _, offer, info, _ = able[0]
    listed = tuple(
        Able(one.source, model, reason, wishes.written and any(matches(model.name, wish) for wish in wishes.patterns))
        for _, one, model, reason in able
    )
    return Choice(role, offer.source, info, tuple(candidates), problem, able=listed)


def _judge(role: Role, offer: Offer, info: ModelInfo) -> tuple[Verdict, str]:
    stated = offer.source.stated_roles.get(info.name)
    if stated:
        if role in stated:
            return "able", ""
        return "excluded", f"stated for {', '.join(sorted(stated))} only"
    can = info.capabilities
    if role == "embedding":
        return ("able", "") if "embedding" in can else ("unable", "makes no embeddings")
    if "embedding" in can and not can & {"chat", "completion"}:
        return "unable", "makes embeddings only"
    if role == "completion":
        if "fim" in can or (offer.source.origin == "configured" and "completion" in can):
            return "able", ""
        return "unable", "does not fill in the middle"
    return ("able", "") if "chat" in can else ("unable", "has no chat template")


def _rank(
    role: Role, offer: Offer, info: ModelInfo, wishes: Wishes, position: int, needs: Requirements
) -> tuple[tuple[int, ...], str]:
    matched = next((i for i, pattern in enumerate(wishes.patterns) if matches(info.name, pattern)), None)
    stated = role in offer.source.stated_roles.get(info.name, frozenset())
    fills = role != "completion" or "fim" in info.capabilities
    origin = ("configured", "detected", "embedded").index(offer.source.origin)
    pinned = wishes.pinned is not None and info.name == wishes.pinned
    far = len(wishes.patterns)
    rank = (
        0 if pinned else 1,
        count_substituted(needs, info),
        matched if matched is not None and wishes.written else far,
        0 if stated else 1,
        0 if fills else 1,
        matched if matched is not None else far,
        0 if info.name == offer.source.default_model else 1,
        origin,
        position,
    )
    if pinned:
        return rank, "picked for this session"
    if matched is not None and wishes.written:
        return rank, f"matches models.roles.{role} {wishes.patterns[matched]!r}"
    if stated:
        return rank, f"stated for {role} in the settings"
    if matched is not None:
        return rank, f"matches the default {wishes.patterns[matched]!r}"
    if role == "completion":
        return (
            rank,
            "fills in the middle" if fills else "does not fill in the middle: gets the text before the cursor only",
        )
    return rank, "able"


def _stand_back(
    able: list[tuple[tuple[int, ...], Offer, ModelInfo, str]], offers: Sequence[Offer]
) -> list[tuple[tuple[int, ...], Offer, ModelInfo, str]]:
    """Take out the embedded model where a configured provider answers for the role, or would if it were up."""
    configured = [offer for offer in offers if offer.source.origin == "configured"]
    claimed = any(row[1].source.origin == "configured" for row in able) or any(offer.trouble for offer in configured)
    return [row for row in able if row[1].source.origin != "embedded"] if claimed else able


def _unmatched(role: Role, offers: Sequence[Offer], wishes: Wishes) -> str:
    """Name the first pattern a person wrote that no model matches, with the nearest name there is."""
    names = [info.name for offer in offers for info in offer.models]
    for pattern in wishes.patterns if wishes.written else ():
        if not any(matches(name, pattern) for name in names):
            nearest = difflib.get_close_matches(pattern.strip("*"), names, n=1, cutoff=0.3)
            instead = f" The nearest is {nearest[0]!r}." if nearest else ""
            return f"No model matches {pattern!r} in models.roles.{role}.{instead}"
    return ""


NAMED_AT_MOST = 4
"""Models that an error says something of."""

NO_MODEL_HINT = (
    "Get the embedded one with `dragoman models pull`, or start a model server; `dragoman doctor` says more."
)

EMBEDDING_HINT = (
    "Start one that does, such as nomic-embed-text with Ollama; "
    "if one of yours does, say so with embedding = true in models of its provider."
)


def _nobody(
    role: Role, offers: Sequence[Offer], needs: Requirements, candidates: Sequence[Candidate]
) -> tuple[str, str]:
    """Say why nobody fills the role, and what to do about it."""
    if needs != NONE and candidates and all(one.verdict != "able" for one in candidates):
        unmet = "; ".join(f"{one.model!r} {one.why}" for one in candidates[:NAMED_AT_MOST])
        more = f"; {len(candidates) - NAMED_AT_MOST} more" if len(candidates) > NAMED_AT_MOST else ""
        return f"No model can answer this request: {unmet}{more}.", "`dragoman models explain` says more of each."
    troubled = [offer for offer in offers if offer.source.origin == "configured" and offer.trouble]
    if troubled:
        hint = next((offer.hint or offer.status.hint for offer in troubled if offer.hint or offer.status.hint), "")
        return "; ".join(offer.trouble for offer in troubled), hint or "Run `dragoman doctor`."
    if role == "completion" and any(offer.models for offer in offers):
        return "None of the models that answer can fill in the middle.", NO_MODEL_HINT
    if role == "embedding" and any(offer.models for offer in offers):
        return "None of the models that answer makes embeddings.", EMBEDDING_HINT
    # Nothing is configured: whatever keeps the embedded model from being used is what the user can mend.
    for offer in offers:
        if offer.source.origin == "embedded" and offer.trouble:
            return offer.trouble, offer.hint or offer.status.hint or NO_MODEL_HINT
    return "No model is installed and no model server answers.", NO_MODEL_HINT


def matches(name: str, pattern: str) -> bool:
    """Tell whether a model's name fits a shell pattern, whatever the case; a registry's path before it may be left out."""
    name, pattern = name.lower(), pattern.lower()
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name.rsplit("/", 1)[-1], pattern)
