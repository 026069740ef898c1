"""The conformance kit: a fixed set of trials that any picker can take, ours or anybody's."""
