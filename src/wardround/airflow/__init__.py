"""Connects Wardround with Airflow: connection type, hook, forms, assets, pools, pages. Only this package imports it."""
