"""Numbers to pictures, numpy only: the same tables and formulas as the viewer."""
