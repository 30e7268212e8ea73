"""The video diffusion model: network, conditioning, objective, data, training, samplers, pipeline, weights."""
