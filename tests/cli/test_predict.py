"""``plimsoll predict`` from the outside."""

import json
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("sklearn", reason="needs the extra learn")

from plimsoll import simulate
from plimsoll.cli import app
from plimsoll.errors import InputError
from plimsoll.host.discrete import Rounds

from ..predict.prompts import log


def predict(*arguments: object) -> None:
    app(["predict", *map(str, arguments)], result_action="return_value")


def write(path: Path, n: int = 600) -> Path:
    trace = log(n)
    columns = {"prompt_tokens": trace.prompt, "output_tokens": trace.output, **trace.more}
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_train_then_evaluate_then_schedule(tmp_path, capsys):
    file, model = write(tmp_path / "log.parquet"), tmp_path / "model.plim"
    predict("train", file, "--out", model, "--theta", 300, "--json")
    trained = json.loads(capsys.readouterr().out)
    assert (trained["requests"], trained["groups"], trained["theta"]) == (600, 2, 300)
    predict("evaluate", file, "--model", model, "--picture", tmp_path / "p.html", "--json")
    judged = json.loads(capsys.readouterr().out)
    assert judged["splits"] == 0
    assert judged["scores"]["learned"]["spearman"] > 0.85
    assert set(judged["scores"]) == {"learned", "client mean", "prompt length", "constant"}
    assert "Calibration" in (tmp_path / "p.html").read_text()
    exact, learned = (
        simulate(log(300, seed=8), "svf", Rounds(capacity=20_000), predictor)
        for predictor in ("exact", f"learned:{model}")
    )
    assert 0.5 < exact.latency.mean() / learned.latency.mean() <= 1.05


def test_splits_compare_with_the_baselines(tmp_path, capsys):
    file = write(tmp_path / "log.parquet")
    predict("evaluate", file, "--splits", 2, "--json")
    judged = json.loads(capsys.readouterr().out)
    assert judged["schema"] == 1
    assert judged["splits"] == 2
    assert set(judged["scores"]) == {"learned", "online", "client mean", "prompt length", "constant"}
    assert judged["scores"]["learned"]["spearman"] > judged["scores"]["client mean"]["spearman"]
    assert judged["scores"]["online"]["spearman"] > judged["scores"]["client mean"]["spearman"]
    predict("evaluate", file)
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("learned", "online", "prompt length", "said short", "observed"))


def test_bad_input_is_one_line_and_writes_nothing(tmp_path):
    file = write(tmp_path / "small.parquet", 150)
    with pytest.raises(InputError, match=r"small: 150 requests are too few to learn from; 200 are needed"):
        predict("train", file, "--out", tmp_path / "m.plim")
    pl.DataFrame({"prompt_tokens": [1, 2], "arrival_s": [0.0, 1.0]}).write_parquet(tmp_path / "no.parquet")
    with pytest.raises(InputError, match=r"no\.parquet: .*output_tokens"):
        predict("train", tmp_path / "no.parquet", "--out", tmp_path / "m.plim")
    with pytest.raises(InputError, match="--splits must be at least 1, not 0"):
        predict("evaluate", file, "--splits", 0)
    with pytest.raises(InputError, match=r"none\.plim: cannot be read"):
        predict("evaluate", file, "--model", tmp_path / "none.plim")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["no.parquet", "small.parquet"]


@pytest.mark.parametrize("words", ["learned", "learned:nowhere.plim"])
def test_a_learned_predictor_without_its_file(words):
    with pytest.raises(InputError, match=r"needs a value for model|nowhere\.plim: cannot be read"):
        simulate(log(3), "fcfs", Rounds(capacity=20_000), words)
