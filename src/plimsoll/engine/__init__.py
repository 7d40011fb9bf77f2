"""Policies inside real engines."""
