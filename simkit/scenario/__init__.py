"""What a scenario file may say: composition and cross-field checks, no maths."""
