"""Who walks: codes of the people a generator knows, blends of them for people who do not exist, and who may stay."""
