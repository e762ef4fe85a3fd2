"""The keyring file: primary first, and a reason for each way it can be unusable."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossipd.agent.keyring_file import read_keyring
from gossipd.errors import ConfigError


def test_keys_come_in_the_order_of_the_file_each_once(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    path.write_text('["AQEBAQEBAQEBAQEBAQEBAQ==", "AAAAAAAAAAAAAAAAAAAAAA==", '
                    '"AQEBAQEBAQEBAQEBAQEBAQ=="]')  # fmt: skip
    assert read_keyring(str(path)) == (b"\1" * 16, bytes(16))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "Keyring file contains no keys"),
        ("{}", "keyring_file"),
        ("nonsense", "keyring_file"),
        ('["AAAA"]', "a key has 16, 24 or 32 bytes"),
        (None, "no such file or directory"),
    ],
)
def test_an_unusable_file_is_refused_with_its_path(
    tmp_path: Path, text: str | None, complaint: str
) -> None:
    path = tmp_path / "k.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_keyring(str(path))
    assert str(path) in str(caught.value)
