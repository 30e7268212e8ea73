"""Simulated walkers: a cohort anyone may use, in CASIA-B's layout."""
