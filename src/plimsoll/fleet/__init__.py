"""Fleets: several replicas of the serving host behind a router."""
