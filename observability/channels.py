"""Where alerts go: which channels are used is decided by which are set in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

DISCORD, SLACK = "DISCORD_WEBHOOK_URL_FILE", "SLACK_WEBHOOK_URL_FILE"
WEBHOOK, HEARTBEAT = "ALERT_WEBHOOK_URL_FILE", "HEARTBEAT_URL_FILE"
ADDRESSES = (DISCORD, SLACK, WEBHOOK, HEARTBEAT)
"""Files with an address, which is a secret: whoever has it can write there."""
PAGERDUTY = "PAGERDUTY_ROUTING_KEY_FILE"
SERVER, PORT, SENDER, RECIPIENT = "SMTP_SERVER", "SMTP_PORT", "SENDER_EMAIL", "RECIPIENT_EMAIL"
PASSWORD, TLS = "SENDER_PASSWORD_FILE", "SMTP_TLS"
VARIABLES = {
    DISCORD: "File with the address of a Discord webhook. Alerts go there.",
    SLACK: "File with the address of a Slack webhook.",
    PAGERDUTY: "File with the routing key of a PagerDuty service (Events API v2). Gets what is critical.",
    SERVER: "Mail server for alerts. Mail needs SENDER_EMAIL and RECIPIENT_EMAIL too.",
    PORT: "Its port: 587 with STARTTLS, 465 with TLS.",
    SENDER: "Who sends the mail; also the user name, where there is a password.",
    PASSWORD: "File with the password of the mail server.",
    RECIPIENT: "Who gets the mail; several with commas.",
    TLS: "`off` for a mail server on this machine that speaks no TLS.",
    WEBHOOK: "File with an address of your own that alerts are posted to, as JSON.",
    HEARTBEAT: "File with an address that is called every minute while all is well with the watchers.",
}
"""Every variable, with what it is for."""
DEFAULT_PORT = 587


class WrongChannels(Exception):
    """A channel is set in a way that would not work; the text has a sentence for each."""


@dataclass(frozen=True)
class Mail:
    server: str
    sender: str
    recipient: str
    port: int = DEFAULT_PORT
    password_file: str | None = None
    tls: bool = True


@dataclass(frozen=True)
class Channels:
    """Secrets are files that Alertmanager reads itself. None: that channel is not used."""

    webhook_url: str | None = None
    """Of a proof; elsewhere an address is a secret and stands in a file."""
    webhook_file: str | None = None
    discord_file: str | None = None
    slack_file: str | None = None
    pagerduty_file: str | None = None
    pagerduty_url: str | None = None
    """Another address than PagerDuty's own."""
    mail: Mail | None = None
    heartbeat_file: str | None = None
    inhibits: bool = True
    """Whether an alert that follows from another is held back. A proof that wants to see each one says no."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Channels":
        """What the variables name.

        Raises:
            WrongChannels: A file is missing or empty, or a channel is set in part. Alertmanager's own check sees none
                of this.
        """
        given = {name: value.strip() for name, value in environment.items() if value.strip()}
        problems: list[str] = []
        discord, slack, webhook, heartbeat = (_file(given, name, problems, url=True) for name in ADDRESSES)
        pagerduty = _file(given, PAGERDUTY, problems)
        mail = _mail(given, problems)
        for name in (*ADDRESSES, PAGERDUTY, PASSWORD):
            plain = name.removesuffix("_FILE")
            if plain in given and name not in given:
                problems.append(f"{plain} holds a secret. Put it into a file, and name that file in {name}.")
        if problems:
            raise WrongChannels("\n".join(problems))
        return cls(
            webhook_file=webhook,
            discord_file=discord,
            slack_file=slack,
            pagerduty_file=pagerduty,
            mail=mail,
            heartbeat_file=heartbeat,
        )

    def at(self, folder: str) -> "Channels":
        """The same, for an Alertmanager that sees the files in another folder, as in a container."""
        return replace(
            self,
            webhook_file=_moved(self.webhook_file, folder),
            discord_file=_moved(self.discord_file, folder),
            slack_file=_moved(self.slack_file, folder),
            pagerduty_file=_moved(self.pagerduty_file, folder),
            heartbeat_file=_moved(self.heartbeat_file, folder),
            mail=self.mail and replace(self.mail, password_file=_moved(self.mail.password_file, folder)),
        )


def _moved(file: str | None, folder: str) -> str | None:
    return file and f"{folder}/{Path(file).name}"


def _file(given: Mapping[str, str], name: str, problems: list[str], *, url: bool = False) -> str | None:
    if name not in given:
        return None
    path = Path(given[name]).resolve()
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        problems.append(f"{name}: the file {path} cannot be read ({why}).")
        return None
    if not text:
        problems.append(f"{name}: the file {path} is empty.")
    elif url and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        problems.append(f"{name}: the file {path} holds no address that begins with https://.")
    return str(path)


def _mail(given: Mapping[str, str], problems: list[str]) -> Mail | None:
    wanted = (SERVER, SENDER, RECIPIENT)
    if not any(name in given for name in (*wanted, PASSWORD)):
        return None
    missing = [name for name in wanted if name not in given]
    if missing:
        problems.append(f"Mail needs {' and '.join(missing)} too.")
        return None
    port = given.get(PORT, str(DEFAULT_PORT))
    if not port.isdigit() or not 0 < int(port) < 65536:
        problems.append(f"{PORT} is no port: {port}.")
        return None
    password = _file(given, PASSWORD, problems)
    tls = given.get(TLS, "on") != "off"
    return Mail(given[SERVER], given[SENDER], given[RECIPIENT], int(port), password, tls)
