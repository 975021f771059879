"""Where the bytes are, what they cost, and what to do about it: measured in a database, judged without one."""
