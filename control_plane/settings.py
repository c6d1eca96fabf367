"""Every setting of the control plane, read once from the environment; nothing else reads the environment."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from control_plane.domain import allowance
from control_plane.domain.allowance import Allowance
from control_plane.domain.callers import Mode
from control_plane.secret_files import SUFFIX, SecretFiles, is_secret

# None with a shared secret: whoever can check one of those could make one.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

LONGEST_SOCKET_PATH = 107  # bytes; the kernel's


def socket_path(address: str) -> str | None:
    """The path in `unix:///path`; None for the address of a host."""
    path = address.removeprefix("unix://")
    return path if path != address and path.startswith("/") else None


def _from(name: str) -> str:
    return f"WEEDWATCH_{name}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(BaseSettings):
    """Frozen; a bad value stops the start and names the variable."""

    model_config = SettingsConfigDict(
        env_prefix="WEEDWATCH_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr = Field(
        validation_alias="DATABASE_URL",
        description="PostgreSQL, as a URL. `make run` starts an embedded PostgreSQL when it is not set.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    state_dir: Path = Field(Path(".weedwatch"), description="Folder of all state and logs.")
    model_store: Path = Field(Path("model_store"), description="Folder of the built model archives.")
    model: str = Field("plants", description="The model that answers; its highest version in the model store.")
    workers: int = Field(0, ge=0, le=64, description="TorchServe workers of the model; 0: one a core, at most 4.")

    torchserve_inference: Annotated[tuple[str, ...], NoDecode] = Field(
        ("http://127.0.0.1:8080",),
        min_length=1,
        description="TorchServe's inference API, `http://…` or `unix:///…`; several, comma-separated. One whose name "
        "leads nowhere is not there, as long as another is.",
    )
    torchserve_management: Annotated[tuple[str, ...], NoDecode] = Field(
        ("http://127.0.0.1:8081",), min_length=1, description="Its management API; as many, in the same order."
    )
    torchserve_metrics: Annotated[tuple[str, ...], NoDecode] = Field(
        ("http://127.0.0.1:8082",),
        description="Its metrics, which /metrics/torchserve passes on; in the same order.",
    )

    exchange_dir: Path | None = Field(
        None,
        description="Folder in memory that TorchServe's workers see too: photos are handed over there. "
        "Not set: they travel in the call.",
    )

    handler_log: Path | None = Field(
        None, description="The handler's log, which holds why a version cannot be loaded. `make run` names it."
    )

    max_image_bytes: int = Field(32 * 2**20, ge=1024, description="Largest accepted picture, in bytes.")
    max_pixels: int = Field(64_000_000, ge=1, description="Largest accepted picture, in pixels (width × height).")
    queue_size: int = Field(64, ge=1, description="Requests that may wait for a worker; more are answered 429.")
    queue_pixels: int = Field(
        400_000_000, ge=1, description="Pixels that may wait for a worker, of all pictures together."
    )
    batch_pictures: int = Field(
        8, ge=1, le=64, description="Pictures that a call to TorchServe takes along at most; more pay on a GPU."
    )
    answer_cache: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Answers that are kept in memory, to be given again to the same picture by the same version; "
        "0: none. 10 000 take about 9 MB, at most 15.",
    )
    spool_max_bytes: int = Field(
        2**30, ge=4096, description="Records that may wait on the disk while PostgreSQL is away, in bytes."
    )
    replica: str = Field(
        "replica-1", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of this replica; its spool folder's."
    )
    deadline_seconds: float = Field(10.0, gt=0, le=300, description="From a request's last byte to its answer.")
    upload_timeout_seconds: float = Field(
        3600.0, gt=0, description="For receiving a request's body, however steadily it comes."
    )
    worker_timeout_seconds: float = Field(
        20.0, gt=0, description="After this a call into TorchServe is given up and its worker's place freed."
    )
    database_timeout_seconds: float = Field(
        3.0, gt=0, description="For one statement, waiting for a connection included."
    )
    database_pool_size: int = Field(8, ge=1, description="Connections to PostgreSQL at most.")
    ready_first_seconds: float = Field(
        0.0,
        ge=0,
        le=600,
        description="At the start: listen only when ready, or after so many seconds, so that a proxy passes over a "
        "replica that cannot answer yet. 0: at once.",
    )
    probe_seconds: float = Field(2.0, gt=0, description="Between two reference predictions that prove readiness.")

    pictures_url: str | None = Field(
        None,
        description="Where kept pictures lie, as s3://bucket/folder, gs://bucket/folder or file:///folder; in the "
        "state folder if not set. Credentials come from the cloud's own variables and files, never from the URL.",
    )
    keep_pictures_days: int = Field(
        0, ge=0, le=36500, description="Kept pictures are removed after so many days; 0: never."
    )
    keep_history_days: int = Field(
        0, ge=0, le=36500, description="Records are deleted after so many days, pictures included; 0: never."
    )
    blur_degrees: float = Field(
        0.1,
        gt=0,
        le=10,
        description="Who may not see exact places gets them on a grid of so many degrees (0.1: about 11 km).",
    )

    quarantine_dir: Path | None = Field(
        None, description="Folder in which uploads wait for the quarantine's verdict; in the state folder if not set."
    )
    quarantine_seconds: float = Field(600.0, gt=0, le=86400, description="For the check of one uploaded version.")
    quarantine_network: bool = Field(
        False,
        description="Check uploads also where the quarantine cannot cut itself off from the network. Not advised.",
    )
    max_version_bytes: int = Field(2 * 2**30, ge=1024, description="Largest accepted model version, in bytes.")
    model_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Versions are taken from URLs below these prefixes, comma-separated; file:///folder/ too."
    )
    signing_key_file: FilePath | None = Field(
        None, description="minisign's public key. When set, only uploads that it signed are taken."
    )
    handler_digests: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="SHA-256 of code that uploaded archives may carry beside the platform's own, comma-separated."
    )

    auth: Mode = Field(
        "off",
        description="off: everybody may do all but admin work; only on a loopback address. keys: API keys. "
        "oidc: access tokens of a provider, and API keys.",
    )
    key_secret_file: Path | None = Field(
        None,
        description="File with the secret that digests of API keys are made with; otherwise one is made in the state "
        "folder. All replicas need the same. Several lines: the first makes new keys.",
    )
    oidc_issuer: str | None = Field(None, description="The OpenID provider, exactly as its tokens name it (`iss`).")
    oidc_audience: str | None = Field(None, description="What its access tokens name this service (`aud`).")
    oidc_algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = Field(
        ("RS256", "ES256", "EdDSA"), min_length=1, description="Signatures that are taken, comma-separated."
    )
    oidc_leeway_seconds: float = Field(30.0, ge=0, le=300, description="By how much the provider's clock may differ.")
    oidc_scopes_claim: str = Field(
        "scope",
        min_length=1,
        description="The claim with the words below; `realm_access.roles` is roles in realm_access.",
    )
    oidc_scopes: str = Field(
        "weedwatch:predict=predict,weedwatch:read=read,weedwatch:locations=locations,weedwatch:feedback=feedback,"
        "weedwatch:jobs=jobs,weedwatch:train=train,weedwatch:admin=admin",
        description="What each word of that claim allows here; several scopes with a plus.",
    )
    oidc_client_id: str | None = Field(None, description="The pages' public client at the provider.")
    oidc_client_scope: str | None = Field(
        None, description="What the pages ask the provider for; otherwise openid and the words above."
    )
    oidc_audience_parameter: Literal["resource", "audience", ""] = Field(
        "resource", description="The parameter by which the pages ask for a token for this service; empty for none."
    )

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names in the Host header that are answered, comma-separated; `*.example.org` for all below one. "
        "Not set: on a loopback address its own names, else any.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, "
        "comma-separated.",
    )
    caller_limits: str = Field(
        "rate=500,burst=5000,concurrent=256,bytes_per_minute=4294967296",
        description="What each caller with a credential may send: requests a second, at once after a pause, under way "
        "at the same time, bytes of bodies a minute; or off. A key may have limits of its own.",
    )
    address_limits: str | None = Field(
        None,
        description="The same for each client's address, whoever calls from there. Not set: twice the above, and off "
        "where WEEDWATCH_AUTH is off.",
    )
    bad_credentials: int | None = Field(
        None,
        ge=0,
        description="So many wrong credentials from one address in five minutes, then no new ones are looked at; "
        "0: any number. Not set: 20, and any number where WEEDWATCH_AUTH is off.",
    )
    limits_url: SecretStr | None = Field(
        None, description="Redis that counts the requests of all replicas, redis://:PASSWORD@HOST:6379/0."
    )
    docs: bool = Field(True, description="Show the pages /docs and /redoc, and /openapi.json.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="A port of their own for the metrics; the main port then has none."
    )
    metrics_host: str = Field("127.0.0.1", description="Address of the metrics' own port.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of browsers' pages that may call the API, comma-separated."
    )
    admin_token_file: Path | None = Field(
        None, description="File with the admin token; otherwise one is made in the state folder."
    )
    metrics: Literal["on", "off"] = Field(
        "on", description="off: nothing is counted. /metrics and the charts of the Status room then have nothing."
    )
    certificates: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="PEM files of certificates whose end the metrics tell, comma-separated."
    )
    traces_url: str | None = Field(
        None,
        description="Where traces are sent, by OTLP over HTTP: http(s)://COLLECTOR:4318/v1/traces. Not set: nowhere, "
        "and nothing is measured for them.",
    )
    traces_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the requests whose traces are recorded, 0 to 1. A caller's `traceparent` decides for "
        "its own.",
    )
    traces_headers: SecretStr | None = Field(
        None, description="Headers for the collector, as `Name: value`, one a line; mostly a credential."
    )
    prometheus_url: str | None = Field(
        None, description="Prometheus whose firing alerts the Status room shows, http(s)://HOST:9090."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "OFF"] = Field(
        "INFO", description="Least level that is logged; OFF: nothing at all."
    )
    log_dir: Path | None = Field(None, description="Folder of the rotated JSON log; standard output when not set.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - `make run` reads .env
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours name their files
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, SecretFiles(settings_cls), env_settings

    @field_validator("database_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        try:
            conninfo_to_dict(value.get_secret_value())
        except psycopg.Error:  # its text holds the address, password included
            raise ValueError(
                "not an address of PostgreSQL; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from None
        return value

    @field_validator("auth")
    @classmethod
    def _is_closed_on_the_network(cls, value: Mode, info: ValidationInfo) -> Mode:
        if value == "off" and not is_loopback(str(info.data.get("host"))):
            raise ValueError(
                f"off is for this machine alone, and WEEDWATCH_HOST is {info.data.get('host')}: set it to keys or "
                "oidc, or listen on 127.0.0.1"
            )
        return value

    @field_validator(
        *("cors_origins", "torchserve_inference", "torchserve_management", "torchserve_metrics"),
        *("model_urls", "handler_digests", "certificates", "oidc_algorithms"),
        *("allowed_hosts", "trusted_proxies"),
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("caller_limits", "address_limits")
    @classmethod
    def _are_limits(cls, value: str | None) -> str | None:
        if value is not None:
            allowance.parse(value)
        return value

    @property
    def allowed_callers(self) -> Allowance:
        return allowance.parse(self.caller_limits)

    @property
    def allowed_addresses(self) -> Allowance:
        if self.address_limits is not None:
            return allowance.parse(self.address_limits)
        return allowance.NOTHING_LIMITED if self.auth == "off" else self.allowed_callers.times(2)

    @property
    def allowed_bad_credentials(self) -> int:
        if self.bad_credentials is not None:
            return self.bad_credentials
        return 0 if self.auth == "off" else 20

    @field_validator("traces_url", "prometheus_url")
    @classmethod
    def _is_a_web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            is_one = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            is_one = False
        if not is_one:
            raise ValueError("write http://HOST:PORT/PATH, or https://…")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address must hold no credential and nothing behind ? or #: the log names it")
        return value.rstrip("/")

    @field_validator("traces_headers")
    @classmethod
    def _are_headers(cls, value: SecretStr | None) -> SecretStr | None:
        for line in value.get_secret_value().splitlines() if value else ():
            if line.strip() and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_|~-]+: *[\x20-\x7e]+", line.strip()):
                raise ValueError("write each header as `Name: value`, one a line")
        return value

    @property
    def traces_own_headers(self) -> dict[str, str]:
        lines = self.traces_headers.get_secret_value().splitlines() if self.traces_headers else []
        pairs = (line.partition(":") for line in lines if line.strip())
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise ValueError(f"{each!r} is no address and no network like 10.0.0.0/8") from None
        return value

    @field_validator("torchserve_inference", "torchserve_management", "torchserve_metrics")
    @classmethod
    def _are_reachable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            path = socket_path(each)
            if path is None and not each.startswith(("http://", "https://")):
                raise ValueError("write http://HOST:PORT, or unix:///FOLDER/NAME for a socket")
            if path is not None and len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
                raise ValueError(f"a socket's path has at most {LONGEST_SOCKET_PATH} bytes")
        return value

    @property
    def wanted_workers(self) -> int:
        return self.workers or min(4, os.cpu_count() or 1)

    @property
    def spool_dir(self) -> Path:
        return self.state_dir / "spool"

    @property
    def uploads_dir(self) -> Path:
        return self.quarantine_dir or self.state_dir / "quarantine"

    @property
    def pictures_dir(self) -> Path:
        return self.state_dir / "pictures"


def variable_names() -> dict[str, str]:
    """The environment variable of each setting and its description, in order."""
    return {
        (variable := str(field.validation_alias or _from(name.upper()))): (field.description or "")
        + (f" Or `{variable}{SUFFIX}`: a file that holds it." if is_secret(field) else "")
        for name, field in Settings.model_fields.items()
    }
