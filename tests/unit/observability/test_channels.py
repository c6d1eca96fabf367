from pathlib import Path

import pytest

from observability.alertmanager import configuration, inhibitions
from observability.channels import VARIABLES, Channels, Mail, WrongChannels

ADDRESS = "https://chat.example/hooks/1"


def test_nothing_set_means_no_channel() -> None:
    assert Channels.from_environment({"DISCORD_WEBHOOK_URL_FILE": " ", "PATH": "/bin"}) == Channels()
    receivers = configuration(Channels())["receivers"]
    assert [set(each) for each in receivers] == [{"name"}] * 4


def test_what_is_set_is_used(tmp_path: Path) -> None:
    (tmp_path / "discord").write_text(ADDRESS + "\n")
    (tmp_path / "key").write_text("secret")
    channels = Channels.from_environment(
        {
            "DISCORD_WEBHOOK_URL_FILE": str(tmp_path / "discord"),
            "PAGERDUTY_ROUTING_KEY_FILE": str(tmp_path / "key"),
            "SMTP_SERVER": "mail.example",
            "SENDER_EMAIL": "from@weeds.example",
            "RECIPIENT_EMAIL": "to@weeds.example",
            "SENDER_PASSWORD_FILE": str(tmp_path / "key"),
        }
    )
    assert channels == Channels(
        discord_file=str(tmp_path / "discord"),
        pagerduty_file=str(tmp_path / "key"),
        mail=Mail("mail.example", "from@weeds.example", "to@weeds.example", 587, str(tmp_path / "key")),
    )
    told = {each["name"]: set(each) - {"name"} for each in configuration(channels)["receivers"]}
    assert told == {
        "critical": {"discord_configs", "email_configs", "pagerduty_configs"},
        "warning": {"discord_configs", "email_configs"},
        "info": {"discord_configs"},
        "heartbeat": set(),
    }
    assert "secret" not in str(configuration(channels))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("DISCORD_WEBHOOK_URL_FILE", None, r"DISCORD_WEBHOOK_URL_FILE: the file .*/secret cannot be read \(No such"),
        ("SLACK_WEBHOOK_URL_FILE", " \n", r"SLACK_WEBHOOK_URL_FILE: the file .* is empty\."),
        ("HEARTBEAT_URL_FILE", "chat.example", r"HEARTBEAT_URL_FILE: the file .* holds no address"),
        ("SENDER_PASSWORD_FILE", "x", r"Mail needs SMTP_SERVER and SENDER_EMAIL and RECIPIENT_EMAIL too\."),
    ],
)
def test_a_channel_that_would_not_work_is_named(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "secret").write_text(text)
    with pytest.raises(WrongChannels, match=said):
        Channels.from_environment({name: str(tmp_path / "secret")})


def test_a_secret_in_the_environment_is_refused_without_saying_it() -> None:
    with pytest.raises(WrongChannels) as caught:
        Channels.from_environment({"DISCORD_WEBHOOK_URL": ADDRESS, "SMTP_SERVER": "x"})
    assert str(caught.value) == (
        "Mail needs SENDER_EMAIL and RECIPIENT_EMAIL too.\n"
        "DISCORD_WEBHOOK_URL holds a secret. Put it into a file, and name that file in DISCORD_WEBHOOK_URL_FILE."
    )


def test_a_port_that_is_none_is_named() -> None:
    mail = {"SMTP_SERVER": "mail.example", "SENDER_EMAIL": "a@b.example", "RECIPIENT_EMAIL": "c@b.example"}
    with pytest.raises(WrongChannels, match="SMTP_PORT is no port: smtp"):
        Channels.from_environment({**mail, "SMTP_PORT": "smtp"})


def test_every_variable_is_explained() -> None:
    assert all(text.endswith(".") for text in VARIABLES.values())


def test_repeat_times_are_those_that_are_promised() -> None:
    routes = {
        each["receiver"]: (each["repeat_interval"], each.get("group_interval"))
        for each in configuration(Channels())["route"]["routes"]
    }
    assert routes == {
        "critical": ("300s", None),
        "warning": ("3600s", None),
        "info": ("21600s", None),
        "heartbeat": ("60s", "20s"),
    }
    assert configuration(Channels())["route"]["group_interval"] == "60s"
    faster = configuration(Channels(), factor=30)["route"]
    assert [each["repeat_interval"] for each in faster["routes"]] == ["2s", "10s", "120s", "720s"]


def test_only_what_is_of_the_same_thing_is_held_back() -> None:
    rules = inhibitions()
    burns = [each for each in rules if each["source_matchers"] == ['alertname="ErrorBudgetBurnsFast"']]
    assert burns
    assert all(each["equal"] == ["slo"] for each in burns)
    assert {
        "source_matchers": ['alertname="ModelNotLoaded"'],
        "target_matchers": ['alertname="NotReady"', 'reason=~"no_model|no_worker|unproven|silent"'],
    } in rules
    assert configuration(Channels(inhibits=False))["inhibit_rules"] == []


def test_files_of_secrets_may_lie_elsewhere_for_alertmanager(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://hooks.example.org/x")
    (tmp_path / "word").write_text("geheim")
    given = {
        "ALERT_WEBHOOK_URL_FILE": str(tmp_path / "hook"),
        "SMTP_SERVER": "mail.example.org",
        "SENDER_EMAIL": "a@example.org",
        "RECIPIENT_EMAIL": "b@example.org",
        "SENDER_PASSWORD_FILE": str(tmp_path / "word"),
    }
    moved = Channels.from_environment(given).at("/run/secrets")
    assert (moved.webhook_file, moved.slack_file) == ("/run/secrets/hook", None)
    assert moved.mail is not None
    assert moved.mail.password_file == "/run/secrets/word"
