"""The requirements that a lock is made from: those of the project, and those of the dependency groups named.

Topic: pyproject.toml stays the one place for them; pip-compile reads no dependency groups.
"""

import sys
import tomllib
from pathlib import Path

content = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
wanted = [*content["project"]["dependencies"]]
for group in sys.argv[1:]:
    wanted += content["dependency-groups"][group]
sys.stdout.write("\n".join(wanted) + "\n")
