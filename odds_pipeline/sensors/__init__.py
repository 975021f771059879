"""The sensors that start everything; all run by default. One file per sensor."""
