"""Apache Kafka as jars from Maven, fetched once and kept in a folder beside other caches."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Final

VERSION: Final = "4.1.1"
FOLDER: Final = "TRABECULA_KAFKA_JARS"
"""The setting that names another folder for the jars."""
_ATTEMPTS: Final = 3
_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>trabecula</groupId><artifactId>kafka-of-the-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""
_NEEDED: Final = (f"kafka_2.13-{VERSION}.jar", f"kafka-clients-{VERSION}.jar", "log4j-slf4j-impl-2.24.3.jar")


class NoKafka(Exception):  # noqa: N818 - it says what is missing
    """Kafka cannot be run here, and why."""


def jars() -> Path:
    """The folder of the jars; fetched if they are not there.

    Errors: NoKafka without Java or Maven, or when Maven did not bring them.
    """
    if shutil.which("java") is None:
        raise NoKafka("java is not installed (Debian: apt-get install openjdk-17-jre-headless)")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trabecula-kafka"
    base = Path(os.environ.get(FOLDER) or cache)
    found = base / VERSION
    if not _whole(found):
        base.mkdir(parents=True, exist_ok=True)
        with (base / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _whole(found):
                _fetch(base, found)
    return found


def _whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _NEEDED)


def _fetch(base: Path, found: Path) -> None:
    """Maven's files go to a folder of their own; only a whole set takes the name."""
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKafka("Maven is not installed (Debian: apt-get install maven), and the jars are not in the cache")
    said = ""
    for _ in range(_ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=base) as work:
            brought = Path(work) / "jars"
            said = _maven(maven, Path(work), brought)
            if _whole(brought) and all(zipfile.is_zipfile(jar) for jar in brought.iterdir()):
                shutil.rmtree(found, ignore_errors=True)
                brought.rename(found)
                return
    raise NoKafka(f"Maven did not bring the jars: {said[-800:]}")


def _maven(maven: str, work: Path, brought: Path) -> str:
    (work / "pom.xml").write_text(_POM, "utf-8")
    command = [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={brought}"]
    ran = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=300, check=False)
    return ran.stdout + ran.stderr
