"""Simulated walkers: a cohort anyone may use, in CASIA-B's layout.

CASIA-B is given on application only, so the package makes its own people: bodies drawn from the anny body model,
walks from joint curves, clothes, bags and coats, seen by eleven cameras; about 2,400 frames a second on two cores. How
hard they are to recognise: ``docs/results.md``.

What a person keeps over all takes is the body, the everyday clothes and hair, the bag and the gait (29 numbers and the
low harmonics of four joint curves). From take to take the gait moves by 0.45 of its spread between people and the
clothes hang differently; each cl take draws a new coat.

What it does not have: stairs, turns, stops; hands in pockets; faces; cloth that flutters; more than one person. Feet
slide a little on the ground (the crop hides it).
"""
