"""Distributions, correlated sampling and sensitivity; import from the submodules, which load what they need.

``distributions`` (no numpy until something is drawn), ``sampling`` and ``quantiles`` (numpy), ``sensitivity``
(pure Python, numpy for Sobol indices only). None of them loads scipy for plain random sampling.
"""
