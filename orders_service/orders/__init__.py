"""(2) An order is placed; (8) it is confirmed or rejected, or its customer cancels it."""
