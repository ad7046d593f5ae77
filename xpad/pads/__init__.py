"""Pitch-angle distributions as clean arrays on one grid.

`canonical` gives the flux of a Dataset in one form; `clean` and `quality` say what is measured;
`grid` and `regrid` put records on common axes; `normalise` and `prepare` make rows for the stages.
"""
