"""What runs beside the jobs, each as one pass (`run_once`) and a ticker."""
