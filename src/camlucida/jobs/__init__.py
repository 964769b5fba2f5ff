"""What runs beside the server. No torch here: the worker is a process of its own."""
