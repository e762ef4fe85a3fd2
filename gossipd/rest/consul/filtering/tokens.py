"""Words, texts and signs of a filter expression."""

from __future__ import annotations

import re

from gossipd.value import Value

BYTES_MAX = 4096
WORD, QUOTED, SIGN, END = "word", "quoted", "sign", "end"
_SPACE = re.compile(r"[ \t\r\n]*")
_SIGN = re.compile(r"==|!=|[()]")
_WORD = re.compile(r"[^\s()=!\"`\[\]]+")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_RAW = re.compile(r"`([^`]*)`")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "/": "/"}


class BadFilter(Exception):
    """An expression that is none; ``place`` counts characters from 0."""

    def __init__(self, text: str, place: int) -> None:
        super().__init__(text)
        self.place = place


class Token(Value):
    """One word, text or sign; ``path`` are the parts of a word that names a field."""

    kind: str
    text: str
    place: int
    path: tuple[str, ...] = ()


def tokens_of(expression: str) -> list[Token]:
    """Return the tokens of ``expression``; the last one is ``END``.

    Raises:
        BadFilter: something in it is none.
    """
    tokens: list[Token] = []
    place = 0
    while True:
        place = _end_of(_SPACE, expression, place)
        if place == len(expression):
            tokens.append(Token(END, "", place))
            return tokens
        token, place = _token_at(expression, place)
        tokens.append(token)


def _token_at(text: str, place: int) -> tuple[Token, int]:
    sign = _SIGN.match(text, place)
    if sign is not None:
        return Token(SIGN, sign[0], place), sign.end()
    if text[place] in '"`':
        value, end = _quoted_at(text, place)
        return Token(QUOTED, value, place), end
    word = _WORD.match(text, place)
    if word is None:
        raise BadFilter(f"{text[place]!r} means nothing here", place)
    path, end = word[0].split("."), word.end()
    while text.startswith("[", end):
        name, end = _quoted_at(text, end + 1)
        if not text.startswith("]", end):
            raise BadFilter("a closing ] is missing", end)
        end += 1
        path.append(name)
        more = _WORD.match(text, end)
        if more is not None:
            if not more[0].startswith("."):
                raise BadFilter("a dot is missing", end)
            path += more[0][1:].split(".")
            end = more.end()
    return Token(WORD, text[place:end], place, tuple(path)), end


def _quoted_at(text: str, place: int) -> tuple[str, int]:
    if text.startswith("`", place):
        raw = _RAW.match(text, place)
        if raw is not None:
            return raw[1], raw.end()
    found = _TEXT.match(text, place)
    if found is None:
        raise BadFilter("a text that does not end" if text[place:] else "a text is missing", place)
    return re.sub(r"\\(.)", lambda m: _unescaped(m[1], place), found[1], flags=re.DOTALL), (
        found.end()
    )


def _unescaped(character: str, place: int) -> str:
    try:
        return _ESCAPES[character]
    except KeyError:
        raise BadFilter(f"unknown escape \\{character}", place) from None


def _end_of(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return place if found is None else found.end()
