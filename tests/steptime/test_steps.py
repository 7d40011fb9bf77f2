"""Steps from an engine's own log or a table."""

import pytest

from plimsoll.errors import InputError
from plimsoll.steptime.steps import read_steps

START = "INFO 11-28 [kv_cache_utils.py:2328] GPU KV cache size: 2,000 tokens, Maximum concurrency for 4,096 …\n"
LINE = (
    "INFO 11-28 [loggers.py:199] {}Iteration({}): {} context requests, {} context tokens, {} generation requests, {} "
)
LINE += "generation tokens, iteration elapsed time: {:.2f} ms{}, GPU KV cache usage: {:.1f}%\n"


def test_the_lines_of_vllm(tmp_path):
    log = tmp_path / "engine.log"
    log.write_text(
        START
        + LINE.format("Engine 000: ", 0, 2, 300, 0, 0, 20.0, "", 20.0)
        + LINE.format("", 1, 1, 100, 2, 2, 30.5, "", 25.0)
        + "INFO something else\n"
        + LINE.format("", 2, 0, 0, 3, 3, 9.0, "", 25.2)
        + LINE.format("", 3, 0, 0, 0, 0, 1.0, " (dummy)", 25.2)
    )
    steps = read_steps(log)
    assert steps.prompts.tolist() == [2, 1, 0]
    assert steps.chunk.tolist() == [300, 100, 0]
    assert steps.decodes.tolist() == [0, 2, 3]
    assert steps.earlier.tolist() == pytest.approx([100, 0, 0])  # 20 % of 2,000, less the chunk
    assert steps.context.tolist() == pytest.approx([0, 400, 504])
    assert steps.seconds.tolist() == pytest.approx([0.02, 0.0305, 0.009])


def test_a_log_without_its_cache_is_refused(tmp_path):
    log = tmp_path / "engine.log"
    log.write_text(LINE.format("", 0, 0, 0, 3, 3, 9.0, "", 25.2))
    with pytest.raises(InputError, match="KV cache size"):
        read_steps(log)
    log.write_text(START + LINE.format("", 0, 0, 0, 3, 3, 9.0, "", 25.2).partition(", GPU KV cache usage")[0])
    with pytest.raises(InputError, match=r"usage; vLLM does from 0\.30 on"):
        read_steps(log)


def test_a_bad_table_names_row_and_column(tmp_path):
    table = tmp_path / "steps.csv"
    table.write_text("decodes,context,chunk,earlier,seconds\n1,2,3,4,5\n1,-2,3,4,5\n")
    with pytest.raises(InputError, match="row 2, column context"):
        read_steps(table)
    table.write_text("decodes,context,chunk,earlier,seconds\n1,2,3,4,0\n")
    with pytest.raises(InputError, match="row 1, column seconds"):
        read_steps(table)
    table.write_text("decodes,context\n1,2\n")
    with pytest.raises(InputError, match="chunk"):
        read_steps(table)
    with pytest.raises(InputError, match=r"none\.csv: No such file"):
        read_steps(tmp_path / "none.csv")
    (tmp_path / "bad.parquet").write_text("not Parquet")
    with pytest.raises(InputError, match=r"bad\.parquet"):
        read_steps(tmp_path / "bad.parquet")
