"""Figures of real traces: tables of quantiles, rates and variation. Derived numbers only; no data is copied.

Each was made by ``plimsoll.workload.fit`` from the trace named in its comment, but for azure-code, whose four
published figures of each length are joined by knots that give the published mean.
"""

from __future__ import annotations

from .lengths import POINTS, Quantiles


def _law(tokens: str) -> Quantiles:
    """Lengths at ``POINTS``."""
    return Quantiles(POINTS, tuple(int(number) for number in tokens.split()))


# Azure LLM inference trace 2023 (conversation), 19,366 rows. CC-BY-4.0; Patel et al., Splitwise, ISCA 2024.
AZURE_CONV_PROMPT = _law(
    "2 10 29 91 161 181 181 207 372 387 396 403 414 703 984 1020 1045 1071 1097 1130 1189 1315 1876 "
    "2734 4083 4086 4088 4090 4092 4098 4110 4142 4831 5404 6179 6570 7668 14050"
)
AZURE_CONV_OUTPUT = _law(
    "7 12 16 24 32 38 41 54 67 77 85 91 96 103 113 129 151 177 217 384 395 400 411 424 451 468 490 509 "
    "522 540 571 601 643 719 954 1000 1000 1000"
)
AZURE_CONV_CORRELATION = -0.118

# Mooncake FAST25 conversation trace, Apache-2.0; Qin et al., FAST 2025. 12,031 requests.
MOONCAKE_PROMPT = _law(
    "891 892 894 896 897 899 901 964 1261 1662 2306 3263 4251 4993 5870 6909 8187 9570 11238 13196 "
    "15367 17869 21464 27367 39550 44613 48848 52215 58977 66449 73850 85400 100810 117789 121301 "
    "122891 124755 126195"
)
MOONCAKE_OUTPUT = _law(
    "1 1 3 3 5 8 10 24 46 100 156 213 256 291 322 350 375 399 423 447 472 504 543 597 698 738 764 800 "
    "835 892 967 1119 1568 1998 2000 2000 2000 2000"
)
MOONCAKE_CORRELATION = 0.08

# ServeGen deepseek-r1 statistics, Apache-2.0: a sampled hour, 133,529 requests.
REASONING_PROMPT = _law(
    "4 6 10 13 24 25 25 27 29 51 158 204 206 208 212 276 356 383 413 450 499 568 676 898 1878 2252 2603 "
    "2970 3546 5054 8357 12485 18333 23035 27995 30300 34471 54997"
)
REASONING_OUTPUT = _law(
    "55 98 145 175 194 209 221 270 313 351 383 410 437 467 498 531 567 609 665 777 1105 1281 1391 1499 "
    "1655 1708 1747 1798 1875 2064 2894 5022 9479 13458 18015 20525 25820 32768"
)
REASONING_CORRELATION = -0.048

# Vidur arxiv_summarization lengths (Llama 2 tokenizer), MIT. 28,257 requests.
ARXIV_PROMPT = _law(
    "1 1 73 229 429 608 749 1242 1564 1802 1986 2150 2308 2453 2596 2730 2861 2996 3127 3249 3370 3490 "
    "3597 3702 3813 3837 3850 3863 3876 3892 3909 3933 3963 3987 4012 4024 4040 4054"
)
ARXIV_OUTPUT = _law(
    "5 23 36 44 50 56 60 78 92 104 115 125 135 145 156 167 179 192 206 222 242 268 304 372 736 1323 "
    "1821 2200 2507 2775 2986 3271 3582 3739 3844 3934 4011 4056"
)
ARXIV_CORRELATION = -0.741

# Azure LLM inference trace 2023 (code), CC-BY-4.0; Patel et al., Splitwise, ISCA 2024.
# Prompt: mean 2048, p50 1469, p90 5188, p99 7436. Output: mean 28, p50 13, p90 55, p99 251.
AZURE_CODE_POINTS = (0, 0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
AZURE_CODE_PROMPT = Quantiles(AZURE_CODE_POINTS, (10, 90, 310, 1469, 2610, 3610, 5188, 6200, 7436, 7437))
AZURE_CODE_OUTPUT = Quantiles(AZURE_CODE_POINTS, (2, 6, 9, 13, 19, 28, 55, 96, 251, 410))
