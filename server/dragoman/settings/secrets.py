"""Get a provider's key from where the settings say it is, when it is needed and not before."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import SecretStr

from dragoman.errors import SettingsError
from dragoman.settings.providers import KeyFromEnvironment, KeyFromKeyring, ProviderSettings


def resolve_key(provider: ProviderSettings, environ: Mapping[str, str] | None = None) -> SecretStr | None:
    """Return the key, None when the provider has none; raises SettingsError when it is not where it should be."""
    source = provider.api_key
    if isinstance(source, KeyFromEnvironment):
        value = (os.environ if environ is None else environ).get(source.env, "").strip()
        if not value:
            raise SettingsError(
                f"The key of provider {provider.name!r} should stand in the environment variable {source.env!r}, "
                "which is not set.",
                hint='Set it where the editor is started, or use { keyring = "service/name" }.',
            )
        return SecretStr(value)
    if isinstance(source, KeyFromKeyring):
        return SecretStr(_from_keyring(provider.name, source.keyring))
    return source


def _from_keyring(provider: str, place: str) -> str:
    service, _, name = place.partition("/")
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise SettingsError(
            f"The key of provider {provider!r} should be in the keyring, but the keyring package is not installed.",
            hint="Install it with: pip install keyring",
        ) from None
    try:
        value = keyring.get_password(service, name)
    except keyring.errors.KeyringError as error:
        raise SettingsError(
            f"The keyring that should hold the key of provider {provider!r} does not answer: {error}",
            hint='Unlock it, or use { env = "NAME" }.',
        ) from None
    if not value:
        raise SettingsError(
            f"The keyring has no key {name!r} for service {service!r}, which provider {provider!r} needs.",
            hint=f"Store it with: keyring set {service} {name}",
        )
    return value
