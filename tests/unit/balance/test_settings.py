"""Settings of a balancer: each wrong one is named."""

from __future__ import annotations

import math

import pytest

from gossipd.balance.policies import POLICIES, make_policy
from gossipd.balance.settings import BalanceSettings, settings_from
from gossipd.errors import UsageError


def test_the_defaults_are_legal() -> None:
    assert settings_from({}) == BalanceSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latency_memory", 0),
        ("latency_memory", math.nan),
        ("breaker_failures", 0),
        ("breaker_failures", 1.5),
        ("breaker_jitter", 1.1),
        ("retry_share", -0.1),
        ("panic_threshold", "half"),
        ("slow_start", True),
        ("slow_startt", 1),
    ],
)
def test_a_wrong_one_is_named(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name}: "):
        settings_from({name: value})


def test_every_policy_can_be_made_and_no_other() -> None:
    for name in POLICIES:
        make_policy(name, BalanceSettings())
    with pytest.raises(UsageError, match="p2c"):
        make_policy("fastest", BalanceSettings())
