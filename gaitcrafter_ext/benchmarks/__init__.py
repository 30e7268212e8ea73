"""How fast the networks are, beside published ones and beside what the machine's convolutions allow."""
