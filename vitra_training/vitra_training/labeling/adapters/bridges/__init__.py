"""Small programs that run in an estimator's own Python and checkout; they import nothing of this project."""
