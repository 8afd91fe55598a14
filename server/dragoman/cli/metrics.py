"""``dragoman metrics``: what became of the suggestions and what agents did, from the counts on this disk."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.output import AsJson, note, out, print_json, print_text
from dragoman.limits import USAGE_DAYS

if TYPE_CHECKING:
    from collections import Counter

    from rich.console import Console

    from dragoman.monitoring.usage import Usage
    from dragoman.monitoring.usage_store import UsageStore

BAR_DAYS = 14
BAR_WIDTH = 40
LOCAL_ONLY = "These numbers are kept on this machine only and hold no text of yours."


def run_metrics(
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=USAGE_DAYS, help="Count the last N days, today included.")
    ] = 30,
    language: Annotated[str | None, typer.Option("--language", metavar="L", help="Count one language only.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget all counts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how many suggestions were shown, accepted and kept, what they cost, and what agents did.

    \b
    --json prints an object:
      path       the file with the counts
      days       the number of days asked for
      since      the first of them, as 2026-01-31
      language   the language asked for, or null
      total      counts and shares (below) of everything
      languages  {language: counts and shares}
      models     {model: counts and shares}
      by_day     {day: counts and shares}
      agents     {agent: runs}, of every language

    \b
    Each agent has
      runs, finished, failed, cancelled, mean_seconds of one (or null)
      tool_calls, and of these tools_failed and tools_denied
      prompt_tokens, completion_tokens

    \b
    Each of the others holds
      shown, accepted (= whole + line + word), typed (to the end), rejected, open
      survived, edited, removed, unknown: accepted ones, 30 s later
      characters (accepted), calls (to models)
      from_model, from_stream, from_cache, from_edit, from_identifiers: answers
      acceptance, survival, reuse: shares, 0 to 1, or null
      calls_per_100_shown: a number or null
    """  # noqa: D301 - \b keeps the lines apart in the help
    from dragoman.agents.counting import FILE, summarise_runs
    from dragoman.monitoring.usage_store import UsageStore

    store = UsageStore.default()
    try:
        runs_store = UsageStore.default(file=FILE)
        if reset:
            _reset(store, runs_store, as_json=as_json)
            return
        counted, counted_runs = store.read(), runs_store.read()
    except OSError as error:
        path = error.filename or str(store.path)
        note(f"dragoman: the counts in {path!r} cannot be read or changed: {error.strerror or error}.")
        note("  Check the rights of the file and its folder, or set DRAGOMAN_DATA_DIR.")
        raise typer.Exit(1) from None
    since = (store.today() - timedelta(days=days - 1)).isoformat()
    recent = counted.only(since=since)
    usage = recent if language is None else recent.only(language=language)
    runs = counted_runs.only(since=since)
    if as_json:
        print_json(
            {
                "path": str(store.path),
                "days": days,
                "since": since,
                "language": language,
                **_as_data(usage),
                "agents": {name: summarise_runs(counts) for name, counts in runs.by("language").items()},
            }
        )
        return
    if usage:
        _show(usage, out(), store, days)
    elif not runs or language is not None:
        _say_nothing_yet(recent, days, language)
    if runs and language is None:
        _show_runs(runs, out())
    if usage or (runs and language is None):
        console = out()
        console.print(f"{LOCAL_ONLY} They lie in {store.path.parent}.", style="dim", soft_wrap=True, markup=False)


def _reset(*stores: UsageStore, as_json: bool) -> None:
    removed = sum(store.reset() for store in stores) > 0
    if as_json:
        print_json({"path": str(stores[0].path), "reset": removed})
    elif removed:
        print_text("All counts are forgotten. Editors that run now begin again with what they have not written yet.")
    else:
        print_text("There was nothing to forget.")


def _as_data(usage: Usage) -> dict[str, Any]:
    from dragoman.monitoring.usage import summarise

    return {
        "total": summarise(usage.total()),
        "languages": {name: summarise(counts) for name, counts in usage.by("language").items()},
        "models": {name: summarise(counts) for name, counts in usage.by("model").items() if name},
        "by_day": {day: summarise(counts) for day, counts in usage.by("day").items()},
    }


