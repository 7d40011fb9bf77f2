"""Public traces: where they are, and how to tell that they came whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError


@dataclass(frozen=True)
class Published:
    """A trace somebody published.

    Attributes
    ----------
    url : of the file, at a fixed version.
    sha256 : of its bytes.
    ending : of the file's name here.
    source : whom to cite, and the license.
    """

    url: str
    sha256: str
    ending: str
    source: str


_RAW = "https://raw.githubusercontent.com"

TRACES: dict[str, Published] = {
    "azure-2023-conv": Published(
        f"{_RAW}/Azure/AzurePublicDataset/b469a113cedca53ddc3bdea71a143dc4b7d8700c"
        "/data/AzureLLMInferenceTrace_conv.csv",
        "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
        ".csv",
        "Azure LLM inference trace 2023, conversation (CC-BY-4.0); Patel et al., Splitwise, ISCA 2024",
    ),
    "mooncake-conversation": Published(
        f"{_RAW}/kvcache-ai/Mooncake/3b5a594133958449a1feaf1c9e0fc1b553e34a28"
        "/FAST25-release/traces/conversation_trace.jsonl",
        "b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df",
        ".jsonl",
        "Mooncake conversation trace (Apache-2.0); Qin et al., FAST 2025",
    ),
    "vidur-arxiv": Published(
        f"{_RAW}/microsoft/vidur/7d47513363ec447a741ac5e47241580b47724fbf"
        "/data/processed_traces/arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv",
        "9d3580538d915ca75e4aaaa54590b42dbb17abc6d74c8913310cf07c232adcdc",
        ".csv",
        "Vidur arxiv_summarization lengths (MIT)",
    ),
}
"""The traces that can be fetched, by name."""


def fetch(name: str, folder: str | Path | None = None, traces: Mapping[str, Published] = TRACES) -> Path:
    """Download a public trace once, and check its digest.

    Parameters
    ----------
    name : one of ``traces``.
    folder : where to keep it; by default the user's cache.
    traces : the table of what there is.

    Returns
    -------
    The file's path. A file that is there and whole is not downloaded again.

    Raises
    ------
    InputError
        If the name is unknown, the download fails, or what came is not what was published.
    """
    if name not in traces:
        raise InputError(f"{name}: no public trace of that name; there are {', '.join(traces)}")
    import pooch  # pyright: ignore[reportMissingTypeStubs]
    from platformdirs import user_cache_dir

    trace = traces[name]
    place = Path(folder) if folder is not None else Path(user_cache_dir("plimsoll")) / "traces"
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        file: str = pooch.retrieve(trace.url, f"sha256:{trace.sha256}", name + trace.ending, str(place))  # pyright: ignore[reportUnknownMemberType]
        return Path(file)
    except ValueError as error:
        raise InputError(f"{name}: what {trace.url} sent is not what was published (sha256 differs)") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be fetched from {trace.url}: {error}") from error
