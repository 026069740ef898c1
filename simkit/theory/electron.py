"""The fast electron: its wavelength and how strongly a potential turns its phase."""

from __future__ import annotations

import numpy as np
from scipy.constants import angstrom, c, e, h, m_e


def wavelength(voltage: float) -> float:
    """Return the relativistic de Broglie wavelength λ = h / √(eV (2mc² + eV)).

    Parameters
    ----------
    voltage : float
        Accelerating voltage in kV.

    Returns
    -------
    float, in Å
    """
    energy = e * voltage * 1e3
    return float(h * c / np.sqrt(energy * (2 * m_e * c**2 + energy)) / angstrom)


def interaction_constant(voltage: float) -> float:
    """Return σ = 2π m γ e λ / h²: the phase that one volt over one ångström adds.

    Parameters
    ----------
    voltage : float
        Accelerating voltage in kV.

    Returns
    -------
    float, in rad/(V·Å)
    """
    gamma = 1 + e * voltage * 1e3 / (m_e * c**2)
    length = wavelength(voltage) * angstrom
    return float(2 * np.pi * m_e * gamma * e * length / h**2 * angstrom)
