"""What could be done about the bytes, a module per family: each reads one database's profile and gives advice."""
