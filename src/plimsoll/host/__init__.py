"""Hosts: they ask a policy, apply its answers and enforce the memory limit."""
