"""The pages in Airflow's UI: runs, their reports and the model cards, for those whom Airflow lets read them."""
