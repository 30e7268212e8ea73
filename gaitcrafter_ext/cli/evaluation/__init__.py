"""What ``gaitcrafter evaluate`` can measure, one file a sub-command."""
