"""Bytes into blocks: whatever real senders do to a frame, and however a network cuts it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.node.mllp.framing import Block, BrokenOff, Found, Framer, Oversize

LARGEST = 200
A = b"MSH|^~\\&|A\rPID|1\r"
B = b"MSH|^~\\&|B\rPID|2\r"

CASES: dict[str, tuple[bytes, list[Found]]] = {
    "one message": (b"\x0b" + A + b"\x1c\r", [Block(A)]),
    "many messages in one read": (
        b"\x0b" + A + b"\x1c\r\x0b" + B + b"\x1c\r\x0b" + A + b"\x1c\r",
        [Block(A), Block(B), Block(A)],
    ),
    "a frame without its CR": (b"\x0b" + A + b"\x1c\x0b" + B + b"\x1c", [Block(A), Block(B)]),
    "a message without its last CR": (b"\x0b" + A[:-1] + b"\x1c\r", [Block(A[:-1])]),
    "neither CR, and another frame": (b"\x0b" + A[:-1] + b"\x1c\x0b" + B + b"\x1c\r", [Block(A[:-1]), Block(B)]),
    "a frame that ends in LF": (b"\x0b" + A[:-1] + b"\x1c\n\x0b" + B + b"\x1c\r\n", [Block(A[:-1]), Block(B)]),
    "LF for CR": (b"\x0bMSH|^~\\&|A\nPID|1\n\x1c\r", [Block(b"MSH|^~\\&|A\nPID|1\n")]),
    "CRLF for CR": (b"\x0bMSH|^~\\&|A\r\nPID|1\r\n\x1c\r\n", [Block(b"MSH|^~\\&|A\r\nPID|1\r\n")]),
    "line ends between blocks are no junk": (
        b"\r\n\x0b" + A + b"\x1c\r\n\r\n\x0b" + B + b"\x1c\r",
        [Block(A), Block(B)],
    ),
    "junk before, between and after": (
        b"GET / HTTP/1.1\r\n\r\n\x0b" + A + b"\x1c\rnoise\rmore\x0b" + B + b"\x1c\r?",
        ["junk", Block(A), "junk", Block(B), "junk"],
    ),
    "a message without a frame is junk": (A, ["junk"]),
    "empty blocks": (b"\x0b\x1c\r\x0b\r\n\x1c\r\x0b" + A + b"\x1c\r", ["junk", "junk", Block(A)]),
    "a start inside a block": (
        b"\x0bMSH|^~\\&|A\rPI\x0b" + B + b"\x1c\r",
        [BrokenOff(b"MSH|^~\\&|A\rPI", 13), Block(B)],
    ),
    "two starts": (b"\x0b\x0b" + A + b"\x1c\r", ["junk", Block(A)]),
    "a start that is followed by a byte order mark": (
        b"\x0bMSH|half\x0b\xef\xbb\xbf" + B + b"\x1c\r",
        [BrokenOff(b"MSH|half", 8), Block(b"\xef\xbb\xbf" + B)],
    ),
    "a vertical tab inside a text": (
        b"\x0bMSH|^~\\&|A\rNTE|1||a\x0bb\r\x1c\r",
        [Block(b"MSH|^~\\&|A\rNTE|1||a\x0bb\r")],
    ),
    "a file separator inside a text": (
        b"\x0bMSH|^~\\&|A\rNTE|1||a\x1cb\r\x1c\r",
        [Block(b"MSH|^~\\&|A\rNTE|1||a\x1cb\r")],
    ),
    "too large by one byte": (b"\x0b" + b"x" * (LARGEST + 1) + b"\x1c\r", [Oversize(b"x" * LARGEST, LARGEST + 1)]),
    "as large as it may be": (b"\x0b" + b"x" * LARGEST + b"\x1c\r", [Block(b"x" * LARGEST)]),
    "far too large, and the next": (
        b"\x0b" + A + b"x" * 5000 + b"\x1c\r\x0b" + B + b"\x1c\r",
        [Oversize((A + b"x" * LARGEST)[:LARGEST], len(A) + 5000), Block(B)],
    ),
    "too large and broken off": (
        b"\x0b" + b"x" * 900 + b"\x0b" + B + b"\x1c\r",
        [BrokenOff(b"x" * LARGEST, 900), Block(B)],
    ),
    "too large and blank": (b"\x0b" + b" " * 900 + b"\x1c\r", [Oversize(b" " * LARGEST, 900)]),
    "a message that never ends": (b"\x0b" + A, [BrokenOff(A, len(A))]),
}


def found_in(reads: list[bytes]) -> list[Found]:
    framer = Framer(LARGEST)
    return [found for read in reads for found in framer.feed(read)] + framer.end()


@pytest.mark.parametrize("case", CASES)
def test_a_stream_becomes_blocks_and_oddities(case: str) -> None:
    stream, expected = CASES[case]
    assert found_in([stream]) == expected


@pytest.mark.parametrize("case", CASES)
def test_byte_by_byte_is_the_same(case: str) -> None:
    stream, expected = CASES[case]
    assert found_in([stream[n : n + 1] for n in range(len(stream))]) == expected


PIECES = st.sampled_from(
    [
        b"\x0b",
        b"\x1c",
        b"\r",
        b"\n",
        b"\x1c\r",
        b"\x0bMSH",
        b"MSH|",
        b"FHS",
        b"\xef\xbb\xbf",
        b"M",
        b"S",
        b" ",
        b"x" * 60,
        b" " * 90,
        A,
    ]
)


@given(st.lists(PIECES, max_size=40).map(b"".join), st.lists(st.integers(0, 600), max_size=12))
def test_however_a_stream_is_cut_it_says_the_same(stream: bytes, cuts: list[int]) -> None:
    """The law of the framing, over everything that matters to it in any order."""
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    reads = [stream[start:end] for start, end in pairwise(edges)]
    assert found_in(reads) == found_in([stream]) == found_in([stream[n : n + 1] for n in range(len(stream))])


@given(st.lists(st.binary(min_size=1, max_size=80).filter(lambda content: not set(content) & {0x0B, 0x1C}), max_size=8))
def test_every_framed_message_comes_out_as_it_went_in(contents: list[bytes]) -> None:
    stream = b"".join(b"\x0b" + content + b"\x1c\r" for content in contents)
    assert found_in([stream]) == [Block(c) if c.strip(b" \t\r\n\x00") else "junk" for c in contents]


def test_what_ends_with_a_segment_and_a_file_separator_is_whole_at_once() -> None:
    """A sender that leaves out the last CR and waits for its answer would wait for ever."""
    assert Framer(LARGEST).feed(b"\x0b" + A + b"\x1c") == [Block(A)]


def test_quiet_ends_a_block_that_has_neither_cr() -> None:
    framer = Framer(LARGEST)
    assert framer.feed(b"\x0b" + A[:-1] + b"\x1c") == []
    assert framer.may_be_whole
    assert framer.quiet() == [Block(A[:-1])]
    assert framer.quiet() == []
    assert framer.feed(b"\r\x0b" + B + b"\x1c\r") == [Block(B)]


def test_quiet_ends_nothing_else() -> None:
    framer = Framer(LARGEST)
    framer.feed(b"\x0b" + A)
    assert not framer.may_be_whole
    assert framer.quiet() == []
    assert framer.feed(b"\x1c\r") == [Block(A)]


def test_of_an_oversize_message_no_more_is_held_than_is_kept() -> None:
    framer = Framer(LARGEST)
    most = 0
    for _ in range(1000):
        framer.feed(b"\x0b" if not framer.inside else b"y" * 1000)
        most = max(most, framer.held)
    assert most < LARGEST + 10
    assert framer.feed(b"\x1c\r") == [Oversize(b"y" * LARGEST, 999_000)]


def test_blocks_that_began_are_numbered() -> None:
    framer = Framer(LARGEST)
    framer.feed(b"\x0b" + A + b"\x1c\r\x0bMSH|")
    assert (framer.begun, framer.inside) == (2, True)
