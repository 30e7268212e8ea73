"""What ``gaitcrafter recognise`` can do, one file an action."""
