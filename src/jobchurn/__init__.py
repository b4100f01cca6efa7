"""Which candidates are looking for a new job, why, and how sure the prediction is."""
