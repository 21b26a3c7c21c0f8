"""Where third-party inputs lie beside the project; absent on most machines."""

from pathlib import Path
from typing import Final

THIRD_PARTY: Final = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
