"""What is done with whole days of history: begun, rebuilt, retired, and read wherever they live."""
