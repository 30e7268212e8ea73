"""``gaitcrafter synthesize`` for people working in a checkout."""

from _command import run

if __name__ == "__main__":
    run(__file__)
