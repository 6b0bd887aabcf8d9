"""The grammar of expressions, and the parts that it takes a text apart into."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from matlens.errors import ExpressionError
from matlens.escape import safe_text, shorten

LONGEST = 10_000
DEEPEST = 30
LONGEST_CHAIN = 100
_SHOWN = 40
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z_]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<name>[^\W\d]\w*)
    | (?P<sign>==|~=|!=|<=|>=|!~|&&|\|\||\*\*|=~|[-+*/^%<>~&|!()\[\],.=])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
"""Other backslashes stay, for they mean something in regular expressions."""
_COMPARISONS = {sign: sign for sign in ("==", "!=", "<", "<=", ">", ">=", "~", "!~")} | {
    "=": "==",
    "~=": "!=",
    "=~": "~",
}
WORDS = {"and": "and", "&": "and", "&&": "and", "or": "or", "|": "or", "||": "or", "not": "not", "!": "not", "~": "not"}
CONSTANTS: dict[str, Any] = {
    "true": True,
    "false": False,
    "missing": None,
    "null": None,
    "nan": float("nan"),
    "inf": float("inf"),
}


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text or truth value, None for a missing one."""

    value: Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or one of the fields below it."""

    path: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function, an operator or a list of values (``[]``) and what it is applied to."""

    name: str
    arguments: tuple[Part, ...]
    at: int


Part = Literal | Column | Call


def parts_of(text: str) -> Part:
    """Take an expression apart; see `matlens.columns.expressions.parse`."""
    return _Parser(text).whole()


