"""The table of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from dragoman.cli import (
    agents,
    chat,
    complete,
    config,
    conversations,
    demo,
    doctor,
    lsp,
    metrics,
    models,
    project_map,
    review,
    run,
    trust,
    version,
)

application = typer.Typer(
    name="dragoman",
    help="The language server for language models: any LSP editor, any LLM, offline by default.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@application.callback()
def start(
    _version: Annotated[
        bool, typer.Option("--version", callback=version.show_and_exit, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


lsp.register(application)
application.command("demo")(demo.run_demo)
application.command("doctor")(doctor.run_doctor)
application.command("complete")(complete.run_complete)
application.command("run")(run.run_agent)
application.command("chat")(chat.run_chat)
application.command("review")(review.run_review)
application.add_typer(agents.commands, name="agents")
application.add_typer(models.commands, name="models")
application.add_typer(config.commands, name="config")
application.add_typer(conversations.commands, name="conversations")
application.command("metrics")(metrics.run_metrics)
application.command("map")(project_map.run_map)
application.command("trust")(trust.run_trust)
application.command("version")(version.run_version)
