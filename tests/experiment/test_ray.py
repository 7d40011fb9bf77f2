"""Sweeps on a real Ray cluster, started by the test."""

import os
import socket

import pytest

from plimsoll.errors import InputError
from plimsoll.experiment.cluster import connected
from plimsoll.experiment.grid import read_grid
from plimsoll.experiment.sweep import sweep

pytest.importorskip("ray", reason="Ray is not installed (extra ray)")


@pytest.fixture(scope="module")
def cluster():
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield started.address
    started.shutdown()


def test_the_same_sweep_on_ray_with_a_worker_killed_in_the_middle(cluster, spec, fatal, tmp_path):
    grid = read_grid(spec("capacity = [5, 10, 11, 12]", "rounds_per_s = 1", policy=f"svf,{fatal}"))
    there = sweep(grid, tmp_path / "there.parquet", ray=cluster)
    assert (tmp_path / "killed").exists()
    assert (there.ran, len(there.bad), there.lost) == (8, 2, [])
    here = sweep(grid, tmp_path / "here.parquet")
    clocks = ("wall_s",)
    assert [{k: v for k, v in row.items() if k not in clocks} for row in there.rows] == [
        {k: v for k, v in row.items() if k not in clocks} for row in here.rows
    ]


def test_a_trace_is_placed_once(cluster, spec, tmp_path, monkeypatch):
    import ray

    placed = []
    put = ray.put
    monkeypatch.setattr(ray, "put", lambda value: placed.append(value) or put(value))
    grid = read_grid(spec("capacity = [10, 11]", "rounds_per_s = 1", "seed = [0, 1]", policy="fcfs,svf"))
    assert sweep(grid, tmp_path / "out.parquet", ray=cluster).ran == 8
    assert [len(trace) for trace in placed] == [3]


def test_a_cluster_of_another_version_is_refused(cluster, monkeypatch):
    monkeypatch.setattr("plimsoll.experiment.cluster.VERSION", "0.0.1")
    with pytest.raises(InputError, match=r"its workers run plimsoll .*, this is plimsoll 0\.0\.1"), connected(cluster):
        pass


def test_an_address_where_nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(InputError, match="Connection refused"), connected(address):
        pass


def test_an_address_that_listens_and_does_not_answer(capfd):
    """Ray's native code, which retries and writes to stderr, is ended with the time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="no answer in 1 s"), connected(address, patience_s=1):
            pass
    assert capfd.readouterr().err == ""
