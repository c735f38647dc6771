"""Tests what a channel of the stream may be."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from wardround.spec.channels import Channel, Communication, Flag, Webhook

HOOK = {"url": "https://pager.example.org/wardround", "secret_file": "ward.secret"}
FIELD = {"url": "https://emr.example.org/fields", "body": '{"visit": "$visit", "value": $percent}'}


def test_a_channel_is_one_way_and_lasts_an_hour() -> None:
    assert Channel.model_validate({"webhook": HOOK}).way == Webhook.model_validate(HOOK)
    assert Channel(communication=Communication()).expires == timedelta(hours=1)
    assert Channel(flag=Flag(), expires=timedelta(hours=2)).way == Flag()
    assert Channel.model_validate({"request": {**FIELD, "url": "http://127.0.0.1:8080/x"}})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "exactly one"),
        ({"webhook": HOOK, "flag": {}}, "exactly one"),
        ({"webhook": {**HOOK, "url": "http://pager.example.org"}}, "expected https"),
        ({"webhook": {**HOOK, "url": "https://me:secret@pager.example.org"}}, "without credentials"),
        ({"webhook": {**HOOK, "url": "https://pager.example.org/$visit"}}, "others log"),
        ({"webhook": {"url": HOOK["url"]}}, "Field required"),
        ({"request": {**FIELD, "body": "$name"}}, r"contains \$name"),
        ({"request": {**FIELD, "body": "5 $ 6"}}, "begins no name"),
        ({"request": {**FIELD, "method": "GET"}}, "'POST', 'PUT' or 'PATCH'"),
        ({"communication": {"recipients": ["the ward"]}}, "should match pattern"),
        ({"flag": {}, "sound": "loud"}, "Extra inputs"),
    ],
)
def test_what_could_reach_the_wrong_people_or_nobody_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Channel.model_validate(wrong)
