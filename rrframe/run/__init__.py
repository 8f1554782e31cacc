"""What every kind of run shares: its folder, its lock, its events, its progress."""
