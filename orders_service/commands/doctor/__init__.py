"""`doctor`: finds what is wrong with a deployment, and says what to do."""
