"""Images in the pixels of terminals: what is sent, decoded by other means, and a terminal that answers."""

from __future__ import annotations

import io
import re
import zlib
from base64 import standard_b64decode
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

import matlens
from matlens.tui import real_pixels
from matlens.tui.browser import FileView
from matlens.tui.image_pane import ImagePane
from matlens.tui.model.pixel_codes import by_answer, iterm2, kitty, sixel
from tests.tui.driving import drive, press, settle


def image() -> np.ndarray:
    """Noise, which does not deflate, so that it takes several pieces."""
    return np.random.default_rng(3).integers(0, 256, (40, 50, 3)).astype(np.uint8)


def test_kitty_codes_hold_the_pixels() -> None:
    codes = re.findall("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", kitty(image()))
    assert (
        codes[0][0] == "a=T,f=24,o=z,q=2,s=50,v=40,m=1"
        and [head for head, _ in codes[1:]] == ["m=1", "m=0"][-len(codes) + 1 :]
    )
    assert all(len(data) == 4096 for _, data in codes[:-1])
    data = zlib.decompress(standard_b64decode("".join(data for _, data in codes)))
    assert data == image().tobytes()


def test_iterm2_codes_hold_a_png() -> None:
    Image = pytest.importorskip("PIL.Image")
    found = re.fullmatch("\x1b]1337;File=inline=1;size=(\\d+);width=50px;height=40px:([^\x07]*)\x07", iterm2(image()))
    assert found is not None
    data = standard_b64decode(found[2])
    assert len(data) == int(found[1])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), image())


def unsixel(codes: str) -> np.ndarray:
    """What a terminal draws from sixels, as the manual of the VT330 says."""
    head, body = re.fullmatch('\x1bPq"1;1;(\\d+;\\d+)(.*)\x1b\\\\', codes, re.DOTALL).groups()  # type: ignore[union-attr]
    width, height = map(int, head.split(";"))
    drawn, palette = np.full((height + 5, width, 3), -1), {}
    x = top = current = 0
    for token in re.findall(r"#\d+(?:;\d+)*|!\d+[?-~]|[?-~]|\$|-", body):
        if token[0] == "#":
            current, *rest = map(int, token[1:].split(";"))
            if rest:
                palette[current] = rest[1:]
        elif token == "$":
            x = 0
        elif token == "-":
            x, top = 0, top + 6
        else:
            count, letter = (int(token[1:-1]), token[-1]) if token[0] == "!" else (1, token)
            for bit in range(6):
                if (ord(letter) - 63) >> bit & 1:
                    drawn[top + bit, x : x + count] = palette[current]
            x += count
    return drawn[:height]


def test_sixels_are_the_nearest_of_216_colours() -> None:
    np.testing.assert_array_equal(unsixel(sixel(image())), np.round(image() / 51) * 20)
    flat = np.zeros((7, 300, 3), np.uint8)
    assert len(sixel(flat)) < 100 and (unsixel(sixel(flat)) == 0).all()


def test_answers_of_terminals() -> None:
    assert by_answer(b"") is None and by_answer(b"\x1b[?1;2c") is None and by_answer(b"\x1b[?64;44c") is None
    assert by_answer(b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?62;4c") == "sixel"


def test_without_a_terminal_it_is_told() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["x"])
        await settle(pilot)
        await press(pilot, "i", "plus", "P")
        pane = pilot.app.screen.query_one(ImagePane)
        large = pane.drawn_at(300, 200)
        assert large.shape[0] <= 200 and large.shape[1] <= 300 and max(large.shape[0] / 200, large.shape[1] / 300) > 0.8
        assert len(pilot.app._notifications) == 1
        pilot.app.pixels = "blocks"  # type: ignore[attr-defined]
        await press(pilot, "P", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat({"x": np.arange(600.0).reshape(20, 30)}))


@pytest.mark.parametrize(
    ("answer", "expected"), [(b"\x1b[?62;4c", "sixel"), (b"\x1b_Gi=31;OK\x1b\\\x1b[?62c", "kitty"), (b"x", None)]
)
def test_a_terminal_is_asked(answer: bytes, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    os = pytest.importorskip("os")
    ours, theirs = os.openpty()
    monkeypatch.setattr(real_pixels, "SECONDS", 0.05)
    asked: list[str] = []

    def write(text: str) -> None:
        asked.append(text)
        os.write(ours, answer)

    try:
        with real_pixels._unbuffered(theirs):
            assert real_pixels._asked(theirs, write) == expected
        width, height, rows = real_pixels._room(theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert asked and asked[0].endswith("\x1b[c")
    assert (width, height, rows) == (640, 352, 24)


def test_nothing_that_goes_wrong_leaves_the_terminal_without_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    class App:
        def suspend(self) -> Any:
            import contextlib

            return contextlib.nullcontext()

    def fail(*_: Any) -> str:
        raise RuntimeError("oops")

    monkeypatch.setattr(real_pixels, "_show", fail)
    assert "oops" in real_pixels.show_pixels(App(), fail, "auto")  # type: ignore[arg-type]
