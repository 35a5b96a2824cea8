"""Reports: figures, tables, charts."""
