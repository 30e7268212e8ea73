"""From people to clips in a tree that OpenGait reads.

Who (``identities``, ``likeness``, ``selection``), what to make (``plan``, ``completion``), and making it (``run``): in
shards that may share a folder, and resumable.
"""
