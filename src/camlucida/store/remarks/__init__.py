"""What readers say of maps: flags with what came of them, and opinions."""
