"""Archives: Parquet under a URL. Knows files and frames; the database says which of them count."""
