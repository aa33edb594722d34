"""How a number is written for a person, wherever it is said."""

from __future__ import annotations

# Below and from here on a number without an exponent is all zeros.
SMALLEST, LARGEST = 1e-4, 1e15


def number(value: object, *, digits: int = 4, aligned: bool = False) -> str:
    """Return a number with so many significant digits; what is no number as it is.

    Parameters
    ----------
    value : object
        None and nan are undefined. All digits before the point are written, thousands set apart.
    aligned : bool
        Whether zeros at the end stay, so that a column of numbers is easy to compare.

    >>> number(84712.3), number(0.69), number(0.69, aligned=True), number(0.00001234)
    ('84,712', '0.69', '0.6900', '1.234e-05')
    """
    if value is None or value != value:  # only nan differs from itself
        return "undefined"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not value:
        return "0"
    if not SMALLEST <= abs(value) < LARGEST:
        return f"{value:.{digits}g}"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of what is left after rounding
    written = f"{value:,.{max(0, digits - 1 - exponent)}f}"
    return written.rstrip("0").rstrip(".") if "." in written and not aligned else written
