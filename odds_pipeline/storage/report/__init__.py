"""The report of a storage profile: what it says, section by section, and how it is written down."""
