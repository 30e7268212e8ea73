"""The video diffusion model: network, conditioning, objective, data, training, samplers, pipeline, weights.

GaitCrafter (arXiv 2508.13300) trains a video diffusion model on silhouettes, in pixel space and from scratch,
conditioned on identity (a one-hot token), covariates and view. The paper's code was not published; what is built here,
and why:

- *Patches of pixels* (``network``). 2 x 4 x 4 pixels become channels before the first layer and pixels again after the
  last: every layer works on 32 times fewer positions. The middle 48 of 64 columns are kept.
- *The clean clip is predicted* (``objective``), on the straight path of rectified flow, with the loss of the velocity.
  Predicting the velocity itself left a fine pixel noise on every frame in a trial.
- *Identity is a place in a space of people* (``people``): whitened principal components of mean gait energy images. A
  token picks a row, a blend is distributed like a person, and people never trained on are placed by their clips. The
  code enters at full strength, as scale and shift of every block and as a learned canvas beside the pixels; a weak
  one was hardly learned.
- *Each frame is given its phase in the gait cycle* (``conditioning``; read from silhouettes by ``silhouettes.cycle``),
  so cadence is an input and clips run forward.
- *Any length* (``pipeline``): windows of 30 frames along one ramp of phases, averaged at every sampling step.
- *View is an angle*: sines and cosines with a network of their own.
- *Every input can be left out*, and then has its own learned vector. Guidance leads away from the prediction without
  identity, condition and view.
- *Three Euler steps*: with phase and identity given, more are not better.
- *Or one or two evaluations* (``distillation``): a student predicts where its guided teacher gets to.
- *Clips are drawn as level sets* (``postprocess``): what is above zero is the person, specks go, and the outline is
  drawn as that of a scaled mask.
- *Same seed, same sample* (``pipeline``): each clip has its own noise generator, and windows are computed in tiles of
  one size.
"""
