"""The video diffusion model: network, conditioning, objective, data, training, samplers, pipeline, weights.

GaitCrafter (arXiv 2508.13300) trains a video diffusion model on silhouettes, in pixel space and from scratch, told who
walks (a one-hot token), how and seen from where. The paper's code was not published; what is built here, and why:

- *Folded pixels* (``network``). 2 x 4 x 4 pixels become channels before the first layer and pixels again after the
  last: nothing is learned or lost in the folding, and every layer works on 32 times fewer positions. The middle 48 of
  64 columns are kept.
- *The clean clip is predicted* (``objective``), on the straight path of rectified flow, with the loss of the velocity.
  Predicting the velocity itself left a fine pixel noise on every frame in a trial.
- *Identity at full strength* (``conditioning``). The code's columns start at standard deviation 1 and are mixed with
  condition and view by a small network, whose output reaches the model twice: as scale and shift of every block, and
  as a learned canvas, a spatial feature map laid beside the pixels, from which a person's mean shape is one linear
  layer away. In the trial a weak code was hardly learned at all, with pose, view and clothes long right.
- *A blend of codes is as long as one code* (``conditioning``): interpolation, then length 1. The paper leaves open how
  embeddings are interpolated; a plain mean of several is nearly that of everybody.
- *View is an angle*: sines and cosines, so any angle can be asked for; it has a small network of its own besides.
- *Attention is told about lags of time* (``network``) by the conditioning, since cadence is a person's own.
- *Every input can be left out*, by its own learned vector, so that any can be guided; now and then all are, since
  guidance leads away from the walk of anybody.
- *Clips are drawn as level sets* (``finishing``): the network answers with means, grey wherever it was in two minds.
  What is above zero is the person; specks go, and the outline is drawn as that of a scaled mask.
- *Same seed, same sample* (``pipeline``): each clip has its own noise generator, and clips are computed in tiles of
  one size.

Not taken over from the design notes: min-SNR weighting and few-step distillation; neither was needed yet.
"""
