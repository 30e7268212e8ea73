"""Gait clips and where they live: the OpenGait tree, partitions, manifests, contact sheets, pretreatment."""
