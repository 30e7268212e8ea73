"""Who walks: codes of the people a generator knows, and blends of them for people who do not exist."""
