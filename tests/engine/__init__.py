"""The real Pulumi engine under test: its CLI is found on PATH, or built once from `go.mod` here."""