def resolve(text: str, column: Column, available: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The available column that is meant, the one of the longest name, and the fields below it."""
    for k in range(len(column.path), 0, -1):
        name = ".".join(column.path[:k])
        if name in available:
            return name, column.path[k:]
    name = ".".join(column.path)
    near = difflib.get_close_matches(name, available, n=1, cutoff=0.5)
    known = ", ".join(map(safe_text, available[:20])) or "none"
    hint = f", did you mean {safe_text(near[0])}?" if near else f"; there are {known}"
    return fail(text, column.at, f"no column {shorten(safe_text(name), 60)}{hint}")


def fail(text: str, at: int, message: str) -> NoReturn:
    """Raise an error that tells the place in an expression."""
    before = safe_text(text[max(at - _SHOWN, 0) : at]).strip()
    place = f"at character {at + 1:,}, after {before}" if before else "at the start"
    raise ExpressionError(f"{message} ({place})")


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        fail(text, 0, f"an expression has up to {LONGEST:,} characters, this one has {len(text):,}")
    found, at = [], 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            fail(text, start, f"unexpected {safe_text(text[start])}")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("end", "", end)]


class _Parser:
    """Goes down the grammar, a method for each of its levels."""

    def __init__(self, text: str) -> None:
        self._text, self._left, self._depth = text, _tokens(text), 0

    def whole(self) -> Part:
        root = self._or()
        if self._next.kind != "end":
            fail(self._text, self._next.at, f"expected an operator, found {self._found()}")
        return root

    @property
    def _next(self) -> _Token:
        return self._left[0]

    def _found(self) -> str:
        return shorten(safe_text(self._next.text), 30) if self._next.kind != "end" else "the end"

    def _take(self) -> _Token:
        return self._left.pop(0)

    def _is_sign(self, *signs: str) -> bool:
        return self._next.kind == "sign" and self._next.text in signs

    def _is_word(self, word: str) -> bool:
        kind, text, _ = self._next
        return kind in ("sign", "name") and WORDS.get(text.lower() if kind == "name" else text) == word

    def _expect(self, sign: str) -> None:
        if not self._is_sign(sign):
            fail(self._text, self._next.at, f"expected {sign} , found {self._found()}")
        self._take()

    def _deeper(self, level: Callable[[], Part]) -> Part:
        self._depth += 1
        if self._depth > DEEPEST:
            fail(self._text, self._next.at, f"expressions nest up to {DEEPEST} levels")
        part = level()
        self._depth -= 1
        return part

    def _or(self) -> Part:
        return self._joined("or", self._and)

    def _and(self) -> Part:
        return self._joined("and", self._not)

    def _joined(self, word: str, level: Callable[[], Part]) -> Part:
        parts, at = [level()], self._next.at
        while self._is_word(word):
            self._take()
            parts.append(level())
        return Call(word, tuple(parts), at) if len(parts) > 1 else parts[0]

    def _not(self) -> Part:
        if self._is_word("not"):
            at = self._take().at
            return Call("not", (self._deeper(self._not),), at)
        return self._comparison()

    def _comparison(self) -> Part:
        left = self._sum()
        at = self._next.at
        is_word = self._next.kind == "name" and self._next.text.lower() in ("in", "not")
        if is_word:
            is_negated = self._take().text.lower() == "not"
            if is_negated and not (self._next.kind == "name" and self._next.text.lower() == "in"):
                fail(self._text, self._next.at, f"expected in, found {self._found()}")
            if is_negated:
                self._take()
            inside = Call("in", (left, *self._values()), at)
            return Call("not", (inside,), at) if is_negated else inside
        if self._next.kind == "sign" and self._next.text in _COMPARISONS:
            name = _COMPARISONS[self._take().text]
            return Call(name, (left, self._sum()), at)
        return left

    def _values(self) -> list[Part]:
        """The values of ``in [...]``."""
        self._expect("[")
        found: list[Part] = []
        while not self._is_sign("]"):
            value = self._deeper(self._sign)
            if not isinstance(value, Literal):
                fail(self._text, self._next.at, "expected numbers or texts in the brackets")
            found.append(value)
            if not self._is_sign("]"):
                self._expect(",")
        self._take()
        return found

    def _sum(self) -> Part:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Part:
        return self._chain(("*", "/", "%"), self._sign)

    def _chain(self, signs: tuple[str, ...], level: Callable[[], Part]) -> Part:
        left, count = level(), 0
        while self._is_sign(*signs):
            sign, count = self._take(), count + 1
            if count > LONGEST_CHAIN:
                fail(self._text, sign.at, f"more than {LONGEST_CHAIN} operators in a row: use parentheses or sum(…)")
            left = Call(sign.text, (left, level()), sign.at)
        return left

    def _sign(self) -> Part:
        if self._is_sign("-", "+"):
            sign = self._take()
            inner = self._deeper(self._sign)
            if isinstance(inner, Literal) and isinstance(inner.value, int | float) and inner.value is not True:
                return Literal(-inner.value if sign.text == "-" else inner.value)
            return Call("negative", (inner,), sign.at) if sign.text == "-" else inner
        return self._power()

    def _power(self) -> Part:
        base = self._primary()
        if self._is_sign("^", "**"):
            at = self._take().at
            return Call("^", (base, self._deeper(self._sign)), at)
        return base

    def _primary(self) -> Part:
        token = self._next
        if token.kind == "number":
            return Literal(_number(self._take().text))
        if token.kind == "text":
            return Literal(_unquoted(self._take().text))
        if self._is_sign("("):
            self._take()
            inner = self._deeper(self._or)
            self._expect(")")
            return inner
        if token.kind in ("name", "quoted") and token.text.lower() not in ("and", "or", "not", "in"):
            return self._named()
        fail(self._text, token.at, f"expected a value, found {self._found()}")

    def _named(self) -> Part:
        token = self._take()
        if token.kind == "name" and self._is_sign("("):
            self._take()
            return Call(token.text.lower(), tuple(self._arguments()), token.at)
        if token.kind == "name" and token.text.lower() in CONSTANTS and not self._is_sign("."):
            return Literal(CONSTANTS[token.text.lower()])
        path = [_bare(token)]
        while self._is_sign("."):
            self._take()
            if self._next.kind not in ("name", "quoted"):
                fail(self._text, self._next.at, f"expected the name of a field, found {self._found()}")
            path.append(_bare(self._take()))
        return Column(tuple(path), token.at)

    def _arguments(self) -> list[Part]:
        found: list[Part] = []
        while not self._is_sign(")"):
            found.append(self._deeper(self._or))
            if not self._is_sign(")"):
                self._expect(",")
        self._take()
        return found


def _bare(token: _Token) -> str:
    return token.text[1:-1].replace("``", "`") if token.kind == "quoted" else token.text


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() and len(text) < 20 else float(text)


def _unquoted(text: str) -> str:
    """A text without its quotes: backslashes escape in double ones, doubled quotes stand for one in single ones."""
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text[1:-1], flags=re.DOTALL)
