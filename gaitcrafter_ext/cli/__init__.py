"""The command line: one module a command, each thin; ``main`` finds them and reports their errors."""
