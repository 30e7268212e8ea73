"""Does it help? Experiments made of this project's own commands, each of which a reader can run alone.

An experiment (``designs``) is a list of ``steps`` in one folder: simulate a cohort, train a generator, synthesize,
train and test recognisers. All arms of an experiment train for the same number of iterations, those with synthetic
clips have the same number of them, and nothing is chosen on test people. A run that was cut goes on at the step where
it stopped, and the step itself resumes. At the end stand a table and a plot (``results``): mean and spread over the
seeds, the untrained network as floor, and chance.
"""