def _say_nothing_yet(recent: Usage, days: int, language: str | None) -> None:
    period = "today" if days == 1 else f"in the last {days} days"
    if language is not None and recent:
        print_text(f"Nothing was counted for {language!r} {period}; there is {', '.join(recent.by('language'))}.")
    else:
        print_text(f"Nothing was counted {period}. Counting begins when an editor shows its first suggestion.")
    print_text(LOCAL_ONLY)


def _show(usage: Usage, console: Console, store: UsageStore, days: int) -> None:
    from rich import box
    from rich.table import Table

    plain = not _can_draw(console)
    table = Table(box=box.ASCII if plain else box.SIMPLE_HEAD, show_footer=True, pad_edge=False, padding=0)
    total = _cells("total", usage.total())
    for number, title in enumerate(
        ("language", "shown", "accepted", "whole", "line", "word", "typed", "survived", "calls", "reused")
    ):
        table.add_column(title, total[number], justify="right" if number else "left", no_wrap=number > 0)
    for name, counts in usage.by("language").items():
        table.add_row(*_cells(name or "(none)", counts))
    console.print(table)
    _show_days(usage, console, store.today(), days, plain=plain)
    console.print(
        "accepted: of those shown, taken whole, by line or by word\n"
        "typed: typed by hand as suggested; survived: unchanged after 30 s\n"
        "calls: to models, for 100 shown; reused: answers without a new call",
        style="dim",
    )


def _show_runs(runs: Usage, console: Console) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from dragoman.agents.counting import summarise_runs

    table = Table(box=box.SIMPLE_HEAD if _can_draw(console) else box.ASCII, pad_edge=False, padding=0)
    titles = ("agent", "runs", "finished", "failed", "cancelled", "mean", "tool calls", "denied", "tokens")
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left", no_wrap=number > 0)
    for name, counts in runs.by("language").items():
        sums = summarise_runs(counts)
        table.add_row(
            escape(name),
            *(str(sums[what]) for what in ("runs", "finished", "failed", "cancelled")),
            "-" if sums["mean_seconds"] is None else f"{sums['mean_seconds']:.1f} s",
            *(str(sums[what]) for what in ("tool_calls", "tools_denied")),
            f"{sums['prompt_tokens'] + sums['completion_tokens']:,}",
        )
    console.print(table)


def _cells(name: str, counts: Counter[str]) -> list[str]:
    from rich.markup import escape

    from dragoman.monitoring.usage import summarise

    sums = summarise(counts)
    calls = sums["calls_per_100_shown"]
    return [
        escape(name),
        *(str(sums["shown"]), _percent(sums["acceptance"])),
        *(str(sums[kind]) for kind in ("whole", "line", "word", "typed")),
        *(_percent(sums["survival"]), "-" if calls is None else f"{calls:.0f}", _percent(sums["reuse"])),
    ]


def _show_days(usage: Usage, console: Console, today: date, days: int, *, plain: bool) -> None:
    """Draw a bar for each of the newest days: what was accepted dark, what was only shown light."""
    from rich.text import Text

    from dragoman.monitoring.usage import accepted

    by_day = usage.by("day")
    shown = [today - timedelta(days=back) for back in reversed(range(min(days, BAR_DAYS)))]
    while shown and shown[0].isoformat() not in by_day:
        del shown[0]
    most = max((by_day[day.isoformat()]["shown"] for day in shown if day.isoformat() in by_day), default=0)
    if not most:
        return
    dark, light = ("#", ".") if plain else ("█", "░")
    for day in shown:
        counts = by_day.get(day.isoformat())
        line = Text(f"{day:%a %d %b} ")
        if counts is not None:
            width = -(-BAR_WIDTH * counts["shown"] // most)
            taken = min(width, -(-BAR_WIDTH * accepted(counts) // most))
            line.append(dark * taken, "green").append(light * (width - taken), "dim")
            line.append(f" {accepted(counts)} of {counts['shown']}")
        console.print(line)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _can_draw(console: Console) -> bool:
    try:
        "█░─".encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True
