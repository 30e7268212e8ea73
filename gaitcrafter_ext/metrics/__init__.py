"""Pure functions of cached features: distances, rates, intervals."""
