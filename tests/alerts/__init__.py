"""The alert rules: their names against what is measured, and each evaluated by Prometheus's own engine."""
