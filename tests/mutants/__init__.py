"""Guards removed one at a time: `make mutants`. `guards` names them and the tests that must notice."""
