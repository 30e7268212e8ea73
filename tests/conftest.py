"""Settings of every test run."""

import os

# Tensors are tiny here: a second thread costs more than it brings, and on a busy machine it waits for the first.
os.environ.setdefault("OMP_NUM_THREADS", "1")
