"""Traces from logs and metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll import read_trace
from plimsoll.engine.flags import behind_proxy, plug_in
from plimsoll.engine.record import read_log
from plimsoll.engine.sample import Histogram, lengths, parse, sample
from plimsoll.errors import InputError
from plimsoll.formats.write import write_trace


def test_the_proxys_log(tmp_path: Path) -> None:
    rows = [
        {"arrival_s": 107.5, "prompt_tokens": 9, "output_tokens": 4, "client": 2, "status": 200, "latency_s": 1.5},
        {"arrival_s": 105.0, "prompt_tokens": 8, "output_tokens": 3, "client": 1, "status": 200, "latency_s": 9.0,
         "sequences": 2},
        {"arrival_s": 106.0, "prompt_tokens": 7, "output_tokens": None, "client": 1, "status": 0, "latency_s": 1.0},
    ]  # fmt: skip
    log = tmp_path / "requests.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    trace = read_log(log)
    assert trace.arrival.tolist() == [0, 0, 2.5]
    assert trace.prompt.tolist() == [8, 8, 9]
    assert trace.output.tolist() == [3, 3, 4]
    assert trace.client is not None
    assert trace.client.tolist() == [1, 1, 2]
    assert trace.more["latency_s"].tolist() == [9, 9, 1.5]


VLLM = """\
(APIServer pid=1) INFO 11-20 09:00:00 [api_server.py:1] Started
(APIServer pid=1) DEBUG 11-20 09:00:01 [request_logger.py:55] Request cmpl-a details: prompt: 'a, b [1]', \
prompt_token_ids: [5, 6, 7], prompt_embeds shape: None.
DEBUG 11-20 09:00:03 [request_logger.py:55] Request cmpl-b details: prompt: None, prompt_token_ids: [5], \
prompt_embeds shape: None.
DEBUG 11-20 09:00:04 [request_logger.py:99] Generated response cmpl-a (streaming delta) details: \
output_token_ids: [1, 2]
DEBUG 11-20 09:00:05 [request_logger.py:99] Generated response cmpl-a (streaming delta) details: output_token_ids: [3]
DEBUG 11-20 09:00:09 [request_logger.py:99] Generated response cmpl-b details: output_token_ids: [4, 5, 6, 7]
DEBUG 11-20 09:00:09 [request_logger.py:55] Request cmpl-c details: prompt: None, prompt_token_ids: [5], \
prompt_embeds shape: None.
"""


def test_vllms_own_log(tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_text(VLLM)
    trace = read_log(log)
    assert trace.arrival.tolist() == [0, 2]
    assert trace.prompt.tolist() == [3, 1]
    assert trace.output.tolist() == [3, 4]
    assert trace.more["latency_s"].tolist() == [4, 6]


def test_prompts_only_if_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_text(VLLM)
    assert not {"prompt_text", "prompt_ids"} & set(read_log(log).more)
    kept = read_log(log, prompts=True)
    assert [ids.tolist() for ids in kept.more["prompt_ids"]] == [[5, 6, 7], [5]]  # not all are there as text
    log.write_text(VLLM.replace("prompt: None", "prompt: 'it\\'s'"))
    assert read_log(log, prompts=True).more["prompt_text"].tolist() == ["a, b [1]", "it's"]
    out = tmp_path / "trace.parquet"
    write_trace(kept, out)
    assert [ids.tolist() for ids in read_trace(out).more["prompt_ids"]] == [[5, 6, 7], [5]]
    log.write_text('{"arrival_s": 1, "prompt_tokens": 1, "output_tokens": 1}')
    with pytest.raises(InputError, match="holds no prompts"):
        read_log(log, prompts=True)


def test_the_log_of_vllm_0_25(tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    asked = VLLM.splitlines()[1]
    given = "Generated response cmpl-a: output: 'so, [1]', output_token_ids: [1, 2, 3], finish_reason: stop"
    log.write_text(f"{asked}\nINFO 11-20 09:00:05 [request_logger.py:93] {given}\n")
    assert read_log(log).output.tolist() == [3]


def test_several_prompts_or_answers_in_one_call(tmp_path: Path) -> None:
    ask = "DEBUG 11-20 09:00:0{} [x] Request {} details: prompt: None, prompt_token_ids: {}, prompt_embeds shape: None."
    give = "DEBUG 11-20 09:00:0{} [x] Generated response {} details: output_token_ids: {}"
    piece = "DEBUG 11-20 09:00:0{} [x] Generated response {} (streaming delta) details: output_token_ids: {}"
    lines = [
        ask.format(1, "cmpl-a-0", "[1]"), ask.format(1, "cmpl-a-1", "[1, 2]"),
        give.format(4, "cmpl-a", "[5, 5, 5]"), give.format(4, "cmpl-a", "[5, 5, 5, 5]"),
        ask.format(2, "chatcmpl-my-1", "[1, 2, 3]"), ask.format(2, "chatcmpl-my-2", "[1]"),
        give.format(5, "chatcmpl-my-1", "[6, 6]"), give.format(5, "chatcmpl-my-1", "[6]"),
        ask.format(3, "cmpl-c-0", "[1]"), ask.format(3, "cmpl-c-1", "[1]"),  # whose answer is a piece?
        piece.format(5, "cmpl-c", "[7]"), piece.format(5, "cmpl-c", "[7]"),
    ]  # fmt: skip
    log = tmp_path / "vllm.log"
    log.write_text("\n".join(lines))
    trace = read_log(log)
    assert list(zip(trace.arrival, trace.prompt, trace.output, strict=True)) == [
        (0, 1, 3),
        (0, 2, 4),
        (1, 3, 2),
        (1, 3, 1),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no finished request"),
        ("INFO 11-20 09:00:00 hello", "no finished request"),
        ('{"arrival_s": 1, "prompt_tokens": 1, "output_tokens": 1}\n{"arrival_s":', "line 2: not a request"),
        ('{"prompt_tokens": 1, "output_tokens": 1}', "line 1: not a request"),
    ],
)
def test_bad_logs_are_one_line(tmp_path: Path, text: str, told: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    with pytest.raises(InputError, match=told):
        read_log(log)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_log(tmp_path / "none")


@settings(deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=20))
def test_lengths_add_up(values: list[int]) -> None:
    bounds = (10.0, 100.0, 1000.0, float("inf"))
    after = Histogram({bound: float(sum(v <= bound for v in values)) for bound in bounds}, float(sum(values)))
    guessed = lengths(Histogram(dict.fromkeys(bounds, 0.0), 0.0), after)
    assert len(guessed) == len(values)
    assert guessed.sum() == pytest.approx(sum(values), abs=len(values))
    if len(values) == 1:
        assert guessed.tolist() == values


def page(finished: int) -> str:
    rows = []
    for name, each in (("request_prompt_tokens", 30), ("request_generation_tokens", 7)):
        rows += [f'vllm:{name}_bucket{{engine="0",le="{le}"}} {finished}' for le in ("50.0", "+Inf")]
        rows += [f'vllm:{name}_sum{{engine="0"}} {finished * each}', f'vllm:{name}_count{{engine="0"}} {finished}']
    name = "e2e_request_latency_seconds"
    rows += [f'vllm:{name}_bucket{{le="+Inf"}} {finished}', f"vllm:{name}_sum {finished * 0.5}"]
    return "\n".join(rows) + "\n"


def test_metrics_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    from plimsoll.engine import sample as module

    pages = [parse(page(n)) for n in (3, 3, 4, 6)]
    monkeypatch.setattr(module, "_look", lambda _: pages.pop(0))
    clock = iter(range(100))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock) * 0.5)
    trace = sample("http://engine", seconds=2.6, wait=lambda _: None)
    assert trace.prompt.tolist() == [30, 30, 30]
    assert trace.output.tolist() == [7, 7, 7]
    assert trace.arrival[0] == 0


@pytest.mark.parametrize("seconds", [0.0, -5.0, float("nan")])
def test_a_time_to_look_at_metrics(seconds: float) -> None:
    with pytest.raises(InputError, match="--seconds must be above 0"):
        sample("http://engine", seconds)


def test_flags() -> None:
    assert plug_in(None, None, asynchronous=True) == ["--scheduler-cls", "plimsoll.engine.vllm.AsyncScheduler"]
    assert plug_in("svf", "law", asynchronous=False)[2:] == [
        *("--additional-config.plimsoll.policy", "svf"),
        *("--additional-config.plimsoll.predictor", "law"),
    ]
    assert behind_proxy("vllm", 0.02) == ["--scheduling-policy", "priority", "--watermark", "0.02"]
    with pytest.raises(InputError, match="--engine must be"):
        behind_proxy("triton", 0.02)
    with pytest.raises(InputError, match="--watermark must be"):
        behind_proxy("vllm", 1.0)
