"""What is measured: charts, messages and files as a hospital makes them, and the clock that measures them."""
