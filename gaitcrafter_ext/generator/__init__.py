"""The video diffusion model: network, conditioning, objective, data, training, samplers, pipeline, weights.

GaitCrafter (arXiv 2508.13300) trains a video diffusion model on silhouettes, in pixel space and from scratch,
conditioned on identity, covariates and view. Its code was not published; what is built here differently, and why, is a
table in ``docs/architecture.md``. Every input can be left out, and then has its own learned vector. The same seed gives
the same sample: each clip has its own noise generator, and windows are computed in tiles of one size.
"""
