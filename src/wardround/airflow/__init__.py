"""The only room that imports Airflow: connection type, hook, assets, tags, pools, task defaults."""
