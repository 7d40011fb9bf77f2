"""Many runs: compare policies, sweep over settings, search for a capacity."""
