"""What was found, as a person reads it: one page of HTML that fetches nothing, and tables for programs."""
