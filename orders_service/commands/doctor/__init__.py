"""`doctor`: what may be wrong with a deployment, and what to do."""
