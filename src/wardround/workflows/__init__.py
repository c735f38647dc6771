"""What Wardround does: one function per Airflow task, callable without Airflow."""
