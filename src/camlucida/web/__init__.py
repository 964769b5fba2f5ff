"""The station's server: reads what the store holds, never computes a map, starts without torch."""
