"""The whole of the settings: one frozen value that every room reads."""

from __future__ import annotations

from pydantic import Field

from dragoman.settings.providers import ProviderSettings
from dragoman.settings.sections import (
    AgentSettings,
    CompletionSettings,
    ContextSettings,
    GatewaySettings,
    McpSettings,
    ModelsSettings,
    MonitoringSettings,
    ReviewSettings,
    Section,
    SecuritySettings,
    StorageSettings,
    WorkflowSettings,
)


class Settings(Section):
    """Everything that can be set; ``Settings()`` is what applies when nothing is."""

    models: ModelsSettings = Field(default_factory=ModelsSettings, description="How models are chosen.")
    providers: tuple[ProviderSettings, ...] = Field(
        default=(), description="Where models are; when empty, this machine's usual ports are asked."
    )
    completion: CompletionSettings = Field(default_factory=CompletionSettings, description="Ghost text while you type.")
    context: ContextSettings = Field(default_factory=ContextSettings, description="What a model gets to read.")
    review: ReviewSettings = Field(default_factory=ReviewSettings, description="Diagnostics from a model.")
    agents: dict[str, AgentSettings] = Field(default={}, description="Agents by name.")
    workflows: dict[str, WorkflowSettings] = Field(default={}, description="Workflows by name.")
    mcp: McpSettings = Field(default_factory=McpSettings, description="Servers that offer tools to agents.")
    storage: StorageSettings = Field(default_factory=StorageSettings, description="Where data is kept.")
    gateway: GatewaySettings = Field(default_factory=GatewaySettings, description="The HTTP door.")
    security: SecuritySettings = Field(default_factory=SecuritySettings, description="Protection of keys and files.")
    monitoring: MonitoringSettings = Field(default_factory=MonitoringSettings, description="Logs and measurements.")
