"""The papers' experiments, run here: published figures beside ours, claim by claim."""
