r"""Simulated walkers: a cohort anyone may use, in CASIA-B's layout.

CASIA-B is given on application only, so the package makes its own people: bodies drawn from the anny body model,
walks from joint curves, clothes, bags and coats, seen by eleven cameras. ``gaitcrafter simulate`` writes them.

What a person keeps over all takes is the body, the everyday clothes and hair, the bag and the gait (29 numbers and the
low harmonics of four joint curves). From take to take the gait moves by 0.45 of its spread between people and the
clothes hang differently; each cl take draws a new coat. People, takes and views have random streams of their own:
person n of a seed is the same in a cohort of any size.

How hard it is (version 2, seed 0; rank-1 % of nearest neighbours by gait energy image, same view, gallery nm-01..04,
probes nm-05/06, bg-01/02, cl-01/02; in brackets the 95 % interval over people)::

    50 people, 054 and 090     nm 97.0 [93.5, 99.5]   bg 64.0 [55.0, 72.5]   cl 33.0 [23.5, 43.5]
    124 people, 090            nm 97.6 [95.6, 99.2]   bg 49.6 [41.5, 57.3]   cl 27.4 [20.6, 33.9]
    CASIA-B, 124 people, 090   nm about 98            bg about 52            cl about 33

The last line is that of Yu et al. (ICPR 2006), quoted from memory. The commands::

    python tools/simulate.py --out cohort --subjects 50 --train 50
    python tools/evaluate.py gei cohort/pkl --views 054,090
    python tools/simulate.py --out side --subjects 124 --views 090 && python tools/evaluate.py gei side/pkl

To a network (version 1; the package's GaitSet, embeddings equal to OpenGait's; 40 people trained on, 20 others tested,
views 018, 054, 090, 126, 500 iterations of 8 x 4 x 8 frames, identical view excluded, one seed, chance 5)::

    NM 96.2   BG 86.7   CL 77.7        NM - BG 9.6   NM - CL 18.5

Their commands::

    python tools/simulate.py --out nets --subjects 60 --train 40
    python tools/recognise.py train --data nets/pkl --partition nets/partition.json --out gaitset \
        --views 018,054,090,126 --iterations 500 --batch 8x4x8

How fast it is (2 cores, AVX-512 without bf16, 2.8 GHz): 2.2 million frames of 1,000 people took 13 minutes of
processor time on each core, and 23 minutes by the clock, as other work shared the cores (2,400 frames a second while
it had them alone)::

    python tools/simulate.py --out population --subjects 1000 --train 1000 --takes nm=2,bg=1,cl=2 --frames 40 \
        --seed 2508 --jobs 2

What it does not have: stairs, turns, stops; hands in pockets; faces; cloth that flutters; more than one person. Feet
slide a little on the ground (the crop hides it), and joint curves come from textbook ranges, not from a measured
table (see :mod:`gaitcrafter_ext.simulation.gait`).
"""
