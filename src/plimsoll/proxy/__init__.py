"""A reverse proxy for the OpenAI API that gives each request the priority of its expected KV volume."""
