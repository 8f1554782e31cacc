"""What plugin authors subclass, a contract a module."""
