# syntax=docker/dockerfile:1
# One image for every process; which one it is, its first argument says: serve, gateway, worker, notify, console ...
# The Python is that of the lock; another one would need another lock.

FROM python:3.11.13-slim-bookworm AS built
WORKDIR /build
RUN python -m venv /opt/trabecula
ENV PATH=/opt/trabecula/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/lock.txt requirements/lock.txt
RUN pip install --require-hashes --requirement requirements/lock.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY schemas schemas
COPY alerting alerting
COPY streams streams
RUN pip install --no-deps --no-build-isolation . && pip uninstall --yes hatchling pip

FROM python:3.11.13-slim-bookworm
# Its folders are made here so that volumes over them belong to the same user.
RUN groupadd --gid 10001 trabecula \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin trabecula \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/trabecula \
 && install -d -o 10001 -g 10001 -m 0755 /run/trabecula/access /run/trabecula/secrets
COPY --from=built /opt/trabecula /opt/trabecula
ENV PATH=/opt/trabecula/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TRABECULA_DATA=/var/lib/trabecula
WORKDIR /var/lib/trabecula
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["trabecula"]
CMD ["--help"]
