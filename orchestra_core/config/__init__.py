"""Configuration: read once, at the edge, into one frozen `Config`. Nobody else reads environment."""

from orchestra_core.config.accounting import AccountingSettings
from orchestra_core.config.description import describe
from orchestra_core.config.environment import process_environment
from orchestra_core.config.loading import embedded_installed, listening, load
from orchestra_core.config.locate import default_file, find_file, find_paths
from orchestra_core.config.settings import (
    AlertSettings,
    BackendSettings,
    Config,
    DiscoverySettings,
    LimitSettings,
    LoggingSettings,
    MemorySettings,
    ModelSettings,
    Paths,
    Secret,
    ServerSettings,
    StorageSettings,
    WebhookSettings,
    hide_password,
)
from orchestra_core.config.template import template

__all__ = [
    "AccountingSettings",
    "AlertSettings",
    "BackendSettings",
    "Config",
    "DiscoverySettings",
    "LimitSettings",
    "LoggingSettings",
    "MemorySettings",
    "ModelSettings",
    "Paths",
    "Secret",
    "ServerSettings",
    "StorageSettings",
    "WebhookSettings",
    "default_file",
    "describe",
    "embedded_installed",
    "find_file",
    "find_paths",
    "hide_password",
    "listening",
    "load",
    "process_environment",
    "template",
]
