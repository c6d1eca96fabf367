"""The printed block: an answer in words, and lines that work when pasted."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from standalone.block import Facts, describe, render

FACTS = Facts(
    port=8123,
    state_dir="/home/ann/weedwatch/.weedwatch",
    logs="/home/ann/weedwatch/.weedwatch/logs",
    seconds=18.6,
    picture="/home/ann/weedwatch/model_store/sources/plants/3/samples/japanese knotweed.jpg",
    answer="Japanese knotweed (reynoutria_japonica), 93 %",
    milliseconds=41,
    request_id="01999f2c",
)


def test_the_block_tells_time_answer_and_request() -> None:
    text = render(FACTS, Path("/home/ann/weedwatch"))

    assert "Ready in 19 s." in text
    assert "japanese knotweed.jpg -> Japanese knotweed (reynoutria_japonica), 93 %.  41 ms, request 01999f2c" in text
    assert "Open      http://localhost:8123\n" in text
    assert "http://localhost:8123/docs" in text


def test_paths_are_relative_to_where_the_command_ran_and_quoted() -> None:
    text = render(FACTS, Path("/home/ann/weedwatch"))

    picture = "'model_store/sources/plants/3/samples/japanese knotweed.jpg'"
    assert f"curl -F image=@{picture} http://localhost:8123/predict" in text
    assert "State     .weedwatch   logs in .weedwatch/logs" in text


def test_paths_outside_stay_absolute() -> None:
    assert "/home/ann/weedwatch/.weedwatch/logs" in render(FACTS, Path("/srv"))


def test_a_model_without_samples_gets_a_block_without_an_answer() -> None:
    text = render(Facts(port=8000, state_dir="/s", logs="/s/logs", seconds=9), Path("/"))

    assert "image=@your-picture.jpg" in text
    assert "->" not in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("species", "Japanese knotweed (reynoutria_japonica), 93 %"),
        ("one_of", "one of several, first Japanese knotweed"),
        ("cant_tell", "cannot tell; nearest is Japanese knotweed"),
        ("not_a_target", "none of the watched plants; looks like Japanese knotweed"),
    ],
)
def test_every_verdict_has_its_words(verdict: str, words: str) -> None:
    prediction = {"verdict": verdict, "predictions": [{"label": "reynoutria_japonica", "confidence": 0.934}]}

    assert describe(prediction, {"reynoutria_japonica": "Japanese knotweed"}).startswith(words)


def test_without_a_model_the_block_says_why_instead_of_an_answer() -> None:
    text = render(Facts(8123, "/srv/state", "/srv/logs", 9.2, reason="There is no archive."), Path("/srv"))

    assert "Started in 9 s, and cannot answer yet. There is no archive.\n" in text
    assert "Ready in" not in text
    assert "Open      http://localhost:8123\n" in text


def test_a_key_that_was_just_made_is_printed_once_with_the_line_that_uses_it() -> None:
    facts = replace(FACTS, auth="keys")

    text, later = render(facts, Path("/"), "ww_12345678_secret"), render(facts, Path("/"))

    assert "  Key       ww_12345678_secret\n" in text
    assert 'curl -H "Authorization: Bearer ww_12345678_secret" -F image=@' in text
    assert "ww_" not in later
    assert 'curl -H "Authorization: Bearer $KEY" -F image=@' in later


def test_what_watches_is_linked_where_it_runs() -> None:
    watched = replace(FACTS, prometheus="http://127.0.0.1:9090", alertmanager="http://127.0.0.1:9093")
    text = render(watched, Path("/"))
    assert "http://127.0.0.1:9090/alerts" in text
    assert "http://127.0.0.1:9093" in text
    assert "9090" not in render(FACTS, Path("/"))


def test_pages_that_are_not_there_are_not_linked() -> None:
    watched = replace(FACTS, prometheus="http://127.0.0.1:9090", alertmanager="http://127.0.0.1:9093", pages=False)
    text = render(watched, Path("/"))
    assert "http://127.0.0.1:9090/api/v1/targets" in text
    assert "http://127.0.0.1:9093/api/v2/alerts" in text
    assert not re.search(r":909[03](\s|/alerts|/query|/targets)", text)
