"""Fetching from a server on this machine."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from plimsoll.errors import InputError
from plimsoll.fetch import TRACES, Published, fetch
from plimsoll.formats import read_file

TABLE = "arrival_s,prompt_tokens,output_tokens\n0,3,4\n"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        """Say nothing."""


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "trace.csv").write_text(TABLE)
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", folder
    http.shutdown()
    thread.join()
    http.server_close()


def _table(url: str, text: str = TABLE) -> dict[str, Published]:
    return {"tiny": Published(f"{url}/trace.csv", hashlib.sha256(text.encode()).hexdigest(), ".csv", "nobody")}


def test_a_trace_is_downloaded_once(server, tmp_path):
    url, folder = server
    path = fetch("tiny", tmp_path / "cache", _table(url))
    assert read_file(path).output.tolist() == [4]
    (folder / "trace.csv").unlink()
    assert fetch("tiny", tmp_path / "cache", _table(url)) == path


def test_other_bytes_are_refused_and_not_kept(server, tmp_path):
    url, _ = server
    with pytest.raises(InputError, match="not what was published"):
        fetch("tiny", tmp_path / "cache", _table(url, "other"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_file_and_a_silent_server(server, tmp_path):
    url, folder = server
    (folder / "trace.csv").unlink()
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch("tiny", tmp_path / "cache", _table(url))
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch("tiny", tmp_path / "cache", _table("http://127.0.0.1:9"))


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="there are azure-2023-conv"):
        fetch("nosuch")


def test_the_table_is_pinned():
    for trace in TRACES.values():
        assert trace.url.startswith("https://")
        assert len(trace.sha256) == 64
        assert trace.source
