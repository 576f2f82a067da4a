"""Real trainers on real fleets: `make test-trainers`. `cells` is what is tried, `measured` what came of it."""
