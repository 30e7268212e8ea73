"""The only room that knows OpenGait: launcher, shim, data source, sampler; needs torch >= 1.13, numpy and yaml."""
