"""Verbs: what Wardround does, one function per Airflow task, callable without Airflow."""
