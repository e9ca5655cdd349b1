"""The column store: people by contact number, in encrypted Parquet files that lie in the database (docs/adr/0070)."""
