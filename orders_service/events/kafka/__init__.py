"""(5) The real broker, through kafka-python. The one folder that knows that library."""
