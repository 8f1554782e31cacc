"""Low light: a module for each way to make it dark."""
