"""The request router on a real local Ray Serve, in front of stand-ins with the serving host's timing."""

import asyncio
import os
import time

import numpy as np
import pytest

pytest.importorskip("ray.serve", reason="Ray Serve is not installed (pip install 'ray[serve]')")

from plimsoll.fleet.fleet import Fleet
from plimsoll.host.serving import Serving
from plimsoll.proxy.ray_serve import expected_volume
from plimsoll.simulation import simulate
from plimsoll.trace import Trace

HOST = Serving(steptime="linear:0.01:0.00001", blocks=1000)


def test_expected_volume_of_requests_in_every_form():
    class Body:
        def model_dump(self, exclude_none):
            return {"messages": [{"role": "user", "content": "x" * 40}], "max_tokens": 4}

    assert expected_volume(({"prompt": [1, 2, 3], "max_tokens": 4},), {}, 256) == 3 * 4 + 10
    assert expected_volume((Body(),), {}, 256) == (40 + 4) / 4 * 4 + 10  # the role's four letters count too
    assert expected_volume((), {"body": {"prompt": "x" * 8, "n": 2}}, 10) == 2 * (2 * 10 + 55)
    assert expected_volume(("else",), {}, 4) == 10


class StandIn:
    """Answers a completion when the serving host would have, with all requests that have come so far."""

    def __init__(self):
        self.came, self.asked, self.began = [], [], time.monotonic()

    async def __call__(self, body):
        mine = len(self.came)
        self.came.append(time.monotonic() - self.began)
        self.asked.append((len(body["prompt"]), body["max_tokens"]))
        while (left := self.finish(mine) - (time.monotonic() - self.began)) > 0:
            await asyncio.sleep(left)
        return os.getpid()

    def finish(self, mine):
        prompt, output = np.array(self.asked).T
        return simulate(Trace(np.array(self.came), prompt, output), "fcfs", HOST, compiled=False).finish[mine]


@pytest.fixture(scope="module")
def handle():
    import ray
    from ray import serve
    from ray.serve.config import RequestRouterConfig

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    routing = RequestRouterConfig(request_router_class="plimsoll.proxy.ray_serve:LeastWork")
    deployment = serve.deployment(
        num_replicas=2, max_ongoing_requests=100, request_router_config=routing, ray_actor_options={"num_cpus": 0.5}
    )(StandIn)
    yield serve.run(deployment.bind(), route_prefix=None)
    serve.shutdown()
    ray.shutdown()


def test_small_requests_keep_away_from_the_large_one(handle):
    """As the fleet's router decides on the same requests, though nobody has answered when the last one comes."""
    bodies = [{"prompt": [1] * 3000, "max_tokens": 200}] + [{"prompt": [1] * 20, "max_tokens": 5 + k} for k in range(6)]
    waiting = []
    for body in bodies:
        waiting.append(handle.remote(body))
    places = [each.result(timeout_s=30) for each in waiting]
    assert len(set(places)) == 2
    assert set(places[1:]) == {places[1]} and places[1] != places[0]
    trace = Trace.of([(0.001 * k, len(body["prompt"]), body["max_tokens"]) for k, body in enumerate(bodies)])
    simulated = simulate(trace, "fcfs", Fleet([HOST, HOST], "least-work"), compiled=False)
    assert simulated.replica.tolist() == [0] + [1] * 6
