"""The ground that everything stands on; it imports nothing else of simkit.

Conventions
-----------
Units
    Lengths are Å, angles degrees, voltages kV, potentials V, doses e/Å² everywhere inside. In YAML
    a dimensional field carries its unit (`4.4 Å`, `1.5 µm`, `20 e/Å²`; ASCII `A`, `um`, `e/A^2`
    too) and a bare number is an error; from Python floats are canonical.
Arrays
    are (row, col) = (y, x). An integer index is a pixel's centre; the centre of an n-pixel box is
    index n // 2. Positions in tables are named columns `y` and `x` in Å, measured from the centre
    of pixel (0, 0). In one dimension only `x` exists.
Angles
    ψ turns the particle's +x axis towards +y: clockwise on the screen, row 0 on top. A placement
    is R(ψ)·M with M the mirror x → −x, first. A solid is seen from (rot, tilt), RELION's first two ZYZ
    angles; its rlnAnglePsi is −ψ.
Correlation
    c(x) = Σ f(x + t) h(t): its peak is the displacement of h inside f.
Image model
    `intensity`: I = level + (density + background) ⊗ PSF. `phase`: densities are phases φ in
    radians and I = 1 + 2 φ ⊗ h, with h signed so that underfocused protein is dark. Expected
    counts are I · dose · pixel area.
SNR
    variance of one imaged copy inside its support radius ÷ noise variance per pixel, resolved to
    a standard deviation before anything is drawn.
Edges
    A copy is in the truth when its centre is on a pixel of the image; `edge` says that the border
    cuts its support. An open image is simulated beyond its border.
Exactness
    Deltas are placed through their Fourier transform (type-1 NUFFT, 1e-12); the Nyquist term of an
    even axis is zeroed so that shifts are exact; shapes are drawn band-limited, less than 1e-4 of
    their energy lost.
Randomness
    A stream per (stage, name, replicate): adding a picker changes no other stream, adding a
    species moves only those written after it.
Knowledge
    A picker sees pixels, pixel size and templates. One that is told the true noise is an oracle,
    labelled so and kept out of rankings. Templates are zero-mean and unit-energy.
Classes
    A template `finds` a species. `all` is blind to class; a class-blind pair of unequal classes is
    a `wrong_class`. What a picker's templates do not find cannot be missed, but a pick on it is false.
Truth
    of a simulation is complete. That of real micrographs is declared complete or not; where it is not, a
    pick near no known particle is unlabelled, not false, and precision and F1 are lower bounds.
"""
