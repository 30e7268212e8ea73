"""What to make (``plan``) and making it (``run``): a resumable, sharded run into a tree that OpenGait reads."""
