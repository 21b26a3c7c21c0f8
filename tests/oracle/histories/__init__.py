"""Random histories of women in whom the rules have something to say, as decoded contract events.

What the documents leave open is left out where it would only tell readings apart: two versions of one record at one
instant, a first version that is a stop, a dose changed before its order starts, one record under two patients.
"""

from .revisions import instants
from .telling import history

__all__ = ["history", "instants"]
