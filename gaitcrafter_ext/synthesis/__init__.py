"""What to make (``plan``) and making it (``run``): a resumable, sharded run into a tree that OpenGait reads.

Clips that do not walk as people do are drawn again (``redrawing``); a filter may choose the people (``filtering``).
"""
