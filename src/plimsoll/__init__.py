"""plimsoll: scheduling for LLM inference under a hard KV-cache memory limit."""
