"""Prefill and decode on replicas of their own."""

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.experiment.setting import Setting
from plimsoll.fleet.fleet import Fleet
from plimsoll.fleet.stages import Stages
from plimsoll.host.serving import Serving
from plimsoll.simulation import simulate
from plimsoll.steptime import model_named
from plimsoll.trace import Trace

HOST = Serving(steptime="linear:1:0", blocks=100, block_size=4, model="llama-3.1-8b")


def test_one_request_passes_through_both_and_the_link():
    """Prompt in a step, 1 s; KV over the link; the last block's rest in a step with a token; two decodes."""
    stages = Stages(Fleet([HOST]), Fleet([HOST]), link_gb_per_s=1.0, link_latency_s=0.5)
    done = simulate(Trace.of([(2.0, 9, 4), (50.0, 9, 1)]), "fcfs", stages)
    sent = 0.5 + 9 * model_named("llama-3.1-8b").kv_bytes() / 1e9
    assert done.first_token.tolist() == [3, 51]
    assert done.finish.tolist() == pytest.approx([3 + sent + 3, 51])
    assert stages.transfer_s(9) == pytest.approx(sent)


def test_a_prompt_no_longer_holds_up_the_decodes_of_others():
    host = Serving(gpu="h100", model="llama-3.1-8b")
    rng = np.random.default_rng(0)
    trace = Trace(np.sort(rng.uniform(0, 60, 300)), rng.integers(2000, 6000, 300), rng.integers(50, 200, 300))
    alone = simulate(trace, "fcfs", Fleet([host] * 2, "least-kv"))
    apart = simulate(trace, "fcfs", Stages(Fleet([host], "least-kv"), Fleet([host], "least-kv")))
    pace = [((r.finish - r.first_token) / (r.output - 1)).mean() for r in (alone, apart)]
    assert apart.completed == 300
    assert pace[1] < pace[0]


def test_a_file_of_unlike_replicas_and_of_stages(tmp_path):
    file = tmp_path / "fleet.toml"
    file.write_text('[[replica]]\ncount = 2\ngpu = "h100"\n[[replica]]\nblocks = 900\n')
    made = Setting(
        "lmsys", requests=20, gpu="rtx-4090", model="llama-3.1-8b", fleet=str(file), router="least-kv"
    ).make()
    assert [r.gpu for r in made.host.replicas] == ["h100", "h100", "rtx-4090"]
    assert made.host.replicas[2].blocks == 900 and made.host.replicas[0].blocks is None
    file.write_text('link_gb_per_s = 25\n[[replica]]\nrole = "prefill"\n[[replica]]\nrole = "decode"\ncount = 3\n')
    made = Setting("lmsys", requests=20, gpu="h100", model="llama-3.1-8b", fleet=str(file)).make()
    assert (len(made.host.decode.replicas), made.host.link_gb_per_s) == (3, 25)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"no \[\[replica\]\]"),
        (
            "link_gb_per_s = 0\n[[replica]]\nrole = 'prefill'\n[[replica]]\nrole = 'decode'",
            r"fleet.toml: a link needs link_gb_per_s above 0",
        ),
        ("speed = 3\n[[replica]]", "speed: known are"),
        ("[[replica]]\ncount = 0", "replica 1: count must be a whole number of at least 1"),
        ("[[replica]]\n[[replica]]\nrole = 'cook'", "replica 2: role must be"),
        ("[[replica]]\nmemory = 3", "replica 1: unknown key 'memory'"),
        ("[[replica]]\ngpu = 'abacus'", "replica 1: --gpu: unknown GPU"),
        ("[[replica]]\nblocks = 'many'", "replica 1: "),
        ("[[replica]]\nrole = 'prefill'", "for prefill and for decode are needed"),
        ("[[replica]]\nrole = 'prefill'\n[[replica]]", "either every replica has a role"),
        ("[[replica", "not TOML"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, text, told):
    file = tmp_path / "fleet.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=told) as error:
        Setting("lmsys", requests=20, gpu="h100", model="llama-3.1-8b", fleet=str(file)).make()
    assert "fleet.toml" in str(error.value)


def test_options_that_do_not_go_together():
    with pytest.raises(InputError, match="--router needs --replicas or --fleet"):
        Setting("lmsys", gpu="h100", model="llama-3.1-8b", router="random").make()
    with pytest.raises(InputError, match="--gpu needs --model, or say --host"):
        Setting("lmsys", gpu="h100").make()
    with pytest.raises(InputError, match="need the serving host"):
        Setting("lmsys", replicas=2).make()
    with pytest.raises(InputError, match="--replicas must be at least 1"):
        Setting("lmsys", gpu="h100", model="llama-3.1-8b", replicas=0).make()
