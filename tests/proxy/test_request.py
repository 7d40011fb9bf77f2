"""Reading requests and answers."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.proxy.answer import Answer
from plimsoll.proxy.request import read_request, with_priority


@pytest.mark.parametrize(
    ("body", "tokens", "characters", "limit", "prompts", "sequences"),
    [
        ({"prompt": "four"}, None, 4, None, 1, 1),
        ({"prompt": [1, 2, 3], "max_tokens": 9}, 3, 0, 9, 1, 1),
        ({"prompt": [[1, 2, 3], [4]], "n": 3}, 2, 0, None, 2, 6),
        ({"prompt": ["ab", "abcd"]}, None, 3, None, 2, 2),
        ({"messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 5}, None, 9, 5, 1, 1),
        (
            {"messages": [{"content": [{"url": "data:image/png;base64,AAAA"}, {"text": "ok"}]}]},
            None,
            2,
            None,
            1,
            1,
        ),
        ({}, None, 0, None, 1, 1),
    ],
)
def test_reading(body, tokens, characters, limit, prompts, sequences) -> None:
    asked = read_request(json.dumps(body).encode())
    assert asked is not None
    assert (asked.tokens, asked.characters, asked.limit) == (tokens, characters, limit)
    assert (asked.prompts, asked.sequences) == (prompts, sequences)


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff\xfe"])
def test_what_is_no_object_is_left_to_the_engine(body: bytes) -> None:
    assert read_request(body) is None


json_values = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@settings(deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=5), st.integers(0, 2**62), st.booleans())
def test_only_the_priority_changes(fields, priority: int, own: bool) -> None:
    if own:
        fields["priority"] = 5
    body = json.dumps(fields, indent=1).encode() + b"\n"
    asked = read_request(body)
    assert asked is not None
    assert json.loads(with_priority(body, asked, priority)) == {**fields, "priority": priority}


def test_bytes_before_the_priority_are_untouched() -> None:
    body = b'{ "temperature": 1.0, "prompt":"\\u00e9" }'
    asked = read_request(body)
    assert asked is not None
    assert with_priority(body, asked, 7) == b'{ "temperature": 1.0, "prompt":"\\u00e9","priority":7}'


STREAM = b"".join(b'data: {"choices":[{"text":"\\"completion_tokens\\": 99\\ndata: {"}]}\n\n' for _ in range(5))


@settings(deadline=None)
@given(st.lists(st.integers(0, 500)), st.booleans())
def test_answers_are_counted_across_any_chunks(cuts: list[int], usage: bool) -> None:
    stated = b'data: {"choices":[],"usage":{"prompt_tokens":12,"total_tokens":135,"completion_tokens":123}}\n\n'
    text = STREAM + (stated if usage else b"") + b"data: [DONE]\n\n"
    answer = Answer()
    for left, right in zip([0, *sorted(cuts)], [*sorted(cuts), len(text)], strict=True):
        answer.feed(text[left:right])
    assert answer.output_tokens == (123 if usage else 5)
    assert answer.prompt_tokens == (12 if usage else None)


def test_a_whole_answer() -> None:
    answer = Answer()
    answer.feed(b'{"choices":[{"text":"x"}],"usage":{"prompt_tokens": 3, "completion_tokens": 4},"more":[')
    answer.feed(b"1," * 100 + b"2]}")
    assert (answer.prompt_tokens, answer.output_tokens) == (3, 4)


def test_no_answer() -> None:
    assert Answer().output_tokens is None
