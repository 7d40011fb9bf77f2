"""The fluid in words."""

import json

import pytest

from plimsoll.bounds.advice import advise, read_types
from plimsoll.errors import InputError
from plimsoll.policy.fluid import LinearStep, Types

MIX = Types.of([(15.4, 512, 20), (6.6, 512, 50)])


def test_inside_the_region():
    answer = advise(MIX, LinearStep(), 137_000).to_json()
    assert answer["stable"] is True
    assert answer["wait"]["thresholds"] == [1, 1]
    assert answer["wait"]["memory_tokens"] == 38_349
    assert answer["nested"]["bounds"] == [20, 50]
    assert answer["nested"]["survive"] == pytest.approx([1, 0.3])
    assert answer["words"][0].startswith("Inside the stability region: the fluid settles at 5,682 tokens, 4% of")
    assert answer["words"][1].startswith("WAIT: thresholds 1, 1; they hold at most 38,349 tokens")
    json.dumps(answer)


def test_outside_the_region_says_where_the_edge_is():
    answer = advise(MIX.at_rate(100), LinearStep(), 137_000).to_json()
    assert answer["stable"] is False
    assert answer["wait"]["thresholds"] is None
    assert answer["crossing_rate"] == pytest.approx(97.79, abs=0.01)
    assert "The edge is at 97.79 requests/s" in answer["words"][0]


def test_beyond_saturation_nothing_is_infinite_in_the_json():
    answer = advise(MIX.at_rate(300), LinearStep(), 137_000).to_json()
    assert answer["memory_tokens"] is None
    assert "exhaust the compute alone" in answer["words"][0]
    assert "Infinity" not in json.dumps(answer)


def test_fractions_where_one_of_each_is_too_much():
    answer = advise(MIX, LinearStep(), 20_000)
    assert not answer.whole
    assert "1/f batches" in answer.words()[1]


def test_no_capacity_is_no_region():
    words = advise(MIX, LinearStep(), float("inf")).words()
    assert words[0].startswith("No capacity given: the fluid settles at 5,682 tokens")


def test_types_of_a_file(tmp_path):
    path = tmp_path / "types.toml"
    path.write_text("capacity = 12\nfixed_s = 0.5\n[[type]]\nrate = 4\nprompt = 1\noutput = 1\n")
    types, given = read_types(path)
    assert types.load == 12
    assert given == {"capacity": 12, "fixed_s": 0.5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("capacity = ", "not TOML"),
        ("capacity = 5", "at least one"),
        ("size = 5\n[[type]]\nrate = 1", "unknown key 'size'"),
        ("[[type]]\nrate = 1\nprompt = 2", "type 0 has no output"),
        ("[[type]]\nrate = 1\nprompt = 2\noutput = 'x'", "type 0: output must be a number"),
        ("[[type]]\nrate = 1\nprompt = 2\noutput = 0", "type 0: output must be at least 1"),
        ("capacity = true\n[[type]]\nrate = 1\nprompt = 2\noutput = 1", "capacity must be a number"),
    ],
)
def test_bad_files_name_the_file_and_the_entry(tmp_path, text, words):
    path = tmp_path / "types.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_types(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_types(tmp_path / "none.toml")
