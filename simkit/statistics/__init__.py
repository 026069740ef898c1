"""How sure a number is: intervals and tests that make no claim about the shape of a distribution."""
