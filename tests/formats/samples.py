"""Tiny samples of each known format, retyped, and what they say: arrival in seconds, prompt, output."""

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:51.2224670,879,55
"""
AZURE_2024 = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.000000+00:00,374,44
2024-05-10 00:00:04.314579+00:00,396,109
2024-05-10 00:00:04.541877+00:00,879,55
"""
MOONCAKE = """{"timestamp": 0, "input_length": 374, "output_length": 44, "hash_ids": [0, 1]}
{"timestamp": 4314.579, "input_length": 396, "output_length": 109, "hash_ids": [0, 2, 3]}
{"timestamp": 4541.877, "input_length": 879, "output_length": 55, "hash_ids": [4]}
"""
BURSTGPT = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,374,44,418,Conversation log
9.314579,GPT-4,396,109,505,API log
9.541877,ChatGPT,879,55,934,Conversation log
"""
VIDUR = """arrived_at,num_prefill_tokens,num_decode_tokens
1.0,374,44
5.314579,396,109
5.541877,879,55
"""
VLLM = """{"date": "20250101-000000", "backend": "vllm", "completed": 3,
 "input_lens": [879, 374, 396], "output_lens": [55, 44, 109],
 "ttfts": [0.1, 0.2, 0.3], "itls": [[0.01], [0.01], [0.01]],
 "start_times": [1004.541877, 1000.0, 1004.314579]}
"""
OWN = """arrival_s,prompt_tokens,output_tokens
0,374,44
4.314579,396,109
4.541877,879,55
"""
NAMED = """when;x,in,out,who
0,374,44,ann
4.314579,396,109,bob
4.541877,879,55,ann
"""
NAMED_COLUMNS = {"arrival_s": "when;x", "prompt_tokens": "in", "output_tokens": "out", "client": "who"}

KNOWN = {
    "azure": AZURE,
    "azure-2024": AZURE_2024,
    "mooncake": MOONCAKE,
    "burstgpt": BURSTGPT,
    "vidur": VIDUR,
    "vllm": VLLM,
    "vllm-jsonl": VLLM.replace("\n", "") + "\n",
    "own": OWN,
    "own-crlf": OWN.replace("\n", "\r\n"),
    "own-bom": "\ufeff" + OWN + "\n\n",
    "json-array": "[" + ",".join(MOONCAKE.splitlines()) + "]",
}

ARRIVAL = [0.0, 4.314579, 4.541877]
PROMPT = [374, 396, 879]
OUTPUT = [44, 109, 55]
