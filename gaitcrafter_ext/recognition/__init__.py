"""Recognising people by their gait: GEI baseline, GaitSet, GaitBase, their training, the CASIA-B protocol."""
