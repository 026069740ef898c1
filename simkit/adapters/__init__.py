"""Functions of other libraries in the form that `kind: python` calls; what they need is installed besides."""
