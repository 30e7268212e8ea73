"""Who and what to make (``plan``) and making it (``run``): a resumable, sharded run into a tree that OpenGait reads.

People are known ones, blends (``identities``) or read from silhouettes (``likeness``); a recogniser may choose among
novel ones (``selection``).
"""
