"""Does it help? Experiments made of this project's own commands, each of which a reader can run alone.

An experiment (``designs``) is a list of steps (``steps``) under one folder, laid out by a ``lab``: simulate a cohort,
train a generator, synthesize, train and test recognisers. All arms of an experiment train for the same number of
iterations, and those with synthetic clips have the same number of them; nothing is chosen on test people. A run that
was cut goes on at the step where it stopped (``running``), and the step itself resumes. At the end stand a table and a
plot (``results``), with mean and spread over the seeds, the untrained network as floor, and chance.
"""
