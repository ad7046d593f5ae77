"""The fit: passes over the data, and what is learned from what they bring.

`fit.fit` is survey, split, encoder, components and clusters in turn; `resources` is what it may use.
"""
