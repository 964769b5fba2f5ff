"""What is kept: studies, images, predictions and maps, in a database and content-addressed files."""
