"""From people to clips in a tree that OpenGait reads.

Who (``identities``, ``real_people``, ``selection``), what to make (``plan``), and making it (``run``): in shards that
may share a folder, and resumable.
"""
