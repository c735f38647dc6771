# One image for every Airflow service of docker-compose.yaml: the locked packages, the wardround package, the DAGs.
FROM python:3.11.16-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --gid 0 --create-home airflow

ENV AIRFLOW_HOME=/opt/airflow \
    WARDROUND_HOME=/opt/wardround \
    PYTHONPATH=/opt/wardround/config \
    PYTHONUNBUFFERED=1

# The lock comes first, so that a change of the code does not install the packages again.
COPY requirements-distributed.txt /tmp/
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --compile-bytecode -r /tmp/requirements-distributed.txt

WORKDIR /opt/wardround
COPY pyproject.toml setup.py README.md LICENSE ./
COPY config config
COPY dags dags
COPY deploy/compose deploy/compose
COPY include/schemas include/schemas
COPY plugins plugins
COPY src src
RUN uv pip install --system --no-cache --no-deps .

RUN mkdir -p /opt/airflow/logs /data /models /runs && chown -R airflow:0 /opt/airflow /data /models /runs
USER airflow
