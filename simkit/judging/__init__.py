"""What the judge says beyond single numbers: curves, strata, confusion, comparisons; what it leaves out."""
