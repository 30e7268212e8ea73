"""How fast the networks are beside published ones, and how listing and planning grow with a dataset."""
