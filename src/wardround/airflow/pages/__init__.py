"""Pages in Airflow's UI: runs, their reports and the model cards, for users whom Airflow allows to read them."""
