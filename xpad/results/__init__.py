"""A model applied to a Dataset: labels on its own records, lazily.

Gives `cluster.cluster`, `predict.predict` and the steps one by one; `variables` says what a result
holds and `read` reads one back.
"""
