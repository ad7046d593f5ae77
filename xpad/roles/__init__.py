"""Which variable is the flux, and which dimensions are energy and pitch angle; from metadata alone.

`recognise.recognise` gives `Roles`; `describe` says them in words; `words` and `metadata` are what
names, units and descriptions of the missions mean.
"""
