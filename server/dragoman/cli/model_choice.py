"""``dragoman models explain`` and ``bench``: which model is picked and why, and how fast one is here."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from dragoman.cli.output import AsJson, ConfigFile, note, out, print_json, print_text

if TYPE_CHECKING:
    from dragoman.models.base import Role

ROLES = ("completion", "chat", "edit", "review", "embedding")


def explain_role(
    role: Annotated[str, typer.Argument(help=f"What the model is for: {', '.join(ROLES)}.")],
    tokens: Annotated[int, typer.Option("--tokens", min=0, help="Prompt and answer together, in tokens.")] = 0,
    needs: Annotated[
        list[str] | None, typer.Option("--needs", metavar="ABILITY", help="An ability it must have; may be repeated.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which model answers for a role and why, and why the others do not; exit code 1 when none can."""
    if role not in ROLES:
        raise typer.BadParameter(f"{role!r} is no role; there are: {', '.join(ROLES)}.", param_hint="ROLE")
    raise typer.Exit(asyncio.run(_explain(cast("Role", role), tokens, needs or [], config, as_json=as_json)))


async def _explain(role: Role, tokens: int, abilities: list[str], config: Path | None, *, as_json: bool) -> int:
    from dragoman.cli.setup import open_app
    from dragoman.models.base import CAPABILITIES
    from dragoman.models.requirements import Requirements

    unknown = [one for one in abilities if one not in CAPABILITIES]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is no ability; there are: {', '.join(sorted(CAPABILITIES))}.", param_hint="--needs"
        )
    app = open_app(config)
    try:
        await app.models.refresh()
        choice, ranked = await app.models.explain(role, Requirements(frozenset(abilities), tokens))  # type: ignore[arg-type]
    finally:
        await app.aclose()
    told: dict[str, Any] = {
        "role": role,
        "chosen": None if choice.info is None else {"provider": choice.info.provider, "model": choice.info.name},
        "problem": choice.problem,
        "hint": choice.hint,
        "strategy": app.settings.models.strategy,
        "candidates": [asdict(one) for one in choice.candidates],
        "endpoints": [{"endpoint": one.endpoint.name, "why": one.why} for one in ranked],
    }
    if as_json:
        print_json(told)
    else:
        _print_choice(told)
    return 0 if choice.info is not None else 1


def _print_choice(told: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    if told["chosen"] is None:
        print_text(f"Nobody answers for {told['role']}: {told['problem']} {told['hint']}".rstrip())
    else:
        print_text(f"{told['role']}: {told['chosen']['model']} of {told['chosen']['provider']}")
        if told["problem"]:
            note(told["problem"])
    if told["candidates"]:
        table = Table(box=box.SIMPLE_HEAD)
        for heading in ("model", "provider", "", "why"):
            table.add_column(heading, overflow="fold")
        for one in told["candidates"]:
            table.add_row(one["model"], one["provider"], one["verdict"], one["why"])
        out().print(table)
    if len(told["endpoints"]) > 1:
        print_text(f"The next request would try ({told['strategy']}):")
        for number, one in enumerate(told["endpoints"], 1):
            print_text(f"  {number}. {one['endpoint']}: {one['why']}")


def bench_model(
    name: Annotated[str | None, typer.Argument(help="The model; the one that completes if you name none.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="How often it is asked.")] = 5,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure how fast a model is here: its first token, its tokens a second; vectors a second where it makes these."""
    asyncio.run(_bench(name, rounds, config, as_json=as_json))


async def _bench(name: str | None, rounds: int, config: Path | None, *, as_json: bool) -> None:
    from dragoman.cli.models import find_model
    from dragoman.cli.setup import open_app
    from dragoman.models.trial import kind_of, run_trials, summarise

    app = open_app(config)
    trials = []
    try:
        model = await (app.models.for_role("completion") if name is None else find_model(app, name))
        if not as_json:
            note(
                f"asking {model.info.name!r} of {model.info.provider!r}, {rounds} times after one that does not count …"
            )
        async for trial in run_trials(model, rounds):
            trials.append(trial)
            if not as_json:
                note(f"  {len(trials)} of {rounds}: {trial.duration:.2f} s")
    finally:
        await app.aclose()
    result = summarise(trials)
    told = {"name": model.info.name, "provider": model.info.provider, "kind": kind_of(model), **asdict(result)}
    if as_json:
        print_json(told)
        return
    lines = [f"{told['name']} ({told['provider']}), medians of {result.rounds}:"]
    if result.first_token is not None:
        read = f" of a prompt of {result.prompt_tokens:,} tokens" if result.prompt_tokens else ""
        lines.append(f"  first token after {result.first_token:.2f} s{read}")
    if result.tokens_per_second is not None:
        lines.append(f"  then {result.tokens_per_second:.0f} tokens a second")
    if result.vectors_per_second is not None:
        lines.append(f"  {result.vectors_per_second:.1f} vectors a second")
    lines.append(f"  {result.duration:.2f} s a call")
    print_text("\n".join(lines))
