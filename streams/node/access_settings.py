"""What a site sets of access. Each field is also TRABECULA_<NAME>."""

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Role = Literal["feed", "clinician", "operator", "auditor"]
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""Signatures with a public key. A shared secret would let every reader of a token make tokens."""


class AccessError(ValueError):
    """Settings of access that cannot be used; the message names them and what would be accepted."""


class AccessSettings(BaseSettings):
    """Who may come in, and by what. Lists and tables are JSON in the environment."""

    model_config = SettingsConfigDict(env_prefix="TRABECULA_", frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: Path | None = None
    """A TOML file of API keys, as `new_key` writes its entries."""
    oidc_issuer: str | None = None
    """`iss` of the tokens that are accepted."""
    oidc_audience: str | None = None
    """`aud` of the tokens that are accepted."""
    oidc_keys: str | None = None
    """The issuer's JWKS: a file, or an https address."""
    oidc_algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256")
    """Signatures that are accepted."""
    oidc_subject: str = "sub"
    """The claim that names somebody in the audit and in answers."""
    oidc_roles: str = "roles"
    """The claim with the roles; dots lead into objects, e.g. `realm_access.roles`."""
    oidc_role_names: dict[str, Role] = {}
    """The issuer's names of roles; empty: they are named as here."""
    oidc_leeway: int = Field(default=60, ge=0, le=600)
    """Seconds by which two clocks may differ."""

    @field_validator("oidc_algorithms")
    @classmethod
    def _public(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or not set(names) <= set(ALGORITHMS):
            raise ValueError(f"expected some of {', '.join(ALGORITHMS)}")
        return names

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [self.oidc_issuer, self.oidc_audience, self.oidc_keys]
        if any(given) and not all(given):
            raise ValueError("oidc_issuer, oidc_audience and oidc_keys belong together; expected all three or none")
        return self
