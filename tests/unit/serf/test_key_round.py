"""How the answers to a key query are counted (gossip.md, section 18.1; texts of rpc.md)."""

from __future__ import annotations

from gossipd.serf.key_round import KEYS_COUNTED_MAX, MESSAGE_LETTERS_MAX, KeyRound, key_question
from gossipd.serf.question import KeyCommand, KeyReport, Question
from gossipd.wire.internal_query_codec import encode_key_request, encode_key_response
from gossipd.wire.serf_messages import KeyRequest, KeyResponse


class Asked:
    """A round among ``members``."""

    def __init__(self, *members: str) -> None:
        self.reports: list[KeyReport] = []
        self.round = KeyRound(members, self.reports.append)

    def say(self, node: str, response: KeyResponse | bytes | None) -> None:
        payload = encode_key_response(response) if isinstance(response, KeyResponse) else response
        self.round.answered(node, payload)

    def report(self) -> KeyReport:
        self.round.closed()
        [report] = self.reports
        return report


def test_the_questions_are_those_of_serf() -> None:
    key = b"k" * 16
    assert key_question(KeyCommand.INSTALL, key) == Question(
        name="_serf_install-key", payload=encode_key_request(KeyRequest(key))
    )
    listing = key_question(KeyCommand.LIST, key)
    assert listing.name == "_serf_list-keys"
    assert listing.payload == encode_key_request(KeyRequest(None)), "a key is nobody's business"


def test_all_agree() -> None:
    asked = Asked("a", "b")
    asked.say("a", KeyResponse(True))
    asked.say("b", KeyResponse(True))
    assert asked.report() == KeyReport(2, 2, 0, {}, {}, {})


def test_one_refuses() -> None:
    asked = Asked("a", "b")
    asked.say("a", KeyResponse(True))
    asked.say("b", KeyResponse(False, "Requested key is not in the keyring"))
    report = asked.report()
    assert (report.nodes, report.responses, report.errors) == (2, 2, 1)
    assert report.messages == {"b": "Requested key is not in the keyring"}
    assert report.error == "1/2 nodes reported failure"


def test_one_is_silent() -> None:
    asked = Asked("a", "b", "c")
    asked.say("a", KeyResponse(True))
    asked.say("b", KeyResponse(True))
    assert asked.report().error == "2/3 nodes reported success"


def test_who_joined_meanwhile_counts_too() -> None:
    asked = Asked("a")
    asked.say("new", KeyResponse(True))
    report = asked.report()
    assert (report.nodes, report.responses, report.error) == (2, 1, "1/2 nodes reported success")


def test_keys_and_primary_keys_are_counted_apart() -> None:
    asked = Asked("a", "b", "c")
    asked.say("a", KeyResponse(True, "", ("K1", "K2"), "K1"))
    asked.say("b", KeyResponse(True, "", ("K2", "K1"), "K2"))
    asked.say("c", KeyResponse(True, "truncated key list", ("K1",), "K1"))
    report = asked.report()
    assert report.keys == {"K1": 3, "K2": 2}
    assert report.primary_keys == {"K1": 2, "K2": 1}
    assert report.messages == {"c": "truncated key list"}, "a remark is no failure"
    assert report.error == ""


def test_what_is_no_answer_to_a_key_query_is_a_failure() -> None:
    asked = Asked("a", "b", "c")
    asked.say("a", None)
    asked.say("b", b"\x08\xc1")
    asked.say("c", b"\x04nonsense")
    report = asked.report()
    assert report.errors == 3
    assert set(report.messages) == {"a", "b", "c"}


def test_a_refusal_without_words_is_still_named() -> None:
    asked = Asked("a")
    asked.say("a", KeyResponse(False))
    assert asked.report().messages == {"a": ""}


def test_a_member_that_makes_things_up_does_not_fill_our_memory() -> None:
    asked = Asked("a", "b")
    for first in range(0, 2 * KEYS_COUNTED_MAX, 1000):
        made_up = tuple(f"k{first + number}" for number in range(1000))
        asked.say(f"a{first}", KeyResponse(True, "", made_up))
    asked.say("a", KeyResponse(True, "x" * 5000, ("k0", "k0", "other")))
    report = asked.report()
    assert len(report.keys) == KEYS_COUNTED_MAX
    assert report.keys["k0"] == 2
    assert len(report.messages["a"]) == MESSAGE_LETTERS_MAX
