"""What a synthetic gait set must show before anyone trains on it: one measure a file, each with floor and ceiling."""
