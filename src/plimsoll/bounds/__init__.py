"""Bounds, optima, the fluid limit and adversaries."""
